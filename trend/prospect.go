package trend

import (
	"math"
	"time"
)

const (
	steepest   = 8   // doublings in the time watched: a leak is not as steep for long
	detectRuns = 7   // halvings of the search: to 5 % of the time
	sure       = .75 // of the longest time: noise would have come otherwise
)

// Detectable returns a time in which a leak that began with the first value may double a level and have been called by
// now: a line is added to the minimums as they are, with their noise and cycles, and judged twice in a row. ok is false
// where no rate would be called. Growth that is called sooner because it is strong is left out: that takes a steady
// rate.
func (p Params) Detectable(l *Ladder, level float64) (doubling time.Duration, ok bool) {
	watched := float64(l.open)*float64(l.finest) - float64(l.start)
	if l.start < 0 || watched <= 0 || level <= 0 {
		return 0, false
	}
	p.StrongEarns = false
	d := detection{of: l, params: &p}
	shortest, longest := watched/steepest, watched/p.MinGrowth
	if !d.called(level / shortest) {
		return 0, false
	}
	for range detectRuns {
		middle := math.Sqrt(shortest * longest)
		if d.called(level / middle) {
			shortest = middle
		} else {
			longest = middle
		}
	}
	return time.Duration(sure * shortest), true
}

// detection tries what a ladder would make of a leak.
type detection struct {
	of            *Ladder
	params        *Params
	tilted, until Ladder // with the leak; and before the latest buckets
}

// called reports whether a leak at a rate per nanosecond would be confirmed by the latest minimums of a width, or by
// those that ended the first windows from the first value on.
func (d *detection) called(rate float64) bool {
	d.tilt(rate)
	for w := range d.tilted.rings {
		r := &d.tilted.rings[w]
		if d.confirmed(w, r.count) {
			return true
		}
		first := d.of.start / d.of.Width(w)
		if first < r.oldest() {
			continue
		}
		for _, n := range lengths {
			if end := first + n + 1; end < r.count && d.confirmed(w, end) {
				return true
			}
		}
	}
	return false
}

// tilt adds to the ladder what a leak adds at a rate from the first value on.
func (d *detection) tilt(rate float64) {
	d.tilted = *d.of
	for w := range d.tilted.rings {
		r := &d.tilted.rings[w]
		width := d.of.Width(w)
		r.lowest = math.Inf(1)
		for i := r.oldest(); i < r.count; i++ {
			b := r.at(i)
			leaked, within := rate*float64(max(0, i*width-d.of.start)), rate*float64(width)
			b.minimum += leaked
			b.mean += leaked + within/2
			b.level += leaked + within
			if b.minimum < r.lowest {
				r.lowest = b.minimum
			}
		}
	}
}

// confirmed reports whether growth was sustained when a ring had so many buckets, and when it had one less.
func (d *detection) confirmed(w int, count int64) bool {
	d.until = d.tilted
	r := &d.until.rings[w]
	for range confirmedBy {
		for r.count > count {
			r.count--
			*r.at(r.count) = empty
			r.gaps++
		}
		if d.until.Judge(w, *d.params, nil).Reason != Sustained {
			return false
		}
		count--
	}
	return true
}

// foreseen is how many buckets of each width are looked ahead: then its longest window lies ahead as a whole.
const foreseen = Buckets + confirmedBy

// confirmedBy is how many minimums of a width in a row call growth.
const confirmedBy = 2

// Callable returns when growth would be called, in unix nanoseconds, if the series went on from a value now (unix
// nanoseconds) at a rate per second: by the minimums that then would close, twice in a row. level is the moving
// baseline, which holds still. ok is false where the growth would not be called within 34 buckets of the coarsest
// width.
func (p Params) Callable(l *Ladder, now int64, value, rate, level float64) (at int64, ok bool) {
	ahead := *l
	var left, sustained [Widths]int
	for w := range left {
		left[w] = foreseen
	}
	for left[Widths-1] > 0 {
		at := ahead.epoch + (ahead.open+1)*ahead.finest
		closed := ahead.Add(at, value+rate*float64(at-now)/1e9, level)
		for w := range left {
			if closed&(1<<w) == 0 || left[w] == 0 {
				continue
			}
			left[w]--
			if ahead.Judge(w, p, nil).Reason != Sustained {
				sustained[w] = 0
				continue
			}
			if sustained[w]++; sustained[w] == confirmedBy {
				return at, true
			}
		}
	}
	return 0, false
}
