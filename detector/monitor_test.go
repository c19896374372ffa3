//go:build go1.25

package detector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// watching returns a monitor of a script, and its log.
func watching(t *testing.T, config Config, fill func(n int, s *sampler.Sample) error) (*ResourceMonitor, *scripted, *journal) {
	t.Helper()
	j, logger := newJournal()
	source := &scripted{make: fill}
	m, err := NewSourceMonitor(source, alerting.Process{PID: 1}, config, logger)
	if err != nil {
		t.Fatal(err)
	}
	return m, source, j
}

func fillSteady(_ int, s *sampler.Sample) error {
	s.Add(sampler.Goroutines, 50)
	return nil
}

// A month at an interval of 30 s.
const (
	checkEvery = 30 * time.Second
	monthTicks = 30 * 24 * 120
)

// jitterAt returns a number of -1 to 1 that depends on its arguments alone.
func jitterAt(n, series int) float64 {
	x := uint64(n)*0x9e3779b97f4a7c15 + uint64(series)*0xbf58476d1ce4e5b9
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64(int64(x^x>>31)) / (1 << 63)
}

// fillMonth makes the nth sample of a service with days, a collector's sawtooth and noise.
func fillMonth(start time.Time, n int, s *sampler.Sample) {
	day := math.Sin(2 * math.Pi * float64(n) / 2880)
	s.Start = start
	s.Add(sampler.Goroutines, math.Round(300+30*day+20*jitterAt(n, 0)))
	s.Add(sampler.HeapLiveBytes, 80e6+8e6*day+4e6*jitterAt(n/3, 1))
	s.Add(sampler.HeapInuseBytes, 90e6+8e6*day+float64(n%7)*4e6)
	s.Add(sampler.RSSBytes, 200e6+10e6*day+2e6*jitterAt(n, 2))
	s.Add(sampler.OpenFDs, math.Round(60+6*day+4*jitterAt(n, 3)))
	s.Add(sampler.Threads, 12)
	s.Add(sampler.CPUSeconds, float64(n)*3+math.Floor(200*day))
}

// fillLeaking adds bursts beyond the limit every half hour, and a leak of two goroutines an hour from day 3 to day 20, when the process is
// started anew.
func fillLeaking(start time.Time, n int, s *sampler.Sample) {
	fillMonth(start, n, s)
	if n%60 < 4 && n > 60 {
		s.Readings[0].Value += 500
	}
	if n > 3*2880 && n < 20*2880 {
		s.Readings[0].Value += math.Floor(float64(n-3*2880) / 60)
	}
	if n >= 20*2880 {
		s.Start = start.Add(20 * 24 * time.Hour)
		s.Readings[len(s.Readings)-1].Value -= 20 * 2880 * 3
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the descriptors of a process cannot be counted here")
	}
	return len(entries)
}

