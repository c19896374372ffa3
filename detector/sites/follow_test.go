package sites

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// What is said of a line that leaks rests on the longest window so far, up to the days that it has lasted.
func TestFindingFollowsItsLine(t *testing.T) {
	const perHour, days = 10.2, 8
	s := newService(profile.Goroutine, 1)
	s.at[10] = func(float64) float64 { return 300 + 20*s.noise.NormFloat64() }
	s.at[42] = func(h float64) float64 { return perHour * h }
	tracker := NewTracker(profile.Goroutine, physical)
	var window time.Duration
	for h := 0.; h < 24*days; h += 150. / 3600 {
		tracker.Observe(s.profile(h), math.NaN())
		for _, f := range tracker.Findings() {
			latest, err := time.ParseDuration(f.Evidence.Window)
			if err != nil || f.Site.Line != 42 || latest < window {
				t.Fatalf("after %.1f h: line %d with a window of %v, after one of %v (%v)", h, f.Site.Line, latest,
					window, err)
			}
			window = latest
		}
	}
	found := tracker.Findings()
	if len(found) != 1 {
		t.Fatalf("findings: %+v", found)
	}
	// The rise is to the lower of the latest two minimums, of up to a day each.
	e := found[0].Evidence
	if window < (days-2)*24*time.Hour || math.Abs(e.Rise-perHour*window.Hours()) > 2*24*perHour {
		t.Errorf("after %d days, with %v goroutines there: a rise of %v over %v", days, found[0].Site.Count, e.Rise,
			e.Window)
	}
}

// Of several widths that confirm a growth at once the widest tells it.
func TestFirstFindingIsByTheWidest(t *testing.T) {
	for _, test := range []struct {
		seed                  uint64
		perHour, noise, start float64
		minimum               time.Duration
	}{
		{3, 10.2, 10, 5, 80 * time.Minute},
		{2, 1, 5, 5, 6 * time.Hour},
		{3, .5, 5, 31, 6 * time.Hour},
	} {
		s := newService(profile.Goroutine, test.seed)
		s.at[10] = func(float64) float64 { return 300 + 20*s.noise.NormFloat64() }
		s.at[42] = func(h float64) float64 {
			return 20 + test.noise*s.noise.NormFloat64() + test.perHour*max(0, h-test.start)
		}
		tracker := NewTracker(profile.Goroutine, physical)
		var first []time.Duration
		for h := 0.; h < 240 && len(first) == 0; h += 150. / 3600 {
			tracker.Observe(s.profile(h), math.NaN())
			for _, f := range tracker.Findings() {
				first = append(first, time.Duration(f.Evidence.Floor)*time.Second)
			}
		}
		if diff := cmp.Diff([]time.Duration{test.minimum}, first); diff != "" {
			t.Errorf("%+v: width of its minimums (-want +got):\n%s", test, diff)
		}
	}
}
