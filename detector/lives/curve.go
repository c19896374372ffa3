package lives

import (
	"math"
	"time"
)

const (
	// points is how many floors a curve has at most.
	points = 32
	// finestWidth is the width of the stretches of a young life at a scale of 1.
	finestWidth = 5 * time.Minute
	// shortest is how many such stretches a life lasts that tells anything.
	shortest = 2

	steps        = 999 // of a curve's range
	nothing      = -1  // was read
	maxMagnitude = 1e100

	minWidth = 1e-3 // of a stretch, in seconds: in soak mode 17 ms at the least
	maxWidth = 1e8  // three years
)

// Curve is one resource over the age of a life: the lowest value in stretches of equal width from the first sample on,
// 16 to 32 of them for a life of 80 minutes or more. Levels are in the unit of the resource, kept to a thousandth of
// their range.
type Curve struct {
	Width  float64 `json:"width"` // of a stretch, in seconds
	Base   float64 `json:"base"`  // the lowest floor
	Unit   float64 `json:"unit"`
	Floors []int16 `json:"floors"`           // Base + n Unit; -1 where nothing was read
	Start  float64 `json:"start"`            // level at which the process settled after its start
	Last   float64 `json:"last"`             // latest reading
	Grew   bool    `json:"grew,omitempty"`   // the life ended in growth that was found or suspected
	Called bool    `json:"called,omitempty"` // it ended in growth that was found
}

// Level returns floor number i; ok is false where nothing was read, or there is none.
func (c *Curve) Level(i int) (level float64, ok bool) {
	if i < 0 || i >= len(c.Floors) || c.Floors[i] < 0 {
		return 0, false
	}
	return c.Base + float64(c.Floors[i])*c.Unit, true
}

// Age returns the middle of stretch number i, in seconds after the first sample.
func (c *Curve) Age(i int) float64 { return (float64(i) + .5) * c.Width }

// The constants of what is known of a life.
const (
	sameAge     = 1.25 // times an age that a life has reached another one may be behind
	levelledOff = .15  // share of the growth in the last quarter of a life, below which it has levelled off...
	stillGrew   = .2   // ...and above which it was cut off
)

// Known returns the highest floor that the life had by an age in seconds, with a quarter to spare; of a life in which a
// leak was found only the first floor counts. ok is false where nothing was read.
func (c *Curve) Known(age float64) (level float64, ok bool) {
	level = math.Inf(-1)
	until := age*sameAge + c.Width
	for i := range c.Floors {
		if f, read := c.Level(i); read && (c.Age(i) <= until || !ok) {
			level, ok = max(level, f), true
			if c.Called {
				break
			}
		}
	}
	return level, ok
}

// Highest returns the highest floor; ok is false where nothing was read.
func (c *Curve) Highest() (level float64, ok bool) {
	highest := int16(nothing)
	for _, f := range c.Floors {
		highest = max(highest, f)
	}
	return c.Base + float64(highest)*c.Unit, highest != nothing
}

// Levelled reports whether little of what the life grew came in its last quarter.
func (c *Curve) Levelled() bool {
	late, grown, ok := c.late()
	return ok && late <= levelledOff*grown
}

// CutOff reports whether the life ended while it grew: what it would have reached is not known.
func (c *Curve) CutOff() bool {
	late, grown, ok := c.late()
	return ok && late > stillGrew*grown
}

// late returns what the life grew in its last quarter, and in all, of what never came back; ok is false where nothing
// was read.
func (c *Curve) late() (late, grown float64, ok bool) {
	n := len(c.Floors)
	kept, first := math.Inf(1), 0.
	for i := n - 1; i >= 0; i-- {
		if f, read := c.Level(i); read {
			if i == n-1 || math.IsInf(kept, 1) {
				first = f
			}
			kept = min(kept, f)
		}
		if i == n*3/4 {
			late = first - kept
		}
	}
	return late, first - kept, !math.IsInf(kept, 1)
}

