package generate

import (
	"math"
	"testing"
	"time"
)

func TestDoubledIsWhereTheLeakReachesTheLevel(t *testing.T) {
	doubled := 0
	for i := range families {
		for index := range 10 {
			p := newProcess(Options{Seed: 9}, &families[i], index)
			p.family.draw(p)
			truth := p.truth()
			if truth.Doubled == 0 {
				continue
			}
			doubled++
			tick := int((truth.Doubled - p.begin) / int64(p.interval))
			normal, _ := p.normal()
			if before, at := p.leak.amount[max(tick-1, 0)], p.leak.amount[tick]; before >= normal || at < normal {
				t.Errorf("%s/%d: normal is %.3f, leaked %.3f and then %.3f", families[i].Name, index, normal, before,
					at)
			}
		}
	}
	if doubled < 50 {
		t.Errorf("only %d doubled", doubled)
	}
}

// What is said of a time beyond the end must be what a longer recording would have shown.
func TestExhaustedBeyondTheEnd(t *testing.T) {
	for _, power := range []float64{1, 2} {
		const growth = .5
		p := newProcess(Options{Seed: 1, Interval: time.Minute, Span: Range{100 * time.Hour, 100 * time.Hour}},
			&families[0], 0)
		p.limit = 9
		p.accelerate(p.tick(20), growth, power)
		truth := p.truth()
		// The leak adds 0.5 in 80 hours, and takes the last of the limit when it has added 8.
		want := 80 * math.Pow(8/growth, 1/power)
		got := time.Duration(truth.Exhausted - truth.From).Hours()
		if math.Abs(got-want) > .01*want {
			t.Errorf("power %v: exhausted after %.1f h, want %.1f", power, got, want)
		}
	}
}

func TestExhaustionEndsTheRecording(t *testing.T) {
	ended := 0
	for i := range 40 {
		r := One(Options{Seed: 1, Ceilings: true}, "one_descriptor_an_hour", i)
		truth, last := r.Series[0].Truth, len(r.Times)-1
		if truth.Exhausted == 0 || truth.Exhausted > r.Times[last] {
			continue
		}
		ended++
		if v, ceiling := r.Series[0].Values[last], r.Ceilings[0].Value[0].Level; v < ceiling-1 ||
			truth.Exhausted <= r.Times[last-1] {
			t.Errorf("%s ends with %v under a ceiling of %v, exhausted %v before", r.Name, v, ceiling,
				time.Duration(r.Times[last]-truth.Exhausted))
		}
	}
	if ended == 0 {
		t.Error("none exhausted its limit")
	}
}

// Between half and three quarters of the leaks are such that a detector ought to have found them.
func TestShareThatIsDue(t *testing.T) {
	for _, ranges := range []Split{Tune, Report} {
		due, leaks := 0, 0
		for r := range Generate(Options{Seed: 11, PerFamily: 60, Interval: 10 * time.Minute, Ranges: ranges}) {
			truth := r.Series[0].Truth
			if !truth.Leaks {
				continue
			}
			leaks++
			if truth.Doubled != 0 || truth.Exhausted != 0 && truth.Exhausted <= r.Times[len(r.Times)-1] {
				due++
			}
		}
		if share := float64(due) / float64(leaks); share < .5 || share > .75 {
			t.Errorf("ranges %d: %.2f of %d leaks are due", ranges, share, leaks)
		}
	}
}
