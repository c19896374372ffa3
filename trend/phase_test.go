package trend_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/trend"
)

// called reports when growth in a series of a value every ten minutes was sustained twice in a row at one width, in
// hours after its first value; ok is false where it never was. The buckets begin shift hours before it.
func called(shift, hours float64, value func(h float64) float64) (at float64, ok bool) {
	first := epoch + int64(shift*float64(time.Hour))
	l := trend.NewLadder(epoch, 1)
	params := trend.Params{Required: 7 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	var streak [trend.Widths]int
	level := value(0)
	for i := range int(hours * 6) {
		h := float64(i) / 6
		v := value(h)
		closed := l.Add(first+int64(h*float64(time.Hour)), v, level)
		level += (v - level) / 52 // a half-life of 6 h
		for w := range trend.Widths {
			if closed&(1<<w) == 0 {
				continue
			}
			if l.Judge(w, params, nil).Reason != trend.Sustained {
				streak[w] = 0
			} else if streak[w]++; streak[w] == 2 {
				return h, true
			}
		}
	}
	return 0, false
}

// TestPhase: the hour at which a recording begins, and so the place of the borders of the buckets, decides nothing.
func TestPhase(t *testing.T) {
	noise := func(amplitude float64) func() float64 {
		r := rand.New(rand.NewPCG(7, 8))
		return func() float64 { return amplitude * r.NormFloat64() }
	}
	for _, test := range []struct {
		name  string
		hours float64
		value func() func(h float64) float64
		leaks bool
	}{
		// 14 healthy days, and then five times the level within 20 h onto a cap.
		{"onto a cap after two weeks", 16 * 24, func() func(float64) float64 {
			n := noise(2)
			return func(h float64) float64 { return 38 + 160*(1-math.Exp(-max(0, h-14*24-4)/8)) + n() }
		}, true},
		{"a line after two days", 3 * 24, func() func(float64) float64 {
			n := noise(3)
			return func(h float64) float64 { return 100 + 20*max(0, h-48) + n() }
		}, true},
		{"a day's cycle", 9 * 24, func() func(float64) float64 {
			n := noise(3)
			return func(h float64) float64 { return 200 - 80*math.Cos(2*math.Pi*h/24+1) + n() }
		}, false},
		{"a step after a week", 10 * 24, func() func(float64) float64 {
			n := noise(3)
			return func(h float64) float64 {
				if h > 7*24 {
					return 300 + n()
				}
				return 100 + n()
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var earliest, latest float64 = math.Inf(1), 0
			for shift := range 24 {
				at, ok := called(float64(shift), test.hours, test.value())
				if ok != test.leaks {
					t.Errorf("begun %d h later: called %v", shift, ok)
				}
				if ok {
					earliest, latest = min(earliest, at), max(latest, at)
				}
			}
			if latest-earliest > 6 {
				t.Errorf("called after %.1f to %.1f h, depending on the hour", earliest, latest)
			}
		})
	}
}
