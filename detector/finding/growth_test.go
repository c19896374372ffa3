package finding_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/trend"
)

const begin = int64(1_795_000_000e9)

// change is what a judgment made of a growth, and the hour of it.
type change struct {
	Hour   float64
	Change finding.Change
}

// follow judges a series of a value a minute, as an engine without load and limits does. each is called after each judgment.
func follow(hours float64, value func(h float64) float64, each func(g *finding.Growth, l *trend.Ladder)) (changes []change) {
	var g finding.Growth
	l := trend.NewLadder(begin, 1)
	params := trend.Params{Patience: 7 * time.Hour, LeastGrowth: .2, Offset: 4, Scale: 1}
	level := value(0)
	for i := range int(hours * 60) {
		at, v := begin+int64(i)*int64(time.Minute), value(float64(i)/60)
		closed := l.Add(at, v, level)
		if closed == 0 {
			continue
		}
		c := g.Judge(l, at, closed, func(w int) trend.Climb { return l.Judge(w, params, nil) })
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

// TestEvidenceGrows: what a finding rests on covers ever more of the growth, and never less than before.
func TestEvidenceGrows(t *testing.T) {
	var window time.Duration
	var last trend.Climb
	changes := follow(24*8, leak(), func(g *finding.Growth, _ *trend.Ladder) {
		if !g.Active() {
			return
		}
		c := g.Climb()
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
