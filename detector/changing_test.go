//go:build go1.25

package detector

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// later is a source whose process has profiles only from its second hour on.
type later struct{ *profiled }

func (l later) Present() bool { return time.Since(l.started) >= time.Hour }

// While a process cannot be read, nothing is asked of it and no alert lacks its lines; from when it can they are named.
func TestProfilesFromLaterOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const baseline = 5
		count := func(h float64) float64 { // passes the limit twice
			if h > .5 && h < .8 || h > 1.5 {
				return baseline + 1000
			}
			return baseline
		}
		p := &profiled{
			started: time.Now(), taken: map[profile.Kind]int{},
			heap:       map[int]func(float64) float64{100: steadyAt(50e6)},
			goroutines: map[int]func(float64) float64{42: count},
		}
		config := with(func(c *Config) {
			c.GoroutineThreshold, c.ProfileDir, c.StackTraceOnLeak = 500, t.TempDir(), true
		})
		m, _, j := watching(t, config, func(_ int, s *sampler.Sample) error {
			s.Start = p.started
			s.Add(sampler.Goroutines, count(time.Since(p.started).Hours()))
			return nil
		})
		m.FollowSites(later{p})
		var alerts []string
		m.OnAlert(func(a alerting.Alert) {
			var lines []int
			for _, s := range a.Sites {
				lines = append(lines, s.Line)
			}
			alerts = append(alerts, fmt.Sprint(a.Status, lines, a.Missing, len(a.Profiles) > 0))
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if n := p.times(profile.Goroutine) + p.times(profile.Heap); n > 0 || len(m.Sites()) > 0 {
			t.Errorf("%d profiles while there are none, sites %+v", n, m.Sites())
		}
		time.Sleep(time.Hour)
		_ = m.Stop()
		if diff := cmp.Diff([]string{"firing[] [] false", "resolved[] [] false", "firing[42] [] true"},
			alerts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if log := strings.Join(j.read(), "\n"); strings.Contains(log, "evidence is incomplete") ||
			strings.Contains(log, "profile") && strings.Contains(log, "warning") {
			t.Errorf("log:\n%s", log)
		}
	})
}
