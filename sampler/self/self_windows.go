package self

import (
	"time"

	"golang.org/x/sys/windows"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// selfSystem reads what Windows reports of the process through GetProcessTimes.
type selfSystem struct{}

func newSelfSystem() selfSystem { return selfSystem{} }

func (selfSystem) start() time.Time {
	created, _, err := processTimes()
	if err != nil {
		return time.Time{}
	}
	return created
}

func (selfSystem) ceilings() []sampler.Ceiling { return nil }

func (selfSystem) close() error { return nil }

func (selfSystem) sample(s *sampler.Sample, runtime *runtimeReader, f *live.Faults) {
	if v, ok := runtime.threads(); ok {
		s.Add(sampler.Threads, v)
	}
	if _, cpu, err := processTimes(); err == nil {
		s.Add(sampler.CPUSeconds, cpu.Seconds())
	} else {
		f.Add(sampler.CPUSeconds, err)
	}
}

func processTimes() (created time.Time, cpu time.Duration, err error) {
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &creation, &exit, &kernel, &user); err != nil {
		return time.Time{}, 0, err
	}
	created = time.Unix(0, creation.Nanoseconds()).UTC().Truncate(time.Millisecond)
	return created, span(kernel) + span(user), nil
}

// span reads a Filetime that counts 100 ns steps of a duration, not since 1601.
func span(f windows.Filetime) time.Duration {
	return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
}
