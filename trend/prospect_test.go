package trend

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// lineOver returns a ladder that was read each minute for a time: a line on top of what a function gives by the hour.
func lineOver(watched time.Duration, perHour float64, level func(hours float64) float64) *Ladder {
	l := NewLadder(0, 1)
	for at := time.Duration(0); at <= watched; at += time.Minute {
		l.Add(int64(at), level(at.Hours())+perHour*at.Hours(), level(0))
	}
	return l
}

// judgedAs goes through a series as a finding does, and returns when growth is sustained twice in a row; 0 if never.
func judgedAs(p Params, watched time.Duration, perHour float64, level func(hours float64) float64) time.Duration {
	l := NewLadder(0, 1)
	var sustained [Widths]int
	for at := time.Duration(0); at <= watched; at += time.Minute {
		closed := l.Add(int64(at), level(at.Hours())+perHour*at.Hours(), level(0))
		for w := range Widths {
			if closed&(1<<w) == 0 {
				continue
			}
			if l.Judge(w, p, nil).Reason != Sustained {
				sustained[w] = 0
			} else if sustained[w]++; sustained[w] == 2 {
				return at
			}
		}
	}
	return 0
}

var prospect = Params{Required: 12 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1, StrongEarns: true}

// A leak of which it is said that it would have been called would have been, and one that is three times as slow would
// not: the time is near the longest.
func TestDetectable(t *testing.T) {
	flat := func(float64) float64 { return 1000 }
	cycle := func(hours float64) float64 { return 1000 + 300*math.Sin(2*math.Pi*hours/24) }
	noise := func(hours float64) float64 {
		return 1000 * (1 + .02*rand.New(rand.NewPCG(1, uint64(hours*60+.5))).NormFloat64())
	}
	for _, test := range []struct {
		name    string
		level   func(hours float64) float64
		watched time.Duration
		ok      bool
	}{
		{"hardly watched", flat, 50 * time.Minute, false},
		{"an hour", flat, time.Hour, false},
		{"eight hours", flat, 8 * time.Hour, true},
		{"a day", flat, 24 * time.Hour, true},
		{"a week", flat, 168 * time.Hour, true},
		{"eight hours of noise", noise, 8 * time.Hour, true},
		{"a week of noise", noise, 168 * time.Hour, true},
		{"four days of a daily cycle", cycle, 100 * time.Hour, true},
		{"two weeks of a daily cycle", cycle, 336 * time.Hour, true},
	} {
		doubling, ok := prospect.Detectable(lineOver(test.watched, 0, test.level), 1000)
		if ok != test.ok {
			t.Errorf("%s: %v, %v", test.name, doubling, ok)
			continue
		}
		if !ok {
			continue
		}
		if judgedAs(prospect, test.watched, 1000/doubling.Hours(), test.level) == 0 {
			t.Errorf("%s: a leak that doubles the level in %v is not called", test.name, doubling)
		}
		if judgedAs(prospect, test.watched, 1000/doubling.Hours()/3, test.level) != 0 {
			t.Errorf("%s: a leak that doubles the level in %v, not in %v, is called too", test.name, 3*doubling,
				doubling)
		}
	}
}

// Growth that goes on at its rate is called when it was foreseen.
func TestCallable(t *testing.T) {
	flat := func(float64) float64 { return 1000 }
	for _, watched := range []time.Duration{80 * time.Minute, 3 * time.Hour, 5*time.Hour + 10*time.Minute} {
		const perHour, long = 200, 48 * time.Hour
		l := lineOver(watched, perHour, flat)
		want := judgedAs(prospect, long, perHour, flat)
		got, ok := prospect.Callable(l, int64(watched), 1000+perHour*watched.Hours(), perHour/3600., 1000)
		if !ok || time.Duration(got) != want {
			t.Errorf("after %v: called at %v, %v, want %v", watched, time.Duration(got), ok, want)
		}
	}
	if at, ok := prospect.Callable(lineOver(3*time.Hour, 0, flat), int64(3*time.Hour), 1000, 0, 1000); ok {
		t.Errorf("no growth is called at %v", time.Duration(at))
	}
}

func BenchmarkDetectable(b *testing.B) {
	l := lineOver(14*24*time.Hour, 0, func(float64) float64 { return 1000 })
	b.ReportAllocs()
	for b.Loop() {
		prospect.Detectable(l, 1000)
	}
}

func BenchmarkCallable(b *testing.B) {
	l := lineOver(3*time.Hour, 10, func(float64) float64 { return 1000 })
	b.ReportAllocs()
	for b.Loop() {
		prospect.Callable(l, int64(3*time.Hour), 1030, 10/3600., 1000)
	}
}
