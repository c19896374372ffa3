package finding_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/trend"
)

const begin = int64(1_795_000_000e9)

// change is what a judgment made of a growth, and the hour of it.
type change struct {
	Hour   float64
	Change finding.Change
}

// follow judges a series of a value a minute, as an engine without load and limits does. each is called after each
// judgment.
func follow(hours float64, value func(h float64) float64, each func(g *finding.Growth, l *trend.Ladder)) (
	changes []change) {
	var g finding.Growth
	l := trend.NewLadder(begin, 1)
	params := trend.Params{Required: 7 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	level := value(0)
	for i := range int(hours * 60) {
		at, v := begin+int64(i)*int64(time.Minute), value(float64(i)/60)
		closed := l.Add(at, v, level)
		if closed == 0 {
			continue
		}
		c := g.Judge(l, at, closed, func(w int) trend.Growth { return l.Judge(w, params, nil) })
		if c != finding.Unchanged {
			changes = append(changes, change{math.Round(float64(i)/6) / 10, c})
		}
		if !g.Active() && !g.Suspected() {
			level += (v - level) / 72
		}
		if each != nil {
			each(&g, l)
		}
	}
	return changes
}

// leak rises by 20 an hour from 100 on, with some noise.
func leak() func(h float64) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	return func(h float64) float64 { return 100 + 20*h + 2*r.NormFloat64() }
}

// TestPeaksGiveNothingBack: the load peaks during a leak. Its end is not the end of the leak.
func TestPeaksGiveNothingBack(t *testing.T) {
	for _, minutes := range []float64{10, 30, 120, 360, 720} {
		for _, times := range []float64{2, 10, 50} { // what was lost by then
			for _, at := range []float64{9, 20} {
				value := leak()
				changes := follow(60, func(h float64) float64 {
					v := value(h)
					if h >= at && h < at+minutes/60 {
						v += times * 20 * at
					}
					return v
				}, nil)
				if len(changes) != 1 || changes[0].Change != finding.Began {
					t.Errorf("a peak of %v minutes at %v h, %v times the leak: %v", minutes, at, times, changes)
				}
			}
		}
	}
}

func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		value func(h float64) float64
		want  []change
	}{
		{"goes on", leak(), []change{{8.3, finding.Began}}},
		// Nine tenths of the growth were there at 10 h 48 min. By then only 80 minutes at a time are told apart: at
		// rest for as long at 24 h.
		{"comes to rest", func(h float64) float64 {
			return 100 + 20*min(h, 12)
		}, []change{{8.3, finding.Began}, {24.3, finding.CameToRest}}},
		{"is given back", func(h float64) float64 {
			if h > 14 {
				return 110
			}
			return 100 + 20*h
		}, []change{{8.3, finding.Began}, {14.3, finding.GaveBack}}},
		{"half of it is kept", func(h float64) float64 {
			if h > 14 {
				return 20*h - 30
			}
			return 100 + 20*h
		}, []change{{8.3, finding.Began}}},
	} {
		if diff := cmp.Diff(test.want, follow(40, test.value, nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestEvidenceGrows: what a finding rests on covers ever more of the growth, and never less than before.
func TestEvidenceGrows(t *testing.T) {
	var window time.Duration
	var last trend.Growth
	changes := follow(24*8, leak(), func(g *finding.Growth, _ *trend.Ladder) {
		if !g.Active() {
			return
		}
		c := g.Measured()
		if c.Window < window {
			t.Errorf("evidence of %v after %v", c.Window, window)
		}
		window, last = c.Window, c
	})
	if len(changes) != 1 {
		t.Errorf("changes %v", changes)
	}
	if last.Window < 6*24*time.Hour || last.Rise < 20*5*24 {
		t.Errorf("after eight days the evidence is a rise of %v in %v", last.Rise, last.Window)
	}
}

// TestOnsetAfterProof: of growth that is proven before anything can be fitted the start of what is known is told, until
// a fit tells more.
func TestOnsetAfterProof(t *testing.T) {
	var g finding.Growth
	l := trend.NewLadder(begin, 1)
	params := trend.Params{Required: 7 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	value := leak()
	for i := range 24 * 60 {
		at := begin + int64(i)*int64(time.Minute)
		closed := l.Add(at, value(float64(i)/60), 100)
		if i == 12 { // two minimums
			g.Prove(l, trend.Growth{Since: begin - int64(time.Hour), Window: time.Hour, Level: 100, Base: 80, Rise: 20})
			if want := (trend.Onset{At: begin - int64(time.Hour), Error: time.Hour}); g.Onset() != want {
				t.Errorf("at first %v, want %v", g.Onset(), want)
			}
		}
		if closed != 0 {
			if c := g.Judge(l, at, closed, func(w int) trend.Growth { return l.Judge(w, params, nil) }); i > 12 &&
				c != finding.Unchanged {
				t.Fatalf("after %d minutes: %v", i, c)
			}
		}
	}
	if off := time.Duration(g.Onset().At - begin).Abs(); !g.Active() || off > 20*time.Minute {
		t.Errorf("after a day the onset is %v off", off)
	}
}

// TestOnset: the estimate is near the truth, and stays there while the growth goes on.
func TestOnset(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	began := begin + int64(8*time.Hour)
	var errors []time.Duration
	follow(24*4, func(h float64) float64 {
		return 100 + 20*max(0, h-8) + 2*r.NormFloat64()
	}, func(g *finding.Growth, _ *trend.Ladder) {
		if !g.Active() {
			return
		}
		o := g.Onset()
		if off := time.Duration(o.At - began).Abs(); off > 15*time.Minute {
			t.Errorf("the onset is %v off", off)
		}
		errors = append(errors, o.Error)
	})
	if len(errors) == 0 {
		t.Fatal("nothing was found")
	}
	for i := 1; i < len(errors); i++ {
		if errors[i] > errors[i-1] {
			t.Errorf("an estimate to ± %v gave way to one to ± %v", errors[i-1], errors[i])
		}
	}
}
