package trend

import (
	"math"
	"slices"
	"time"
)

// Reason says which test a window of minimums failed, in the order in which they are made; the last one means that it
// passed them all.
type Reason uint8

const (
	NoData         Reason = iota // too few minimums yet
	NotGrowing                   // the latest minimums are no higher than the lowest
	TooSmall                     // the rise is small against the level
	SeenBefore                   // most of the rise was reached before the window
	TooRecent                    // the growth has not lasted long enough for its size
	Uneven                       // a step, or growth that levels off
	NotSignificant               // the regression does not support a slope
	Sustained                    // growth by every test
)

var reasons = [...]string{
	NoData:         "no data",
	NotGrowing:     "not growing",
	TooSmall:       "too small",
	SeenBefore:     "seen before",
	TooRecent:      "too recent",
	Uneven:         "uneven",
	NotSignificant: "not significant",
	Sustained:      "sustained",
}

func (r Reason) String() string { return reasons[r] }

// Params are the constants of the verdict. Durations are physical: a ladder's scale applies to them too.
type Params struct {
	// how long a doubling must last with no history before it; half of it with a day of history
	Required  time.Duration
	MinGrowth float64 // minimum rise over the level before it, as a share of that level: 0.2 is 20 %
	// added to the level, so that a few units over next to nothing are not growth; unit of the series, above 0
	Offset  float64
	Ceiling float64 // level at which the process dies, in the unit of the series; 0 = unknown
	Scale   float64 // the ladder's, above 0
	// Known is the highest level that is known of earlier lives of the process, in the unit of the series, if HasKnown:
	// what they reached is no growth of this one.
	Known    float64
	HasKnown bool
	// LoadDrives tells that the load is known to be what the series follows. Then growth at constant load earns half of
	// the required duration. Of any other load series only the opposite can be learned: growth that disappears at
	// constant load is no leak.
	LoadDrives bool
	// StrongEarns tells that growth by more than the level at a constant rate, beyond all that was read before it,
	// needs less time the stronger it is. It counts for whole processes: a line of code has hardly a level before it.
	StrongEarns bool
	// Regrowth tells that growth below a level that was seen before counts, if the series was never seen to climb
	// there.
	Regrowth bool
}

// The constants of the verdict.
const (
	suspicion    = 6   // suspicion asks for a sixth of the required duration
	history      = 24  // hours of history before the window that halve the required duration
	week         = 168 // hours of it after which less is asked...
	weekEarns    = .25 // ...by this, and what shape costs counts for less...
	weekTrusts   = .9  // ...by up to this: caches fill and services warm up in their first days...
	trustFrom    = 1   // ...for growth from here...
	trustTo      = 2   // ...to here, of a series that...
	trustFlank   = .7  // ...never climbed by this share of the rise and gave it back
	maxGrowth    = 4   // growth beyond this earns no more
	growthPower  = 1.3 // of the growth, times its duration, is what is earned: strong growth is rarely benign for long
	strongFrom   = 1.4 // growth from here...
	strongTo     = 30  // ...to here...
	strongPower  = 4   // ...earns by this power of what it is more...
	strongR2     = .96 // ...if its rate is constant, and stays so when load is held constant...
	strongHours  = 2.5 // ...over this many hours with no history before it, any with a day of it
	longGrowth   = 36  // hours after which growth may pass below what was seen before it...
	longRequired = 8   // ...at this many times the required duration
	evenParts    = 4   // parts of the window that each must hold a share of the rise
	evenShare    = .18 // of the rise in each part but the last; .25 is a straight line
	lastShare    = .23 // in the last part: growth that levels off is not a leak
	lackCosts    = 30  // e to the power of this, times the share that a part lacks, multiplies the required duration...
	minShare     = .08 // ...down to this share, below which it is a step
	// of the rise: each such height that the series climbed and gave back before adds once the required duration...
	cameBack    = .05
	maxCameBack = 5 // ...up to this many times
	// e to the power of this, times what the recent rate lacks of the whole, multiplies the required duration...
	rateCosts    = 2.5
	minRate      = -.5 // ...from this share of the whole rate...
	maxRate      = 1.5 // ...to this: of growth that accelerates less is asked
	recentPart   = 4   // the recent rate is that of the last quarter of the window, at the next finer width
	bendT        = -1  // of the curvature, below which growth bends down, as a cache that fills...
	minBend      = .01 // of the rise, from the middle to the ends
	bendCosts    = 8   // ...and must be this many times as patient
	minT         = 4   // of the slope
	loadT        = 3   // of the slope with load held constant
	loadShare    = .7  // of the rate that must remain with load held constant
	loadEarns    = .5  // of the required duration where growth does not follow the load that drives the series
	loadCosts    = 5   // times the required duration when it does: a leak can raise the load itself
	climbedShare = .5  // of the rise, that a series climbed and gave back before: it was seen to climb there
	ceilingUsed  = .5  // of the headroom, from which on no duration is required...
	ceilingG     = .5  // ...if the growth is at least this
)

// minFactor is the least share of the required duration that a window can do with.
var minFactor = loadEarns * math.Exp(-rateCosts*(maxRate-1))

