package tune

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
)

// prevalence is the share of processes that leak once within the horizon for which the precision is stated: the month
// under physical time constants, the run in soak mode.
const prevalence = 0.01

const month = 30 * 24 * time.Hour

// Interval is a figure with its 95 % interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// interval returns nil where nothing is known, which is not zero.
func interval(e stats.Estimate) *Interval {
	if !e.Known {
		return nil
	}
	return &Interval{e.Value, e.Low, e.High}
}

// Spread is the middle and the far end of measurements.
type Spread struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
}

func spread(s stats.Spread) *Spread {
	if s.N == 0 {
		return nil
	}
	return &Spread{s.N, s.Median, s.P90}
}

// Figures say how good a method is on some recordings. A figure that cannot be said is nil.
type Figures struct {
	Recordings  int       `json:"recordings"`
	Healthy     int       `json:"healthy"`  // recordings in which nothing leaks
	Exposure    float64   `json:"exposure"` // healthy time in process-days, in soak mode in runs
	FalseAlarms int       `json:"false_alarms"`
	BesideLeak  int       `json:"beside_leak"` // of them those that came while another resource leaked
	Rate        *Interval `json:"rate"`        // false alarms per unit of exposure
	Alarmed     *Interval `json:"alarmed"`     // share of the healthy recordings with any
	Leaking     int       `json:"leaking"`     // recordings
	Noticed     *Interval `json:"noticed"`     // share of the leaking recordings with a true alarm of any resource
	Leaks       int       `json:"leaks"`
	Found       int       `json:"found"`
	Recall      *Interval `json:"recall"`
	Due         int       `json:"due"` // leaks that exhausted their limit or doubled the level within the recording
	DueFound    int       `json:"due_found"`
	DueRecall   *Interval `json:"due_recall"`
	DelayHours  *Spread   `json:"delay_hours"`
	DelayShare  *Spread   `json:"delay_share"` // of the time to exhaustion
	Leaked      *Spread   `json:"leaked"`      // at the alarm, relative to the level before
	LeadHours   *Spread   `json:"lead_hours"`  // from the alarm to the exhaustion; nine of ten exceed p90
	Precision   *Interval `json:"precision"`
}

// figuresOf takes the figures from a tally of recordings that are judged in one soak setting; 0 = the physical time
// constants.
func figuresOf(t evaluate.Tally, soak time.Duration) Figures {
	f := Figures{
		Recordings: t.Recordings, Healthy: t.Healthy, Exposure: t.Days(), FalseAlarms: t.FalseAlarms,
		BesideLeak: t.BesideLeak,
		Alarmed:    interval(t.AlarmedShare()),
		Leaking:    t.Leaking, Noticed: interval(t.NoticedShare()), Leaks: len(t.Leaks),
		Recall: interval(t.Recall()), DueRecall: interval(t.DueRecall()),
		DelayHours: spread(t.Delay()), DelayShare: spread(t.DelayShare()), Leaked: spread(t.Leaked()),
		LeadHours: spread(t.Lead()),
	}
	horizon := month
	if soak > 0 {
		f.Exposure *= float64(24*time.Hour) / float64(soak)
		horizon = soak
	}
	f.Rate = interval(stats.PoissonRate(f.FalseAlarms, f.Exposure))
	f.Precision = interval(t.Precision(prevalence, horizon))
	for i := range t.Leaks {
		l := &t.Leaks[i]
		if l.At != 0 {
			f.Found++
		}
		if l.Due {
			f.Due++
			if l.At != 0 {
				f.DueFound++
			}
		}
	}
	return f
}

// delay returns the median delay for comparisons; nothing found is beyond all.
func (f *Figures) delay() float64 {
	if f.DelayHours == nil {
		return math.Inf(1)
	}
	return f.DelayHours.Median
}

// Named are figures of a part: of one resource, kind of leak or family.
type Named struct {
	Name string `json:"name"`
	// a family that nothing in the series tells from a leak for its first day or longer
	Ambiguous bool `json:"ambiguous,omitempty"`
	Figures
}

// partsOf returns the figures of each resource, mechanism and family.
func partsOf(r *evaluate.Report, keep func(*evaluate.Outcome) bool, soak time.Duration,
	ambiguous func(family string) bool) (
	resources, kinds, families []Named,
) {
	for _, name := range r.Resources() {
		if t := r.Tally(name, keep); t.Recordings > 0 {
			resources = append(resources, Named{Name: name, Figures: figuresOf(t, soak)})
		}
	}
	all := r.Tally("", keep)
	for _, g := range all.ByKind() {
		t := evaluate.Tally{}
		for _, l := range all.Leaks {
			if l.Kind == g.Name {
				t.Leaks = append(t.Leaks, l)
			}
		}
		kinds = append(kinds, Named{Name: g.Name, Figures: figuresOf(t, soak)})
	}
	seen := make(map[string]bool)
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		if o.Family == "" || seen[o.Family] || !keep(o) {
			continue
		}
		seen[o.Family] = true
		t := r.Tally("", func(other *evaluate.Outcome) bool { return other.Family == o.Family && keep(other) })
		families = append(families, Named{Name: o.Family, Ambiguous: ambiguous(o.Family), Figures: figuresOf(t, soak)})
	}
	return resources, kinds, families
}
