package detector

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

func TestStatus(t *testing.T) {
	flat := rising(100, 0)
	kinked := func(f func(h float64) float64) func(time.Duration) float64 {
		return func(age time.Duration) float64 { return f(age.Hours()) }
	}
	for _, test := range []struct {
		name    string
		config  Config
		columns []column
		length  time.Duration
		state   State
		why     string
	}{
		{"first sample", DefaultConfig(), []column{{sampler.Goroutines, flat}}, time.Minute,
			Learning, "too short to tell: nothing is called in less than 45m"},
		{"first sample in soak mode", with(func(c *Config) {
			c.Adaptive.Soak = 20 * time.Minute
		}), []column{{sampler.Goroutines, flat}}, time.Minute,
			Learning, "too short to tell: nothing is called in less than 19s"},
		{"flat", DefaultConfig(), []column{{sampler.Goroutines, flat}}, 12 * time.Hour, Healthy,
			"does not grow; a leak that doubles it in 3h 9m would have been called"},
		{"small", DefaultConfig(), []column{{sampler.Goroutines, rising(1000, 1)}}, 12 * time.Hour, Healthy,
			"its minimum grew by 10 (1.0 %) in 10h 40m; a leak that doubles it in 3h 20m would have been called"},
		{"small beside what every process has", DefaultConfig(), []column{{sampler.RSSBytes, rising(60, 5)}},
			12 * time.Hour, Healthy,
			"its minimum grew by 50 B (79 %) in 10h 40m, too little to tell from noise"},
		{"recent", DefaultConfig(), []column{{sampler.Goroutines, rising(100, 100)}}, 50 * time.Minute, Healthy,
			"its minimum grew by 50 (48 %) in 40m, not yet for long enough; called in 1h 56m at the earliest"},
		{"suspected", DefaultConfig(), []column{{sampler.Goroutines, rising(100, 20)}}, 6 * time.Hour, Suspected,
			"its minimum grew by 93 (90 %) in 5h 20m, not yet for long enough; called in 2h 21m at the earliest"},
		{"firing", DefaultConfig(), []column{{sampler.Goroutines, rising(100, 20)}}, 12 * time.Hour, Firing,
			"sustained growth that never came back"},
		{"step", DefaultConfig(), []column{{sampler.Goroutines, kinked(func(h float64) float64 {
			if h >= 20 {
				return 200
			}
			return 100
		})}}, 24 * time.Hour, Healthy, "its minimum grew by 100 (100 %) in 10h 40m in a step, or is reaching a " +
			"plateau; a leak that " +
			"doubles it in 2d 9h would have been called"},
		{"seen before", DefaultConfig(), []column{{sampler.Goroutines, kinked(func(h float64) float64 {
			if h >= 114 { // by now all windows have a past
				return 100 + 10*(h-114)
			}
			return 200 - 2*math.Abs(h-57)
		})}}, 123 * time.Hour, Healthy, "no higher than before; a leak that doubles it in 18d 16h would have been " +
			"called"},
		{"below what it was before, and never seen to climb there", DefaultConfig(),
			[]column{{sampler.Goroutines, kinked(func(h float64) float64 {
				if h >= 114 {
					return 100 + 10*(h-114)
				}
				return 200
			})}}, 123 * time.Hour, Healthy, "its minimum grew by 73 (38 %) in 8h, up to no more than it was before, " +
				"and may go on"},
		{"trend off", limitsOnly(func(*Config) {}), []column{{sampler.Goroutines, rising(100, 20)}}, 12 * time.Hour,
			Healthy, "below its limits; the trend is not judged (adaptive.enabled is false)"},
		{"limit", limitsOnly(func(c *Config) {
			c.GoroutineThreshold = 10
		}), []column{{sampler.Goroutines, rising(100, 20)}}, 12 * time.Hour,
			Firing, "above the hard limit"},
		{"killed again and again, and nothing tells of it", DefaultConfig(),
			[]column{{sampler.Goroutines, kinked(func(h float64) float64 {
				return 100 + 5*math.Mod(h, 12)
			})}}, 30 * time.Hour, Suspected, "grew and was back at its lowest level within one reading 2 times: " +
				"restarts " +
				"that nothing here tells of, or a cache " +
				"that is cleared; with start times it could be judged"},
		{"counter", DefaultConfig(), []column{{sampler.GCCycles, rising(0, 9)}}, 12 * time.Hour, Learning,
			"not judged: a counter"},
		{"context", DefaultConfig(), []column{{sampler.StackBytes, rising(0, 9)}}, 12 * time.Hour, Learning,
			"not judged: context"},
		{"stand-in", DefaultConfig(), []column{{sampler.HeapInuseBytes, rising(0, 1e9)}, {sampler.HeapLiveBytes, flat}},
			12 * time.Hour,
			Healthy, "stands in for heap_live_bytes, which is read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDetector(t, test.config)
			observeAll(d, series(test.length, time.Minute, test.columns...))
			for _, s := range d.Status() {
				if s.Resource.Name != test.columns[0].resource {
					continue
				}
				if s.State != test.state || s.Why != test.why {
					t.Errorf("%s: %s, want %s: %s", s.State, s.Why, test.state, test.why)
				}
				grows := s.State >= Suspected && s.Reason != engine.MayRestart || s.Verdict == Early &&
					s.Reason == engine.NotALeak
				if shown := !s.Since.IsZero(); shown != grows || shown && s.Since.Sub(dawn) > time.Hour &&
					!strings.HasPrefix(test.name, "below") {
					t.Errorf("since %v", s.Since)
				}
				if (s.Evidence != nil) != s.Trend || s.Trend && !(s.Evidence.T >= 4) {
					t.Errorf("trend %v with the evidence %+v", s.Trend, s.Evidence)
				}
			}
		})
	}
}

