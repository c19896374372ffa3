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
		value func(h float64) float64
		teeth int
		saw   bool
	}{
		{"killed every 12 h, from the middle of a life on", func(h float64) float64 { return 100 + 20*math.Mod(h+5, 12) }, 5, true},
		{"killed once", func(h float64) float64 { return 100 + 20*math.Mod(h, 40) }, 1, false},
		{"lives that come to rest", func(h float64) float64 { return 100 + 200*(1-math.Exp(-math.Mod(h, 12))) }, 0, false},
		{"collected every hour", func(h float64) float64 { return 100 + 200*math.Mod(h, 1) }, 0, false},
		{"small teeth", func(h float64) float64 { return 100 + 3*math.Mod(h, 12) }, 0, false},
		{"falls as slowly as it rises", func(h float64) float64 { return 200 - 100*math.Cos(2*math.Pi*h/12) }, 0, false},
		{"flat", func(float64) float64 { return 100 }, 0, false},
	} {
		var s finding.Saw
		for m := range 60 * 60 {
			s.Observe(begin+int64(m)*int64(time.Minute), test.value(float64(m)/60), 4, int64(2*time.Hour))
		}
		if n, saw := s.Teeth(); n != test.teeth || saw != test.saw {
			t.Errorf("%s: %d teeth, a saw: %v; want %d, %v", test.name, n, saw, test.teeth, test.saw)
		}
	}
}
