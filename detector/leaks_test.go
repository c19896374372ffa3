//go:build go1.25

package detector

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// A line that leaks below a total that hides it is rated by its share of the limit, as a total is, and alerted again
// when that has risen.
func TestLineBecomesMoreUrgent(t *testing.T) {
	swinging := func(h float64) float64 { return 7500 + 2500*math.Sin(2*math.Pi*h/5) }
	config := with(func(c *Config) { c.GoroutineThreshold, c.AlertOnThreshold = 100, false })
	synctest.Test(t, func(t *testing.T) {
		p := &profiled{goroutines: map[int]func(float64) float64{10: swinging, 42: func(h float64) float64 {
			return 2 * h
		}}}
		m, alerts, _ := profiledRun(t, config, p, swinging, 120)
		var got []string
		for _, a := range alerts {
			got = append(got, fmt.Sprintf("%s %s %s at line %d", a.Status, a.Kind, a.Severity, a.Sites[0].Line))
			// 2 goroutines an hour.
			share := 2 * a.Time.Sub(p.started).Hours() / 100
			if a.ID != alerts[0].ID || a.Severity == alerting.High && math.Abs(share-1.5) > .05 ||
				a.Severity == alerting.Critical && math.Abs(share-2) > .05 {
				t.Errorf("%s, when %.2f times the limit had leaked: %s", a.Severity, share, a.Summary)
			}
		}
		want := []string{"firing trend warning at line 42", "firing trend high at line 42",
			"firing trend critical at line 42"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("alerts (-want +got):\n%s", diff)
		}
		for _, s := range m.Status() {
			if s.Resource.Name != sampler.Goroutines {
				continue
			}
			// The verdict is that of the line, as of its latest confirmation.
			if s.Severity != alerting.Critical || !s.Trend || s.Verdict != Leak || math.Abs(s.SlopePerHour-2) > .1 ||
				s.Evidence == nil || s.Evidence.Window != "96h0m0s" {
				t.Errorf("status: %+v, evidence %+v", s, s.Evidence)
			}
		}
	})
}
