//go:build go1.25

package detector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// changing is a source that blocks when it is told to, whatever its context says, and else does what it is told.
type changing struct {
	n     int
	block atomic.Pointer[chan struct{}]
	fill  atomic.Pointer[func(n int, s *sampler.Sample) error]
}

func (c *changing) Sample(_ context.Context, s *sampler.Sample) error {
	if block := c.block.Load(); block != nil {
		<-*block
	}
	c.n++
	s.Reset(time.Now())
	return (*c.fill.Load())(c.n, s)
}

func (c *changing) set(fill func(n int, s *sampler.Sample) error) { c.fill.Store(&fill) }

// Whether samples are judged is part of the monitor's health.
func TestMonitorThatIsBlind(t *testing.T) {
	const late = 2*checkEvery + stallGrace
	for _, test := range []struct {
		name   string
		config Config
		blind  func(c *changing, release chan struct{}) (fill func(n int, s *sampler.Sample) error)
		want   bool // healthy though nothing is judged
		left   bool
	}{
		{"the source hangs", flappingConfig(), func(c *changing, release chan struct{}) func(int,
			*sampler.Sample) error {
			c.block.Store(&release)
			return nil
		}, false, true},
		{"the source fails", flappingConfig(), func(*changing, chan struct{}) func(int, *sampler.Sample) error {
			return func(int, *sampler.Sample) error { return errors.New("fails") }
		}, false, false},
		{"the source panics", flappingConfig(), func(*changing, chan struct{}) func(int, *sampler.Sample) error {
			return func(int, *sampler.Sample) error { panic("panics") }
		}, false, false},
		{"the source exits", flappingConfig(), func(*changing, chan struct{}) func(int, *sampler.Sample) error {
			return func(int, *sampler.Sample) error { runtime.Goexit(); return nil }
		}, false, false},
		{"the clock stands still", flappingConfig(), func(*changing, chan struct{}) func(int, *sampler.Sample) error {
			return func(n int, s *sampler.Sample) error {
				s.Time = time.Unix(1, 0)
				return fillSteady(n, s)
			}
		}, false, false},
		{"nothing is to be sampled", with(func(c *Config) {
			c.Enabled = false
		}), func(*changing, chan struct{}) func(int, *sampler.Sample) error {
			return nil
		}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, logger := newJournal()
				source := &changing{}
				source.set(fillSteady)
				release := make(chan struct{})
				m, err := NewSourceMonitor(source, alerting.Process{}, test.config, logger)
				if err != nil {
					t.Fatal(err)
				}
				if !m.IsHealthy() {
					t.Error("not healthy before the start")
				}
				_ = m.Start()
				time.Sleep(10 * checkEvery)
				synctest.Wait()
				if !m.IsHealthy() {
					t.Error("not healthy with samples")
				}
				if fill := test.blind(source, release); fill != nil {
					source.set(fill)
				}
				time.Sleep(late)
				if !m.IsHealthy() {
					t.Error("too early")
				}
				time.Sleep(checkEvery)
				if got := m.IsHealthy(); got != test.want {
					t.Errorf("healthy %v, want %v", got, test.want)
				}
				if got := (shown{m}).Status().Healthy; got != test.want {
					t.Errorf("the page says healthy %v, want %v", got, test.want)
				}
				start := time.Now()
				err = m.Stop()
				if elapsed := time.Since(start); elapsed > 6*time.Second {
					t.Errorf("Stop took %v", elapsed)
				}
				if test.left != (err != nil) || err != nil &&
					!strings.Contains(err.Error(), "does not return: the source") {
					t.Errorf("Stop: %v", err)
				}
				_ = m.Start()
				time.Sleep(late + checkEvery)
				if got := m.IsHealthy(); got != test.want {
					t.Errorf("after a new start: healthy %v, want %v", got, test.want)
				}
				close(release)
				source.block.Store(nil)
				source.set(fillSteady)
				time.Sleep(2*checkEvery + 1)
				synctest.Wait()
				if !m.IsHealthy() {
					t.Error("not healthy once there are samples again")
				}
				if err := m.Stop(); err != nil {
					t.Errorf("Stop: %v", err)
				}
			})
		})
	}
}

// strange is a source that does what a test says with each of its methods.
type strange struct {
	scripted
	closed, resources, directory, alive func()
}

func do(f func()) {
	if f != nil {
		f()
	}
}

func (s *strange) Close() error                  { do(s.closed); return nil }
func (s *strange) Resources() []sampler.Resource { do(s.resources); return nil }
func (s *strange) ProcDir() string               { do(s.directory); return "/proc/self" }
func (s *strange) Alive() error                  { do(s.alive); return nil }

// nilError is an error whose methods panic, as those of a nil pointer do.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }
func (e *nilError) Unwrap() error { return fs.ErrNotExist }