func heapNow() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one only marked as free in pools
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The bubble fails the test if a goroutine of the monitor is left.
func TestMonitorForAMonth(t *testing.T) {
	before := descriptors(t)
	for _, test := range []struct {
		name  string
		fill  func(start time.Time, n int, s *sampler.Sample)
		least map[string]int // events there must be, by kind and status
	}{
		{"healthy", fillMonth, map[string]int{}},
		{"leaking", fillLeaking, map[string]int{"trend firing": 1, "trend resolved": 1, "limit firing": 500, "limit resolved": 500}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := with(func(c *Config) { c.GoroutineThreshold = 200 })
				began := time.Now()
				var early, late int64
				closed := 0
				source := &scripted{}
				source.make = func(n int, s *sampler.Sample) error {
					if want := began.Add(time.Duration(n) * checkEvery); !s.Time.Equal(want) {
						t.Errorf("sample %d at %s, want %s", n, s.Time, want)
					}
					test.fill(began, n, s)
					switch n {
					case 3 * 2880:
						early = heapNow()
					case monthTicks - 1:
						late = heapNow()
					}
					return nil
				}
				_, logger := newJournal()
				logger.SetLevel(logrus.PanicLevel)
				m, err := newMonitor(config, logger, alerting.Process{PID: 1}, func() (sampler.Source, error) {
					return closing{source, &closed}, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				var got []alerting.Event
				m.OnAlert(func(a alerting.Alert) { got = append(got, a.Event) })
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(monthTicks*checkEvery - checkEvery/2)
				if err := m.Stop(); err != nil {
					t.Fatal(err)
				}
				if n := source.count(); n != monthTicks {
					t.Errorf("%d samples, want %d", n, monthTicks)
				}
				if closed != 1 {
					t.Errorf("the source was closed %d times", closed)
				}

				d, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				var want []alerting.Event
				var s sampler.Sample
				for n := range monthTicks {
					s.Reset(began.Add(time.Duration(n) * checkEvery).UTC())
					test.fill(began, n, &s)
					want = append(want, d.Observe(&s)...)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("events of the detector alone and of the monitor (-want +got):\n%.3000s", diff)
				}
				if diff := cmp.Diff(d.Status(), m.Status()); diff != "" {
					t.Errorf("status (-want +got):\n%s", diff)
				}
				counts := map[string]int{}
				for _, e := range got {
					counts[string(e.Kind)+" "+string(e.Status)]++
				}
				for what, least := range test.least {
					if counts[what] < least {
						t.Errorf("%d times %s, want %d or more", counts[what], what, least)
					}
				}
				if len(test.least) == 0 && len(got) > 0 {
					t.Errorf("events on a healthy service: %v", got)
				}
				// The events that the test itself keeps are no part of it.
				grown := late - early - int64(len(got))*1024
				if grown > 64<<10 {
					t.Errorf("the heap grew by %d bytes from day 3 to day 30", grown)
				}
			})
		})
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// closing counts how often it is closed.
type closing struct {
	sampler.Source
	times *int
}

func (c closing) Close() error { *c.times++; return nil }

// This process itself, for what it takes for a month.
func TestMonitorOfThisProcessForAMonth(t *testing.T) {
	const (
		interval = 5 * time.Minute // one of 30 s takes ten times as long to test
		length   = 30*24*time.Hour - 1
	)
	before := descriptors(t)
	synctest.Test(t, func(t *testing.T) {
		j, logger := newJournal()
		m, err := NewMonitor(with(func(c *Config) { c.CheckInterval = interval }), logger)
		if err != nil {
			t.Fatal(err)
		}
		samples, first := 0, 0.
		m.OnSample(func(s *sampler.Sample) {
			v, _ := s.Value(sampler.OpenFDs)
			if samples++; samples == 1 {
				first = v
			}
			if v != first {
				t.Errorf("sample %d: %v descriptors, at first %v", samples, v, first)
			}
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(length)
		if stats := m.GetStats(); stats.MonitoringUptime != int64(length/time.Second) {
			t.Errorf("uptime = %d s", stats.MonitoringUptime)
		}
		_ = m.Stop()
		if want := int(length/interval) + 1; samples != want {
			t.Errorf("%d samples, want %d", samples, want)
		}
		want := []string{"info Resource monitor started", "info Resource monitor stopped"}
		if diff := cmp.Diff(want, j.read()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

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
		{"start while Run runs", []step{{"run", 4}, {"start", 3}, {"stop", 3}, {"cancel", 0}, {"start", 4}, {"stop", 0}}},
		{"run while started", []step{{"start", 4}, {"run fails", 3}, {"stop", 0}, {"run", 4}, {"run fails", 3}, {"cancel", 0}}},
		{"start as Run ends", []step{{"run", 4}, {"cancel, start", 4}, {"run fails", 3}, {"stop", 0}}},
		{"reload before start", []step{{"10s", 0}, {"start", 10}, {"stop", 0}}},
		{"reload of the same", []step{{"start", 4}, {"30s", 3}, {"30s", 3}, {"stop", 0}}},
		{"reload of the interval", []step{{"start", 4}, {"10s", 10}, {"30s", 4}, {"stop", 0}}},
		{"reload after stop", []step{{"start", 4}, {"stop", 0}, {"10s", 0}, {"start", 10}, {"stop", 0}, {"30s", 0}}},
		{"disabled and enabled", []step{{"start", 4}, {"off", 0}, {"off", 0}, {"30s", 4}, {"off, 30s", 3}, {"stop", 0}}},
		{"disabled at first", []step{{"off", 0}, {"start", 0}, {"start", 0}, {"30s", 4}, {"stop", 0}}},
		{"disabled and stopped", []step{{"start", 4}, {"off", 0}, {"stop", 0}, {"30s", 0}, {"start", 4}, {"stop", 0}}},
		{"run disabled", []step{{"off", 0}, {"run", 0}, {"run fails", 0}, {"cancel", 0}}},
		{"reload of what is not valid", []step{{"start", 4}, {"bad", 3}, {"10s", 10}, {"bad", 9}, {"stop", 0}, {"bad", 0}, {"start", 10}, {"stop", 0}}},
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
						err := m.Reload(with(func(c *Config) { c.CheckInterval, c.AlertWebhookURL = -time.Second, "http://sink.example" }))
						if err == nil || m.state.detector.Config().AlertWebhookURL != "" || m.webhook.Current() != nil {
							return fmt.Errorf("a configuration that is not valid: %v, and %+v in force", err, m.state.detector.Config())
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

// flapping passes a limit of 10 above the start for three samples of every ten.
func flapping(n int, s *sampler.Sample) error {
	s.Add(sampler.Goroutines, 50)
	if n >= 20 && n%10 < 3 {
		s.Readings[0].Value = 100
	}
	return nil
}

func flappingConfig() Config {
	return with(func(c *Config) {
		c.GoroutineThreshold = 10
		c.AlertCooldown = 0
		c.Adaptive.Enabled = false
	})
}

func TestMonitorAlertsOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := watching(t, flappingConfig(), flapping)
		_ = m.Start()
		time.Sleep(60*checkEvery - 1)
		_ = m.Stop()
		var got []string
		ids := map[string]int{}
		for len(m.GetAlertChannel()) > 0 {
			a := <-m.GetAlertChannel()
			got = append(got, string(a.Status))
			ids[a.ID]++
		}
		if want := slices.Repeat([]string{"firing", "resolved"}, 4); !slices.Equal(want, got) {
			t.Errorf("alerts %v, want %v", got, want)
		}
		if len(ids) != 4 {
			t.Errorf("ids %v, want 4, each of a firing and a resolved alert", ids)
		}
		if leaks := m.GetStats().GoroutineLeaks; leaks != 4 {
			t.Errorf("%d leaks counted, want 4", leaks)
		}
	})
}

// A reload ends findings while the loop begins them: sinks must see both in that order.
func TestMonitorOrderOfReloadAndSample(t *testing.T) {
	_, logger := newJournal()
	logger.SetLevel(logrus.PanicLevel)
	base := time.Now()
	source := &scripted{make: func(n int, s *sampler.Sample) error {
		s.Time = base.Add(time.Duration(n) * time.Second)
		s.Add(sampler.Goroutines, []float64{50, 100}[min(n/20, 1)])
		return nil
	}}
	m, err := NewSourceMonitor(source, alerting.Process{}, flappingConfig(), logger)
	if err != nil {
		t.Fatal(err)
	}
	var wrong, resolved int
	over := map[string]bool{}
	m.OnAlert(func(a alerting.Alert) {
		if a.Status == alerting.Resolved {
			over[a.ID] = true
			resolved++
		} else if over[a.ID] {
			wrong++
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		_ = m.dispatcher.Run(ctx)
	}()
	done, reloaded := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(reloaded)
		for n := int64(0); ; n++ {
			select {
			case <-done:
				return
			default:
				_ = m.Reload(with(func(c *Config) { *c = flappingConfig(); c.GoroutineThreshold = 10 + 1000*(n%2) }))
				runtime.Gosched()
			}
		}
	}()
	var opened sampler.Source
	var scratch sampler.Sample
	for range 50_000 {
		if err := m.loop.check(ctx, &opened, &scratch); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	close(done)
	<-reloaded
	cancel()
	<-delivered
	if wrong > 0 || resolved == 0 {
		t.Errorf("%d alerts fired after they had been resolved; %d were resolved", wrong, resolved)
	}
}

func TestMonitorUnreadChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, j := watching(t, flappingConfig(), flapping)
		_ = m.Start()
		time.Sleep(10020*checkEvery - 1)
		if n := source.count(); n != 10020 {
			t.Errorf("%d samples, want 10020", n)
		}
		_ = m.Stop()
		var unread []alerting.Alert
		for len(m.GetAlertChannel()) > 0 {
			unread = append(unread, <-m.GetAlertChannel())
		}
		if len(unread) != 100 {
			t.Errorf("%d unread alerts are kept, want 100", len(unread))
		}
		if diff := cmp.Diff(m.History(), unread); diff != "" {
			t.Errorf("the newest 100, and those in the channel (-want +got):\n%s", diff)
		}
		alerts, others := 0, []string(nil)
		for _, line := range j.read() {
			if strings.Contains(line, "goroutines") {
				alerts++
			} else {
				others = append(others, line)
			}
		}
		if alerts != 2000 {
			t.Errorf("%d alerts logged, want 2000", alerts)
		}
		if diff := cmp.Diff([]string{"info Resource monitor started", "info Resource monitor stopped"}, others); diff != "" {
			t.Errorf("log besides the alerts (-want +got):\n%s", diff)
		}
	})
}

func TestMonitorHooks(t *testing.T) {
	for _, test := range []struct {
		name string
		hook func(release chan struct{}) func(alerting.Alert)
	}{
		{"none", func(chan struct{}) func(alerting.Alert) { return nil }},
		{"panics", func(chan struct{}) func(alerting.Alert) { return func(alerting.Alert) { panic("hook") } }},
		{"blocks", func(release chan struct{}) func(alerting.Alert) { return func(alerting.Alert) { <-release } }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, source, j := watching(t, flappingConfig(), flapping)
				release := make(chan struct{})
				m.OnAlert(test.hook(release))
				_ = m.Start()
				time.Sleep(1020*checkEvery - 1)
				synctest.Wait()
				if n := source.count(); n != 1020 {
					t.Errorf("%d samples, want 1020", n)
				}
				sent := map[string]uint64{}
				for _, s := range m.Delivery() {
					sent[s.Name] = s.Sent
				}
				delete(sent, "hook")
				if diff := cmp.Diff(map[string]uint64{"log": 200, "channel": 200, "webhook": 200}, sent); diff != "" {
					t.Errorf("delivered (-want +got):\n%s", diff)
				}
				began := time.Now()
				_ = m.Stop()
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("Stop took %s", took)
				}
				close(release)
				if n := strings.Count(j.text(), "retrying"); n > 0 {
					t.Errorf("%d retries were logged", n)
				}
			})
		})
	}
}

func TestMonitorHookMayUseTheMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, _ := watching(t, flappingConfig(), flapping)
		stopped := make(chan error, 1000)
		m.OnAlert(func(alerting.Alert) {
			_, _ = m.GetStats(), m.Status()
			_ = m.Reload(flappingConfig())
			stopped <- m.Stop()
		})
		_ = m.Start()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		n := source.count()
		time.Sleep(time.Hour)
		if source.count() != n {
			t.Error("samples after a stop by the hook")
		}
		m.OnAlert(nil)
		_ = m.Start()
		time.Sleep(checkEvery + 1)
		synctest.Wait()
		if got := source.count() - n; got != 2 {
			t.Errorf("%d samples after a new start, want 2", got)
		}
		_ = m.Stop()
	})
}

func TestMonitorFailingSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		m, _, j := watching(t, DefaultConfig(), func(n int, s *sampler.Sample) error {
			switch {
			case n >= 30:
				return fmt.Errorf("process 7 ended: %w", io.EOF)
			case n >= 3 && n < 6: // nothing at all
				return boom
			case n >= 8 && n < 12:
				panic(fmt.Sprintf("kaputt at 0x%08d", n))
			case n >= 14 && n < 18: // a part
				s.Add(sampler.Goroutines, 50)
				return fmt.Errorf("read tcp 127.0.0.1:%d: reset", 40000+n)
			case n == 20:
				return boom
			case n == 21:
				return errors.New("bang")
			}
			s.Add(sampler.Goroutines, 50)
			s.Add(sampler.OpenFDs, 9)
			return nil
		})
		var readings []int
		m.OnSample(func(s *sampler.Sample) { readings = append(readings, len(s.Readings)) })
		if err := m.Run(context.Background()); !errors.Is(err, io.EOF) {
			t.Errorf("Run returned %v, want an error that wraps io.EOF", err)
		}
		want := slices.Concat(slices.Repeat([]int{2}, 3+2+2), slices.Repeat([]int{1}, 4), slices.Repeat([]int{2}, 2+8))
		if diff := cmp.Diff(want, readings); diff != "" {
			t.Errorf("readings of the samples that were judged (-want +got):\n%s", diff)
		}
		_ = m.Start() // which finds the source ended at once
		time.Sleep(time.Hour)
		_ = m.Stop()
		again := "info Resource monitor: checks are complete again"
		if diff := cmp.Diff([]string{
			"info Resource monitor started",
			"warning Resource monitor: a check is incomplete: boom", again,
			"error Resource monitor: a check failed: panic: kaputt at 0x00000008", again,
			"warning Resource monitor: a check is incomplete: read tcp 127.0.0.1:40014: reset", again,
			"warning Resource monitor: a check is incomplete: boom",
			"warning Resource monitor: a check is incomplete: bang", again,
			"info Resource monitor stopped",
			"info Resource monitor started", "info Resource monitor stopped",
			"warning Resource monitor: there is nothing left to watch: process 7 ended: EOF",
		}, j.read()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		if n := strings.Count(j.text(), "debug.Stack"); n != 1 {
			t.Errorf("the stack of the panic was logged %d times, want once", n)
		}
	})
}

func TestMonitorSourceThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, logger := newJournal()
		source := &scripted{make: fillSteady}
		tries := 0
		m, err := newMonitor(DefaultConfig(), logger, alerting.Process{}, func() (sampler.Source, error) {
			switch tries++; {
			case tries < 4:
				return nil, errors.New("not yet")
			case tries < 6:
				panic("open")
			}
			return source, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Start()
		time.Sleep(9*checkEvery - 1)
		_ = m.Stop()
		if n := source.count(); n != 4 || tries != 6 {
			t.Errorf("%d samples after %d tries, want 4 after 6", n, tries)
		}
		if diff := cmp.Diff([]string{
			"info Resource monitor started",
			"warning Resource monitor: a check is incomplete: not yet",
			"error Resource monitor: a check failed: panic: open",
			"info Resource monitor: checks are complete again",
			"info Resource monitor stopped",
		}, j.read()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// A load that was named and is never read is told once, not passed over in silence.
func TestMonitorLacksLoad(t *testing.T) {
	for _, test := range []struct {
		load   string
		trends bool
		want   []string
	}{
		{"requests", true, []string{"warning Resource monitor: a check is incomplete: adaptive.load: requests is not read here, so growth is judged without it"}},
		{"requests", false, nil},
		{sampler.Goroutines, true, nil},
		{sampler.CPUSeconds, true, nil},
		{"none", true, nil},
		{"", true, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, _, j := watching(t, with(func(c *Config) { c.Adaptive.Load, c.Adaptive.Enabled = test.load, test.trends }),
				func(n int, s *sampler.Sample) error { return fillSteady(n, s) })
			_ = m.Start()
			time.Sleep(9*checkEvery - 1)
			_ = m.Stop()
			want := slices.Concat([]string{"info Resource monitor started"}, test.want, []string{"info Resource monitor stopped"})
			if diff := cmp.Diff(want, j.read()); diff != "" {
				t.Errorf("load %q, trends %v (-want +got):\n%s", test.load, test.trends, diff)
			}
		})
	}
}

func TestMonitorSampleHookThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, j := watching(t, flappingConfig(), flapping)
		m.OnSample(func(*sampler.Sample) { panic("hook") })
		_ = m.Start()
		time.Sleep(30*checkEvery - 1)
		_ = m.Stop()
		if n := source.count(); n != 30 {
			t.Errorf("%d samples, want 30", n)
		}
		if n := len(m.History()); n != 2 {
			t.Errorf("%d alerts, want 2", n)
		}
		if n := strings.Count(strings.Join(j.read(), "\n"), "panic: hook"); n != 1 {
			t.Errorf("the panic was logged %d times, want once", n)
		}
	})
}