// lengths of the windows judged, in buckets, longest first: the longest growth tells best since when.
var lengths = [...]int64{32, 24, 16, 12, 8}

// coarsestLengths has a shorter window at the coarsest width, where 8 buckets are 8 days.
var coarsestLengths = [...]int64{32, 24, 16, 12, 8, 5}

// Judge tests the windows of the width at index w that end with its latest closed bucket. load may be nil; else it is a
// ladder of the process's load with the same epoch and scale. It returns the longest sustained growth, else the window
// that came nearest.
func (l *Ladder) Judge(w int, p Params, load *Ladder) (best Growth) {
	candidates := lengths[:]
	if w == Widths-1 {
		candidates = coarsestLengths[:]
	}
	r := &l.rings[w]
	if r.count == 0 || math.IsNaN(r.at(r.count-1).minimum) {
		return Growth{}
	}
	if l.immaterial(w, candidates, &p, &best) {
		return best
	}
	// One pass over the ring, newest first, gives for each window what the tests that most windows fail need: its
	// lowest minimum, which is the start of the reversed running minimum, and how many minimums it has.
	var lowest [Buckets + 1]float64
	var filled [Buckets + 1]int8
	low, end, points := math.Inf(1), math.Inf(1), int8(0)
	for n := int64(1); n <= min(r.count, Buckets); n++ {
		if f := r.at(r.count - n).minimum; !math.IsNaN(f) {
			if f < low {
				low = f
			}
			if points++; points == 2 {
				end = low
			}
		}
		lowest[n], filled[n] = low, points
	}

	var past before
	for _, length := range candidates {
		if length > r.count {
			continue
		}
		first := r.count - length
		points := int64(filled[length])
		if points*4 < length*3 || points < 5 || math.IsNaN(r.at(first).minimum) {
			continue
		}
		level := l.levelBefore(w, first)
		rise := end - lowest[length]
		material := rise > 0 && rise >= p.MinGrowth*(max(level, 0)+p.Offset)
		reason := NotGrowing
		if rise > 0 {
			reason = TooSmall
		}
		if !material && reason <= best.Reason {
			continue
		}
		c := Growth{
			Reason: reason,
			Since:  l.epoch + first*l.Width(w),
			Window: time.Duration(length * l.Width(w)),
			Points: int(points),
			Width:  time.Duration(l.Width(w)),
			Level:  level,
		}
		c.measure(lowest[length], end, p.Offset)
		if material {
			l.judgeWindow(&c, w, first, end, &p, load, &past)
		}
		if c.Reason == Sustained {
			return c
		}
		if c.Suspect && !best.Suspect || c.Suspect == best.Suspect && c.Reason > best.Reason {
			best = c
		}
	}
	return best
}

// judgeWindow makes the tests that need more than the ends of the window: those of growth that is material. end is the
// lower of the latest two minimums.
func (l *Ladder) judgeWindow(c *Growth, w int, first int64, end float64, p *Params, load *Ladder, past *before) {
	r := &l.rings[w]
	hours := c.Window.Hours() / p.Scale
	known := max(0, time.Duration(first*l.Width(w)-l.start).Hours()/p.Scale)
	c.Strong = p.StrongEarns && hours >= strongHours*(1-min(1, known/history)) && !l.meanReached(w, first, end)
	earned := func() float64 { return c.strength() * hours }
	settled := min(1, max(0, known-history)/(week-history)) // 1 after a week
	need := p.Required.Hours() * (1 - .5*min(1, known/history)) * (1 - weekEarns*settled)
	if seen := past.seen(l, w, first); seen > c.Base && !(p.Regrowth && l.gaveBack(w, Widths) <= climbedShare*c.Rise) {
		// Growth for so long is not the return of an old load.
		if hours >= longGrowth && earned() >= longRequired*need {
			need *= longRequired
		} else if c.measure(seen, end, p.Offset); c.Growth < p.MinGrowth {
			c.Reason = SeenBefore
			return
		}
	}
	if p.HasKnown && p.Known > c.Base {
		if c.measure(p.Known, end, p.Offset); c.Growth < p.MinGrowth {
			c.Reason = SeenBefore
			return
		}
	}
	if p.Ceiling > c.Level && c.Rise >= ceilingUsed*(p.Ceiling-c.Level) && c.Growth > ceilingG {
		need = 0
	}
	c.Need = need
	if earned() < need*minFactor/suspicion {
		c.Reason = TooRecent
		return
	}

	all := past.collect(r)
	from, _ := slices.BinarySearch(all.numbers[:all.n], first)
	minimums, kept := all.minimums[from:all.n], all.kept[from:all.n]
	n := len(kept)
	var at [Buckets]float64
	x := at[:n]
	for i := range x {
		x[i] = float64((all.numbers[from+i]-first)*l.Width(w)) / 1e9
	}
	c.Rest = c.resting(x, kept)
	c.Steps, c.Pause = c.steps(all)
	lack, even := c.even(x, kept)
	if !even {
		c.Reason = Uneven
		return
	}
	fit, ok := l.fit.regress(x, minimums)
	c.Fit = fit
	if !ok || fit.Slope <= 0 || fit.T < minT {
		c.Reason = NotSignificant
		return
	}
	c.Strong = c.Strong && fit.R2 >= strongR2
	shapely := need
	costs := 1 - settled*l.trust(w, c)
	need *= math.Exp(lackCosts * lack * costs)
	need *= math.Exp(rateCosts * (1 - l.recentRate(w, n, fit.Slope)))
	if l.fit.bendsDown(x, kept) {
		need *= math.Pow(bendCosts, costs)
		c.Strong = false
	}
	shape := need > shapely
	need *= 1 + min(l.gaveBack(w, min(w+2, Widths))/(cameBack*c.Rise), maxCameBack)
	if need > 0 && load != nil {
		factor := c.holdLoad(l, load, w)
		if factor < 1 && !p.LoadDrives {
			factor = 1
		}
		need *= factor
		c.Strong = c.Strong && factor <= 1
	}
	c.Need = need
	strength := earned()
	c.Suspect = strength >= need/suspicion
	switch {
	case strength >= need:
		c.Reason = Sustained
	case shape && strength >= shapely:
		c.Reason = Uneven
	default:
		c.Reason = TooRecent
	}
}

