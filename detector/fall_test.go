package detector

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// hourly returns a count by the age in hours.
func hourly(f func(h float64) float64) func(time.Duration) float64 {
	return func(age time.Duration) float64 { return math.Floor(f(age.Hours())) }
}

// Where nothing tells of restarts, growth that is gone within one reading down to its lowest level may have ended with
// the process: the leak holds until the next life has shown whether it grows again.
func TestGrowthGoneWithinOneReading(t *testing.T) {
	grown := func(h float64) float64 { return 100 + 20*h }
	known := func(s *sampler.Sample) { s.Start = dawn }
	for _, test := range []struct {
		name  string
		value func(h float64) float64
		tell  func(s *sampler.Sample)
		at    float64 // hours
		why   string  // then
		want  []string
	}{
		{"and grows again", func(h float64) float64 { return grown(math.Mod(h, 30)) }, nil, 31,
			"grew, and was gone within one reading at 2026-11-24 06:00 UTC, taken for a restart that nothing here " +
				"tells of: whether it grows again is to be seen",
			[]string{"8.3 firing goroutines warning"}},
		{"and has grown again", func(h float64) float64 {
			return grown(math.Mod(h, 30))
		}, nil, 45, "sustained growth, seen again after a restart",
			[]string{"8.3 firing goroutines warning"}},
		{"and stays down", func(h float64) float64 {
			if h >= 30 {
				return 100
			}
			return grown(h)
		}, nil, 61, "does not grow; a leak that doubles it in 1d 2h would have been called",
			[]string{"8.3 firing goroutines warning", "60.1 resolved goroutines warning"}},
		{"of one process", func(h float64) float64 {
			if h >= 30 {
				return 100
			}
			return grown(h)
		}, known, 61, "does not grow",
			[]string{"8.3 firing goroutines warning", "30.3 resolved goroutines warning"}},
		// Over an hour of readings, so that it is no restart.
		{"step by step", func(h float64) float64 { return min(grown(h), max(100, 700-600*(h-30))) }, nil, 61,
			"does not grow",
			[]string{"8.3 firing goroutines warning", "30.7 resolved goroutines warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, with(func(c *Config) { c.AlertCooldown = 1000 * time.Hour }))
			var events []alerting.Event
			samples := series(time.Duration(test.at*float64(time.Hour)), time.Minute,
				column{sampler.Goroutines, hourly(test.value)})
			for i := range samples {
				if test.tell != nil {
					test.tell(&samples[i])
				}
				for _, e := range d.Observe(&samples[i]) {
					if e.Kind == alerting.Trend {
						events = append(events, e)
					}
				}
			}
			if diff := cmp.Diff(test.want, eventHours(events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if why := d.Status()[0].Why; why != test.why {
				t.Errorf("why %q, want %q", why, test.why)
			}
		})
	}
}

// A series whose alarm took itself back is believed less: what grows beyond that again is called later.
func TestTakenBackRaisesTheBar(t *testing.T) {
	twice := func(h float64) float64 {
		if h < 50 {
			return 100 + max(0, min(20*h, 240, 240-120*(h-14))) // up for 12 h, down from 14 to 16 h
		}
		return 100 + 8*(h-50)
	}
	samples := started(series(150*time.Hour, time.Minute, column{sampler.Goroutines, hourly(twice)}))
	want := []string{"8.3 firing goroutines warning", "15.3 resolved goroutines warning",
		"89.3 firing goroutines warning"}
	if diff := cmp.Diff(want, eventHours(observeAll(newDetector(t, DefaultConfig()), samples))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
