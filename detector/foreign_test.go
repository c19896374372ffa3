//go:build go1.25

package detector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
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

// What a monitor calls and does not own may block, panic, or end the goroutine that calls it: the monitor goes on, says
// so, and stops in its time.

// logHook is a hook of a logger.
type logHook func(*logrus.Entry) error

func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h logHook) Fire(e *logrus.Entry) error { return h(e) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type formatterFunc func(*logrus.Entry) ([]byte, error)

func (f formatterFunc) Format(e *logrus.Entry) ([]byte, error) { return f(e) }

func TestMonitorWithABadLogger(t *testing.T) {
	hooked := func(do func()) *logrus.Logger {
		logger := logrus.New()
		logger.SetOutput(io.Discard)
		logger.AddHook(logHook(func(*logrus.Entry) error { do(); return nil }))
		return logger
	}
	boom := func() { panic("boom") }
	for _, test := range []struct {
		name   string
		logger func(block func()) *logrus.Logger
		blocks bool
		panics bool
	}{
		{"a hook that blocks", func(block func()) *logrus.Logger { return hooked(block) }, true, false},
		{"a writer that blocks", func(block func()) *logrus.Logger {
			logger := logrus.New()
			logger.SetNoLock() // a bubble's time stands still while a goroutine waits for a mutex
			logger.SetOutput(writerFunc(func(p []byte) (int, error) { block(); return len(p), nil }))
			return logger
		}, true, false},
		{"a hook that panics", func(func()) *logrus.Logger { return hooked(boom) }, false, true},
		{"a hook that exits", func(func()) *logrus.Logger { return hooked(runtime.Goexit) }, false, true},
		{"a formatter that panics", func(func()) *logrus.Logger {
			logger := logrus.New()
			logger.SetFormatter(formatterFunc(func(*logrus.Entry) ([]byte, error) { boom(); return nil, nil }))
			return logger
		}, false, true},
		{"the zero logger", func(func()) *logrus.Logger {
			return &logrus.Logger{Level: logrus.InfoLevel}
		}, false, true},
		{"a level that logs nothing", func(func()) *logrus.Logger {
			logger := hooked(boom)
			logger.SetLevel(logrus.PanicLevel)
			return logger
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				logger := test.logger(func() { <-release })
				source := &scripted{make: flapping}
				config := flappingConfig()
				config.Adaptive.Soak = 10 * time.Second // of which it warns at once
				config.Adaptive.Enabled = false
				start := time.Now()
				m, err := NewSourceMonitor(source, alerting.Process{}, config, logger)
				if err != nil {
					t.Fatal(err)
				}
				if elapsed := time.Since(start); elapsed > time.Second {
					t.Errorf("it took %v to make the monitor", elapsed)
				}
				start = time.Now()
				if err := m.Start(); err != nil || time.Since(start) != 0 {
					t.Errorf("Start took %v: %v", time.Since(start), err)
				}
				time.Sleep(1020*checkEvery - 1)
				synctest.Wait()
				if n := source.count(); n != 1020 {
					t.Errorf("%d samples, want 1020", n)
				}
				if !m.IsHealthy() {
					t.Error("not healthy")
				}
				for _, s := range m.Delivery() {
					if s.Name != "log" && s.Sent != 200 {
						t.Errorf("%d alerts went to the %s, want 200", s.Sent, s.Name)
					}
				}
				log, stats := m.Delivery()[0], m.LogStats()
				if log.Stuck != test.blocks || stats.Stuck != test.blocks || log.Panics > 0 != test.panics ||
					stats.Panics > 0 != test.panics {
					t.Errorf("alerts in the log: %+v, other lines: %+v", log, stats)
				}
				start = time.Now()
				err = m.Stop()
				if elapsed := time.Since(start); elapsed > 6*time.Second {
					t.Errorf("Stop took %v", elapsed)
				}
				if test.blocks != (err != nil) || err != nil &&
					!strings.Contains(err.Error(), "does not return: sink log, the logger") {
					t.Errorf("Stop: %v", err)
				}
				close(release)
				synctest.Wait()
				if stats := m.LogStats(); stats.Queued != 0 || stats.Stuck {
					t.Errorf("afterwards: %+v", stats)
				}
			})
		})
	}
}

