package lives

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/trend"
)

// Params are what growth over lives is judged by. Durations are physical: the scale applies to them too.
type Params struct {
	Required  time.Duration // how long a doubling must last, summed over the lives, above 0
	MinGrowth float64       // minimum growth of a life, as a share of its level
	Offset    float64       // added to the level, above 0, in the unit of the resource
	Scale     float64       // of the time constants, above 0
	Retracted int           // findings of the resource that were taken back
	Refuted   time.Time     // when the latest of them was: lives that ended before are no evidence
}

// Growth is what the lives in a row that grew have in common, the running one among them.
type Growth struct {
	Lives  int // that grew, in a row
	Since  int // number of the first of them
	Before []int
	// growth of the one that grew least a day, and of the one that grew most, in the unit of the resource
	Low, High float64
	Growth    float64        // of a life, as a share of the level at its start: the median
	Shares    [parts]float64 // of the growth in each quarter of a life, over all of them
	Longest   time.Duration  // of the lives that are known to have gone on at the same rate
	Against   int            // lives before the growth whose shape was taken out; 0 = none
	// Fit is of the level over the age in hours, as a share of the level at the start, with an intercept for each life.
	Fit trend.PanelFit
	// Running is the growth of the running life, as a judgment within it.
	Running trend.Growth
}

const parts = 4 // of a life, each with a share of its growth

// The constants of growth over lives.
const (
	minLives    = 3   // that are looked at
	minFloors   = 8   // of a life that tells anything
	minHours    = 2   // that it lasts
	shortShare  = .4  // of the length of the others, below which a life tells nothing
	fullShare   = .85 // of the median length, from which on a life shows the growth of one...
	minFull     = 3   // ...and how many have to
	runShare    = .75 // of the median length, that the running life has lasted...
	onLine      = .6  // ...and what it has grown at least by then, of what the others had
	eachShare   = .4  // of the median growth, that each life but one in six has
	evenPart    = .18 // of the growth, that a quarter of a life should hold...
	lastPart    = .23 // ...and the last one...
	lackCosts   = 20  // ...as e to the power of this, times what it lacks, multiplies the required duration...
	minPart     = .12 // ...down to this...
	minLast     = .195
	minT        = 4   // of the slope
	endRate     = .65 // of the slope, that the slope at the end of a life has at least
	sameHour    = .6  // of the growth, that is there at the same hour of the day too
	longerLives = 5   // that are asked for where a longer one was seen...
	// ...or where lives begin on six days of the week, or such of a day on a Saturday and a Sunday...
	everyDay       = 5
	daysOfWeek     = 6   //
	unseenLives    = 6   // ...and where neither is known
	retractedCosts = 2   // more lives for each finding that was taken back
	minReference   = 3   // lives before the growth, whose shape can be taken out...
	maxReference   = 12  // ...and how many are looked at
	shapeBins      = 24  // of such a shape
	maxStrength    = 4   // growth beyond this earns no more
	growthPower    = 1.3 // of growth, times its duration, is what is earned
	day            = 24. // hours
	slack          = 3.  // hours that a life may lack to a whole number of days
)

// begins are the shares of a life at which the growth may begin to count: what comes before may be a warm-up.
var begins = [...]float64{0, .125, .25, .375, .5}

// latestLives are how many of the latest lives are looked at: those before may have been of a version that did not
// leak.
var latestLives = [...]int{4, 5, 6, 8, 12, 18, 30}

// Judge judges growth over lives. It keeps its memory from one judgment to the next, and is not safe for concurrent
// use.
type Judge struct {
	params Params
	traces []trace
	group  []*trace // that are looked at, without the running one; the latest first
	panel  trend.Panel
	list   []float64
}

// Begin forgets the lives that were added.
func (j *Judge) Begin(p Params) { j.params, j.traces = p, j.traces[:0] }

// Add adds a life that is over, with its number. Lives are added in order of time.
func (j *Judge) Add(number int, life *Life, c *Curve) {
	if len(c.Floors) == 0 {
		return
	}
	t := j.add(number, life.First)
	t.hours, t.width, t.called = life.span().Hours(), c.Width/3600, c.Called
	t.refuted = !life.End.After(j.params.Refuted)
	t.n = len(c.Floors)
	for i := range c.Floors {
		level, ok := c.Level(i)
		if !ok {
			level = math.NaN()
		}
		t.raw[i] = level
	}
	t.prepare()
}

