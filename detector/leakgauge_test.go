//go:build go1.25

package detector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// The host's gauge: zeros from the first check on, memory in MB, and set for as long as any finding of its type holds.
func TestLeakDetection(t *testing.T) {
	const mb = 1 << 20
	soak := with(func(c *Config) { c.MemoryThreshold, c.FDThreshold, c.Adaptive.Soak = 400*mb, 50, 20*time.Minute })
	soak.CheckInterval = 2 * time.Second
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := watching(t, soak, func(n int, s *sampler.Sample) error {
			s.Add(sampler.Goroutines, 50)
			live := 100 * mb
			if n > 100 {
				live += (n - 100) * mb // a trend
			}
			s.Add(sampler.HeapLiveBytes, float64(live))
			inUse := 300 * mb
			if n >= 700 && n < 720 {
				inUse = 500 * mb // a limit that resolves
			}
			s.Add(sampler.HeapInuseBytes, float64(inUse))
			fds := 20.
			if n >= 30 && n < 40 {
				fds = 90
			}
			s.Add(sampler.OpenFDs, fds)
			s.Add(sampler.Threads, 10)
			return nil
		})
		var checks []map[string]float64
		latest := map[string]float64{}
		m.OnLeakDetection(func(resourceType, component string, value float64) {
			if component != "resource_monitor" {
				t.Errorf("component %q", component)
			}
			latest[resourceType] = value
		})
		m.OnSample(func(*sampler.Sample) {
			checks = append(checks, latest)
			latest = map[string]float64{}
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(800*soak.CheckInterval - 1)
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
		panel := func(fds, memory float64) map[string]float64 {
			return map[string]float64{"fd_leak": fds, "goroutine_leak": 0, "memory_leak": memory}
		}
		// clear below 90 % of the limit, for two samples; the trend on heap_live_bytes holds from before 700 on
		for n, want := range map[int]map[string]float64{
			0: panel(0, 0), 29: panel(0, 0), 30: panel(1, 0), 40: panel(1, 0), 41: panel(0, 0), 100: panel(0, 0),
			699: panel(0, 300), 700: panel(0, 500), 719: panel(0, 500), 720: panel(0, 300), 799: panel(0, 300),
		} {
			if diff := cmp.Diff(want, checks[n]); diff != "" {
				t.Errorf("check %d (-want +got):\n%s", n, diff)
			}
		}
		held := 0
		for _, c := range checks[700:] {
			if c["memory_leak"] > 0 {
				held++
			}
		}
		if held != len(checks)-700 {
			t.Errorf("set at %d of %d checks: a limit that resolves clears no trend", held, len(checks)-700)
		}
	})
}

// What the host's gauge did not have is there from its first finding on. A function can be taken away again.
func TestLeakDetectionOfOthers(t *testing.T) {
	config := limitsOnly(func(c *Config) { c.GrowthRateThreshold = 50 })
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := watching(t, config, func(n int, s *sampler.Sample) error {
			s.Add(sampler.Threads, []float64{10, 10, 20, 10, 10, 10}[min(n, 5)])
			return nil
		})
		var got []float64
		m.OnLeakDetection(func(resourceType, _ string, value float64) {
			if resourceType == "threads_leak" {
				got = append(got, value)
			}
		})
		_ = m.Start()
		time.Sleep(6*checkEvery - 1)
		m.OnLeakDetection(nil)
		time.Sleep(6 * checkEvery)
		_ = m.Stop()
		if diff := cmp.Diff([]float64{1, 1, 0, 0}, got); diff != "" {
			t.Errorf("threads_leak (-want +got):\n%s", diff)
		}
	})
}
