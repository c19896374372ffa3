package finding_test

import (
	"math"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
)

func TestSaw(t *testing.T) {
	for _, test := range []struct {
		name  string
		every time.Duration
		value func(h float64) float64
		teeth int
		saw   bool
	}{
		{"killed every 12 h, from the middle of a life on", time.Minute, func(h float64) float64 {
			return 100 + 20*math.Mod(h+5, 12)
		}, 5, true},
		{"killed once", time.Minute, func(h float64) float64 { return 100 + 20*math.Mod(h, 40) }, 1, false},
		{"lives that come to rest", time.Minute, func(h float64) float64 {
			return 100 + 200*(1-math.Exp(-math.Mod(h, 12)))
		}, 0, false},
		{"collected every hour", time.Minute, func(h float64) float64 { return 100 + 200*math.Mod(h, 1) }, 0, false},
		{"small teeth", time.Minute, func(h float64) float64 { return 100 + 3*math.Mod(h, 12) }, 0, false},
		{"falls as slowly as it rises", time.Minute, func(h float64) float64 {
			return 200 - 100*math.Cos(2*math.Pi*h/12)
		}, 0, false},
		{"flat", time.Minute, func(float64) float64 { return 100 }, 0, false},
		{"killed every 5 days, read three times a day", 8 * time.Hour, func(h float64) float64 {
			return 100 + 20*math.Mod(h, 120)
		}, 4, true},
		{"a cycle of a day, read three times", 8 * time.Hour, func(h float64) float64 {
			return 200 - 100*math.Cos(2*math.Pi*h/24)
		}, 0, false},
		{"a cycle of a day, read at morning, noon and evening", 8 * time.Hour, func(h float64) float64 {
			return 100 + 20*math.Mod(h, 24)
		}, 0, false},
	} {
		var s finding.Saw
		length := 60 * time.Hour
		if test.every > time.Minute {
			length *= 10
		}
		for at := time.Duration(0); at < length; at += test.every {
			s.Observe(begin+int64(at), test.value(at.Hours()), 4, int64(2*time.Hour))
		}
		if n, saw := s.Teeth(); n != test.teeth || saw != test.saw {
			t.Errorf("%s: %d teeth, a saw: %v; want %d, %v", test.name, n, saw, test.teeth, test.saw)
		}
	}
}
