// Package doubt finds times and values that cannot be right, by those around them: stamps of a clock that was not set,
// numbers written down for a reading that failed.
package doubt

import (
	"errors"
	"math"
	"slices"
	"time"
)

const (
	// FarAhead is how far a time may be ahead of the one before it without checking those after it: a wrong stamp must
	// not cost all that is behind it.
	FarAhead = int64(24 * time.Hour)
	// LongAgo is how far the first times must be before the others to be taken for those of a clock that was not set
	// yet.
	LongAgo = int64(60 * 24 * time.Hour)
	// Lookahead is how many times after one that is far ahead decide whether it is wrong.
	Lookahead = 256
	// Before OwnUnset the first times of a recording of our own are those of a clock that was not set yet, where the
	// others are after ownSet; in other files they may be AnyTime.
	OwnUnset = int64(315_532_800 * time.Second)   // 1980
	ownSet   = int64(1_000_000_000 * time.Second) // 2001
	// AnyTime is after all times.
	AnyTime = int64(math.MaxInt64)
)

var (
	errFarAhead = errors.New("far ahead of the times before and after it: skipped")
	errLongAgo  = errors.New("long before the times after it: skipped")
)

// WrongStamp returns why a time cannot be right, by the one before it, if there is any, and the next ones. A time is
// far ahead where the clock comes back. The first ones are long ago where few of them, before some instant, stand
// before a gap as there is none other. A clock that is set for good goes on.
func WrongStamp(any bool, last, at int64, next []int64, unset int64) error {
	if any && at-last <= FarAhead {
		return nil
	}
	for i, t := range next {
		if any && t > last && t < at {
			return errFarAhead
		}
		if !any && t < at-FarAhead {
			after := next[i:min(i+4, len(next))]
			if len(after) > 2 && slices.IsSorted(after) { // else newest first
				return errFarAhead
			}
			return nil
		}
	}
	if any || at >= unset {
		return nil
	}
	const few, many = 10, 10
	before := at
	for i, t := range next[:min(few, len(next))] {
		if gap := t - before; gap > LongAgo {
			after := next[i:min(i+many, len(next))]
			if len(after) < 3*(i+1) || slices.Min(next[i:]) < t || unset == OwnUnset && t < ownSet {
				return nil
			}
			for k := 1; k < len(after); k++ {
				if gap < 20*(after[k]-after[k-1]) {
					return nil
				}
			}
			return errLongAgo
		}
		before = t
	}
	return nil
}

// WrongStamps returns which of a series of times, in the order of their file, cannot be right. Where most of them fall,
// the newest is taken for the first.
func WrongStamps(times []int64) (wrong []int, why []error) {
	falls := 0
	for i := 1; i < len(times); i++ {
		if times[i] < times[i-1] {
			falls++
		}
	}
	if falls > len(times)/2 {
		times = slices.Clone(times)
		slices.Reverse(times)
		wrong, why = WrongStamps(times)
		for i := range wrong {
			wrong[i] = len(times) - 1 - wrong[i]
		}
		return wrong, why
	}
	last, any := int64(0), false
	for i, t := range times {
		if any && t <= last {
			continue
		}
		if !any || t-last > FarAhead {
			if err := WrongStamp(any, last, t, times[i+1:min(i+1+Lookahead, len(times))], AnyTime); err != nil {
				wrong, why = append(wrong, i), append(why, err)
				continue
			}
		}
		last, any = t, true
	}
	return wrong, why
}