// AddRunning adds the running life, with its number and first sample, as the last one.
func (j *Judge) AddRunning(number int, first time.Time, track *Track) {
	t := j.add(number, first)
	t.hours, t.width, t.n = time.Duration(track.latest).Hours(), time.Duration(track.width).Hours(), track.n
	for i := range track.n {
		t.raw[i] = track.floors[i]
		if math.IsInf(t.raw[i], 1) {
			t.raw[i] = math.NaN()
		}
	}
	t.prepare()
}

func (j *Judge) add(number int, first time.Time) *trace {
	j.traces = append(j.traces, trace{number: number, day: first.UTC().Weekday()})
	return &j.traces[len(j.traces)-1]
}

// Over judges the lives that were added. ok is false where they are no evidence of a leak, or not yet.
//
// The latest lives are looked at, those alone that are long enough to compare, from an age on at which the warm-up may
// be over to their median length. Growth is what never came back within a life, over the level at its start. Each life
// has to grow, and the pooled growth has to be material, even, and no slower at the end than before:
//
//   - the share of each quarter of the age, over all lives, as trend.Ladder.Judge asks of one window;
//   - the regression of the level on the age with an intercept for each life, its slope and its bend (trend.Panel);
//   - whole days: the growth is there at the same hour of the day;
//   - what lives that are longer did later: one that levelled off speaks for those that were cut off before. Until one
//     was seen more lives are asked for, fewer where lives begin on weekends too: one of these would have been longer;
//   - lives that levelled off higher: growth up to there is no news;
//   - hours times growth (to the power 1.3), summed over the lives, reach the required duration.
//
// Where lives before did not grow, their mean shape over the age is taken out of all curves first: the hour of the day
// and the warm-up are the same in all lives of a service that is deployed at the same hour. The running life has to
// agree.
//
// It is assumed that lives of one service do the same at the same age, but for what leaks. The constants are calibrated
// on generated services of many lives; t and the shares are scores, not probabilities.
func (j *Judge) Over() (g Growth, ok bool) {
	if len(j.traces) < minLives {
		return Growth{}, false
	}
	run := &j.traces[len(j.traces)-1]
	if run.n < minFloors-2 || run.hours < minHours*j.params.Scale {
		return Growth{}, false
	}
	for _, m := range latestLives {
		g, more, ok := j.overLatest(m, run)
		if ok || !more {
			return g, ok
		}
	}
	return Growth{}, false
}

// usual returns the median length of the latest lives that are over and tell anything, in hours: beside a life that
// lasts far longer they tell what it did at their age.
func (j *Judge) usual() float64 {
	j.list = j.list[:0]
	for i := len(j.traces) - 2; i >= 0 && len(j.list) < maxReference; i-- {
		if t := &j.traces[i]; j.informative(t, 0) {
			j.list = append(j.list, t.hours)
		}
	}
	if len(j.list) == 0 {
		return 0
	}
	slices.Sort(j.list)
	return j.list[len(j.list)/2]
}

// informative reports whether a life is long enough to tell anything beside one of a length.
func (j *Judge) informative(t *trace, hours float64) bool {
	return t.n >= minFloors && t.hours >= max(minHours*j.params.Scale, shortShare*hours)
}

// overLatest judges the latest m lives that tell, and the running one. more reports whether there are more.
func (j *Judge) overLatest(m int, run *trace) (g Growth, more, ok bool) {
	beside := min(run.hours, j.usual())
	j.group, j.list = j.group[:0], j.list[:0]
	i := len(j.traces) - 2
	for ; i >= 0 && len(j.group) < m && !j.traces[i].refuted; i-- {
		if t := &j.traces[i]; j.informative(t, beside) {
			j.group = append(j.group, t)
			j.list = append(j.list, t.hours)
		}
	}
	if len(j.group) < minLives-1 {
		return Growth{}, false, false
	}
	more = len(j.group) == m && i >= 0
	first := j.group[len(j.group)-1].number
	slices.Sort(j.list)
	length := j.list[(len(j.list)-1)/2]
	j.group = slices.DeleteFunc(j.group, func(t *trace) bool { return t.hours < shortShare*length })
	if len(j.group) < minLives-1 || run.hours < runShare*length {
		return Growth{}, more, false
	}
	for _, against := range [...]bool{false, true} {
		references := 0
		if against {
			if references = j.divideByShape(first, length); references == 0 {
				break
			}
		}
		for _, share := range begins {
			if g, ok = j.window(run, share*length, length); ok {
				g.Against = references
				break
			}
		}
		if against {
			j.putBack()
		}
		if ok {
			return g, more, true
		}
	}
	return Growth{}, more, false
}

