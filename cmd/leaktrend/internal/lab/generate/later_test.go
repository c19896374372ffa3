package generate

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
)

// each calls f with recordings of a family as it is by default.
func each(family string, f func(r *dataset.Recording)) {
	for i := range 20 {
		f(One(Options{Seed: 5, Load: true, Ceilings: true}, family, i))
	}
}

func TestReadSeldom(t *testing.T) {
	for family, perDay := range map[string][2]float64{
		"few_readings": {1.5, 3.1}, "few_readings_leak": {1.5, 3.1}, "four_hourly_readings": {5, 6.1},
		"four_hourly_leak": {5, 6.1},
	} {
		each(family, func(r *dataset.Recording) {
			n, days := float64(len(r.Times)-2), r.Days() // without the first and the last, which are always read
			if n/days < perDay[0] || n/days > perDay[1] {
				t.Errorf("%s: %.1f readings a day in %.0f days", r.Name, n/days, days)
			}
			if truth := r.Series[0].Truth; days < 14-.1 &&
				(truth.Exhausted == 0 || truth.Exhausted > r.Times[len(r.Times)-1]) {
				t.Errorf("%s: %.1f days", r.Name, days)
			}
		})
		if r := One(Options{Interval: time.Minute}, family, 0); r.Times[1]-r.Times[0] > int64(2*time.Hour) {
			t.Errorf("%s: read after %v, where a minute is asked for", family, time.Duration(r.Times[1]-r.Times[0]))
		}
	}
}

func TestFailedReadingsAreZeros(t *testing.T) {
	for _, family := range []string{"zero_readings", "zero_readings_leak"} {
		with := 0
		each(family, func(r *dataset.Recording) {
			if slices.Contains(r.Series[0].Values, 0) {
				with++
			}
		})
		if with < 15 {
			t.Errorf("%s: only %d of 20 recordings have a zero", family, with)
		}
	}
}

// A kill takes the process from near its limit to its start level between two samples, and nothing marks it.
func TestOOMSaw(t *testing.T) {
	each("oom_saw", func(r *dataset.Recording) {
		truth, ceiling := r.Series[0].Truth, r.Ceilings[0].Value[0].Level
		if len(r.Starts) > 0 || len(r.Series) > 1 {
			t.Errorf("%s: restarts are told: %d starts, %d columns", r.Name, len(r.Starts), len(r.Series))
		}
		if truth.From != r.Times[0] || truth.Exhausted == 0 || truth.Exhausted >= r.Times[len(r.Times)-1] {
			t.Errorf("%s: %+v in a recording from %d to %d", r.Name, truth, r.Times[0], r.Times[len(r.Times)-1])
		}
		falls, before := 0, math.NaN()
		for i, v := range r.Series[0].Values {
			if v < before*.7 {
				falls++
				if falls == 1 && math.Abs(float64(r.Times[i]-truth.Exhausted)) > float64(2*time.Hour) {
					t.Errorf("%s: first killed at %d, exhausted at %d", r.Name, r.Times[i], truth.Exhausted)
				}
				if before < ceiling*.7 || v > ceiling*.6 {
					t.Errorf("%s: falls from %.0f to %.0f under a ceiling of %.0f", r.Name, before, v, ceiling)
				}
			}
			if !math.IsNaN(v) {
				before = v
			}
		}
		if falls == 0 {
			t.Errorf("%s: never killed", r.Name)
		}
	})
}

func TestWeeklyFall(t *testing.T) {
	each("weekly_fall", func(r *dataset.Recording) {
		const week = int64(7 * 24 * time.Hour)
		lowest := map[int64]float64{}
		for i, v := range r.Series[0].Values {
			if k := (r.Times[i] - r.Times[0]) / week; !math.IsNaN(v) && (lowest[k] == 0 || v < lowest[k]) {
				lowest[k] = v
			}
		}
		if a, b := lowest[0], lowest[1]; r.Days() >= 14 && math.Abs(a-b) > .25*min(a, b)+2 {
			t.Errorf("%s: lowest of two weeks %.0f and %.0f", r.Name, a, b)
		}
	})
}

func TestNightlyRestartsAreNotRecorded(t *testing.T) {
	i := slices.IndexFunc(families, func(f Family) bool { return f.Name == "nightly_restarts" })
	for index := range 20 {
		p := newProcess(Options{Seed: 5}, &families[i], index)
		p.family.draw(p)
		if r := p.record(false); len(r.Starts) > 0 {
			t.Errorf("%s/%d: %d starts", p.family.Name, index, len(r.Starts))
		}
		if nights := len(p.restarts); math.Abs(float64(nights)-p.hours()/24) > 2 {
			t.Errorf("%s/%d: %d lives in %.0f h", p.family.Name, index, nights, p.hours())
		}
		for k := 1; k < len(p.restarts); k++ {
			from := p.restarts[k]
			if fall := p.healthy[from-1] - p.healthy[from]; k > 1 && fall < .05 {
				t.Errorf("%s/%d: restart %d falls by %.3f of the level", p.family.Name, index, k, fall)
			}
		}
	}
}

func TestLeakFromStart(t *testing.T) {
	each("leak_from_start", func(r *dataset.Recording) {
		if len(r.Starts) != 1 || r.Starts[0].From != 0 || r.Series[0].Truth.From != r.Times[0] {
			t.Errorf("%s: starts %+v, leaks from %d, first read at %d", r.Name, r.Starts, r.Series[0].Truth.From,
				r.Times[0])
		}
	})
}

func TestSuddenLeak(t *testing.T) {
	each("sudden_leak", func(r *dataset.Recording) {
		s := &r.Series[0]
		hour, _ := slices.BinarySearch(r.Times, s.Truth.From+int64(time.Hour))
		before, ok := r.LevelBefore(s)
		if !ok {
			before = s.Values[0]
		}
		if after, ok := r.LevelAt(s, r.Times[hour]); !ok || after < 15*before || after > 300*before {
			t.Errorf("%s: from %.0f to %.0f in an hour", r.Name, before, after)
		}
		if lasts := time.Duration(s.Truth.Exhausted - s.Truth.From); lasts < 2*time.Hour-time.Minute ||
			lasts > 4*time.Hour {
			t.Errorf("%s: takes the last of its limit within %v", r.Name, lasts)
		}
	})
}
