package history

import (
	"math/bits"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

// Observation is one sample of a resource with the moving baseline at that instant.
type Observation struct {
	At              int64 // unix nanoseconds
	Value           float64
	Mean, Deviation float64 // of the moving baseline; Mean is NaN where there is none
}

// rhythm is how far apart most samples are.
type rhythm struct {
	steps [64]int64 // how often a sample followed the one before within 2^i nanoseconds
	usual int       // index of the largest
}

// gap takes the next step, above zero, in nanoseconds, and reports whether samples are missing in it: it is at least
// four times as long as most.
func (r *rhythm) gap(step int64) bool {
	size := bits.Len64(uint64(step))
	missing := r.steps[r.usual] > 0 && size > r.usual+2
	if r.steps[size]++; r.steps[size] > r.steps[r.usual] {
		r.usual = size
	}
	return missing
}

// Shape keeps the shape of a series of any length in a fixed amount of memory, 88 bytes a bin. It is not safe for
// concurrent use.
type Shape struct {
	bins  []plot.Bin
	limit int
	width int64 // of a bin in nanoseconds
	end   int64 // of the latest bin
	last  int64 // instant of the latest sample
	steps rhythm
}

// NewShape returns an empty series that keeps at most so many bins, of which at least half are in use once that many
// samples were seen.
func NewShape(bins int) *Shape {
	if bins < 2 {
		panic("history: a shape needs two bins or more")
	}
	return &Shape{limit: bins, width: 1}
}

// Add appends an observation with a finite value. One that is not newer than the one before is ignored.
func (s *Shape) Add(o Observation) {
	n := len(s.bins)
	b := plot.Bin{
		First: o.At, Last: o.At, Min: o.Value, Max: o.Value, MinAt: o.At, MaxAt: o.At,
		Value: o.Value, Mean: o.Mean, Deviation: o.Deviation,
	}
	if n == 0 {
		s.bins, s.last, s.end = append(s.bins, b), o.At, s.endOf(o.At)
		return
	}
	step := o.At - s.last
	if step <= 0 {
		return
	}
	b.Gap = s.steps.gap(step)
	s.last = o.At
	if o.At < s.end {
		s.bins[n-1].Merge(&b)
		return
	}
	s.bins, s.end = append(s.bins, b), s.endOf(o.At)
	for len(s.bins) > s.limit {
		s.merge()
	}
}

// merge doubles the width of the bins until half of them will do.
func (s *Shape) merge() {
	for kept := len(s.bins); kept > s.limit/2+1; {
		s.width *= 2
		kept = 1
		for i := 1; i < len(s.bins); i++ {
			if s.bins[i].First/s.width != s.bins[i-1].First/s.width {
				kept++
			}
		}
	}
	n := 0
	for i := range s.bins {
		if i > 0 && s.bins[i].First/s.width == s.bins[n].First/s.width {
			s.bins[n].Merge(&s.bins[i])
			continue
		}
		if i > 0 {
			n++
		}
		s.bins[n] = s.bins[i]
	}
	s.bins = s.bins[:n+1]
	s.end = s.endOf(s.bins[n].First)
}

// endOf returns the end of the bin that an instant after 1970 lies in.
func (s *Shape) endOf(at int64) int64 { return (at/s.width + 1) * s.width }

// Bins returns a copy of the bins, in order of time.
func (s *Shape) Bins() []plot.Bin { return append([]plot.Bin(nil), s.bins...) }
