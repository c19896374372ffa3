package stats

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const days = 24 * time.Hour

func TestParseBudget(t *testing.T) {
	tests := []struct {
		in   string
		want Budget
		text string
	}{
		{"1/30d", Budget{1, 30 * days}, "1/30d"},
		{"0.5/2w", Budget{0.5, 14 * days}, "0.5/14d"},
		{"2/36h", Budget{2, 36 * time.Hour}, "2/36h0m0s"},
		{"3/1.5d", Budget{3, 36 * time.Hour}, "3/36h0m0s"},
		{"1e-3/1h30m", Budget{0.001, 90 * time.Minute}, "0.001/1h30m0s"},
	}
	for _, tt := range tests {
		got, err := ParseBudget(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || got.String() != tt.text {
			t.Errorf("%s: %q, want %q (-want +got)\n%s", tt.in, got, tt.text, diff)
		}
	}
}

func TestParseBudgetFaults(t *testing.T) {
	const (
		form   = "; a budget is ALARMS/TIME, as in 1/30d"
		length = "the time must be a duration, as in 30s, 1h30m, 7d or 1d12h" + form
		alarms = "the number of alarms must be above 0 and at most 1000000" + form
	)
	tests := map[string]string{
		"": "lacks a /" + form, "30d": "lacks a /" + form,
		"x/30d": alarms, "0/30d": alarms, "NaN/30d": alarms,
		"1/30": length, "1/xd": length, "1/NaNd": length, "1/1e9w": length,
		"1/-3d": "the time must be above zero" + form, "1/0s": "the time must be above zero" + form,
		"1/99999999w": "the time is too long: the maximum is 292 years" + form,
		"1e-323/90w":  "out of range" + form,
	}
	for in, want := range tests {
		if _, err := ParseBudget(in); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
}

// Reference: scipy 1.10.1, 1 - stats.poisson.cdf(k, days/30) and stats.chi2.ppf(.95, 2*(k+1))/2*30.
func TestBudgetSupport(t *testing.T) {
	b := Budget{1, 30 * days}
	tests := []struct {
		alarms              int
		days                float64
		confidence, missing float64
	}{
		{0, 30, 0.6321205588285576, 89.87196820661968 - 30},
		{0, 100, 0.9643260066527476, 0},
		{2, 365, 0.9995465771151794, 0},
		{1, 0, 0, 142.3159355517173},
		{3, 200, math.NaN(), 232.60969583798177 - 200},
	}
	for _, tt := range tests {
		if got := b.Confidence(tt.alarms, tt.days); !math.IsNaN(tt.confidence) && math.Abs(got-tt.confidence) > 1e-9 {
			t.Errorf("%d in %v days: confidence %v, want %v", tt.alarms, tt.days, got, tt.confidence)
		}
		if got := b.Missing(tt.alarms, tt.days); math.Abs(got-tt.missing) > 1e-6 {
			t.Errorf("%d in %v days: %v days missing, want %v", tt.alarms, tt.days, got, tt.missing)
		}
	}
}

func FuzzParseBudget(f *testing.F) {
	for _, seed := range []string{"1/30d", "0.5/2w", "2/36h", "1/1h30m", "/", "1/", "-1/d", "1e6/1ns", "1/0.1d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBudget(text)
		if err != nil {
			return
		}
		if rate := b.PerDay(); !(rate > 0) || math.IsInf(rate, 0) {
			t.Fatalf("%q: %v alarms a day", text, rate)
		}
		again, err := ParseBudget(b.String())
		if err != nil || again != b {
			t.Fatalf("%q: written as %q, read back as %v, %v", text, b, again, err)
		}
	})
}
