// Package backtest says by the past of a fleet what growth in it is worth: what would have been called at past instants
// and what became of it gives the fleet's own rate of false calls, and that the chance that a call of now is a leak. It
// knows neither servers nor detectors, only calls and numbers.
package backtest

import (
	"math"
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

const (
	// StandsFor is how long growth has to be gone to have fallen back.
	StandsFor = 15 * time.Minute
	// MinStands is the number of readings that show it: one alone may be a slip.
	MinStands = 2
	// StandsShare is the share of its rise, 0 to 1, that growth keeps while it stands.
	StandsShare = .5

	// minFollow is the least time in which growth must go on, so that no call is judged by one half of a day; growth that
	// has lasted for longer is given as long again.
	minFollow = 24 * time.Hour
	// goesOn is the share of its earlier rate that growth shows while it goes on.
	goesOn = .25
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
	follow := max(minFollow, g.Grew)
	span := int(follow / step)
	// The quarter at whose floor is looked begins after three quarters of the time.
	due := goesOn * g.Rise * .75 * follow.Hours() / max(g.Took.Hours(), 1)
	level := g.Baseline + g.Rise
	for end := span; end <= len(readings); end += max(span/2, 1) {
		if floor := lowest(readings[end-span/4 : end]); floor-level < due {
			return Leveled, time.Duration(end) * step
		}
		// Where nothing was read the level before it stands.
		if before := lowest(readings[max(end-span/2-span/4, 0):max(end-span/2, 1)]); !math.IsInf(before, 1) {
			level = before
		}
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

// stayed is how long readings stand as high as growth does now, all of them, to have been as high before: longer than a
// load does that follows the day.
const stayed = 24 * time.Hour

// Before returns the readings, by their number, at which a process had come down from where growth stands now: it had
// stayed above half of the rise for a day, and then was below it. Those of one process, from its start to its end.
func Before(readings []float64, step time.Duration, g Growth) (falls []int) {
	const never = -1
	above, high, low := never, false, 0
	for i, v := range readings {
		switch {
		case math.IsNaN(v):
		case v >= g.Baseline+StandsShare*g.Rise:
			low = 0
			if above == never {
				above = i
			}
			high = high || time.Duration(i-above)*step >= stayed
		default:
			above = never
			if low++; low >= MinStands && high {
				falls, high = append(falls, i), false
			}
		}
	}
	return falls
}
