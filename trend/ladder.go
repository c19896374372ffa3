package trend

import (
	"math"
	"time"
)

// maxMagnitude bounds the magnitude of a value, so that squares and sums stay finite.
const maxMagnitude = 1e100

const (
	// Buckets is how many buckets each width keeps.
	Buckets = 32
	// Widths is how many widths a ladder has.
	Widths = 5
)

// widths of the buckets, in units of the finest. Leaks run at rates over four decades: the fine ones see the fast, the
// coarse ones the slow.
var widths = [Widths]int64{1, 4, 16, 72, 288}

// FinestWidth is the width of the finest buckets at a scale of 1. The coarser ones are 20 min, 80 min, 6 h and 24 h.
const FinestWidth = 5 * time.Minute

// sparseShare is the part of the finest buckets of a bucket, 1 in this many, up to which a series is sparse.
const sparseShare = 8

// bucket sums up the values of one stretch of time. minimum is NaN where nothing was read.
type bucket struct {
	minimum float64 // lowest value
	mean    float64
	level   float64 // the moving baseline when the bucket closed
}

var empty = bucket{minimum: math.NaN(), mean: math.NaN(), level: math.NaN()}

// ring keeps the latest closed buckets of one width, and gathers the open one.
type ring struct {
	closed [Buckets]bucket
	count  int64   // buckets closed since the epoch; the latest is number count-1
	gaps   int     // of those that are kept, or have no bucket yet
	lowest float64 // minimum of those that are kept

	minimum, sum float64 // of the open bucket, over the finest buckets in which something was read
	n, full      int32   // how many these are, and how many a bucket has when nothing is missing
	left         int32   // finest buckets until it closes
}

// at returns closed bucket number i, counted from the epoch. i must be one of the latest Buckets.
func (r *ring) at(i int64) *bucket { return &r.closed[uint64(i)%Buckets] }

// keep takes the next closed bucket.
func (r *ring) keep(b bucket) {
	place := r.at(r.count)
	gone := place.minimum
	*place = b
	r.count++
	if math.IsNaN(gone) {
		r.gaps--
	}
	if math.IsNaN(b.minimum) {
		r.gaps++
	}
	switch {
	case b.minimum <= r.lowest:
		r.lowest = b.minimum
	case gone == r.lowest:
		r.lowest = math.Inf(1)
		for i := range r.closed {
			if f := r.closed[i].minimum; f < r.lowest {
				r.lowest = f
			}
		}
	}
}

// oldest returns the number of the oldest bucket that is kept.
func (r *ring) oldest() int64 { return max(0, r.count-Buckets) }

// Ladder keeps the minimums (lowest values) and means of one series in buckets of five widths, 32 of each: the last 2 h
// 40 min at 5 min up to the last 32 days at 24 h, at a scale of 1. The minimum is what tells a leak: load, bursts and
// garbage collection raise a series, but only what is never given back raises its minimum.
//
// It is not safe for concurrent use. It takes under 5 KB and never allocates.
type Ladder struct {
	epoch  int64 // start of bucket 0, unix nanoseconds
	start  int64 // when the first value came, in nanoseconds after the epoch; -1 where nothing is known
	finest int64 // nanoseconds
	rings  [Widths]ring

	open         int64 // number of the open bucket of the finest width
	minimum, sum float64
	n            int

	fit fitter
}

// NewLadder returns an empty ladder whose bucket 0 starts at epoch, in unix nanoseconds. scale stretches all widths;
// the finest must come to a nanosecond or more and the coarsest to less than 292 years. Ladders with the same epoch and
// scale close their buckets together.
func NewLadder(epoch int64, scale float64) *Ladder {
	finest := float64(FinestWidth) * scale
	if !(finest >= 1 && finest*float64(widths[Widths-1]) < math.MaxInt64) {
		panic("trend: scale out of range")
	}
	l := &Ladder{epoch: epoch, finest: int64(finest)}
	l.startAt(0)
	return l
}

// startAt forgets everything and opens a bucket of the finest width, by its number.
func (l *Ladder) startAt(number int64) {
	l.start, l.open = -1, number
	l.minimum, l.sum, l.n = math.Inf(1), 0, 0
	for w := range l.rings {
		r := &l.rings[w]
		*r = ring{count: number / widths[w], gaps: Buckets, lowest: math.Inf(1), minimum: math.Inf(1),
			left: int32(widths[w] - number%widths[w])}
		for i := range r.closed {
			r.closed[i] = empty
		}
	}
}

// Closes reports whether an instant lies past the open bucket, so that adding a value there closes it.
func (l *Ladder) Closes(at int64) bool { return at-l.epoch >= (l.open+1)*l.finest }

