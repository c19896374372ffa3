// Package dataset holds recordings with what is known of them: read from files and labels, extended, divided for
// cross-validation. It judges none of them; those that are made up come from generate.
package dataset

import (
	"context"
	"io"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Recording is one run of a process, decoded once, with what is known of it.
type Recording struct {
	Name      string        // file with the process where it has several, or family and number of a generated one
	Process   string        // which one in its file; "" if there is no other
	Program   string        // what ran: recordings of one program are not independent
	Family    string        // behaviour of a generated one, mechanism of a leaking one; "" if unknown
	Soak      time.Duration // setting that the truth holds for; 0 = the physical time constants
	Times     []int64       // of the samples, unix nanoseconds, increasing
	Series    []Series
	Described []sampler.Resource        // what the file tells of its resources beyond their names
	Starts    []Mark[time.Time]         // of the process, in order
	Ceilings  []Mark[[]sampler.Ceiling] // in order
	Unknown   bool                      // not labelled: taken as healthy, and reported apart
	Faults    int                       // lines of the file that could not be used
	Fault     error                     // the first of them
}

// Mark is something that holds from a sample on.
type Mark[T any] struct {
	From  int // index into Times
	Value T
}

// Series is one resource of a recording.
type Series struct {
	Resource string
	Values   []float64 // one a sample; NaN where it was not read
	Truth    Truth
}

// Truth is what is known of one series.
type Truth struct {
	Leaks bool
	From  int64  // begin of the leak, unix nanoseconds; alarms before it are false
	Kind  string // mechanism
	// Consequence marks a series that grows because another one leaks: an alarm from the begin of the leak on is true,
	// none is not missed.
	Consequence bool
	// Exhausted is when the leak takes the last of its limit, also beyond the end of the recording; 0 = unknown.
	Exhausted int64
	// Doubled is when the leaked amount reaches the level before it; 0 = not within the recording.
	Doubled int64
}

// Own reports whether the series leaks by itself.
func (t *Truth) Own() bool { return t.Leaks && !t.Consequence }

// Days returns the length of the recording in days.
func (r *Recording) Days() float64 {
	if len(r.Times) == 0 {
		return 0
	}
	return time.Duration(r.Times[len(r.Times)-1]-r.Times[0]).Hours() / 24
}

// Judged returns the series that have a trend worth judging: gauges that are not mere context, and do not only stand in
// for another one that is here.
func (r *Recording) Judged() []*Series {
	var judged []*Series
	for i := range r.Series {
		if d := r.describe(r.Series[i].Resource); d.Kind == sampler.Gauge && !d.Context &&
			r.find(d.StandsInFor) == nil {
			judged = append(judged, &r.Series[i])
		}
	}
	return judged
}

// describe returns what is known of a resource: by what its file tells, else by its name.
func (r *Recording) describe(resource string) sampler.Resource {
	for _, d := range r.Described {
		if d.Name == resource {
			return d
		}
	}
	d, _ := sampler.Lookup(resource)
	return d
}

func (r *Recording) find(resource string) *Series {
	for i := range r.Series {
		if r.Series[i].Resource == resource {
			return &r.Series[i]
		}
	}
	return nil
}

// Source returns the recording as a Source. Like every Source it leaves out what a process that lives cannot have.
func (r *Recording) Source() sampler.Source {
	s := &source{r: r, positive: make([]bool, len(r.Series))}
	for k := range r.Series {
		d, _ := sampler.Lookup(r.Series[k].Resource)
		s.positive[k] = d.Positive
	}
	return s
}

type source struct {
	r                  *Recording
	next               int
	nextStart, nextSet int
	start              time.Time
	ceilings           []sampler.Ceiling
	positive           []bool // by series: whether 0 or less is no reading
}

// Sample yields the next sample.
func (s *source) Sample(_ context.Context, into *sampler.Sample) error {
	i := s.next
	if i == len(s.r.Times) {
		return io.EOF
	}
	s.next++
	for ; s.nextStart < len(s.r.Starts) && s.r.Starts[s.nextStart].From <= i; s.nextStart++ {
		s.start = s.r.Starts[s.nextStart].Value
	}
	for ; s.nextSet < len(s.r.Ceilings) && s.r.Ceilings[s.nextSet].From <= i; s.nextSet++ {
		s.ceilings = s.r.Ceilings[s.nextSet].Value
	}
	into.Reset(time.Unix(0, s.r.Times[i]).UTC())
	into.Start, into.Ceilings = s.start, s.ceilings
	for k := range s.r.Series {
		if v := s.r.Series[k].Values[i]; !math.IsNaN(v) && !(s.positive[k] && v <= 0) {
			into.Add(s.r.Series[k].Resource, v)
		}
	}
	return nil
}
