package detector

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// pastOf returns a monitor to which samples are given directly.
func pastOf(tb testing.TB) *ResourceMonitor {
	tb.Helper()
	logger := logrus.New()
	logger.SetLevel(logrus.PanicLevel)
	m, err := NewSourceMonitor(nil, alerting.Process{}, DefaultConfig(), logger)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func (m *ResourceMonitor) give(tb testing.TB, at time.Time, readings ...sampler.Reading) {
	tb.Helper()
	s := sampler.Sample{Time: at, Readings: readings}
	if err := m.state.judge(&s); err != nil {
		tb.Fatal(err)
	}
}

// point is one sample of the past.
func point(at time.Time, value, baseline float64) Point {
	return Point{From: at, To: at, Min: value, Max: value, Baseline: baseline}
}

func TestPastOfWhatIsAbsent(t *testing.T) {
	m := pastOf(t)
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	if got := m.Past("open_fds", time.Time{}); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	m.give(t, begin, sampler.Reading{Resource: "threads", Value: 3})
	m.give(t, begin.Add(time.Second), sampler.Reading{Resource: "open_fds", Value: math.MaxFloat64},
		sampler.Reading{Resource: "cpu_seconds", Value: 7})
	second := begin.Add(time.Second)
	for name, want := range map[string][]Point{
		"threads": {point(begin, 3, 3)},
		// Out of the range of what is kept, and still finite.
		"open_fds":    {point(second, math.MaxFloat32, math.MaxFloat32)},
		"cpu_seconds": {point(second, 7, 0)},
		"goroutines":  nil,
	} {
		if diff := cmp.Diff(want, m.Past(name, time.Time{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
