package finding

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

func TestRate(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name                       string
		limit, ceiling             float64
		growth, value, ratePerHour float64
		want                       alerting.Severity
		left                       time.Duration // 0: unknown
	}{
		{name: "no limits", growth: 1e9, value: 1e9, ratePerHour: 1e9, want: alerting.Warning},
		{name: "below the limit", limit: 100, growth: 149, value: 1149, ratePerHour: 10, want: alerting.Warning},
		{name: "half over the limit", limit: 100, growth: 150, value: 1150, ratePerHour: 10, want: alerting.High},
		{name: "twice the limit", limit: 100, growth: 200, value: 1200, ratePerHour: 10, want: alerting.Critical},
		{name: "a day left", ceiling: 1240, value: 1000, ratePerHour: 10, want: alerting.Warning, left: 24 * time.Hour},
		{name: "less than a day left", ceiling: 1230, value: 1000, ratePerHour: 10, want: alerting.High,
			left: 23 * time.Hour},
		{name: "less than an hour left", ceiling: 1005, value: 1000, ratePerHour: 10, want: alerting.Critical,
			left: 30 * time.Minute},
		{name: "both: the more urgent", limit: 100, growth: 150, ceiling: 1005, value: 1000, ratePerHour: 10,
			want: alerting.Critical, left: 30 * time.Minute},
		{name: "does not grow", ceiling: 1005, value: 1000, want: alerting.Warning},
		{name: "falls", ceiling: 1005, value: 1000, ratePerHour: -5, want: alerting.Warning},
		{name: "a century left", ceiling: 1e9, value: 1000, ratePerHour: 10, want: alerting.Warning},
	} {
		limits := Limits{Growth: test.limit, Ceiling: sampler.Ceiling{Level: test.ceiling, Source: "test"}}
		rate := test.ratePerHour / 3600
		if got := limits.Rate(test.growth, test.value, rate); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		var want *alerting.Exhaustion
		if test.left > 0 {
			want = &alerting.Exhaustion{Limit: test.ceiling, Source: "test", At: at.Add(test.left)}
		}
		if diff := cmp.Diff(want, limits.Exhaustion(at, test.value, Slope{Rate: rate}),
			cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() <= time.Millisecond })); diff != "" {
			t.Errorf("%s: exhaustion (-want +got):\n%s", test.name, diff)
		}
	}
}

// The time that is left has bounds, which are wider the less the regression tells, and none where it tells nothing.
func TestExhaustionBounds(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	limits := Limits{Ceiling: sampler.Ceiling{Level: 1240, Source: "test"}}
	type bounds struct{ Earliest, Latest time.Duration }
	got := map[float64]bounds{}
	for _, sure := range []float64{0, 5, 100, 1e6} {
		x := limits.Exhaustion(at, 1000, Slope{Rate: 10. / 3600, T: sure})
		if x.Earliest.IsZero() {
			got[sure] = bounds{}
			continue
		}
		got[sure] = bounds{x.Earliest.Sub(at).Round(time.Minute), x.Latest.Sub(at).Round(time.Minute)}
	}
	want := map[float64]bounds{
		0: {}, 5: {1*time.Hour + 58*time.Minute, 33*time.Hour + 48*time.Minute},
		100: {17*time.Hour + 11*time.Minute, 25*time.Hour + 7*time.Minute},
		1e6: {17*time.Hour + 36*time.Minute, 25*time.Hour + 2*time.Minute},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	x := limits.Exhaustion(at, 1000, Slope{Rate: 240. / 3600 / 24 / 365 / 90, T: .1})
	if x.Latest.Sub(at) > time.Duration(century*1e9) || x.Latest.Before(x.At) {
		t.Errorf("in 90 years, or so: %s", x.Latest)
	}
}

// Reached already is now, not before.
func TestSecondsLeft(t *testing.T) {
	if left, ok := SecondsLeft(110, 1, 100); left != 0 || !ok {
		t.Errorf("beyond the level: %v, %v", left, ok)
	}
}

func TestStretch(t *testing.T) {
	type result struct{ Double, Tiny, Huge time.Duration }
	got := result{Stretch(time.Hour, 2), Stretch(time.Nanosecond, .001), Stretch(math.MaxInt64, 3)}
	if diff := cmp.Diff(result{2 * time.Hour, 1, math.MaxInt64}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
