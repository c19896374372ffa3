package detector

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestReconfigure(t *testing.T) {
	// 100 goroutines for ten ticks settle the start, then what the case says; the configuration changes at tick 20.
	for _, test := range []struct {
		name          string
		before, after func(c *Config)
		holds         []hold
		want          []string
	}{
		{"a lower limit fires at once",
			func(c *Config) { c.GoroutineThreshold = 100 }, func(c *Config) { c.GoroutineThreshold = 50 },
			[]hold{{10, 100}, {20, 160}}, []string{"20 firing warning"}},
		{"a new limit counts from the start that is known",
			func(*Config) {}, func(c *Config) { c.GoroutineThreshold = 50 },
			[]hold{{10, 100}, {20, 160}}, []string{"20 firing warning"}},
		{"a higher limit ends the finding",
			func(c *Config) { c.GoroutineThreshold = 50 }, func(c *Config) { c.GoroutineThreshold = 60 },
			[]hold{{10, 100}, {20, 160}}, []string{"10 firing warning", "19 resolved warning"}},
		{"so does none",
			func(c *Config) { c.GoroutineThreshold = 50 }, func(c *Config) { c.GoroutineThreshold = 0 },
			[]hold{{10, 100}, {20, 160}}, []string{"10 firing warning", "19 resolved warning"}},
		{"a finding with ground goes on",
			func(c *Config) {
				c.GoroutineThreshold = 50
			}, func(c *Config) { c.GoroutineThreshold, c.GrowthRateThreshold = 55, 10 },
			[]hold{{10, 100}, {20, 160}}, []string{"10 firing warning"}},
		{"and becomes more severe by the new limit",
			func(c *Config) { c.GoroutineThreshold = 50 }, func(c *Config) { c.GoroutineThreshold = 30 },
			[]hold{{10, 100}, {20, 160}}, []string{"10 firing warning", "20 firing critical"}},
		{"the cooldown goes on",
			func(c *Config) { c.GoroutineThreshold = 50 }, func(c *Config) { c.GoroutineThreshold = 49 },
			[]hold{{10, 100}, {5, 100}, {1, 160}, {4, 100}, {20, 160}},
			[]string{"15 firing warning", "17 resolved warning", "25 firing warning"}},
		{"alerts off: what was told is still ended",
			func(c *Config) {
				c.GoroutineThreshold = 50
			}, func(c *Config) { c.GoroutineThreshold, c.AlertOnThreshold = 50, false },
			[]hold{{10, 100}, {15, 160}, {5, 100}, {5, 160}}, []string{"10 firing warning", "26 resolved warning"}},
		{"alerts on: what holds is told",
			func(c *Config) {
				c.GoroutineThreshold, c.AlertOnThreshold = 50, false
			}, func(c *Config) { c.GoroutineThreshold = 50 },
			[]hold{{10, 100}, {20, 160}}, []string{"20 firing warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, limitsOnly(test.before))
			samples := ticks(sampler.Goroutines, test.holds...)
			events := observeAll(d, samples[:20])
			changed, err := d.Reconfigure(limitsOnly(test.after))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, changed...)
			events = append(events, observeAll(d, samples[20:])...)
			if diff := cmp.Diff(test.want, eventTicks(events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if start := d.Status()[0].Start; start != 100 {
				t.Errorf("start %v, want 100", start)
			}
		})
	}
}

func TestReconfigureTheTrend(t *testing.T) {
	samples := series(30*time.Hour, time.Minute, column{sampler.Goroutines, rising(100, 20)})
	off := func(c *Config) { c.Adaptive.Enabled = false }
	soak := func(c *Config) { c.Adaptive.Soak = 24 * time.Hour } // half of all time constants
	for _, test := range []struct {
		name    string
		changes map[int]func(c *Config) // before the sample of an hour
		want    []string
	}{
		{"nothing changes", map[int]func(*Config){5: func(*Config) {}}, []string{"8.3 firing goroutines warning"}},
		{"other knobs keep the floors and the finding", map[int]func(*Config){12: func(c *Config) {
			c.Adaptive.Patience, c.Adaptive.HalfLife = 100*time.Hour, time.Hour
		}},
			[]string{"8.3 firing goroutines warning"}},
		{"less patience", map[int]func(*Config){7: func(c *Config) { c.Adaptive.Sensitivity = 3 }},
			[]string{"7.3 firing goroutines warning"}},
		{"off", map[int]func(*Config){12: off},
			[]string{"8.3 firing goroutines warning", "12.0 resolved goroutines warning"}},
		// The minimums went on meanwhile; two verdicts on the same width make it firing again.
		{"off and on", map[int]func(*Config){12: off, 16: func(*Config) {}},
			[]string{"8.3 firing goroutines warning", "12.0 resolved goroutines warning",
				"16.3 firing goroutines warning"}},
		// From 12 h on with a level of 340, of which growth takes longer.
		{"another soak starts the floors anew", map[int]func(*Config){12: soak},
			[]string{"8.3 firing goroutines warning", "12.0 resolved goroutines warning",
				"20.6 firing goroutines warning"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, DefaultConfig())
			var events []alerting.Event
			for i := range samples {
				if change := test.changes[i/60]; change != nil && i%60 == 0 {
					changed, err := d.Reconfigure(with(change))
					if err != nil {
						t.Fatal(err)
					}
					events = append(events, changed...)
				}
				events = append(events, d.Observe(&samples[i])...)
			}
			if diff := cmp.Diff(test.want, eventHours(events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconfigureRefusesWhatIsNotValid(t *testing.T) {
	d := newDetector(t, DefaultConfig())
	if _, err := d.Reconfigure(Config{}); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff(DefaultConfig(), d.Config()); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New: no error")
	}
}