func TestMonitorClockJumps(t *testing.T) {
	for _, test := range []struct {
		name    string
		jump    time.Duration // at sample 100
		judged  int           // of 400 samples
		warning bool
	}{
		{"back by a second", -time.Second, 400, false},
		{"back by an hour", -time.Hour, 400 - 120, true}, // the 120 samples until the clock has caught up
		{"forward by an hour", time.Hour, 400, false},
		{"forward by a year", 365 * 24 * time.Hour, 400, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _, j := watching(t, with(func(c *Config) { c.GoroutineThreshold = 100 }), func(n int, s *sampler.Sample) error {
					if n >= 100 {
						s.Time = s.Time.Add(test.jump)
					}
					s.Add(sampler.Goroutines, 50+5*jitterAt(n, 0))
					s.Add(sampler.CPUSeconds, float64(n))
					return nil
				})
				judged := 0
				var last time.Time
				m.OnSample(func(s *sampler.Sample) {
					judged++
					if !s.Time.After(last) {
						t.Errorf("a sample of %s after that of %s", s.Time, last)
					}
					last = s.Time
				})
				_ = m.Start()
				time.Sleep(400*checkEvery - 1)
				_ = m.Stop()
				if judged != test.judged {
					t.Errorf("%d samples judged, want %d", judged, test.judged)
				}
				if n := len(m.History()); n != 0 {
					t.Errorf("%d alerts", n)
				}
				if stats := m.GetStats(); stats.LastCheck != last.Unix() || stats.MonitoringUptime != int64((400*checkEvery-1)/time.Second) {
					t.Errorf("last check %d, uptime %d s", stats.LastCheck, stats.MonitoringUptime)
				}
				warned := strings.Count(strings.Join(j.read(), "\n"), "as when the clock was set back")
				if want := map[bool]int{true: 1}[test.warning]; warned != want {
					t.Errorf("%d warnings, want %d:\n%s", warned, want, j.text())
				}
			})
		})
	}
}

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
			MonitoringInterval: -1, FDLeakThreshold: -1, GoroutineLeakThreshold: math.MinInt64, MemoryLeakThreshold: -1, AlertCooldown: -1,
			MaxAlertHistory: -1, GrowthRateThreshold: math.NaN(),
		}, defaults, 0},
		{"interval of a nanosecond", ResourceMonitorConfig{MonitoringInterval: 1, GrowthRateThreshold: 50},
			changed(func(c *Config) { c.GrowthRateThreshold = 50 }), 1},
		{"webhook", ResourceMonitorConfig{AlertWebhookURL: "ftp://sink.example", GrowthRateThreshold: 50, MaxAlertHistory: 7},
			changed(func(c *Config) { c.GrowthRateThreshold, c.MaxAlertHistory = 50, 7 }), 1},
		{"format", ResourceMonitorConfig{AlertWebhookURL: "http://sink.example", AlertWebhookFormat: "pigeon"},
			changed(func(c *Config) { c.AlertWebhookURL = "http://sink.example" }), 1},
		{"history and growth", ResourceMonitorConfig{MaxAlertHistory: math.MaxInt, GrowthRateThreshold: math.Inf(1), FDLeakThreshold: 7},
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
	after := func(t *testing.T, c ResourceMonitorConfig, ticks int, fill func(n int, s *sampler.Sample)) (*ResourceMonitor, *journal) {
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
			m, _ := after(t, ResourceMonitorConfig{}, 30, func(_ int, s *sampler.Sample) { s.Add(sampler.HeapInuseBytes, 150<<20) })
			history := m.History()
			if len(history) != 1 {
				t.Fatalf("%d alerts, want 1", len(history))
			}
			a := history[0]
			if a.Threshold != 100<<20 || strings.Contains(a.Summary, "grew") || !strings.Contains(a.Summary, "above the limit") {
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
			m, _ = after(t, ResourceMonitorConfig{AlertCooldown: 1, MaxAlertHistory: 3}, 200, goroutines(func(n int) float64 {
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
