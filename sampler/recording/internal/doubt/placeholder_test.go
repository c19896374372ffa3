package doubt

import (
	"reflect"
	"slices"
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

// What is 0 for one or two readings between others at one level is none, as long as few are and 0 was never one.
func TestMissed(t *testing.T) {
	high := make([]float64, 200)
	for i := range high {
		high[i] = 60
	}
	with := func(zeros ...int) []float64 {
		values := slices.Clone(high)
		for _, i := range zeros {
			values[i] = 0
		}
		return values
	}
	every := func(n int) (at []int) {
		for i := n; i < len(high); i += n {
			at = append(at, i)
		}
		return at
	}
	for _, test := range []struct {
		name   string
		of     Placeholder
		values []float64
		missed int
	}{
		{"one", Placeholder{}, with(100), 1},
		{"two in a row", Placeholder{}, with(100, 101), 2},
		{"three in a row", Placeholder{}, with(100, 101, 102), 0},
		{"the last one", Placeholder{}, with(199), 0},
		{"the first one", Placeholder{}, with(0), 0},
		{"from low", Placeholder{}, []float64{5, 0, 5, 0, 5}, 0},
		{"to another level", Placeholder{}, []float64{60, 0, 20, 60, 0, 200}, 0},
		{"too many", Placeholder{}, with(every(10)...), 1},
		{"many of memory", Placeholder{Size: true}, with(every(10)...), 19},
		{"as read", Placeholder{AsRead: true}, with(100), 0},
	} {
		p, missed := test.of, 0
		for i, v := range test.values {
			if p.Missed(v, func() []float64 { return test.values[i+1:] }) {
				missed++
			} else {
				p.Stands(v)
			}
		}
		if missed != test.missed {
			t.Errorf("%s: %d missed, want %d", test.name, missed, test.missed)
		}
	}
}
