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
		{"goes on for two days", course(50, on), false, WentOn, 48},
		{"goes on for two days, until a deploy", course(60, on), true, WentOn, 48},
		{"at a quarter of its rate", course(50, func(h int) float64 { return 201 + .5*float64(h) }), false, WentOn, 48},
		{"at a tenth of its rate", course(50, func(h int) float64 { return 200 + .2*float64(h) }), false, Leveled, 48},
		{"stays", course(80, func(int) float64 { return 210 }), false, Leveled, 48},
		{"goes on and stays then", course(140, func(h int) float64 { return on(min(h, 60)) }), false, Leveled, 120},
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
		}), false, WentOn, 48},
		{"slips for one reading", course(80, func(h int) float64 {
			if h == 20 {
				return 0
			}
			return on(h)
		}), false, WentOn, 48},
		{"pauses for two days", course(200, func(h int) float64 {
			return on(h) - 2*float64(min(max(h-60, 0), 48))
		}), false, WentOn, 48},
		{"pauses for two days, and stays then", course(300, func(h int) float64 {
			return on(min(h-min(max(h-60, 0), 48), 100))
		}), false, Leveled, 210},
		{"is not read for a time", course(60, func(h int) float64 {
			if h > 10 && h < 20 {
				return math.NaN()
			}
			return on(h)
		}), false, WentOn, 48},
		{"is not read for a quarter of the time", course(80, func(h int) float64 {
			if h > 12 && h < 28 {
				return math.NaN()
			}
			return on(h)
		}), false, WentOn, 48},
	} {
		got, after := Follow(test.readings, step, g, test.ended)
		if got != test.want || after != time.Duration(test.after)*step {
			t.Errorf("%s: outcome %d after %v, want %d after %dh", test.name, got, after, test.want, test.after)
		}
	}
}

func TestBefore(t *testing.T) {
	// From 100 to 200 within 50 hours.
	steep := Growth{Baseline: 100, Rise: 100, Grew: 50 * time.Hour, Took: 50 * time.Hour}
	short := Growth{Baseline: 100, Rise: 100, Grew: 4 * time.Hour, Took: 10 * time.Hour}
	week := func(h int) float64 { return 100 + 100*float64(h%168)/168 }
	day := func(h int) float64 { return 100 + 100*float64(h%24)/24 }
	rests := func(h int) float64 { return min(100+2*float64(h), 210) }
	for _, test := range []struct {
		name     string
		growth   Growth
		readings []float64
		restarts []int
		want     []int
		cuts     []int
	}{
		{"never so high", steep, course(500, func(int) float64 { return 140 }), nil, nil, nil},
		{"still as high, from the begin on", steep, course(500, func(int) float64 { return 180 }), nil, nil, nil},
		{"each week", steep, course(500, week), nil, []int{168, 336}, nil},
		{"each week, with restarts in between that take nothing back", steep, course(500, week), []int{155, 320},
			[]int{168, 336}, nil},
		{"at each restart", steep, course(500, week), []int{167, 335}, nil, []int{167, 335}},
		{"each day, with the load", steep, course(500, day), nil, nil, nil},
		{"each day, as high for as long as now", short, course(72, day), nil, []int{24, 48}, nil},
		{"for one reading", steep, course(100, func(h int) float64 {
			if h == 50 {
				return 0
			}
			return 180
		}), nil, nil, nil},
		{"grew as high and stayed there", steep, course(200, rests), nil, []int{119}, nil},
		{"stayed there in the process before", steep, append(course(130, rests), course(60, rests)...), []int{130},
			[]int{119}, []int{130}},
		{"had no time to stay there", steep, append(course(110, rests), course(110, rests)...), []int{110},
			nil, []int{110}},
		{"stayed lower", steep, course(200, func(h int) float64 { return min(100+2*float64(h), 190) }), nil, nil, nil},
		{"goes on", steep, course(200, func(h int) float64 { return 100 + 2*float64(h) }), nil, nil, nil},
		{"goes on as slowly as a leak may", steep, course(400, func(h int) float64 { return 100 + .51*float64(h) }),
			nil, nil, nil},
		{"is not read where it would stay", steep, course(200, func(h int) float64 {
			if h > 60 && h < 190 {
				return math.NaN()
			}
			return rests(h)
		}), nil, nil, nil},
	} {
		begins := append([]int{0}, test.restarts...)
		falls, cuts := test.growth.Before(test.readings, begins, step)
		if diff := cmp.Diff([][]int{test.want, test.cuts}, [][]int{falls, cuts}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A history that begins as high as growth stands now, and falls, tells of growth that came to nothing.
func TestOpenedHigh(t *testing.T) {
	g := Growth{Baseline: 100, Rise: 100, Grew: 50 * time.Hour, Took: 50 * time.Hour}
	falls := func(high int) []float64 {
		return course(100, func(h int) float64 {
			if h <= high {
				return 200
			}
			return 100 + 2*float64(h)
		})
	}
	slips := falls(10)
	slips[4], slips[7] = 0, math.NaN()
	for _, test := range []struct {
		name     string
		readings []float64
		at       int
		ok       bool
	}{
		{"nothing was read", nil, 0, false},
		{"begins low", falls(0), 0, false},
		{"falls after an hour", falls(1), 2, true},
		{"falls after ten hours", falls(10), 11, true},
		{"slips meanwhile", slips, 11, true},
		{"stays", course(100, func(int) float64 { return 160 }), 0, false},
		{"falls with the last reading", course(11, func(h int) float64 { return 200 - 10*float64(h) })[:6], 0, false},
	} {
		if at, ok := g.OpenedHigh(test.readings, step); at != test.at || ok != test.ok {
			t.Errorf("%s: %d, %v, want %d, %v", test.name, at, ok, test.at, test.ok)
		}
	}
}
