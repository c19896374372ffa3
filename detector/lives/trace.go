package lives

import (
	"math"
	"time"
)

// trace is the curve of one life as it is judged.
type trace struct {
	number  int
	day     time.Weekday // on which it began
	hours   float64      // that it was watched
	width   float64      // of a stretch, hours
	called  bool
	refuted bool // ended before a finding was taken back
	n       int
	raw     [points]float64
	floors  [points]float64 // without the shape that was taken out
	kept    [points]float64 // what never came back
}

// age returns the middle of stretch number i, in hours.
func (t *trace) age(i int) float64 { return (float64(i) + .5) * t.width }

// at returns the value at an age in hours, of the floors or of what was kept.
func (t *trace) at(of *[points]float64, age float64) float64 {
	x := age/t.width - .5
	switch {
	case x <= 0:
		return of[0]
	case x >= float64(t.n-1):
		return of[max(0, t.n-1)]
	}
	i := int(x)
	return of[i] + (x-float64(i))*(of[i+1]-of[i])
}

// growth returns the growth from one age to another, as a share of the level at the first.
func (t *trace) growth(from, to, offset float64) float64 {
	base := t.at(&t.kept, from)
	return (t.at(&t.kept, to) - base) / (max(base, 0) + offset)
}

// levelled reports whether little of what the life grew came in its last quarter.
func (t *trace) levelled() bool {
	end := t.kept[t.n-1]
	return end-t.at(&t.kept, t.hours*3/4) <= levelledOff*(end-t.kept[0])
}

// prepare fills the gaps with the floor before, at the begin with the one after.
func (t *trace) prepare() {
	last := math.NaN()
	for i := range t.n {
		if math.IsNaN(t.raw[i]) {
			t.raw[i] = last
		}
		last = t.raw[i]
	}
	for i := t.n - 2; i >= 0; i-- {
		if math.IsNaN(t.raw[i]) {
			t.raw[i] = t.raw[i+1]
		}
	}
	t.floors = t.raw
	t.keep()
}

// keep finds what never came back: the reversed running minimum.
func (t *trace) keep() {
	t.kept = t.floors
	for i := t.n - 2; i >= 0; i-- {
		t.kept[i] = min(t.kept[i], t.kept[i+1])
	}
}
