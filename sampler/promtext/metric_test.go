package promtext

import (
	"math"
	"testing"
)

// What Metrics tells of a metric is what an Endpoint makes of it, and a caller cannot change that.
func TestMetrics(t *testing.T) {
	all := Metrics()
	if len(all) != len(metrics) {
		t.Fatalf("%d metrics, want %d", len(all), len(metrics))
	}
	for i, m := range all {
		roles := 0
		for _, has := range []bool{m.Resource != "", m.Start, len(m.Limits) > 0} {
			if has {
				roles++
			}
		}
		if m.Name != metrics[i].Name || roles != 1 {
			t.Errorf("%+v: want the name %s and one role", m, metrics[i].Name)
		}
		if len(m.Limits) > 0 {
			m.Limits[0] = "changed"
			if metrics[i].Limits[0] == "changed" {
				t.Error("a caller can change the table")
			}
		}
	}
}

func TestUnlimited(t *testing.T) {
	for value, want := range map[float64]bool{
		0: true, -1: true, math.Inf(1): true, 1 << 62: true, 9.223372036854772e18: true, 1024: false, 1 << 40: false,
	} {
		if got := Unlimited(value); got != want {
			t.Errorf("Unlimited(%g) is %v, want %v", value, got, want)
		}
	}
	if !Unlimited(math.NaN()) {
		t.Error("NaN is a limit")
	}
}
