// Package sampler describes a process at one instant: Sample, the table of Resources, and Source, which gives samples.
// The packages below it read processes, one for each kind of source. Other packages judge the samples. Values are in
// base units, and what was not read is absent.
package sampler

import (
	"context"
	"math"
	"slices"
	"time"
)

// Reading is one measured value in base units: bytes, seconds or a count. It is always finite.
type Reading struct {
	Resource string
	Value    float64
}

// Ceiling is the level of a resource at which its process dies or starts to fail.
type Ceiling struct {
	Resource string
	Level    float64 // in the unit of the resource; 0 = known to have none
	Source   string  // where the level was found, as in "RLIMIT_NOFILE"
}

// Sample is what one process looked like at one instant. It holds only what was read: a resource that could not be
// read is absent, never zero. A Sample may be reused: a Source overwrites all of it.
type Sample struct {
	Time     time.Time // stamped by the Source, to the millisecond
	Start    time.Time // when the process started; zero if unknown. A later start than before means a restart.
	PID      int       // of the process; 0 if unknown. A different PID means a restart too.
	Version  string    // of what the process runs; empty if unknown
	Revision string    // of the source that it was built from; empty if unknown
	Readings []Reading
	Ceilings []Ceiling // shared and never written to; a Source that learns of a change makes a new slice
}

// Value returns the reading of a resource, and whether it was read.
func (s *Sample) Value(resource string) (value float64, ok bool) {
	for i := range s.Readings {
		if s.Readings[i].Resource == resource {
			return s.Readings[i].Value, true
		}
	}
	return 0, false
}

// Reset empties the sample for reuse, keeps its memory, and stamps it.
func (s *Sample) Reset(at time.Time) {
	s.Time, s.Start, s.PID, s.Version, s.Revision, s.Ceilings = at, time.Time{}, 0, "", "", nil
	s.Readings = s.Readings[:0]
}

// Add appends a reading. NaN and infinities are dropped: they mean that nothing was read.
func (s *Sample) Add(resource string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	s.Readings = append(s.Readings, Reading{Resource: resource, Value: value})
}

// Clone returns a copy that shares no memory the Source will write to.
func (s *Sample) Clone() Sample {
	c := *s
	c.Readings = slices.Clone(s.Readings)
	return c
}

// A Source yields samples in order of time: a live process, a scraped endpoint, or a recording.
//
// Sample overwrites s with the next sample. A live Source reads at once; how often is up to the caller. The error says
// what could not be read; s then still holds the readings that worked. io.EOF means that there will be no further
// sample: the recording is over or the process has ended.
type Source interface {
	Sample(ctx context.Context, s *Sample) error
}