// Each method of a source may panic, at every check.
func TestMonitorSourceThatPanics(t *testing.T) {
	boom := func() { panic("boom") }
	for _, test := range []struct {
		name   string
		source *strange
		panics bool // counted
		judged bool
	}{
		{"Close", &strange{closed: boom}, false, true},
		{"Resources", &strange{resources: boom}, true, false},
		{"ProcDir", &strange{directory: boom}, runtime.GOOS == "linux", true},
		{"Alive", &strange{alive: boom}, runtime.GOOS == "linux", true},
		{"the error", &strange{scripted: scripted{make: func(n int, s *sampler.Sample) error {
			_ = fillSteady(n, s)
			return (*nilError)(nil)
		}}}, true, true},
		{"what the error wraps", &strange{scripted: scripted{make: func(n int, s *sampler.Sample) error {
			_ = fillSteady(n, s)
			return fmt.Errorf("wrapped: %w", panicking{})
		}}}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.source.make == nil {
					test.source.make = func(n int, s *sampler.Sample) error {
						s.Add(sampler.OpenFDs, 9) // whose parts are asked for
						return fillSteady(n, s)
					}
				}
				j, logger := newJournal()
				m, err := newMonitor(DefaultConfig(), logger, alerting.Process{}, func() (sampler.Source, error) {
					return test.source, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				_ = m.Start()
				time.Sleep(10*checkEvery - 1)
				if err := m.Stop(); err != nil {
					t.Error(err)
				}
				checks := m.Checks()
				if n := test.source.count(); n != 10 || checks.Panics > 0 != test.panics ||
					checks.Last.IsZero() == test.judged {
					t.Errorf("%d samples, %+v", n, checks)
				}
				logged := strings.Count(strings.Join(j.read(), "\n"), "panic")
				if want := map[bool]int{true: 1}[test.panics]; logged != want {
					t.Errorf("%d lines of a panic, want %d:\n%s", logged, want, j.text())
				}
			})
		})
	}
}

// panicking is an error that cannot be asked for what it wraps.
type panicking struct{}

func (panicking) Error() string { return "panicking" }
func (panicking) Unwrap() error { panic("unwrap") }

// profiles is a ProfileSource that does what a test says.
type profiles func()

func (p profiles) Profile(context.Context, profile.Kind) (*profile.Profile, error) {
	p()
	return nil, errors.New("no profile")
}

func (p profiles) Raw(context.Context, profile.Kind) ([]byte, error) {
	p()
	return nil, errors.New("no profile")
}

// Evidence may do whatever it likes: the alerts come, without it.
func TestMonitorEvidenceOfOthers(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(release chan struct{})
		left bool
	}{
		{"panics", func(chan struct{}) { panic("evidence") }, false},
		{"exits", func(chan struct{}) { runtime.Goexit() }, false},
		{"blocks", func(release chan struct{}) { <-release }, true},
	} {
		for _, profiled := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " of profiles ", profiled), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m, source, _ := watching(t, flappingConfig(), flapping)
					release := make(chan struct{})
					if profiled {
						m.FollowSites(profiles(func() { test.do(release) }))
					} else {
						m.AddEvidence("x", func(context.Context, *alerting.Alert) error {
							test.do(release)
							return nil
						})
					}
					alerts := 0
					m.OnAlert(func(a alerting.Alert) { alerts++ })
					_ = m.Start()
					time.Sleep(120*checkEvery - 1)
					synctest.Wait()
					if n := source.count(); n != 120 {
						t.Errorf("%d samples, want 120", n)
					}
					if alerts != 20 {
						t.Errorf("%d alerts, want 20", alerts)
					}
					if panics := m.Checks().Panics; panics > 0 != !test.left {
						t.Errorf("%d panics are counted", panics)
					}
					start := time.Now()
					err := m.Stop()
					if elapsed := time.Since(start); elapsed > 6*time.Second {
						t.Errorf("Stop took %v", elapsed)
					}
					if test.left != (err != nil) || err != nil &&
						!strings.Contains(err.Error(), "does not return: the work for evidence") {
						t.Errorf("Stop: %v", err)
					}
					close(release)
					synctest.Wait()
				})
			})
		}
	}
}

// Stop has a bound also where nothing returns, or where the logger takes each line just before its time is over.
func TestMonitorStopWhenAllHangs(t *testing.T) {
	// 5 s for the source, 2 s for evidence, 1 s for the reader of earlier lives, 6 s for receivers, 5 s for the lines
	// of the log
	const bound = 19 * time.Second
	for _, test := range []struct {
		name string
		log  func(until <-chan struct{})
		left string
	}{
		{"the logger too", func(until <-chan struct{}) {
			<-until
		}, "the source, the work for evidence, the reader of earlier lives, sink log, sink hook, the logger"},
		{"the logger is slow", func(<-chan struct{}) {
			time.Sleep(900 * time.Millisecond)
		}, "the source, the work for evidence, the reader of earlier lives, sink hook"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				logger := logrus.New()
				logger.SetNoLock() // as a goroutine that waits for a lock keeps the clock of the bubble from going on
				logger.SetOutput(writerFunc(func(p []byte) (int, error) { test.log(until); return len(p), nil }))
				source := &scripted{make: func(n int, s *sampler.Sample) error {
					if n > 21 {
						<-until
					}
					s.Add(sampler.Goroutines, 50+float64(n/20)*1000)
					return nil
				}}
				m, err := NewSourceMonitor(source, alerting.Process{PID: 1}, with(func(c *Config) {
					c.GoroutineThreshold, c.HistoryFrom = 100, "http://prometheus"
				}), logger)
				if err != nil {
					t.Fatal(err)
				}
				m.ReadEarlierLives(func(context.Context, Config) (lives.Record, error) {
					<-until
					return lives.Record{}, nil
				})
				m.OnAlert(func(alerting.Alert) { <-until })
				m.AddEvidence("slow", func(context.Context, *alerting.Alert) error { <-until; return nil })
				_ = m.Start()
				time.Sleep(22*checkEvery + time.Second)
				start := time.Now()
				err = m.Stop()
				if want := "leaktrend: stopped without what does not return: " + test.left; fmt.Sprint(err) != want {
					t.Errorf("Stop: %v, want %s", err, want)
				}
				if elapsed := time.Since(start); elapsed < 11*time.Second || elapsed > bound {
					t.Errorf("Stop took %s, want all that hangs to be waited for, and no more than %s", elapsed, bound)
				}
				close(until)
			})
		})
	}
}
