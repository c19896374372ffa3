//go:build go1.25

package detector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

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
		{"requests", true, []string{"warning Resource monitor: a check is incomplete: adaptive.load: requests is not " +
			"read here, so growth is judged without it"}},
		{"requests", false, nil},
		{sampler.Goroutines, true, nil},
		{sampler.CPUSeconds, true, nil},
		{"none", true, nil},
		{"", true, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, _, j := watching(t, with(func(c *Config) {
				c.Adaptive.Load, c.Adaptive.Enabled = test.load, test.trends
			}),
				func(n int, s *sampler.Sample) error { return fillSteady(n, s) })
			_ = m.Start()
			time.Sleep(9*checkEvery - 1)
			_ = m.Stop()
			want := slices.Concat([]string{"info Resource monitor started"}, test.want,
				[]string{"info Resource monitor stopped"})
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

// A source that fills in its samples without Add gives what is no number: that is left out, and the page has what is.
func TestMonitorReadingsThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := []float64{math.NaN(), math.Inf(1), math.Inf(-1)}
		m, _, _ := watching(t, DefaultConfig(), func(n int, s *sampler.Sample) error {
			s.Add(sampler.Goroutines, 50)
			s.Readings = append(s.Readings, sampler.Reading{Resource: sampler.Threads, Value: none[n%3]},
				sampler.Reading{Resource: sampler.OpenFDs, Value: 9})
			return nil
		})
		var got []sampler.Reading
		m.OnSample(func(s *sampler.Sample) { got = append(got, s.Readings...) })
		_ = m.Start()
		time.Sleep(3*checkEvery - 1)
		for _, path := range []string{"/", "/status"} {
			w := httptest.NewRecorder()
			if m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil)); w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		_ = m.Stop()
		want := slices.Repeat([]sampler.Reading{{Resource: sampler.Goroutines, Value: 50},
			{Resource: sampler.OpenFDs, Value: 9}}, 3)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("readings that were judged (-want +got):\n%s", diff)
		}
	})
}

// A single sample that is stamped a year ahead costs itself alone.
func TestMonitorWrongStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, j := watching(t, with(func(c *Config) {
			c.GoroutineThreshold = 100
		}), func(n int, s *sampler.Sample) error {
			if n == 10 || n == 20 {
				s.Time = s.Time.Add(365 * 24 * time.Hour)
			}
			s.Add(sampler.Goroutines, 50)
			return nil
		})
		judged := 0
		m.OnSample(func(*sampler.Sample) { judged++ })
		_ = m.Start()
		time.Sleep(100*checkEvery - 1)
		_ = m.Stop()
		if judged != 98 {
			t.Errorf("%d samples of 100 judged", judged)
		}
		if n := strings.Count(strings.Join(j.read(), "\n"), "left out, unless the next one is ahead, too"); n != 2 {
			t.Errorf("it is said %d times:\n%s", n, j.text())
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
		{"forward by a year", 365 * 24 * time.Hour, 400 - 1, false}, // the first one might be alone
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _, j := watching(t, with(func(c *Config) {
					c.GoroutineThreshold = 100
				}), func(n int, s *sampler.Sample) error {
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
				if stats := m.GetStats(); stats.LastCheck != last.Unix() ||
					stats.MonitoringUptime != int64((400*checkEvery-1)/time.Second) {
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
