//go:build !linux && !windows

package self

import (
	"errors"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// selfSystem reads what this system reports of the process: the processor time.
type selfSystem struct{}

func newSelfSystem() selfSystem { return selfSystem{} }

func (selfSystem) start() time.Time { return time.Time{} }

func (selfSystem) ceilings() []sampler.Ceiling { return nil }

func (selfSystem) close() error { return nil }

func (selfSystem) sample(s *sampler.Sample, runtime *runtimeReader, f *live.Faults) {
	if v, ok := runtime.threads(); ok {
		s.Add(sampler.Threads, v)
	}
	if v, err := cpuSeconds(); err == nil {
		s.Add(sampler.CPUSeconds, v)
	} else if !errors.Is(err, errors.ErrUnsupported) {
		f.Add(sampler.CPUSeconds, err)
	}
}