// Add takes a finite value measured at an instant in unix nanoseconds, which must not lie before the epoch; instants
// must not decrease. A value beyond ±1e100 counts as that. level is the moving baseline before this value, kept with
// the buckets that close. It returns the widths of which a bucket closed, as a bit set.
func (l *Ladder) Add(at int64, value, level float64) (closed uint8) {
	if l.Closes(at) {
		closed = l.Advance(at, level)
	}
	if l.start < 0 {
		l.start = at - l.epoch
	}
	// Compared by hand: min and max also order zeros and NaN, which costs.
	if value > maxMagnitude {
		value = maxMagnitude
	} else if value < -maxMagnitude {
		value = -maxMagnitude
	}
	if value < l.minimum {
		l.minimum = value
	}
	l.sum += value
	l.n++
	return closed
}

// Advance closes the buckets that end by an instant, empty ones where nothing was read. It returns their widths as a
// bit set.
func (l *Ladder) Advance(at int64, level float64) (closed uint8) {
	number := (at - l.epoch) / l.finest
	if number <= l.open {
		return 0
	}
	// After a gap longer than the memory of the coarsest ring nothing is left of what was before it.
	if number-l.open >= widths[Widths-1]*(Buckets+1) {
		l.startAt(number)
		return 1<<Widths - 1
	}
	for l.open < number {
		closed |= l.closeOne(level)
	}
	return closed
}

func (l *Ladder) closeOne(level float64) (closed uint8) {
	mean := l.sum / float64(l.n)
	for w := range l.rings {
		r := &l.rings[w]
		if l.n > 0 {
			if l.minimum < r.minimum {
				r.minimum = l.minimum
			}
			r.sum += mean
			r.n++
		}
		if r.left--; r.left > 0 {
			continue
		}
		r.left = int32(widths[w])
		b := empty
		// A bucket that is mostly gap has no minimum to compare with the others. Where that goes on, values come more
		// rarely now. Where even the fullest bucket has few, as of readings by hand or a daily job, each counts: how
		// many fall into one is chance.
		r.full = max(r.full, r.n)
		sparse := int64(r.full)*sparseShare <= widths[w]
		switch {
		case r.n == 0:
		case 2*r.n >= r.full || sparse:
			b = bucket{minimum: r.minimum, mean: r.sum / float64(r.n), level: level}
		default:
			r.full -= (r.full + 3) / 4
		}
		r.keep(b)
		r.minimum, r.sum, r.n = math.Inf(1), 0, 0
		closed |= 1 << w
	}
	l.open++
	l.minimum, l.sum, l.n = math.Inf(1), 0, 0
	return closed
}

// Width returns the width of the buckets at index w in nanoseconds, 0 <= w < Widths.
func (l *Ladder) Width(w int) int64 { return l.finest * widths[w] }

// Minimum returns the minimum of the latest closed bucket at index w, in the unit of the series; ok is false where
// nothing, or too little, was read.
func (l *Ladder) Minimum(w int) (minimum float64, ok bool) {
	r := &l.rings[w]
	if r.count == 0 {
		return 0, false
	}
	minimum = r.at(r.count - 1).minimum
	return minimum, !math.IsNaN(minimum)
}

// Epoch returns where bucket 0 of every width starts, in unix nanoseconds.
func (l *Ladder) Epoch() int64 { return l.epoch }

// Closed returns how many buckets at index w were closed since the epoch, 0 <= w < Widths.
func (l *Ladder) Closed(w int) int64 { return l.rings[w].count }

// MinimumAt returns the minimum of closed bucket number n at index w, which starts n widths after the epoch; ok is
// false where nothing, or too little, was read, and for a bucket that is not kept or not closed.
func (l *Ladder) MinimumAt(w int, n int64) (minimum float64, ok bool) {
	r := &l.rings[w]
	if n < r.oldest() || n >= r.count {
		return 0, false
	}
	minimum = r.at(n).minimum
	return minimum, !math.IsNaN(minimum)
}

// HeldSince returns since when none of the minimums kept lies below a level, in unix nanoseconds: the start of the
// first such bucket, of the finest width that shows it. ok is false where the latest minimum of the finest width lies
// below it, or none is kept.
func (l *Ladder) HeldSince(level float64) (at int64, ok bool) {
	known := int64(math.MaxInt64) // start of what finer widths tell
	for w := range l.rings {
		r := &l.rings[w]
		width := l.Width(w)
		for i := r.count - 1; i >= r.oldest(); i-- {
			if i*width >= known {
				continue // told by finer buckets
			}
			minimum := r.at(i).minimum
			if math.IsNaN(minimum) {
				continue
			}
			if minimum < level {
				return l.epoch + at, ok
			}
			at, ok = i*width, true
		}
		if ok {
			known = at
		}
	}
	return l.epoch + at, ok
}

