//go:build !linux && !windows

package sampler

import (
	"errors"
	"time"
)

// selfSystem reads what this system tells of the process without more ado: the processor time.
type selfSystem struct{}

func newSelfSystem() selfSystem { return selfSystem{} }

func (selfSystem) start() time.Time { return time.Time{} }

func (selfSystem) ceilings() []Ceiling { return nil }

func (selfSystem) close() error { return nil }

func (selfSystem) sample(s *Sample, runtime *runtimeReader, f *faults) {
	if v, ok := runtime.threads(); ok {
		s.Add(Threads, v)
	}
	if v, err := cpuSeconds(); err == nil {
		s.Add(CPUSeconds, v)
	} else if !errors.Is(err, errors.ErrUnsupported) {
		f.add(CPUSeconds, err)
	}
}