// divideByShape divides all curves by the mean shape of lives before a number that have a length, and returns how many
// these are. What is older than the length follows the hour of the day.
func (j *Judge) divideByShape(first int, length float64) (references int) {
	var shape [shapeBins]float64
	offset := j.params.Offset
	for i := len(j.traces) - 2; i >= 0 && references < maxReference; i-- {
		t := &j.traces[i]
		if t.number >= first || t.called || t.n < minFloors || t.hours < fullShare*length {
			continue
		}
		references++
		var levels [shapeBins]float64
		var mean float64
		for b := range levels {
			levels[b] = max(t.at(&t.floors, (float64(b)+.5)/shapeBins*length), 0) + offset
			mean += levels[b] / shapeBins
		}
		for b := range levels {
			shape[b] += levels[b] / mean
		}
	}
	if references < minReference {
		return 0
	}
	for i := range j.traces {
		t := &j.traces[i]
		for k := range t.n {
			age := t.age(k)
			if late := age - length - slack; late > 0 {
				age -= day * math.Ceil(late/day)
			}
			x := min(max(age/length*shapeBins-.5, 0), shapeBins-1)
			b := min(int(x), shapeBins-2)
			of := (shape[b] + (x-float64(b))*(shape[b+1]-shape[b])) / float64(references)
			t.floors[k] = (max(t.floors[k], 0)+offset)/of - offset
		}
		t.keep()
	}
	return references
}

func (j *Judge) putBack() {
	for i := range j.traces {
		j.traces[i].floors = j.traces[i].raw
		j.traces[i].keep()
	}
}

// window judges the growth from one age to another, both in hours.
func (j *Judge) window(run *trace, from, to float64) (g Growth, ok bool) {
	pooled := j.pool(from, to)
	stretch := to / (to - from)
	if pooled.full < minFull || pooled.growth*stretch < j.params.MinGrowth || pooled.total < j.params.MinGrowth ||
		!pooled.each {
		return g, false
	}
	g.Growth, g.Shares = pooled.growth*stretch, pooled.shares
	rate := pooled.growth / (to - from)
	if !j.agrees(run, from, to, rate) {
		return g, false
	}
	lack := 0.
	for q, share := range g.Shares {
		if share < minPart {
			return g, false
		}
		if q < parts-1 {
			lack = max(lack, evenPart-share)
		} else {
			lack += max(0, lastPart-share)
		}
	}
	g.Fit, ok = j.panel.Fit()
	bends := g.Fit.Slope+g.Fit.Bend*(to-from) < endRate*g.Fit.Slope
	if !ok || g.Fit.T < minT || g.Shares[parts-1] < minLast || bends || pooled.sameHour < sameHour*pooled.ofDays {
		return g, false
	}
	longer, ok := j.longerGoOn(&g, from, to, rate, pooled.growth)
	if !ok || j.levelledAt() > pooled.level*(1-beyond*pooled.growth/(1+pooled.growth)) {
		return g, false
	}
	required := unseenLives
	switch {
	case longer:
		required = longerLives
	case j.everyDay():
		required = everyDay
	}
	need := j.params.Required.Hours() * math.Exp(lackCosts*lack)
	if len(j.group)+1 < required+retractedCosts*j.params.Retracted || pooled.earned < need {
		return g, false
	}
	j.describe(&g, run, from, to, pooled.growth)
	g.Running = trend.Growth{
		Reason: trend.Sustained, Window: hoursOf(run.hours - from), Points: run.n, Width: hoursOf(run.width),
		Growth: g.Growth, Need: need,
		Base: run.at(&run.kept, from), Level: run.at(&run.kept, from),
	}
	g.Running.Rise = run.at(&run.kept, run.hours) - g.Running.Base
	g.Running.Fit = trend.Fit{
		Intercept: g.Running.Base, Slope: g.Running.Rise / (run.hours - from) / 3600, R2: g.Fit.R2, T: g.Fit.T,
		EffectivePoints: float64(g.Fit.Groups),
	}
	return g, true
}

// pooled is what the lives of a group that are long enough have in common between two ages.
type pooled struct {
	full             int     // lives
	growth, total    float64 // median, as a share of the level at the first age; since the first floor
	each             bool    // whether each grew
	shares           [parts]float64
	level            float64 // mean, at the end
	sameHour, ofDays float64 // growth over whole days as it was, and what of it never came back
	earned           float64 // hours of doubling, over all
}

