package evaluate_test

import (
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
)

// TestTimeLeft measures in how many leaks the limit is reached between the bounds that are told, in series that the
// bounds were not calibrated on: at the first verdict and each time the leak has lasted twice as long. Every family
// counts the same, and each of its series.
func TestTimeLeft(t *testing.T) {
	each := 6
	if testing.Short() {
		each = 3
	}
	var share, sooner, later, families float64
	for _, f := range generate.Families() {
		if !f.Leaks {
			continue
		}
		var within, before, after, series float64
		for i := range each {
			r := generate.One(generate.Options{Seed: 4711, PerFamily: each, Ranges: generate.Report, Ceilings: true},
				f.Name, i)
			truth, values := r.Series[0].Truth, r.Series[0].Values
			if len(r.Starts) > 1 {
				continue
			}
			var reported, held, soon, late float64
			count := func(x *detector.Status, limit float64, reached int64) {
				limits := finding.Limits{Ceiling: sampler.Ceiling{Level: limit}}
				e := limits.Exhaustion(x.At, x.Value, finding.Slope{Rate: x.SlopePerHour / 3600, T: x.Evidence.T})
				reported++
				switch {
				case reached < e.Earliest.UnixNano():
					soon++
				case reached > e.Latest.UnixNano():
					late++
				default:
					held++
				}
			}
			next, from := int64(0), 0
			verdictsOn(t, r, func(at int64, s *detector.Status) bool {
				if s.Verdict != detector.Leak || at < truth.From || at < next || s.Evidence == nil {
					return true
				}
				age := at - s.Since.UnixNano()
				next = at + age
				for from < len(r.Times) && r.Times[from] <= at {
					from++
				}
				// A limit that the series reaches within the recording, at several distances.
				for _, ages := range []float64{.25, .5, 1, 2, 4, 8} {
					end := at + int64(ages*float64(age))
					if end > r.Times[len(r.Times)-1] {
						break
					}
					highest, reached := 0., int64(0)
					for j := from; j < len(r.Times) && r.Times[j] <= end; j++ {
						if values[j] > highest {
							highest, reached = values[j], r.Times[j]
						}
					}
					if highest > s.Value {
						count(s, highest, reached)
					}
				}
				// That of the process, however far away.
				if s.Exhaustion != nil && truth.Exhausted > at {
					count(s, s.Exhaustion.Limit, truth.Exhausted)
				}
				return true
			})
			if reported > 0 {
				series++
				within, before, after = within+held/reported, before+soon/reported, after+late/reported
			}
		}
		if series > 0 {
			t.Logf("%-24s %3.0f %% within, %3.0f %% before, %3.0f %% after", f.Name, 100*within/series,
				100*before/series, 100*after/series)
			families++
			share, sooner, later = share+within/series, sooner+before/series, later+after/series
		}
	}
	share, sooner, later = share/families, sooner/families, later/families
	t.Logf("all: %.0f %% within the bounds, %.0f %% before, %.0f %% after", 100*share, 100*sooner, 100*later)
	if share < .72 || share > .9 || sooner > .2 || later > .2 {
		t.Errorf("%.0f %% within the bounds, %.0f %% before, %.0f %% after: they are for 80, 10 and 10", 100*share,
			100*sooner, 100*later)
	}
}