// immaterial fills in what Judge returns where no window shows material growth, which is most often, without looking at
// each minimum. It is false, and c untouched, where one may, or minimums lack.
func (l *Ladder) immaterial(w int, candidates []int64, p *Params, c *Growth) bool {
	r := &l.rings[w]
	if r.gaps > 0 {
		return false
	}
	end := r.at(r.count - 1).minimum
	if f := r.at(r.count - 2).minimum; f < end {
		end = f
	}
	rise := end - r.lowest // no window rises by more
	if rise > 0 {
		for _, length := range candidates {
			level := l.levelBefore(w, r.count-length)
			if rise >= p.MinGrowth*(max(level, 0)+p.Offset) {
				return false
			}
		}
	}
	c.Reason = NotGrowing
	c.Since = l.epoch + r.oldest()*l.Width(w)
	c.Window = time.Duration(Buckets * l.Width(w))
	c.Points = Buckets
	c.Width = time.Duration(l.Width(w))
	c.Level = r.at(r.oldest()).level
	if rise > 0 {
		c.Reason = TooSmall
	}
	c.measure(r.lowest, end, p.Offset)
	return true
}

// What a ladder remembers of the time before a window.

// levelBefore returns the moving baseline when the window that starts with bucket first began.
func (l *Ladder) levelBefore(w int, first int64) float64 {
	r := &l.rings[w]
	if first > r.oldest() {
		if level := r.at(first - 1).level; !math.IsNaN(level) {
			return level
		}
	}
	return r.at(first).level
}

// before looks up what was there before windows of one width, which must come in order of their begins. So each minimum
// is looked at once, not for each window. The minimums of that width are collected once too.
type before struct {
	highest   float64
	next      [Widths]int64 // bucket of each width that was not looked at yet
	started   bool
	collected collectedMinimums
}

// collectedMinimums are the minimums of a ring that were read, the oldest first.
type collectedMinimums struct {
	n        int
	numbers  [Buckets]int64 // of their buckets
	minimums [Buckets]float64
	kept     [Buckets]float64 // what never came back of them: the reversed running minimum
}

// collect returns the minimums of a ring, whose windows share them.
func (b *before) collect(r *ring) *collectedMinimums {
	g := &b.collected
	if g.n > 0 {
		return g
	}
	for i := r.oldest(); i < r.count; i++ {
		if f := r.at(i).minimum; !math.IsNaN(f) {
			g.numbers[g.n], g.minimums[g.n] = i, f
			g.n++
		}
	}
	low := math.Inf(1)
	for i := g.n - 1; i >= 0; i-- {
		low = min(low, g.minimums[i])
		g.kept[i] = low
	}
	return g
}

// seen returns the highest minimum that held for longer than a bucket at index w, before bucket first of that width.
func (b *before) seen(l *Ladder, w int, first int64) float64 {
	if !b.started {
		b.started, b.highest = true, math.Inf(-1)
		for coarser := range l.rings {
			b.next[coarser] = l.rings[coarser].oldest()
		}
	}
	start := first * widths[w]
	for coarser := min(w+1, Widths-1); coarser < Widths; coarser++ {
		r := &l.rings[coarser]
		ended := min(r.count, start/widths[coarser])
		for ; b.next[coarser] < ended; b.next[coarser]++ {
			if f := r.at(b.next[coarser]).minimum; f > b.highest {
				b.highest = f
			}
		}
	}
	return b.highest
}

// meanReached reports whether the mean of a bucket that ended before bucket first of the width at index w was as high
// as a level. The widest come first: they are the fewest, and reach back longest.
func (l *Ladder) meanReached(w int, first int64, level float64) bool {
	start := first * l.Width(w)
	for coarser := Widths - 1; coarser >= w; coarser-- {
		r := &l.rings[coarser]
		ended := min(r.count, start/l.Width(coarser))
		for i := r.oldest(); i < ended; i++ {
			if r.at(i).mean >= level {
				return true
			}
		}
	}
	return false
}

// gaveBack returns the highest growth of the minimums that was given back, in the memory of the rings from index w on
// to before end: the largest of the lower flanks of all peaks.
func (l *Ladder) gaveBack(w, end int) (highest float64) {
	for coarser := w; coarser < end; coarser++ {
		r := &l.rings[coarser]
		var minimums, risen [Buckets]float64
		n := 0
		low := math.Inf(1)
		for i := r.oldest(); i < r.count; i++ {
			if f := r.at(i).minimum; !math.IsNaN(f) {
				low = min(low, f)
				minimums[n], risen[n] = f, f-low
				n++
			}
		}
		low = math.Inf(1)
		for i := n - 1; i >= 0; i-- {
			low = min(low, minimums[i])
			highest = max(highest, min(risen[i], minimums[i]-low))
		}
	}
	return highest
}
