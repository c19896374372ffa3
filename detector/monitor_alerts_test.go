//go:build go1.25

package detector

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

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
		if diff := cmp.Diff([]string{"info Resource monitor started", "info Resource monitor stopped"},
			others); diff != "" {
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
				start := time.Now()
				_ = m.Stop()
				if elapsed := time.Since(start); elapsed > 6*time.Second {
					t.Errorf("Stop took %s", elapsed)
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
