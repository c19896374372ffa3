// Package live holds what the sources of live processes share: the resources that could not be read, the levels at
// which a process dies, and what the kernel says of its start and end.
package live

import (
	"fmt"
	"slices"
	"strings"
)

// Faults collects the resources that could not be read during one sample. The same faults as in the sample before give
// the same error, so that a lasting one costs nothing. Causes must be comparable.
type Faults struct {
	list []fault
	last *partialError
}

type fault struct {
	resource string
	cause    error
}

// Reset forgets all faults, before the next sample.
func (f *Faults) Reset() { f.list = f.list[:0] }

// Add notes that a resource could not be read, and why.
func (f *Faults) Add(resource string, cause error) {
	f.list = append(f.list, fault{resource, cause})
}

// Err returns all faults of the sample as one error, nil where there are none.
func (f *Faults) Err() error {
	if len(f.list) == 0 {
		return nil
	}
	if f.last == nil || !slices.Equal(f.list, f.last.faults) {
		f.last = &partialError{slices.Clone(f.list)}
	}
	return f.last
}

// partialError is the error of a sample that lacks some readings.
type partialError struct{ faults []fault }

func (e *partialError) Error() string {
	var b strings.Builder
	b.WriteString("sampler: not read: ")
	for i, f := range e.faults {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", f.resource, f.cause)
	}
	return b.String()
}

func (e *partialError) Unwrap() []error {
	list := make([]error, len(e.faults))
	for i, f := range e.faults {
		list[i] = f.cause
	}
	return list
}
