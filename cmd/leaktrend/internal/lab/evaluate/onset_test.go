package evaluate_test

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
)

// TestOnsets compares the onset that is told with the true one, in leaks that doubled the level and are called: how
// many are within a tenth of the time since, at the first verdict and at the last, and within the error that is told.
func TestOnsets(t *testing.T) {
	each := 25
	if testing.Short() {
		each = 4
	}
	var called, first, last, within int
	for _, f := range generate.Families() {
		for i := range each {
			r := generate.One(generate.Options{Seed: 48, PerFamily: each, Ranges: generate.Report}, f.Name, i)
			truth := r.Series[0].Truth
			if !f.Leaks || truth.Doubled == 0 {
				continue
			}
			var early, late, reported float64 // shares of the time since
			began := false
			verdictsOn(t, r, func(at int64, s *detector.Status) bool {
				if s.Verdict != detector.Leak || at < truth.From {
					return true
				}
				since := float64(at - truth.From)
				late = math.Abs(float64(s.Since.UnixNano()-truth.From)) / since
				reported = float64(s.SinceError) / since
				if !began {
					began, early = true, late
				}
				return true
			})
			if !began {
				continue
			}
			called++
			for _, share := range []struct {
				holds bool
				n     *int
			}{{early <= .1, &first}, {late <= .1, &last}, {late <= reported, &within}} {
				if share.holds {
					*share.n++
				}
			}
		}
	}
	t.Logf("of %d leaks %d have their onset within a tenth of the time since at first, %d at last; %d within the "+
		"error told; seen every %v",
		called, first, last, within, 5*time.Minute)
	if share := float64(last) / float64(called); share < .75 {
		t.Errorf("%.0f %% of the onsets are within a tenth of the time since", 100*share)
	}
}
