// Package backtest says by the past of a fleet what growth in it is worth: what would have been called at past instants
// and what became of it gives the fleet's own rate of false calls, and that the chance that a call of now is a leak. It
// knows neither servers nor detectors, only calls and numbers.
package backtest

import (
	"math"
	"slices"
	"time"
)

// Outcome is what became of growth that would have been called at an instant.
type Outcome int

// The outcomes. Growth that a restart cut off before it could show what it is, is neither true nor false: so ends what
// each deploy resets, leak or not.
const (
	Open     Outcome = iota // seen for too short a time since
	WentOn                  // went on, and still stood when it was last seen
	FellBack                // was gone, without a restart
	Leveled                 // stayed where it was
	CutOff                  // a restart or the end of the process came first
)

// False reports whether the call was a false one.
func (o Outcome) False() bool { return o == FellBack || o == Leveled }

// Growth is what would have been called.
type Growth struct {
	Baseline float64       // level before it, in the unit of the readings
	Rise     float64       // above the baseline, above 0
	Grew     time.Duration // known by now to have stayed, which is little for what was only just called
	Took     time.Duration // for the rise, no less than Grew
}

// rate is that of the growth, an hour.
func (g Growth) rate() float64 { return g.Rise / max(g.Took.Hours(), 1) }

const (
	// StandsFor is how long growth has to be gone to have fallen back.
	StandsFor = 15 * time.Minute
	// MinStands is the number of readings that show it: one alone may be a slip.
	MinStands = 2
	// StandsShare is the share of its rise, 0 to 1, that growth keeps while it stands.
	StandsShare = .5

	aDay = 24 * time.Hour
	// minFollow is the least time in which growth must go on, so that no call is judged by one half of a day; growth
	// that has lasted for longer is given as long again, up to maxFollow, so that what a deploy takes back each week
	// can be seen to stay before the next one.
	minFollow, maxFollow = aDay, 2 * aDay
	// goesOn is the share of its earlier rate that growth shows while it goes on.
	goesOn = .25
	// resumes is the share of it that growth shows that goes on after a time in which it did not.
	resumes = .5
)

// Follow returns what became of growth, and how long after the call that was known. readings are those after it of the
// same process, a step apart, NaN where nothing was read; ended says that the process was gone after the last of them.
func Follow(readings []float64, step time.Duration, g Growth, ended bool) (o Outcome, after time.Duration) {
	low, from := 0, 0
	for i, v := range readings {
		switch {
		case math.IsNaN(v):
		case v >= g.Baseline+StandsShare*g.Rise:
			low = 0
		default:
			if low++; low == 1 {
				from = i
			}
			if low >= MinStands && time.Duration(i-from)*step >= StandsFor {
				return FellBack, time.Duration(i+1) * step
			}
		}
	}
	follow := min(max(minFollow, g.Grew), maxFollow)
	span, day := int(follow/step), int(aDay/step)
	leveled := 0
	for end := span; end <= len(readings); end += max(day/4, 1) {
		// As long as there is nothing before to compare with, what follows is to be above the level of the call.
		since, floor, level := .75*follow.Hours(), lowest(readings[end-span/4:end]), g.Baseline+g.Rise
		if end >= span+day {
			since, floor, level = follow.Hours(), lowest(readings[end-day:end]), lowest(readings[end-span-day:end-span])
		}
		// Where nothing was read nothing is known.
		if math.IsInf(level, 1) || math.IsInf(floor, 1) {
			continue
		}
		switch share := (floor - level) / (g.rate() * since); {
		case share < goesOn && leveled == 0:
			leveled = end
		case share >= resumes: // after a weekend, say
			leveled = 0
		}
	}
	if leveled > 0 {
		return Leveled, time.Duration(leveled) * step
	}
	switch {
	case len(readings) >= span:
		return WentOn, follow
	case ended:
		return CutOff, time.Duration(len(readings)) * step
	}
	return Open, time.Duration(len(readings)) * step
}

// lowest returns the lowest reading, infinity if there is none.
func lowest(readings []float64) float64 {
	low := math.Inf(1)
	for _, v := range readings {
		if v < low {
			low = v
		}
	}
	return low
}

// Before returns the readings, by their number, at which what stood as high as growth does now was known to have come
// to nothing, in the time before it. begins are the readings with which processes begin, rising.
//
// It had stayed above half of the rise, for a day or for as long as it has now, and then was below it, while one
// process ran: a level that outlives a restart is not the process's. Or it had grown to as high as now within one
// process, and stayed there for as long as growth is followed. cuts are the begins at which a restart took it back.
func (g Growth) Before(readings []float64, begins []int, step time.Duration) (falls, cuts []int) {
	const never = -1
	half := g.Baseline + StandsShare*g.Rise
	stay := min(aDay, max(g.Took/2, StandsFor))
	above, high, low := never, false, 0
	for i, v := range readings {
		if _, begin := slices.BinarySearch(begins, i); begin && !(v >= half) {
			if high {
				cuts = append(cuts, i)
			}
			above, high, low = never, false, 0
		}
		switch {
		case math.IsNaN(v):
		case v >= half:
			low = 0
			if above == never {
				above = i
			}
			high = high || time.Duration(i-above)*step >= stay
		default:
			above = never
			if low++; low >= MinStands && high {
				falls, high = append(falls, i), false
			}
		}
	}
	for k, begin := range begins {
		end := len(readings)
		if k+1 < len(begins) {
			end = begins[k+1]
		}
		if i, ok := rested(readings[begin:end], step, g); ok && !slices.ContainsFunc(falls, func(f int) bool {
			return f >= begin && f < end
		}) {
			falls = append(falls, begin+i)
		}
	}
	slices.Sort(falls)
	return falls, cuts
}

// opening is how long a history has to begin as high as growth stands now, for it to tell of growth that came to
// nothing: how long that had been so is not known.
const opening = time.Hour

// OpenedHigh returns the reading of a history, by its number, at which what stood as high as growth does now, from the
// first reading on, was known to have come to nothing. readings are a step apart.
func (g Growth) OpenedHigh(readings []float64, step time.Duration) (at int, ok bool) {
	half := g.Baseline + StandsShare*g.Rise
	high, low := 0, 0
	for i, v := range readings {
		switch {
		case math.IsNaN(v):
		case v >= half && low > 0: // it was a slip
			low = 0
		case v >= half:
			high = i + 1
		case high == 0:
			return 0, false
		default:
			if low++; low >= MinStands && time.Duration(i-high)*step >= StandsFor {
				return i, time.Duration(high)*step >= opening
			}
		}
	}
	return 0, false
}

// rested returns the reading of a process at which it was known to stay as high as growth does now, having grown to it.
func rested(readings []float64, step time.Duration, g Growth) (at int, ok bool) {
	day, span := int(aDay/step), int(maxFollow/step)
	grown := slices.IndexFunc(readings, func(v float64) bool { return v < g.Baseline+StandsShare*g.Rise })
	if grown < 0 {
		return 0, false
	}
	for end := grown + span + day; end <= len(readings); end += max(day/4, 1) {
		floor, before := lowest(readings[end-day:end]), lowest(readings[end-span-day:end-span])
		if before >= g.Baseline+StandsShare*g.Rise && floor >= g.Baseline+g.Rise && !math.IsInf(before, 1) &&
			!math.IsInf(floor, 1) &&
			floor-before < goesOn*g.rate()*maxFollow.Hours() {
			return end - 1, true
		}
	}
	return 0, false
}
