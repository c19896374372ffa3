//go:build go1.25

package detector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestMonitorLifecycle(t *testing.T) {
	// Each step is followed by three intervals of 30 s, and a little.
	type step struct {
		do      string
		samples int
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"stop without start", []step{{"stop", 0}, {"start", 4}, {"stop", 0}}},
		{"everything twice", []step{{"start", 4}, {"start", 3}, {"stop", 0}, {"stop", 0}}},
		{"again and again", []step{{"start", 4}, {"stop", 0}, {"start", 4}, {"stop", 0}, {"start", 4}, {"stop", 0}}},
		{"stop and start at once", []step{{"start", 4}, {"stop, start", 4}, {"stop", 0}}},
		{"start while Run runs", []step{{"run", 4}, {"start", 3}, {"stop", 3}, {"cancel", 0}, {"start", 4},
			{"stop", 0}}},
		{"run while started", []step{{"start", 4}, {"run fails", 3}, {"stop", 0}, {"run", 4}, {"run fails", 3},
			{"cancel", 0}}},
		{"start as Run ends", []step{{"run", 4}, {"cancel, start", 4}, {"run fails", 3}, {"stop", 0}}},
		{"reload before start", []step{{"10s", 0}, {"start", 10}, {"stop", 0}}},
		{"reload of the same", []step{{"start", 4}, {"30s", 3}, {"30s", 3}, {"stop", 0}}},
		{"reload of the interval", []step{{"start", 4}, {"10s", 10}, {"30s", 4}, {"stop", 0}}},
		{"reload after stop", []step{{"start", 4}, {"stop", 0}, {"10s", 0}, {"start", 10}, {"stop", 0}, {"30s", 0}}},
		{"disabled and enabled", []step{{"start", 4}, {"off", 0}, {"off", 0}, {"30s", 4}, {"off, 30s", 3},
			{"stop", 0}}},
		{"disabled at first", []step{{"off", 0}, {"start", 0}, {"start", 0}, {"30s", 4}, {"stop", 0}}},
		{"disabled and stopped", []step{{"start", 4}, {"off", 0}, {"stop", 0}, {"30s", 0}, {"start", 4}, {"stop", 0}}},
		{"run disabled", []step{{"off", 0}, {"run", 0}, {"run fails", 0}, {"cancel", 0}}},
		{"reload of what is not valid", []step{{"start", 4}, {"bad", 3}, {"10s", 10}, {"bad", 9}, {"stop", 0},
			{"bad", 0}, {"start", 10}, {"stop", 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, source, _ := watching(t, DefaultConfig(), fillSteady)
				var cancel context.CancelFunc
				ran := make(chan error, 1)
				do := func(what string) (err error) {
					switch what {
					case "start":
						return m.Start()
					case "stop":
						return m.Stop()
					case "run":
						var ctx context.Context
						ctx, cancel = context.WithCancel(context.Background())
						go func() { ran <- m.Run(ctx) }()
						synctest.Wait()
					case "run fails":
						if m.Run(context.Background()) == nil {
							return errors.New("a second Run did not fail")
						}
					case "cancel":
						cancel()
					case "off":
						return m.Reload(with(func(c *Config) { c.Enabled = false }))
					case "bad":
						err := m.Reload(with(func(c *Config) {
							c.CheckInterval, c.AlertWebhookURL = -time.Second, "http://sink.example"
						}))
						if err == nil || m.state.detector.Config().AlertWebhookURL != "" || m.webhook.Current() != nil {
							return fmt.Errorf("a configuration that is not valid: %v, and %+v in force", err,
								m.state.detector.Config())
						}
					default:
						interval, err := time.ParseDuration(what)
						if err != nil {
							t.Fatal(err)
						}
						return m.Reload(with(func(c *Config) { c.CheckInterval = interval }))
					}
					return nil
				}
				var got []step
				for _, s := range test.steps {
					before := source.count()
					for _, what := range strings.Split(s.do, ", ") {
						if err := do(what); err != nil {
							t.Errorf("%s: %v", what, err)
						}
					}
					time.Sleep(3*checkEvery + time.Millisecond)
					synctest.Wait()
					got = append(got, step{s.do, source.count() - before})
				}
				if diff := cmp.Diff(test.steps, got, cmp.AllowUnexported(step{})); diff != "" {
					t.Errorf("samples in three intervals after each step (-want +got):\n%s", diff)
				}
				if cancel != nil {
					if err := <-ran; err != nil {
						t.Errorf("Run: %v", err)
					}
				}
			})
		})
	}
}

func TestMonitorSamplesAtTheTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, _ := watching(t, DefaultConfig(), fillSteady)
		expect := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if n := source.count(); n != want {
				t.Errorf("%s: %d samples, want %d", when, n, want)
			}
		}
		time.Sleep(time.Hour)
		expect("before the start", 0)
		_ = m.Start()
		expect("at the start", 1)
		time.Sleep(checkEvery - 1)
		expect("before the tick", 1)
		time.Sleep(time.Nanosecond)
		expect("at the tick", 2)
		time.Sleep(checkEvery)
		expect("at the next", 3)
		_ = m.Stop()
		time.Sleep(time.Hour)
		expect("after the stop", 3)
	})
}

func TestMonitorInAnyOrderAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, _ := watching(t, DefaultConfig(), func(n int, s *sampler.Sample) error {
			s.Add(sampler.Goroutines, float64(50+n%50))
			s.Add(sampler.OpenFDs, 20)
			return nil
		})
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(7, uint64(worker)))
				for range 200 {
					switch r.IntN(14) {
					case 0, 1:
						_ = m.Start()
					case 2:
						_ = m.Stop()
					case 3:
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(100))*time.Second)
						_ = m.Run(ctx)
						cancel()
					case 4:
						_ = m.Reload(with(func(c *Config) {
							c.CheckInterval = time.Duration(1+r.IntN(60)) * time.Second
							c.GoroutineThreshold = int64(r.IntN(40))
							c.Enabled = r.IntN(4) > 0
							c.MaxAlertHistory = r.IntN(5)
						}))
					case 5:
						_ = m.GetStats()
					case 6:
						_ = m.GetMetrics()
					case 7:
						_, _ = m.GetCurrentUsage(), m.GetLeakHistory()
					case 8:
						_, _ = m.Status(), m.IsHealthy()
					case 9:
						_, _ = m.History(), m.Delivery()
					case 10:
						m.OnAlert(func(alerting.Alert) { _ = m.GetStats() })
					case 11:
						m.OnSample(func(s *sampler.Sample) { _, _ = s.Value(sampler.Goroutines) })
					case 12:
						select {
						case <-m.GetAlertChannel():
						default:
						}
					case 13:
						_ = m.GetSystemInfo()
					}
					time.Sleep(time.Duration(r.IntN(30)) * time.Second)
				}
			})
		}
		wg.Wait()
		// Afterwards it works as on the first day.
		_ = m.Stop()
		synctest.Wait()
		if err := m.Reload(DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		before := source.count()
		_ = m.Start()
		time.Sleep(3*checkEvery + 1)
		synctest.Wait()
		if n := source.count() - before; n != 4 {
			t.Errorf("%d samples after all that, want 4", n)
		}
		_ = m.Stop()
	})
}

func TestMonitorBeforeTheFirstSample(t *testing.T) {
	m, _, _ := watching(t, DefaultConfig(), fillSteady)
	got := m.GetStats()
	got.GCPauses = nil
	if diff := cmp.Diff(ResourceStats{}, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if usage := m.GetCurrentUsage(); len(usage) != 0 {
		t.Errorf("usage = %v", usage)
	}
	if len(m.GetLeakHistory())+len(m.History())+len(m.Status()) != 0 || !m.IsHealthy() {
		t.Error("there is something before the first sample")
	}
	if metrics := m.GetMetrics(); metrics.Goroutines <= 0 || metrics.Timestamp.IsZero() {
		t.Errorf("metrics = %+v", metrics)
	}
}