// Stop works from within all that the monitor calls: it returns at once, and the monitor ends.
func TestMonitorStopFromWithin(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      func(t *testing.T, m *ResourceMonitor, source *scripted, logger *logrus.Logger, stop func())
		elapsed time.Duration // the longest that Stop may take
		left    bool          // whether Stop may say that it did not wait for its caller
	}{
		{"OnSample", func(_ *testing.T, m *ResourceMonitor, _ *scripted, _ *logrus.Logger, stop func()) {
			m.OnSample(func(*sampler.Sample) { stop() })
		}, 0, false},
		{"OnLeakDetection", func(_ *testing.T, m *ResourceMonitor, _ *scripted, _ *logrus.Logger, stop func()) {
			m.OnLeakDetection(func(string, string, float64) { stop() })
		}, 0, false},
		{"OnAlert", func(_ *testing.T, m *ResourceMonitor, _ *scripted, _ *logrus.Logger, stop func()) {
			m.OnAlert(func(alerting.Alert) { stop() })
		}, 0, false},
		{"a log hook at an alert", func(_ *testing.T, _ *ResourceMonitor, _ *scripted, logger *logrus.Logger,
			stop func()) {
			logger.AddHook(logHook(func(e *logrus.Entry) error {
				if e.Data["severity"] != nil {
					stop()
				}
				return nil
			}))
		}, 0, false},
		{"a log hook at another line", func(_ *testing.T, _ *ResourceMonitor, _ *scripted, logger *logrus.Logger,
			stop func()) {
			logger.AddHook(logHook(func(e *logrus.Entry) error {
				if strings.HasSuffix(e.Message, "started") {
					stop()
				}
				return nil
			}))
		}, time.Second, true},
		{"evidence", func(_ *testing.T, m *ResourceMonitor, _ *scripted, _ *logrus.Logger, stop func()) {
			m.AddEvidence("x", func(context.Context, *alerting.Alert) error { stop(); return nil })
		}, 0, false},
		{"the source", func(_ *testing.T, _ *ResourceMonitor, source *scripted, _ *logrus.Logger, stop func()) {
			fill := source.make
			source.make = func(n int, s *sampler.Sample) error {
				if n == 20 {
					stop()
				}
				return fill(n, s)
			}
		}, 0, false},
		{"a handler around the page", func(t *testing.T, m *ResourceMonitor, _ *scripted, _ *logrus.Logger,
			stop func()) {
			page := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				m.Handler().ServeHTTP(rw, req)
				stop()
			})
			time.AfterFunc(time.Minute, func() {
				page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/",
					nil))
			})
		}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, logger := newJournal()
				source := &scripted{make: flapping}
				m, err := NewSourceMonitor(source, alerting.Process{}, flappingConfig(), logger)
				if err != nil {
					t.Fatal(err)
				}
				var once sync.Once
				test.in(t, m, source, logger, func() {
					once.Do(func() {
						start := time.Now()
						if err := m.Stop(); err != nil && !test.left {
							t.Errorf("Stop: %v", err)
						}
						if elapsed := time.Since(start); elapsed > test.elapsed {
							t.Errorf("Stop took %v", elapsed)
						}
						if err := m.Start(); err != nil && !errors.Is(err, errStillEnding) {
							t.Errorf("Start: %v", err)
						}
						_ = m.Stop()
					})
				})
				_ = m.Start()
				time.Sleep(50 * checkEvery)
				synctest.Wait()
				n := source.count()
				if n > 22 {
					t.Errorf("%d samples", n)
				}
				if m.isRunning() {
					t.Error("it still runs")
				}
				if err := m.Start(); err != nil {
					t.Errorf("Start from outside: %v", err)
				}
				time.Sleep(10*checkEvery - 1)
				if got := source.count() - n; got != 10 {
					t.Errorf("%d samples after a new start, want 10", got)
				}
				if err := m.Stop(); err != nil {
					t.Errorf("Stop from outside: %v", err)
				}
			})
		})
	}
}

