package lives_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/detector/lives"
)

// lived is a life of a service: how long it lasts, and its level by the age in hours.
type lived struct {
	hours float64
	level func(age float64) float64
}

// callAt feeds lives one after the other, each from ten in the morning on where it lasts a day, and returns at which
// life (1 is the first) and age growth over them is called; 0 = never.
func callAt(all []lived) (life int, age float64, g lives.Growth) {
	return callFrom(epoch.Add(10*time.Hour), all)
}

// callFrom does so with lives of which the first begins at an instant.
func callFrom(first time.Time, all []lived) (life int, age float64, g lives.Growth) {
	noise := rand.New(rand.NewPCG(17, 4))
	params := lives.Params{Required: 8 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1}
	record := lives.New(1)
	var judge lives.Judge
	for number, of := range all {
		track := lives.NewTrack(1)
		for minute := 0; float64(minute) < of.hours*60; minute++ {
			hours := float64(minute) / 60
			track.Add(int64(minute)*int64(time.Minute), of.level(hours)+3*noise.Float64())
			if minute%80 != 79 {
				continue
			}
			judge.Begin(params)
			for i := range record.Lives {
				if c, ok := record.Lives[i].Curves["x"]; ok {
					judge.Add(i, &record.Lives[i], &c)
				}
			}
			judge.AddRunning(number, first, &track)
			if g, ok := judge.Over(); ok {
				return number + 1, math.Round(hours), g
			}
		}
		end := first.Add(time.Duration(of.hours * float64(time.Hour)))
		record.Add(lives.Life{First: first, End: end, Ended: lives.Replaced,
			Curves: map[string]lives.Curve{"x": track.Curve()}})
		first = end
	}
	return 0, 0, lives.Growth{}
}

func times(n int, of ...lived) (all []lived) {
	for range n {
		all = append(all, of...)
	}
	return all
}

func TestGrowthOverLives(t *testing.T) {
	leak := func(age float64) float64 { return 100 + 1.5*age } // 36 a day
	flat := func(float64) float64 { return 100 }
	fill := func(full, power float64) func(float64) float64 { // by 60, until it is full
		return func(age float64) float64 { return 100 + 60*math.Pow(min(age/full, 1), power) }
	}
	day := func(age float64) float64 { return 100 * (1 + .5*math.Sin(2*math.Pi*age/24)) }
	week := append(times(4, lived{24, fill(40, 1)}), lived{72, fill(40, 1)})
	for _, test := range []struct {
		name string
		all  []lived
		want int // the life in which it is called; 0 = never
	}{
		{"a leak, each day", times(12, lived{24, leak}), 6},
		{"a leak, weekdays and a weekend",
			append(times(4, lived{24, leak}), append([]lived{{72, leak}}, times(4, lived{24, leak})...)...), 5},
		{"a leak after lives that were healthy", append(times(6, lived{24, flat}), times(6, lived{24, leak})...), 11},
		// What the hour of the day does shows in the lives before.
		{"a leak under a cycle, after lives with the cycle alone", append(times(6, lived{24, day}),
			times(6, lived{24, func(age float64) float64 { return day(age) * (1 + .02*age) }})...), 11},
		{"a leak behind a warm-up of an hour", times(8, lived{24, func(age float64) float64 {
			return leak(age) - 60*math.Exp(-age)
		}}), 6},
		{"flat", times(20, lived{24, flat}), 0},
		{"a cycle of a day", times(20, lived{24, day}), 0},
		{"a cache that is full after 14 hours", times(20, lived{24, fill(14, 1)}), 0},
		{"a cache that bends", times(20, lived{24, fill(30, .5)}), 0},
		{"a cache that weekdays cut off", append(times(3, week...), week...), 0},
		{"a warm-up of a day, cut off by weekdays", append(times(4, lived{24, func(age float64) float64 {
			return 160 - 60*math.Exp(-age/20)
		}}),
			lived{72, func(age float64) float64 { return 160 - 60*math.Exp(-age/20) }}), 0},
		{"too little", times(20, lived{24, func(age float64) float64 { return 100 + .5*age }}), 0},
		{"hours that do not add up", times(3, lived{3, func(age float64) float64 { return 100 + 8*age }}), 0},
		{"leaks, and a running life that does not", append(times(5, lived{24, leak}), lived{24, flat}), 0},
	} {
		life, age, g := callAt(test.all)
		if life != test.want {
			t.Errorf("%s: called in life %d at %v h, want %d: %+v", test.name, life, age, test.want, g)
		}
	}
}

// Deploys on a Saturday and a Sunday tell that no weekend is to be waited for, which would show what they cut off.
func TestGrowthOverEachDay(t *testing.T) {
	all := append([]lived{{5, nil}}, times(8, lived{24, nil})...)
	for i := range all {
		all[i].level = func(age float64) float64 { return 100 + 1.5*age }
	}
	got, want := map[string]int{}, map[string]int{"Monday": 7, "Tuesday": 7, "Thursday": 6, "Saturday": 6}
	for name := range want {
		monday := epoch.Add(10 * time.Hour)
		days := map[string]int{"Monday": 0, "Tuesday": 1, "Thursday": 3, "Saturday": 5}
		got[name], _, _ = callFrom(monday.AddDate(0, 0, days[name]), all)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("called in life, by the day of the first (-want +got):\n%s", diff)
	}
}

// What is said of the lives: which grew, by how much (33.6 to 38.4 a day, and noise), and which did not before.
func TestGrowthDescribed(t *testing.T) {
	all := times(3, lived{24, func(float64) float64 { return 100 }})
	for i := range 8 {
		all = append(all, lived{24, func(age float64) float64 { return 100 + (1.4+.05*float64(i))*age }})
	}
	life, age, g := callAt(all)
	type described struct {
		Life, Lives, Since int
		Before             []int
		Low, High          float64
		Growth             float64
	}
	got := described{life, g.Lives, g.Since, g.Before, math.Round(g.Low), math.Round(g.High),
		math.Round(g.Growth*10) / 10}
	if diff := cmp.Diff(described{8, 5, 3, []int{2, 1, 0}, 34, 39, .3}, got); diff != "" || age < 18 {
		t.Errorf("at %v h (-want +got):\n%s", age, diff)
	}
	if r := g.Running; r.Rise < 25 || r.Rise > 32 || math.Abs(r.Fit.Slope*3600-1.6) > .15 || r.Window < 17*time.Hour {
		t.Errorf("the running life: %+v", r)
	}
}