// pool adds up the lives of the group, and puts their floors into the panel.
func (j *Judge) pool(from, to float64) (p pooled) {
	j.list = j.list[:0]
	j.panel.Reset()
	var total float64
	for _, t := range j.group {
		if t.hours < fullShare*to {
			continue
		}
		p.full++
		end := min(to, t.hours)
		base := t.at(&t.kept, from)
		scale := max(base, 0) + j.params.Offset
		before := base
		for q := range parts {
			now := t.at(&t.kept, from+(end-from)*float64(q+1)/parts)
			p.shares[q] += (now - before) / scale
			before = now
		}
		grown := (before - base) / scale
		total += grown
		p.level += before
		j.list = append(j.list, grown)
		for k := range t.n {
			if age := t.age(k); age >= from && age <= end {
				j.panel.Add(age, (t.floors[k]-base)/scale)
			}
		}
		j.panel.Close()
		if days := math.Floor((t.hours + slack) / day); days >= 1 {
			ago := max(0, t.hours-day*days)
			p.ofDays += (t.at(&t.kept, t.hours) - t.at(&t.kept, ago)) / scale
			p.sameHour += (t.at(&t.floors, t.hours) - t.at(&t.floors, ago)) / scale
		}
		p.earned += math.Pow(min(max(grown, 0)*to/(to-from), maxStrength), growthPower) * t.hours / j.params.Scale
	}
	if p.full == 0 || total <= 0 {
		return p
	}
	for q := range p.shares {
		p.shares[q] /= total
	}
	p.level /= float64(p.full)
	slices.Sort(j.list)
	p.growth = j.list[len(j.list)/2]
	p.each = true
	for i, grown := range j.list {
		if grown < eachShare*p.growth && i*6 >= p.full {
			p.each = false
		}
	}
	j.list = j.list[:0]
	for _, t := range j.group {
		if t.hours >= fullShare*to {
			j.list = append(j.list, t.growth(0, min(to, t.hours), j.params.Offset))
		}
	}
	slices.Sort(j.list)
	p.total = j.list[len(j.list)/2]
	return p
}

// agrees reports whether the running life has grown as the others had, and goes on.
func (j *Judge) agrees(run *trace, from, to, rate float64) bool {
	if run.hours <= from {
		return false
	}
	base := run.at(&run.kept, from)
	scale := max(base, 0) + j.params.Offset
	grown := min(run.hours, to) - from
	now, late := run.at(&run.kept, run.hours), run.hours-grown/2
	return (now-base)/scale >= onLine*rate*grown && (now-run.at(&run.kept, late))/scale >= onLine*rate*(run.hours-late)
}

// everyDay reports whether lives began on six days of the week, or such that last a day on both a Saturday and a
// Sunday, which no working week has, by the time zone of UTC. Of the oldest it is not known: it may have begun to be
// watched at any time.
func (j *Judge) everyDay() bool {
	var days uint8
	for i := range j.traces[1:] {
		days |= 1 << j.traces[i+1].day
	}
	const weekend = 1<<time.Saturday | 1<<time.Sunday
	return bits.OnesCount8(days) >= daysOfWeek || days&weekend == weekend && j.daily()
}

// daily reports whether the lives of the group are about a day long.
func (j *Judge) daily() bool {
	return !slices.ContainsFunc(j.group, func(t *trace) bool { return math.Abs(t.hours-day) > slack })
}

// describe fills in which lives grew, as far back as they did, and which did not before.
func (j *Judge) describe(g *Growth, run *trace, from, to, growth float64) {
	g.Low, g.High = math.Inf(1), math.Inf(-1)
	grew := func(t *trace) bool {
		end := min(to, t.hours)
		a, b := max(from, t.age(0)), min(end, t.age(t.n-1)) // of which there are floors
		perDay := (t.at(&t.kept, b) - t.at(&t.kept, a)) / (b - a) * day
		share := t.growth(from, end, j.params.Offset) / (end - from) * (to - from)
		if b <= a || share < eachShare*growth {
			return false
		}
		g.Lives++
		g.Since, g.Low, g.High = t.number, min(g.Low, perDay), max(g.High, perDay)
		return true
	}
	grew(run)
	i := len(j.traces) - 2
	oldest := j.group[len(j.group)-1].number
	for ; i >= 0; i-- {
		t := &j.traces[i]
		if j.informative(t, to) && !grew(t) && t.number < oldest {
			break
		}
	}
	for ; i >= 0; i-- {
		t := &j.traces[i]
		if !j.informative(t, to) {
			continue
		}
		if t.growth(from, min(to, t.hours), j.params.Offset) >= eachShare*growth {
			g.Before = nil
			return
		}
		g.Before = append(g.Before, t.number)
	}
}

func hoursOf(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
