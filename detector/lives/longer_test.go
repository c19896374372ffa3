package lives_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/lives"
)

// A life that was cut off says nothing of what comes later.
func TestWhatLivesEndIn(t *testing.T) {
	type end struct{ Levelled, CutOff bool }
	got, want := map[string]end{}, map[string]end{}
	for _, test := range []struct {
		name string
		life lived
		want end
	}{
		{"a leak", lived{20, func(age float64) float64 { return 100 + 3*age }}, end{CutOff: true}},
		{"less and less", lived{50, func(age float64) float64 { return 100 + 60*math.Pow(age/50, .7) }}, end{}},
		{"full", lived{50, func(age float64) float64 { return 100 + 60*min(age/30, 1) }}, end{Levelled: true}},
		{"flat", lived{50, func(float64) float64 { return 100 }}, end{Levelled: true}},
		{"nothing read", lived{0, nil}, end{}},
	} {
		track := lives.NewTrack(1)
		for minute := 0; float64(minute) < test.life.hours*60; minute++ {
			track.Add(int64(minute)*int64(time.Minute), test.life.level(float64(minute)/60))
		}
		c := track.Curve()
		got[test.name], want[test.name] = end{c.Levelled(), c.CutOff()}, test.want
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLevelsOff(t *testing.T) {
	fill := func(full, power float64) func(float64) float64 { // by 60, until it is full
		return func(age float64) float64 { return 100 + 60*math.Pow(min(age/full, 1), power) }
	}
	leak := func(perDay float64) func(float64) float64 {
		return func(age float64) float64 { return 100 + perDay*age/24 }
	}
	underCycle := func(age float64) float64 { return 100 + 20*age/24 + 30*math.Sin(2*math.Pi*age/24) }
	got := map[string]bool{}
	want := map[string]bool{}
	for _, test := range []struct {
		name string
		all  []lived
		want bool
	}{
		{"no lives", nil, false},
		{"a cache that is full on weekends",
			append(times(4, lived{24, fill(30, 1)}), times(2, lived{72, fill(30, 1)})...), true},
		{"one weekend may be chance", append(times(4, lived{24, fill(30, 1)}), lived{72, fill(30, 1)}), false},
		{"one week is not", times(1, lived{168, fill(60, 1)}), true},
		{"weekdays alone tell nothing", times(9, lived{24, fill(20, 1)}), false},
		{"a cache that is not full on weekends", times(3, lived{72, fill(100, .7)}), false},
		{"a leak", times(4, lived{72, leak(20)}), false},
		{"a leak of weeks", times(3, lived{168, leak(8)}), false},
		{"a leak under a cycle of the day", times(3, lived{80, underCycle}), false},
		{"one life that goes on", append(times(3, lived{72, fill(30, 1)}), lived{72, leak(20)}), false},
		{"a shorter life that was cut off goes on", []lived{{72, fill(90, 1)}, {168, fill(90, 1)}}, true},
		{"no growth", times(3, lived{72, leak(0)}), false},
	} {
		record := lives.New(1)
		first := epoch
		for _, of := range test.all {
			track := lives.NewTrack(1)
			for minute := 0; float64(minute) < of.hours*60; minute++ {
				track.Add(int64(minute)*int64(time.Minute), of.level(float64(minute)/60))
			}
			end := first.Add(time.Duration(of.hours * float64(time.Hour)))
			record.Add(lives.Life{First: first, End: end, Ended: lives.Replaced,
				Curves: map[string]lives.Curve{"x": track.Curve()}})
			first = end
		}
		var judge lives.Judge
		judge.Begin(lives.Params{Required: 8 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1})
		for i := range record.Lives {
			c := record.Lives[i].Curves["x"]
			judge.Add(i, &record.Lives[i], &c)
		}
		got[test.name], want[test.name] = judge.LevelsOff(), test.want
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("levels off (-want +got):\n%s", diff)
	}
}
