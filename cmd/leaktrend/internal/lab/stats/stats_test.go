package stats

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var near = cmpopts.EquateApprox(1e-9, 1e-12)

// Reference: scipy 1.10.1, stats.chi2.ppf(.025, 2*k)/2/t and stats.chi2.ppf(.975, 2*k+2)/2/t.
func TestPoissonRate(t *testing.T) {
	tests := []struct {
		events   int
		exposure float64
		want     Estimate
	}{
		{0, 100, Estimate{0, 0, 0.03688879454113935, true}},
		{1, 30, Estimate{1. / 30, 0.0008439269328096626, 0.18572144636462992, true}},
		{5, 12.5, Estimate{0.4, 0.12987891120947365, 0.9334665663458136, true}},
		{77, 1000, Estimate{0.077, 0.06076719585444652, 0.0962367885001229, true}},
		{0, 0, Estimate{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, PoissonRate(tt.events, tt.exposure), near); diff != "" {
			t.Errorf("%d in %v: (-want +got)\n%s", tt.events, tt.exposure, diff)
		}
	}
}

// Reference: scipy 1.10.1, stats.binomtest(k, n).proportion_ci(.95, 'exact').
func TestProportion(t *testing.T) {
	tests := []struct {
		k, n int
		want Estimate
	}{
		{0, 10, Estimate{0, 0, 0.30849710781876294, true}},
		{3, 10, Estimate{0.3, 0.06673951117773447, 0.652452850060008, true}},
		{10, 10, Estimate{1, 0.6915028921812371, 1, true}},
		{92, 100, Estimate{0.92, 0.848442364135579, 0.9648284374821919, true}},
		{1, 1, Estimate{1, 0.025, 1, true}},
		{0, 0, Estimate{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, Proportion(tt.k, tt.n), near); diff != "" {
			t.Errorf("%d of %d: (-want +got)\n%s", tt.k, tt.n, diff)
		}
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{7}, Spread{1, 7, 7}},
		{[]float64{4, 1, 3, 2}, Spread{4, 2.5, 3.7}}, // positions 1.5 and 2.7 of 1 2 3 4
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, SpreadOf(tt.in), near); diff != "" {
			t.Errorf("%v: (-want +got)\n%s", tt.in, diff)
		}
	}
}