// A hook that hangs costs one wait, and the samples go on.
func TestMonitorHookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, source, j := watching(t, flappingConfig(), flapping)
		release := make(chan struct{})
		var seen []int
		hangs := true
		m.OnSample(func(s *sampler.Sample) {
			if hangs {
				hangs = false
				<-release
			}
			seen = append(seen, len(s.Readings)) // its own, though others were taken meanwhile
		})
		_ = m.Start()
		time.Sleep(30*checkEvery - 1)
		synctest.Wait()
		if n := source.count(); n != 30 {
			t.Errorf("%d samples, want 30", n)
		}
		if !m.IsHealthy() {
			t.Error("not healthy")
		}
		start := time.Now()
		if err := m.Stop(); err == nil || !strings.Contains(err.Error(), "OnSample") {
			t.Errorf("Stop: %v", err)
		}
		if elapsed := time.Since(start); elapsed > time.Second {
			t.Errorf("Stop took %v for a hook that was given up before", elapsed)
		}
		_ = m.Start()
		time.Sleep(5*checkEvery + 1)
		if n := source.count(); n != 36 {
			t.Errorf("%d samples after a new start, want 36", n)
		}
		close(release)
		time.Sleep(2 * checkEvery)
		if err := m.Stop(); err != nil {
			t.Errorf("Stop after the hook has returned: %v", err)
		}
		if diff := cmp.Diff([]int{1, 1, 1}, seen); diff != "" {
			t.Errorf("samples that the hook saw (-want +got):\n%s", diff)
		}
		var lines []string
		for _, line := range j.read() {
			if strings.Contains(line, "OnSample") || strings.Contains(line, "complete again") {
				lines = append(lines, line)
			}
		}
		hung := "warning Resource monitor: a check is incomplete: OnSample or OnLeakDetection does not return: the " +
			"sampling goes on without them"
		if diff := cmp.Diff([]string{
			hung,
			"warning Resource monitor: stopped without what does not return: OnSample or OnLeakDetection",
			"info Resource monitor: checks are complete again",
		}, lines); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// A hook that panics after it was given up has panicked all the same.
func TestMonitorHookThatPanicsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, j := watching(t, flappingConfig(), flapping)
		release := make(chan struct{})
		hangs := true
		m.OnSample(func(*sampler.Sample) {
			if hangs {
				hangs = false
				<-release
				panic("late")
			}
		})
		_ = m.Start()
		time.Sleep(3*checkEvery - 1)
		close(release)
		time.Sleep(3 * checkEvery)
		_ = m.Stop()
		if n := m.Checks().Panics; n != 1 {
			t.Errorf("%d panics were counted, want 1", n)
		}
		if n := strings.Count(strings.Join(j.read(), "\n"), "panic: late"); n != 1 {
			t.Errorf("the panic was logged %d times, want once", n)
		}
	})
}

// A hook that is at work when the monitor is stopped is waited for.
func TestMonitorStopWaitsForTheHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := watching(t, flappingConfig(), flapping)
		over := 0
		m.OnSample(func(*sampler.Sample) {
			time.Sleep(3 * time.Second)
			over++
		})
		_ = m.Start()
		time.Sleep(4*checkEvery + time.Second)
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		if over != 5 {
			t.Errorf("%d calls were over, want 5", over)
		}
	})
}

// A monitor that is made anew logs what is wrong with the settings, and no logger keeps it from being made.
func TestNewResourceMonitorWithABadLogger(t *testing.T) {
	wrong := ResourceMonitorConfig{EnableGCOptimization: true, AlertWebhookURL: "ftp://x"}
	for _, test := range []struct {
		name string
		hook func(release chan struct{})
	}{
		{"panics", func(chan struct{}) { panic("hook") }},
		{"exits", func(chan struct{}) { runtime.Goexit() }},
		{"blocks", func(release chan struct{}) { <-release }},
		{"works", func(chan struct{}) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				release := make(chan struct{})
				logger := logrus.New()
				logger.SetOutput(&out)
				logger.AddHook(logHook(func(*logrus.Entry) error { test.hook(release); return nil }))
				start := time.Now()
				m := NewResourceMonitor(wrong, logger)
				if elapsed := time.Since(start); m == nil || elapsed > 2*time.Second {
					t.Errorf("a monitor %p after %v", m, elapsed)
				}
				close(release)
				synctest.Wait()
				if n := strings.Count(out.String(), "\n"); (n == 2) != (test.name == "blocks" || test.name == "works") {
					t.Errorf("%d lines:\n%s", n, &out)
				}
			})
		})
	}
}