// recentRate returns the slope of the last quarter of a window of n minimums at index w, by the minimums of the next
// finer width, as a share of the window's slope: from minRate to maxRate, and 1 where too few minimums tell.
func (l *Ladder) recentRate(w, n int, slope float64) float64 {
	finer := max(0, w-1)
	recent, ok := l.latestSlope(finer, int64(n)*l.Width(w)/(recentPart*l.Width(finer)))
	if !ok {
		return 1
	}
	return min(max(recent/slope, minRate), maxRate)
}

// trust returns by how much less the shape of a window counts after a week, 0 to weekTrusts: what has been steady for
// so long does not warm up any more, so that growth by several times its level is a leak also where it bends down.
func (l *Ladder) trust(w int, c *Growth) float64 {
	strong := min(1, max(0, c.Growth-trustFrom)/(trustTo-trustFrom))
	if strong == 0 {
		return 0
	}
	return weekTrusts * strong * max(0, 1-l.gaveBack(w, Widths)/(trustFlank*c.Rise))
}

// bendsDown reports whether growth decelerates: with time held constant, the series falls with the squared distance
// from the middle of the window, by more than rounding.
func (t *fitter) bendsDown(x, kept []float64) bool {
	var squares [Buckets]float64
	middle := (x[0] + x[len(x)-1]) / 2
	for i := range x {
		squares[i] = (x[i] - middle) * (x[i] - middle)
	}
	f, ok := t.partial(squares[:len(x)], kept, x)
	return ok && f.T < bendT && -f.Slope*squares[0] > minBend*(kept[len(kept)-1]-kept[0])
}

// holdLoad compares the rate over the ring with the rate at constant load, and returns the factor on the required
// duration.
func (c *Growth) holdLoad(l, load *Ladder, w int) float64 {
	r, q := &l.rings[w], &load.rings[w]
	var x, y, z [Buckets]float64
	n := 0
	oldest := max(r.oldest(), q.oldest())
	for i := oldest; i < min(r.count, q.count); i++ {
		a, b := r.at(i).mean, q.at(i).mean
		if !math.IsNaN(a) && !math.IsNaN(b) {
			x[n] = float64((i-oldest)*l.Width(w)) / 1e9
			y[n], z[n] = a, b
			n++
		}
	}
	if n < 8 {
		return 1
	}
	whole, ok := l.fit.regress(x[:n], y[:n])
	if !ok || whole.Slope <= 0 {
		return 1
	}
	c.Load = true
	held, ok := l.fit.partial(x[:n], y[:n], z[:n])
	if ok {
		c.Kept = held.Slope / whole.Slope
	}
	if ok && c.Kept >= loadShare && held.T >= loadT {
		return loadEarns
	}
	return loadCosts
}

// Rate returns the slope of the latest minimums of the finest width, up to 12 of them, per second; ok is false with
// fewer than 4.
func (l *Ladder) Rate() (slope float64, ok bool) { return l.latestSlope(0, 12) }

// Latest returns the regression of these minimums.
func (l *Ladder) Latest() (fit Fit, ok bool) { return l.latestFit(0, 12) }

// latestSlope returns the slope of the latest n minimums at index w, per second; ok is false with fewer than 4.
func (l *Ladder) latestSlope(w int, n int64) (slope float64, ok bool) {
	fit, ok := l.latestFit(w, n)
	return fit.Slope, ok
}

func (l *Ladder) latestFit(w int, n int64) (fit Fit, ok bool) {
	r := &l.rings[w]
	var x, y [Buckets]float64
	points := 0
	first := max(r.oldest(), r.count-n)
	for i := first; i < r.count; i++ {
		if f := r.at(i).minimum; !math.IsNaN(f) {
			x[points], y[points] = float64((i-first)*l.Width(w))/1e9, f
			points++
		}
	}
	return l.fit.regress(x[:points], y[:points])
}
