package doubt

import (
	"reflect"
	"testing"
)

func TestPlaceholder(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   []float64 // that are readings
	}{
		{"a failed reading", []float64{60, 65535, 61}, []float64{60, 61}},
		{"two in a row", []float64{60, 4294967295, 4294967295, 61}, []float64{60, 61}},
		{"the first one", []float64{2147483647, 60, 61}, []float64{60, 61}},
		{"nines", []float64{60, 999999, 61}, []float64{60, 61}},
		{"of kilobytes", []float64{2e8, 4294967295 * 1024, 2e8}, []float64{2e8, 2e8}},
		{"of 64 bits", []float64{2e8, 18446744073709551615, 9223372036854775807, 2e8}, []float64{2e8, 2e8}},
		{"a climb through it", []float64{50000, 60000, 65535, 70000}, []float64{50000, 60000, 65535, 70000}},
		{"a level that stays there", []float64{60, 65535, 65535, 65535, 65535, 60, 65535},
			[]float64{60, 65535, 65535, 60}},
		{"minus one", []float64{60, -1, 61, -1, -1, -1, 62, -1}, []float64{60, 61, 62}},
		{"minus one at first", []float64{-1, -1, 60, 61}, []float64{60, 61}},
		{"minus one megabyte", []float64{2e8, -1 << 20, 2e8}, []float64{2e8, 2e8}},
		{"what goes below zero", []float64{60, 5, -1, -3, 60, -7, -1}, []float64{60, 5, -1, -3, 60, -7, -1}},
		{"always minus one", []float64{-1, -1, -1, -1}, []float64{-1, -1}},
		{"any other peak", []float64{60, 65534, 61, 100000, 60}, []float64{60, 65534, 61, 100000, 60}},
		{"too small to be one", []float64{3, 255, 4, 9999, 5}, []float64{3, 255, 4, 9999, 5}},
	} {
		var p Placeholder
		var got []float64
		for _, v := range test.values {
			if !p.Stands(v) {
				got = append(got, v)
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