// What goes on climbs at several widths; what came to rest has climbed no longer than until then, and no width is
// evidence of more.
func TestHowStronglyItClimbs(t *testing.T) {
	for _, test := range []struct {
		name   string
		length time.Duration
		rests  float64 // hours after which it stays; it rises for 20 h before
		grew   time.Duration
		goesOn bool
		lasts  bool
	}{
		{"no finding yet", 5 * time.Hour, 100, 0, false, false},
		{"goes on", 60 * time.Hour, 100, 59 * time.Hour, true, true},
		{"at rest", 36 * time.Hour, 20, 20 * time.Hour, false, true},
		{"at rest for long", 44 * time.Hour, 20, 0, false, false},
	} {
		d := newDetector(t, DefaultConfig())
		observeAll(d,
			series(test.length, time.Minute, column{sampler.Goroutines, noisy(func(age time.Duration) float64 {
				return 100 + 20*min(age.Hours(), test.rests)
			}, 1, 1)}))
		s := d.Status()[0]
		widths := 0
		for w := range trend.Widths {
			c := d.engine.All()[0].Growth().Latest(w)
			if n := c.Fit.Nats(); n > 0 && c.Reason == trend.Sustained {
				widths++
			}
		}
		if s.Trend != test.lasts || (s.Grew-test.grew).Abs() > time.Hour || s.Nats > 0 != test.goesOn || test.goesOn &&
			widths < 2 {
			t.Errorf("%s: trend %v, grew for %v, %.1f nats at %d widths", test.name, s.Trend, s.Grew, s.Nats, widths)
		}
	}
}

// What is said of a suspicion is about the window that is suspected, whatever other windows look like.
func TestSuspicionSaysWhy(t *testing.T) {
	suspected := 0
	for _, f := range leakFamilies {
		value := f.draw(rand.New(rand.NewPCG(1, 77)))
		samples := series(6*day, time.Minute, column{sampler.OpenFDs, func(age time.Duration) float64 {
			return value(age.Hours())
		}})
		d := newDetector(t, DefaultConfig())
		for i := range samples {
			d.Observe(&samples[i])
			if i%20 != 0 {
				continue
			}
			s := d.Status()[0]
			if s.State != Suspected {
				continue
			}
			suspected++
			if !strings.Contains(s.Why, " not yet for long enough") &&
				!strings.HasPrefix(s.Why, "growth by every test, to be confirmed") {
				t.Fatalf("%s after %v: %s: %s", f.name, samples[i].Time.Sub(dawn), s.State, s.Why)
			}
		}
	}
	if suspected == 0 {
		t.Error("nothing was suspected")
	}
}

// The table's order first, then the order of appearance; Status is a copy.
func TestStatusOrder(t *testing.T) {
	d := newDetector(t, DefaultConfig())
	flat := rising(1, 0)
	observeAll(d, series(time.Minute, time.Minute, column{"zebra", flat}, column{sampler.CPUSeconds, flat},
		column{"ant", flat}, column{sampler.Goroutines, flat}))
	var got []string
	for _, s := range d.Status() {
		got = append(got, s.Resource.Name)
	}
	if diff := cmp.Diff([]string{"goroutines", "cpu_seconds", "zebra", "ant"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	text, err := Suspected.MarshalText()
	if string(text) != "suspected" || err != nil {
		t.Errorf("MarshalText: %q, %v", text, err)
	}
	if none := newDetector(t, DefaultConfig()).Status(); none != nil {
		t.Errorf("status before the first sample: %v", none)
	}
}

// What is a percentage of something whole runs out at 100, though that is no hard limit.
func TestPercentRunsOut(t *testing.T) {
	for resource, want := range map[string]*alerting.Exhaustion{
		"memory_used_percent": {Limit: 100, Source: "100 %"}, "Mem Usage (%)": {Limit: 100, Source: "100 %"},
		"disk_used_pct": {Limit: 100, Source: "100 %"}, "cpu_percent": nil, "percentile_rank": nil,
	} {
		d, err := New(DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		for i := range 864 {
			d.Observe(&sampler.Sample{Time: begin.Add(time.Duration(i) * 5 * time.Minute), Readings: []sampler.Reading{
				{Resource: resource, Value: 10 + .05*float64(i)}}})
		}
		s := d.Status()[0]
		if s.Verdict != Leak {
			t.Errorf("%s: %v, %s", resource, s.Verdict, s.Why)
		}
		got := s.Exhaustion
		if got != nil {
			left := got.At.Sub(s.At).Hours() // of 46.85 at .6 an hour
			if left < 70 || left > 90 {
				t.Errorf("%s: %v h left", resource, left)
			}
			got = &alerting.Exhaustion{Limit: got.Limit, Source: got.Source}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", resource, diff)
		}
	}
}
