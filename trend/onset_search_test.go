package trend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Most candidates are not fitted: the best fit and the interval are those of a search that fits each.
func TestOnsetSearchMissesNothing(t *testing.T) {
	const day = 86400.
	shapes := map[string]func(r *rand.Rand, at float64) float64{
		"line":       func(_ *rand.Rand, at float64) float64 { return 100 + 5*max(0, at-day)/day },
		"exact line": func(_ *rand.Rand, at float64) float64 { return math.Floor(at / 300) },
		"huge level": func(r *rand.Rand, at float64) float64 { return 1e12 + max(0, at-day)/day + r.Float64() },
		"tiny":       func(r *rand.Rand, at float64) float64 { return 1e-9 * (max(0, at-day) + r.Float64()*3600) },
		"curve": func(r *rand.Rand, at float64) float64 {
			return 50 + math.Pow(max(0, at-day)/day, 2) + r.NormFloat64()/9
		},
		"counts": func(r *rand.Rand, at float64) float64 { return math.Round(20 + 3*at/day + 2*r.NormFloat64()) },
		"daily": func(r *rand.Rand, at float64) float64 {
			return 100 + 30*math.Sin(2*math.Pi*at/day) + at/day + r.Float64()
		},
		"step":    func(_ *rand.Rand, at float64) float64 { return map[bool]float64{true: 1e6, false: 5}[at > 2*day] },
		"flat":    func(*rand.Rand, float64) float64 { return .1 },
		"falling": func(r *rand.Rand, at float64) float64 { return 1e5 - at + r.Float64() },
		"bursts":  func(r *rand.Rand, at float64) float64 { return 10 + at/day + max(0, 50*(r.Float64()-.9)) },
		"bounded": func(r *rand.Rand, at float64) float64 { return maxMagnitude * (r.Float64() + at/day) },
	}
	for name, shape := range shapes {
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, 9))
			l := NewLadder(0, 1)
			hours := 2 + r.ExpFloat64()*72
			for at := 0.; at < hours*3600; at += 300 {
				if v := shape(r, at); r.Float64() > .02 {
					l.Add(int64(at*1e9), v, v)
				}
			}
			s := &onsetFit{}
			s.collect(l, int64(r.Float64()*hours/2*float64(time.Hour)))
			if s.n < minOnsetPoints {
				continue
			}
			s.clip()
			for power := 1; power <= maxPower; power++ {
				want := hinge{sse: math.Inf(1)}
				for i := range s.candidates() {
					if h := s.fit(s.candidate(i), power); h.sse < want.sse {
						want = h
					}
				}
				got := s.search(power)
				if got != want {
					t.Errorf("%s, seed %d, power %d: got %+v, want %+v", name, seed, power, got, want)
				}
				low, high := want.at, want.at
				for i := range s.candidates() {
					c := s.candidate(i)
					if s.fit(c, power).sse <= want.sse*(1+onsetF/max(1, want.points-3)) {
						low, high = min(low, c), max(high, c)
					}
				}
				gotLow, gotHigh := s.interval(got, power)
				if got, want := fmt.Sprint(gotLow, gotHigh), fmt.Sprint(low, high); got != want {
					t.Errorf("%s, seed %d, power %d: the interval is %s, want %s", name, seed, power, got, want)
				}
			}
		}
	}
}
