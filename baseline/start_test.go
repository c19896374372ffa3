package baseline

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestStart(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	type result struct {
		SettledAt int64 // seconds after the first value
		Level     float64
	}
	for _, test := range []struct {
		name   string
		every  int64 // seconds
		series func(at int64) float64
		want   result
		within float64 // of the level
	}{
		{"flat", 30, func(int64) float64 { return 100 }, result{270, 100}, 0},
		{"flat at a second", 1, func(int64) float64 { return 100 }, result{9, 100}, 0},
		{"flat zero", 30, func(int64) float64 { return 0 }, result{270, 0}, 0},
		{"below zero", 30, func(at int64) float64 { return -7 + float64(at/30%2) }, result{270, -7}, 0},
		// 20 a second up to 400 at 20 s. At 27 s the ten latest are 360, 380 and eight times 400: the mean of the later
		// five is 12 above that of the earlier five, .3 of the range of 40; a second before it was 24 of 60.
		{"start-up ramp", 1, func(at int64) float64 { return min(400, 20*float64(at)) }, result{27, 400}, 0},
		// A handful up and down is calm whatever its share.
		{"few descriptors", 10, func(at int64) float64 { return 5 + float64(at/10%5) }, result{90, 6}, 0},
		{"noisy", 10, func(int64) float64 { return 1000 + 80*(noise.Float64()-.5) }, result{90, 1000}, 40},
		{"never calm", 10, func(at int64) float64 { return []float64{100, 300, 200}[at/10%3] }, result{300, 100}, 0},
		{"never calm, few samples", 60, func(at int64) float64 {
			return []float64{100, 300, 200}[at/60%3]
		}, result{540, 100}, 0},
		// Leaks from the first value on: whatever their rate, they do not raise the level from which their limit
		// counts.
		{"leak of 1 % a minute", 60, func(at int64) float64 { return 100 + float64(at)/60 }, result{540, 100}, 0},
		{"leak of 16 a second", 1, func(at int64) float64 { return 5 + 16*float64(at) }, result{300, 5}, 0},
		{"leak under noise", 1, func(at int64) float64 {
			return 50 + 10*float64(at) + 30*noise.Float64()
		}, result{300, 65}, 16},
		{"a step, then calm", 30, func(at int64) float64 {
			return map[bool]float64{true: 5, false: 200}[at == 0]
		}, result{300, 200}, 0},
		{"start-up burst first", 30, func(at int64) float64 { return map[bool]float64{true: 5000, false: 10}[at == 0] },
			result{300, 10}, 0},
	} {
		var s Start
		got := result{SettledAt: -1}
		for at := int64(0); at <= 4*3600; at += test.every {
			s.Observe(1e18+at*second, test.series(at))
			level, settled, ok := s.Level()
			if !ok {
				t.Errorf("%s: no level after a value", test.name)
			}
			if settled && got.SettledAt < 0 {
				got.SettledAt = at
			}
			got.Level = level // of the end: what comes after does not move it
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(0, test.within)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestStartProvisional(t *testing.T) {
	type level struct {
		Level       float64
		Settled, OK bool
	}
	var s Start
	tell := func() (l level) {
		l.Level, l.Settled, l.OK = s.Level()
		return l
	}
	got := []level{tell()}
	for i, v := range []float64{3, 1000, 2000, 2000, 2000} {
		s.Observe(int64(i)*second, v)
		got = append(got, tell())
	}
	want := []level{{}, {3, false, true}, {1000, false, true}, {3, false, true}, {3, false, true}, {3, false, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStartExtremes(t *testing.T) {
	var s Start
	for i := range int64(40) {
		s.Observe(i*10*second, math.MaxFloat64*float64(1-i%2*2))
		if level, _, _ := s.Level(); math.IsInf(level, 0) || math.IsNaN(level) {
			t.Fatalf("value %d: level %g", i, level)
		}
	}
	if _, settled, _ := s.Level(); !settled {
		t.Error("not settled after 390 s")
	}
}
