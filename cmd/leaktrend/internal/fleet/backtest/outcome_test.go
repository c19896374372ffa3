package backtest

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const step = time.Hour

// course returns readings an hour apart.
func course(hours int, level func(h int) float64) []float64 {
	all := make([]float64, hours)
	for i := range all {
		all[i] = level(i + 1)
	}
	return all
}

func TestFollow(t *testing.T) {
	// 100 before, 200 at the call, after 50 hours: two an hour.
	g := Growth{Baseline: 100, Rise: 100, Grew: 50 * time.Hour, Took: 50 * time.Hour}
	on := func(h int) float64 { return 200 + 2*float64(h) }
	for _, test := range []struct {
		name     string
		readings []float64
		ended    bool
		want     Outcome
		after    int // hours
	}{
		{"nothing is known yet", nil, false, Open, 0},
		{"goes on for a day", course(24, on), false, Open, 24},
		{"a deploy after a day", course(24, on), true, CutOff, 24},
		{"goes on for as long again", course(50, on), false, WentOn, 50},
		{"goes on for as long again, until a deploy", course(60, on), true, WentOn, 50},
		{"at a quarter of its rate", course(50, func(h int) float64 { return 201 + .5*float64(h) }), false, WentOn, 50},
		{"at a tenth of its rate", course(50, func(h int) float64 { return 200 + .2*float64(h) }), false, Leveled, 50},
		{"stays", course(80, func(int) float64 { return 210 }), false, Leveled, 50},
		{"goes on and stays then", course(140, func(h int) float64 { return on(min(h, 60)) }), false, Leveled, 125},
		{"falls back", course(80, func(h int) float64 {
			if h > 20 {
				return 149
			}
			return on(h)
		}), false, FellBack, 22},
		{"falls back after it went on", course(100, func(h int) float64 {
			if h > 70 {
				return 100
			}
			return on(h)
		}), true, FellBack, 72},
		{"falls to more than the half", course(80, func(h int) float64 {
			if h == 20 {
				return 150
			}
			return on(h)
		}), false, WentOn, 50},
		{"slips for one reading", course(80, func(h int) float64 {
			if h == 20 {
				return 0
			}
			return on(h)
		}), false, WentOn, 50},
		{"is not read for a time", course(60, func(h int) float64 {
			if h > 10 && h < 20 {
				return math.NaN()
			}
			return on(h)
		}), false, WentOn, 50},
		{"is not read for a quarter of the time", course(80, func(h int) float64 {
			if h > 12 && h < 28 {
				return math.NaN()
			}
			return on(h)
		}), false, WentOn, 50},
	} {
		got, after := Follow(test.readings, step, g, test.ended)
		if got != test.want || after != time.Duration(test.after)*step {
			t.Errorf("%s: outcome %d after %v, want %d after %dh", test.name, got, after, test.want, test.after)
		}
	}
}

func TestBefore(t *testing.T) {
	g := Growth{Baseline: 100, Rise: 100}
	week := func(h int) float64 { return 100 + 100*float64(h%168)/168 }
	for _, test := range []struct {
		name     string
		readings []float64
		want     []int
	}{
		{"never so high", course(500, func(int) float64 { return 140 }), nil},
		{"still as high", course(500, func(int) float64 { return 180 }), nil},
		{"each week", course(500, week), []int{168, 336}},
		{"each day, with the load", course(500, func(h int) float64 { return 100 + 100*float64(h%24)/24 }), nil},
		{"for one reading", course(100, func(h int) float64 {
			if h == 50 {
				return 0
			}
			return 180
		}), nil},
	} {
		if diff := cmp.Diff(test.want, Before(test.readings, step, g)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
