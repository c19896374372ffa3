//go:build go1.25

package detector

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

func TestNewResourceMonitorKeepsWhatIsValid(t *testing.T) {
	defaults := ResourceMonitorConfig{}.Config()
	changed := func(change func(c *Config)) Config {
		c := defaults
		change(&c)
		return c
	}
	for _, test := range []struct {
		name string
		c    ResourceMonitorConfig
		want Config
		logs int
	}{
		{"zero", ResourceMonitorConfig{}, defaults, 0},
		{"negative", ResourceMonitorConfig{
			MonitoringInterval: -1, FDLeakThreshold: -1, GoroutineLeakThreshold: math.MinInt64, MemoryLeakThreshold: -1,
			AlertCooldown:   -1,
			MaxAlertHistory: -1, GrowthRateThreshold: math.NaN(),
		}, defaults, 0},
		{"interval of a nanosecond", ResourceMonitorConfig{MonitoringInterval: 1, GrowthRateThreshold: 50},
			changed(func(c *Config) { c.GrowthRateThreshold = 50 }), 1},
		{"webhook", ResourceMonitorConfig{AlertWebhookURL: "ftp://sink.example", GrowthRateThreshold: 50,
			MaxAlertHistory: 7},
			changed(func(c *Config) { c.GrowthRateThreshold, c.MaxAlertHistory = 50, 7 }), 1},
		{"format", ResourceMonitorConfig{AlertWebhookURL: "http://sink.example", AlertWebhookFormat: "pigeon"},
			changed(func(c *Config) { c.AlertWebhookURL = "http://sink.example" }), 1},
		{"history and growth", ResourceMonitorConfig{MaxAlertHistory: math.MaxInt, GrowthRateThreshold: math.Inf(1),
			FDLeakThreshold: 7},
			changed(func(c *Config) { c.FDThreshold = 7 }), 1},
		{"collections", ResourceMonitorConfig{EnableGCOptimization: true}, defaults, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, logger := newJournal()
				m := NewResourceMonitor(test.c, logger)
				if diff := cmp.Diff(test.want, m.state.detector.Config()); diff != "" {
					t.Errorf("configuration (-want +got):\n%s", diff)
				}
				if lines := j.read(); len(lines) != test.logs {
					t.Errorf("log %q, want %d lines", lines, test.logs)
				}
				if err := m.Start(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				if err := m.Stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What was wrong with the two monitors that this one replaces.
func TestFaultsOfTheMonitorsReplaced(t *testing.T) {
	// after runs a monitor with the host's defaults for so many samples.
	after := func(t *testing.T, c ResourceMonitorConfig, ticks int,
		fill func(n int, s *sampler.Sample)) (*ResourceMonitor, *journal) {
		m, _, j := watching(t, c.Config(), func(n int, s *sampler.Sample) error { fill(n, s); return nil })
		_ = m.Start()
		time.Sleep(time.Duration(ticks)*checkEvery - 1)
		_ = m.Stop()
		return m, j
	}
	goroutines := func(value func(n int) float64) func(n int, s *sampler.Sample) {
		return func(n int, s *sampler.Sample) { s.Add(sampler.Goroutines, value(n)) }
	}
	stepTo := func(low, high float64, at int) func(n int, s *sampler.Sample) {
		return goroutines(func(n int) float64 {
			if n < at {
				return low
			}
			return high
		})
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a start-up snapshot as baseline for ever", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{}, 200, stepTo(5, 100, 2))
			if got := m.GetStats(); got.InitialGoroutines != 100 || got.GoroutineLeaks > 1 || !m.IsHealthy() {
				t.Errorf("baseline %d, %d leaks, healthy %v; want 100, no more than that of the start-up, true",
					got.InitialGoroutines, got.GoroutineLeaks, m.IsHealthy())
			}
		}},
		{"memory compared as an absolute, then called growth", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{}, 30, func(_ int, s *sampler.Sample) {
				s.Add(sampler.HeapInuseBytes, 150<<20)
			})
			history := m.History()
			if len(history) != 1 {
				t.Fatalf("%d alerts, want 1", len(history))
			}
			a := history[0]
			if a.Threshold != 100<<20 || strings.Contains(a.Summary, "grew") ||
				!strings.Contains(a.Summary, "above the limit") {
				t.Errorf("threshold %v, summary %q", a.Threshold, a.Summary)
			}
		}},
		{"severity from the absolute count", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{}, 60, stepTo(1000, 1060, 30))
			var got []string
			for _, a := range m.History() {
				got = append(got, a.Severity.String())
			}
			if !slices.Equal(got, []string{"warning"}) {
				t.Errorf("severities %v, want one warning for 60 above the start where 50 are allowed", got)
			}
		}},
		{"counters that rise each tick of one leak", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{AlertCooldown: 1}, 500, stepTo(50, 200, 30))
			if got := m.GetStats(); got.GoroutineLeaks != 1 || len(m.History()) != 1 {
				t.Errorf("%d leaks, %d alerts, want 1 and 1", got.GoroutineLeaks, len(m.History()))
			}
		}},
		{"history without history", func(t *testing.T) {
			at := time.Now().Add(30 * checkEvery)
			m, _ := after(t, ResourceMonitorConfig{}, 100, stepTo(50, 200, 30))
			if diff := cmp.Diff(map[string]time.Time{"goroutines": at.UTC()}, m.GetLeakHistory()); diff != "" {
				t.Errorf("leak history (-want +got):\n%s", diff)
			}
			m, _ = after(t, ResourceMonitorConfig{AlertCooldown: 1, MaxAlertHistory: 3},
				200, goroutines(func(n int) float64 {
					return []float64{50, 200}[min(n/20, 1)*(n/10%2)]
				}))
			history := m.History()
			if len(history) != 3 || history[0].Time.After(history[1].Time) || history[2].Status == "" {
				t.Errorf("history = %+v, want the newest 3, oldest first", history)
			}
		}},
		{"a stack dump at every tick", func(t *testing.T) {
			_, j := after(t, ResourceMonitorConfig{EnableMemoryProfiling: true}, 500, stepTo(50, 200, 30))
			if lines := j.read(); len(lines) != 3 || strings.Contains(j.text(), "goroutine 1 ") {
				t.Errorf("log = %.2000s", strings.Join(lines, "\n"))
			}
		}},
		{"a restart that returns nil with a dead loop", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{}, 5, stepTo(50, 50, 0))
			last := m.GetStats().LastCheck
			_ = m.Start()
			time.Sleep(10*checkEvery + 1)
			_ = m.Stop()
			if got := m.GetStats().LastCheck - last; got != int64(11*checkEvery/time.Second)-1 { // a nanosecond early
				t.Errorf("the last check came %d s after the one before the restart", got)
			}
		}},
		{"an interval of zero that panics", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{MonitoringInterval: -time.Second}, 5, stepTo(50, 50, 0))
			if got := m.GetStats().MonitoringUptime; got != int64((5*checkEvery-1)/time.Second) {
				t.Errorf("uptime %d s", got)
			}
		}},
		{"descriptors as -1 or 10 when unknown", func(t *testing.T) {
			m, _ := after(t, ResourceMonitorConfig{}, 5, stepTo(50, 50, 0))
			if diff := cmp.Diff(map[string]int64{"goroutines": 50}, m.GetCurrentUsage()); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
			stats := m.GetStats()
			if stats.FileDescriptors != 0 || stats.InitialFDs != 0 || m.GetMetrics().FileDescriptors != 0 {
				t.Errorf("descriptors %d, at first %d", stats.FileDescriptors, stats.InitialFDs)
			}
			if diff := cmp.Diff([]string{sampler.OpenFDs, sampler.HeapInuseBytes}, stats.Unavailable); diff != "" {
				t.Errorf("unavailable (-want +got):\n%s", diff)
			}
			if _, known := m.GetSystemInfo()["max_fds"]; known {
				t.Error("max_fds is given although it is not known")
			}
		}},
		{"legacy keys dropped in silence", func(t *testing.T) {
			j, logger := newJournal()
			NewResourceMonitor(ResourceMonitorConfig{EnableGCOptimization: true}, logger)
			if lines := j.read(); len(lines) != 1 || !strings.Contains(lines[0], "EnableGCOptimization") {
				t.Errorf("log = %q", lines)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { synctest.Test(t, test.run) })
	}
}
