package trend

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The short way to say that nothing is material says what the long one does, and is taken most often.
func TestImmaterial(t *testing.T) {
	p := Params{Required: 8 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1, StrongEarns: true}
	judged, short := 0, 0
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := NewLadder(0, 1)
		swing, gaps, level := r.Float64()*r.Float64()*2, .05*float64(seed%3/2), 100.
		for i := range 5 * 288 {
			if r.Float64() < gaps {
				continue
			}
			v := 100*(1+swing*math.Sin(float64(i)/288*2*math.Pi)) + 10*r.Float64() + float64(seed%5)*float64(i)/100
			level += (v - level) / 100
			closed := l.Add(int64(i)*int64(FinestWidth), v, level)
			for w := range Widths {
				if closed&(1<<w) == 0 {
					continue
				}
				got := l.Judge(w, p, nil)
				if l.immaterial(w, lengths[:], &p, &Growth{}) {
					short++
				}
				judged++
				known := l.rings[w].gaps
				l.rings[w].gaps = 1
				want := l.Judge(w, p, nil)
				l.rings[w].gaps = known
				if got != want {
					t.Fatalf("seed %d, value %d, width %d: %+v, the long way %+v", seed, i, w, got, want)
				}
			}
		}
	}
	if short < judged/3 {
		t.Errorf("%d of %d were short", short, judged)
	}
}
