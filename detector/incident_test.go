//go:build go1.25

package detector

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// leakingTogether is a monitor of a process whose goroutines leak at a line for 30 hours, each with a thread. delivered
// returns the alerts since it was called before.
func leakingTogether(t *testing.T, config Config) (m *ResourceMonitor, delivered func() []alerting.Alert) {
	t.Helper()
	leak := func(h float64) float64 {
		if h >= 30 {
			return 1
		}
		return math.Floor(40 * h)
	}
	p := &profiled{
		goroutines: map[int]func(float64) float64{10: steadyAt(100), 42: leak},
		heap:       map[int]func(float64) float64{100: steadyAt(50e6)},
		started:    time.Now(), taken: map[profile.Kind]int{},
	}
	m, _, _ = watching(t, config, func(_ int, s *sampler.Sample) error {
		h := time.Since(p.started).Hours()
		s.Start = p.started
		s.Add(sampler.Goroutines, 100+leak(h))
		s.Add(sampler.Threads, 200+leak(h))
		return nil
	})
	m.FollowSites(p)
	var mu sync.Mutex
	var alerts []alerting.Alert
	m.OnAlert(func(a alerting.Alert) {
		mu.Lock()
		defer mu.Unlock()
		alerts = append(alerts, a)
	})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	return m, func() []alerting.Alert {
		mu.Lock()
		defer mu.Unlock()
		latest := alerts
		alerts = nil
		return latest
	}
}

// What leaks at one place is told once: the second resource updates the alert, which is resolved with the last.
func TestOneIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, delivered := leakingTogether(t, DefaultConfig())
		time.Sleep(40 * time.Hour)
		_ = m.Stop()
		alerts := delivered()
		ids, seen := map[string]bool{}, map[string]string{}
		var last alerting.Alert
		for _, last = range alerts {
			ids[last.ID+" "+last.Incident+" "+last.Fingerprint] = true
			for _, r := range last.Resources {
				seen[r.Resource] = string(r.Status)
			}
		}
		if diff := cmp.Diff(map[string]string{sampler.Goroutines: "resolved", sampler.Threads: "resolved"},
			seen); diff != "" {
			t.Errorf("resources in the end (-want +got):\n%s", diff)
		}
		resolved := 0
		for _, a := range alerts {
			if a.Status == alerting.Resolved {
				resolved++
			} else if len(a.Sites) == 0 || a.Sites[0].Line != 42 || !a.New {
				t.Errorf("%s: sites %v, new %t", a.Summary, a.Sites, a.New)
			}
		}
		if len(ids) != 1 || resolved != 1 || last.Status != alerting.Resolved {
			t.Errorf("%d identities, %d resolved", len(ids), resolved)
			for _, a := range alerts {
				t.Log(a.ID, a.Incident, a.Fingerprint, a.Summary)
			}
		}
		if joined := alerts[1]; !strings.Contains(joined.Summary, "; one incident with ") {
			t.Errorf("what joined: %s", joined.Summary)
		}
	})
}

// A leak that is known is shown, counted and not delivered, until the configuration knows it no more.
func TestKnownLeak(t *testing.T) {
	fingerprint := ""
	synctest.Test(t, func(t *testing.T) {
		m, delivered := leakingTogether(t, DefaultConfig())
		time.Sleep(20 * time.Hour)
		_ = m.Stop()
		alerts := delivered()
		if len(alerts) == 0 {
			t.Fatal("no alert")
		}
		fingerprint = alerts[0].Fingerprint
	})
	synctest.Test(t, func(t *testing.T) {
		m, delivered := leakingTogether(t, with(func(c *Config) { c.KnownLeaks = "0123456789abcdef " + fingerprint }))
		time.Sleep(20 * time.Hour)
		if alerts := delivered(); len(alerts) > 0 {
			t.Errorf("delivered: %s", alerts[0].Summary)
		}
		history := m.History()
		if len(history) == 0 || !history[0].Known || history[0].New || history[0].Status != alerting.Firing {
			t.Errorf("history: %+v", history)
		}
		leaks := 0
		for _, s := range m.Status() {
			leaks += s.Leaks
		}
		if leaks != 2 {
			t.Errorf("%d leaks are counted", leaks)
		}
		if err := m.Reload(DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if alerts := delivered(); len(alerts) != 1 || alerts[0].Known || alerts[0].Status != alerting.Firing {
			t.Errorf("when it is known no more: %+v", alerts)
		}
		time.Sleep(20 * time.Hour)
		_ = m.Stop()
		alerts := delivered()
		if last := alerts[len(alerts)-1]; last.Status != alerting.Resolved {
			t.Errorf("the last: %s", last.Summary)
		}
	})
}

// A leak that becomes a known one while it is alerted ends for people, and is alerted again once it is known no more.
func TestKnownLeakByReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, delivered := leakingTogether(t, DefaultConfig())
		time.Sleep(20 * time.Hour)
		alerts := delivered()
		if len(alerts) == 0 {
			t.Fatal("no alert")
		}
		id := alerts[0].ID
		var got []string
		for _, known := range []string{alerts[0].Fingerprint, ""} {
			if err := m.Reload(with(func(c *Config) { c.KnownLeaks = known })); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Hour)
			for _, a := range delivered() {
				got = append(got, fmt.Sprint(a.Status, " ", a.Known, " ", a.ID == id))
			}
		}
		_ = m.Stop()
		if diff := cmp.Diff([]string{"resolved true true", "firing false true"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Memory at a line of the runtime is told as that of the goroutines that leak: their line is named, and it is one
// incident with them.
func TestMemoryOfGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leak := func(h float64) float64 { return math.Floor(40 * h) }
		const each = 400 << 10
		p := &profiled{
			goroutines: map[int]func(float64) float64{10: steadyAt(100), 42: leak},
			heap:       map[int]func(float64) float64{100: steadyAt(50e6)},
			runtimes: func(h float64) float64 {
				return each * leak(h)
			}, started: time.Now(), taken: map[profile.Kind]int{},
		}
		m, _, _ := watching(t, DefaultConfig(), func(_ int, s *sampler.Sample) error {
			h := time.Since(p.started).Hours()
			s.Start = p.started
			s.Add(sampler.Goroutines, 100+leak(h))
			s.Add(sampler.HeapLiveBytes, 50e6+each*leak(h))
			return nil
		})
		m.FollowSites(p)
		ids, named := map[string]bool{}, 0
		m.OnAlert(func(a alerting.Alert) {
			ids[a.ID] = true
			for _, s := range a.Sites {
				if s.Function == "runtime.malg" {
					t.Errorf("%s names a line of the runtime", a.Summary)
				}
			}
			if a.Resource != sampler.HeapLiveBytes {
				return
			}
			named++
			if !strings.Contains(a.Summary, "are the memory of the goroutines that leak at conn.go:42") ||
				a.Sites[0].Line != 42 || a.Sites[0].Resource != sampler.Goroutines {
				t.Errorf("%s: %+v", a.Summary, a.Sites)
			}
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Hour)
		for _, s := range m.Sites() {
			if s.Function == "runtime.malg" && s.Leaks {
				t.Error("a line of the runtime is listed as a leak")
			}
		}
		_ = m.Stop()
		if len(ids) != 1 || named == 0 {
			t.Errorf("%d incidents, of which %d alerts are on the heap", len(ids), named)
		}
	})
}
