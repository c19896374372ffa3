package fleet

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

const (
	// lookEvery is how far apart the past instants are at which a scan asks what it would have called then. They lie on
	// full hours of the day, so that scans at different times ask the same.
	lookEvery = 6 * time.Hour
	// settling is how many full hours before the end have a say in how strong growth is: two scans of the same hour
	// agree, and what swings does not come and go from one hour to the next.
	settling = 3
	// maxLate bounds the weight of a false call whose end was seen late.
	maxLate = 4
)

// looks are the instants of a grid at which a scan looks at what stands.
type looks struct {
	past   []bool        // by instant of the grid
	recent [settling]int // last instants that begin a full hour, the latest last; -1 = none
}

// looksOf returns the instants: the first ones of the grid at or after the full hour.
func looksOf(g prom.Grid) looks {
	l := looks{past: make([]bool, g.N)}
	for k := range l.recent {
		l.recent[k] = -1
	}
	first, before := g.Start, -1
	for hour := first.Add(-g.Step).Truncate(time.Hour).Add(time.Hour); ; hour = hour.Add(time.Hour) {
		i := max(int((hour.Sub(first)+g.Step-1)/g.Step), 0)
		if i >= g.N {
			return l
		}
		if hour.Truncate(lookEvery).Equal(hour) {
			l.past[i] = true
		}
		if i > before { // else a step is longer than an hour
			copy(l.recent[:], l.recent[1:])
			l.recent[settling-1], before = i, i
		}
	}
}

// pastCall is growth that a scan at a past instant would have called.
type pastCall struct {
	at       int // instant of the grid
	time     time.Time
	resource string
	strength float64 // score
	age      time.Duration
	growth   backtest.Growth
	outcome  backtest.Outcome
	weight   float64
	ended    time.Time // when the growth was gone, of a false one
}

// recent is what was found at the last full hours.
type recent [settling]struct {
	age    time.Duration // of the life; 0 = it had not begun
	firing []detector.Status
}

// look notes what stands at an instant.
func (l *life) look(at looks, i int, d *detector.Detector, firing map[string]bool) {
	past := at.past[i]
	hour := slices.Index(at.recent[:], i)
	if hour < 0 && !past {
		return
	}
	var found []detector.Status
	for _, stands := range firing {
		if stands {
			found = slices.DeleteFunc(d.Verdicts(), func(s detector.Status) bool {
				return !s.Trend || s.Evidence == nil
			})
			break
		}
	}
	if hour >= 0 {
		l.recent[hour].age, l.recent[hour].firing = max(l.length(), 1), found
	}
	if !past || l.length() < calibration.Marks[0] {
		return
	}
	l.instants = append(l.instants, i)
	for k := range found {
		s := &found[k]
		l.past = append(l.past, pastCall{
			at: i, time: l.last, resource: s.Resource.Name, strength: calibration.Score(s), age: l.length(),
			growth: growthOf(s),
		})
	}
}

// oldEnough is the age from which past instants of a life tell of its end, as a share of that: the strongest growth
// takes longest.
const oldEnough = 1. / 3

// spoken returns the age from which the past instants of a life count.
func (l *life) spoken() time.Duration {
	return max(calibration.Marks[0], time.Duration(oldEnough*float64(l.length().Truncate(time.Hour))))
}

// followUp tells what became of the calls of a life by its end.
func (l *life) followUp(p *process, g prom.Grid) {
	from := l.first.Add(l.spoken())
	l.instants = slices.DeleteFunc(l.instants, func(i int) bool { return g.At(i).Before(from) })
	end := int(l.last.Sub(g.Start)/g.Step) + 1
	for i := range l.past {
		c := &l.past[i]
		for k := range p.readings {
			if p.readings[k].resource != c.resource {
				continue
			}
			var after time.Duration
			c.outcome, after = backtest.Follow(p.readings[k].values[c.at+1:end], g.Step, c.growth, l.ends)
			c.weight, c.ended = 1, g.At(c.at).Add(after)
			if c.outcome.False() {
				c.weight = l.late(after)
			}
		}
	}
}

// late returns how many false calls one stands for whose end was known after a time: of the instants at which its life
// was judged, those after which there was as much time are a share.
func (l *life) late(after time.Duration) float64 {
	judged := l.length() - l.spoken()
	if judged <= 0 {
		return 1
	}
	return min(1/max(1-float64(after)/float64(judged), 1./maxLate), maxLate)
}

// settle has the trends of a running life be those of the last full hour, unless it had not begun then.
func (l *life) settle(at looks) {
	hour := &l.recent[settling-1]
	if hour.age == 0 {
		return
	}
	for i := range l.statuses {
		now := &l.statuses[i]
		k := slices.IndexFunc(hour.firing, func(s detector.Status) bool { return s.Resource.Name == now.Resource.Name })
		switch {
		case k >= 0 && !now.Trend:
			was := hour.firing[k]
			was.At, was.Value, was.Limit = now.At, now.Value, now.Limit
			*now = was
		case k < 0 && now.Trend:
			now.Trend, now.Grew, now.Nats = false, 0, 0
		}
	}
}

// eValueOf returns the evidence that a resource of a life leaks: of a running one the median over the last full hours.
func (l *life) eValueOf(c *calibration.Table, s *detector.Status) float64 {
	if l.ends || l.recent[settling-1].age == 0 || !s.Trend {
		return c.EValue(calibration.Score(s), l.length())
	}
	var all []float64
	for k := range l.recent {
		r := &l.recent[k]
		if r.age == 0 {
			continue
		}
		e := 0.
		for i := range r.firing {
			if r.firing[i].Resource.Name == s.Resource.Name {
				e = c.EValue(calibration.Score(&r.firing[i]), r.age)
			}
		}
		all = append(all, e)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// down is growth of a resource that came to nothing before that of now began, which was as strong.
type down struct {
	resource string
	ended    time.Time
}

// cameDown returns the times at which what grows in a life had been as high as now, and came down again.
func (l *life) cameDown(p *process, g prom.Grid) (all []down) {
	// sinceBegin is how soon after the begin of the time that is watched the growth of now has to begin for what was
	// before to tell of it, however short.
	const sinceBegin = 36 * time.Hour
	first := int(l.first.Sub(g.At(0)) / g.Step)
	for i := range l.statuses {
		s := &l.statuses[i]
		if !s.Trend || s.Evidence == nil {
			continue
		}
		for k := range p.readings {
			if p.readings[k].resource != s.Resource.Name {
				continue
			}
			until := s.Since.Add(time.Duration(stillLow * float64(l.last.Sub(s.Since))))
			readings := p.readings[k].values[first:max(first, int(until.Sub(g.At(0))/g.Step))]
			growth := growthOf(s)
			falls, _ := growth.Before(readings, []int{0}, g.Step)
			if len(falls) == 0 && first == 0 && s.Since.Sub(l.first) < sinceBegin {
				if at, ok := growth.OpenedHigh(readings, g.Step); ok {
					falls = append(falls, at)
				}
			}
			for _, at := range falls {
				all = append(all, down{s.Resource.Name, g.At(first + at)})
			}
		}
	}
	return all
}

// eValueOfNow returns the evidence that a resource of a life leaks by its end.
func (l *life) eValueOfNow(resource string, c *calibration.Table) float64 {
	for i := range l.statuses {
		if l.statuses[i].Resource.Name == resource {
			return l.eValueOf(c, &l.statuses[i])
		}
	}
	return 0
}
