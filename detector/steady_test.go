package detector

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Growth that was there from the first reading on may have begun before, unless the process did not run then.
func TestSinceTheFirstReading(t *testing.T) {
	for _, test := range []struct {
		name    string
		healthy time.Duration
		start   time.Time
		want    bool
	}{
		{"start unknown", 0, time.Time{}, true},
		{"started long before", 0, dawn.Add(-day), true},
		{"watched from its start on", 0, dawn.Add(-5 * time.Second), false},
		{"begins later", 6 * time.Hour, time.Time{}, false},
	} {
		leak := func(age time.Duration) float64 { return 100 + 20*max(0, age-test.healthy).Hours() }
		samples := series(2*day, time.Minute, column{sampler.Goroutines, leak})
		for i := range samples {
			samples[i].Start = test.start
		}
		events := observeAll(newDetector(t, DefaultConfig()), samples)
		if len(events) == 0 || events[0].SinceFirst != test.want {
			t.Errorf("%s: %+v", test.name, events)
		}
	}
}

// The pages say when a steady leak is called by the time in which it doubles the level, from the first sample on and
// after two days of health.
func TestWhenASteadyLeakIsCalled(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct{ healthy, doubles, called time.Duration }{
		{0, time.Hour, 2*time.Hour + 45*minute}, {0, 8 * time.Hour, 11 * time.Hour}, {0, day, 22*time.Hour + 40*minute},
		{2 * day, time.Hour, time.Hour + 55*minute}, {2 * day, 8 * time.Hour, 7*time.Hour + 40*minute},
		{2 * day, day, 16 * time.Hour},
	} {
		leak := func(age time.Duration) float64 {
			return math.Round(100 * (1 + max(0, age-test.healthy).Hours()/test.doubles.Hours()))
		}
		events := observeAll(newDetector(t, DefaultConfig()),
			series(test.healthy+2*day, time.Minute, column{sampler.OpenFDs, leak}))
		if len(events) == 0 {
			t.Errorf("%+v: not called", test)
		} else if got := events[0].Time.Sub(dawn) - test.healthy; got != test.called {
			t.Errorf("%+v: called after %v", test, got)
		}
	}
}
