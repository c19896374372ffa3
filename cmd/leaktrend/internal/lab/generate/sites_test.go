package generate

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// followedAlone passes a series as that of one line of code, beside steady ones, and counts the findings in healthy
// time. hit tells whether there was one while it leaked.
func followedAlone(r *dataset.Recording, share float64) (alarms int, hit bool) {
	s := &r.Series[0]
	kind := profile.Goroutine
	if d, _ := sampler.Lookup(s.Resource); d.Unit == "bytes" {
		kind = profile.Heap
	}
	tracker := sites.NewTracker(kind, sites.Config{Scale: 1, Patience: 6 * time.Hour, MinGrowth: .2,
		HalfLife: 6 * time.Hour})
	last, active := int64(0), false
	for k, at := range r.Times {
		if math.IsNaN(s.Values[k]) || at-last < int64(149*time.Second) {
			continue
		}
		last = at
		p := &profile.Profile{Kind: kind, Time: time.Unix(0, at), Resolution: 512 << 10}
		for line, value := range []float64{s.Values[k], s.Values[0] * (1/share - 1)} {
			site := profile.Site{Frame: profile.Frame{Function: "main.f", File: "/src/main.go", Line: 1 + line},
				Count: value}
			if kind == profile.Heap {
				site.Bytes = value
			}
			if value > 0 {
				p.Sites = append(p.Sites, site)
			}
		}
		tracker.Observe(p, math.NaN())
		found := len(tracker.Findings()) > 0
		leaks := s.Truth.Leaks && at >= s.Truth.From
		if found && leaks {
			hit = true
		}
		if found && !active && !leaks {
			alarms++
		}
		active = found
	}
	return alarms, hit
}

// One line of code by itself gives no more false alarms than a total does: of what services do in good health, those
// alone that nothing in the series itself tells from a leak.
func TestSitesAlone(t *testing.T) {
	o := Options{Seed: 77, PerFamily: 6, Ranges: Report}
	days, ambiguous, due, found := 0., 0, 0, 0
	for _, f := range Families() {
		for i := range o.PerFamily {
			r := One(o, f.Name, i)
			truth := &r.Series[0].Truth
			alarms, hit := followedAlone(r, .1)
			switch {
			case alarms > 0 && f.Ambiguous:
				ambiguous++
			case alarms > 0:
				t.Errorf("%s: %d false alarms", r.Name, alarms)
			}
			if truth.Leaks {
				days += float64(truth.From-r.Times[0]) / float64(24*time.Hour)
			} else {
				days += r.Days()
			}
			if end := r.Times[len(r.Times)-1]; truth.Doubled > 0 || truth.Exhausted > 0 && truth.Exhausted <= end {
				due++
				if hit {
					found++
				}
			}
		}
	}
	t.Logf("%.0f healthy days, %d false alarms on ambiguous ones; %d of %d leaks that are due", days, ambiguous, found,
		due)
	if ambiguous > 4 {
		t.Errorf("%d false alarms on ambiguous processes", ambiguous)
	}
	if 10*found < 6*due {
		t.Errorf("%d of %d leaks found", found, due)
	}
}