// Grown returns what the life grew and never gave back.
func (c *Curve) Grown() float64 {
	_, grown, ok := c.late()
	if !ok {
		return 0
	}
	return grown
}

func (c *Curve) valid() bool {
	if !(c.Width >= minWidth && c.Width <= maxWidth) || !(c.Unit >= 0) || len(c.Floors) > points {
		return false
	}
	for _, v := range []float64{c.Base, c.Unit, c.Start, c.Last} {
		if !(math.Abs(v) <= 2*maxMagnitude) {
			return false
		}
	}
	for _, f := range c.Floors {
		if f < nothing || f > steps {
			return false
		}
	}
	return true
}

// Track gathers the curve of a running life. It is not safe for concurrent use, and does not allocate.
type Track struct {
	width  int64 // nanoseconds
	end    int64 // of the open stretch, nanoseconds after the first sample
	n      int   // closed stretches
	floors [points]float64
	lowest float64 // of the open stretch
	latest int64
}

// NewTrack returns the track of a life that begins, at a scale of the time constants.
func NewTrack(scale float64) Track {
	width := int64(max(1, scale*float64(finestWidth)))
	return Track{width: width, end: width, lowest: math.Inf(1)}
}

// Add takes a reading at an age in nanoseconds after the first sample of the life. Ages must not decrease.
func (t *Track) Add(age int64, value float64) {
	if age >= t.end {
		t.advance(age)
	}
	t.latest = age
	if value < t.lowest {
		t.lowest = max(value, -maxMagnitude)
	}
}

// advance closes the stretches that end by an age.
func (t *Track) advance(age int64) {
	for age >= t.end {
		if t.n == points {
			t.widen()
			continue
		}
		t.floors[t.n] = t.lowest
		t.lowest = math.Inf(1)
		t.n++
		t.end += t.width
	}
}

// widen joins the stretches by twos.
func (t *Track) widen() {
	for i := range points / 2 {
		t.floors[i] = min(t.floors[2*i], t.floors[2*i+1])
	}
	t.n = points / 2
	t.width *= 2
	t.end = int64(t.n+1) * t.width
}

// Curve returns what was gathered. A stretch that is open counts from half of its width on: the lowest of a few values
// is no floor.
func (t *Track) Curve() Curve {
	floors := t.floors
	n := t.n
	if open := t.end - t.width; !math.IsInf(t.lowest, 1) && n < points && t.latest-open >= t.width/2 {
		floors[n] = t.lowest
		n++
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, f := range floors[:n] {
		if !math.IsInf(f, 1) {
			low, high = min(low, f), max(high, min(f, maxMagnitude))
		}
	}
	c := Curve{Width: float64(t.width) / 1e9}
	if math.IsInf(low, 1) {
		return c
	}
	c.Base, c.Unit = low, rounded((high-low)/steps)
	c.Floors = make([]int16, n)
	for i, f := range floors[:n] {
		c.Floors[i] = nothing
		if !math.IsInf(f, 1) {
			c.Floors[i] = 0
			if c.Unit > 0 {
				c.Floors[i] = int16(min(steps, math.Round((min(f, maxMagnitude)-low)/c.Unit)))
			}
		}
	}
	return c
}

// Resume returns the track of a life that goes on, by its curve.
func (c *Curve) Resume() Track {
	t := Track{width: int64(c.Width * 1e9), n: len(c.Floors), lowest: math.Inf(1)}
	for i := range c.Floors {
		level, ok := c.Level(i)
		if !ok {
			level = math.Inf(1)
		}
		t.floors[i] = level
	}
	t.end = int64(t.n+1) * t.width
	return t
}

// rounded returns a value of at least this size, with three digits.
func rounded(v float64) float64 {
	if v <= 0 {
		return 0
	}
	digit := math.Pow(10, math.Floor(math.Log10(v))-2)
	if digit == 0 || math.IsInf(digit, 0) {
		return v
	}
	return math.Ceil(v/digit) * digit
}
