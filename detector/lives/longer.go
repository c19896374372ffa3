package lives

import (
	"math"
	"slices"
)

// What lives that are longer tell of those that a deploy cut off.
const (
	longerShare  = 1.4 // of the median length, from which on a life shows what comes later, if...
	likeness     = .5  // ...it had this share of the growth by then...
	minLateShare = .8  // ...of the rate, that it kept from there on...
	minLastShare = .85 // ...and in the later half of that
	beyond       = .5  // of the growth, that lies above where other lives levelled off

	wholeDays      = 2   // that a life lasts, which shows that...
	restRate       = .25 // ...of the rate over the whole life, below which its later half is at rest...
	minGrowingRate = .5  // ...and above which the growth goes on
	restLives      = 2   // lives at rest that are asked for...
	longDays       = 5   // ...where none of them is as long as this
)

// longerGoOn reports whether the lives that are longer, and had grown like the others, went on at the rate, as a share
// an hour. longer tells whether there are any.
func (j *Judge) longerGoOn(g *Growth, from, to, rate, growth float64) (longer, ok bool) {
	var actual, expected, actualLate, expectedLate float64
	for i := range j.traces {
		t := &j.traces[i]
		if t.hours < longerShare*to || t.n < minFloors || t.called {
			continue
		}
		scale := max(t.at(&t.kept, from), 0) + j.params.Offset
		if (t.at(&t.floors, to)-t.at(&t.kept, from))/scale < likeness*growth {
			continue
		}
		g.Longest = max(g.Longest, hoursOf(t.hours))
		running := i == len(j.traces)-1
		longer = longer || !running || t.hours >= 2*to
		end, late := t.at(&t.kept, t.hours), (t.hours+to)/2
		actual += (end - t.at(&t.kept, to)) / scale
		expected += rate * (t.hours - to)
		actualLate += (end - t.at(&t.kept, late)) / scale
		expectedLate += rate * (t.hours - late)
	}
	return longer, actual >= minLateShare*expected && actualLate >= minLastShare*expectedLate
}

// levelledAt returns the highest level of lives before the group that levelled off, or whose growth was no leak; the
// lowest number where there are none.
func (j *Judge) levelledAt() float64 {
	highest := math.Inf(-1)
	first := j.group[len(j.group)-1].number
	for i := range j.traces {
		t := &j.traces[i]
		if t.number < first && j.informative(t, 0) && (t.refuted || !t.called && t.levelled()) {
			highest = max(highest, slices.Max(t.floors[:t.n]))
		}
	}
	return highest
}

// LevelsOff reports whether the lives that were added show that what they grow levels off with the age: those of two
// whole days or more have grown little in the later half of these days, at the same hour at both ends, and none that
// was as long went on. A cache that a deploy cuts off before it is full is told from a leak by the lives that are
// longer.
func (j *Judge) LevelsOff() bool {
	longestGrowing := 0. // hours of the longest life that does
	for i := range j.traces {
		if t := &j.traces[i]; j.lateRate(t) > minGrowingRate {
			longestGrowing = max(longestGrowing, t.hours)
		}
	}
	atRest := 0
	for i := range j.traces {
		t := &j.traces[i]
		if t.hours <= longestGrowing || !(j.lateRate(t) < restRate) {
			continue
		}
		if atRest++; atRest >= restLives || t.hours >= (longDays*day-slack)*j.params.Scale {
			return true
		}
	}
	return false
}

// lateRate returns the rate of the growth in the later half of the whole days of a life, over that of all of it; NaN
// where the life tells nothing.
func (j *Judge) lateRate(t *trace) float64 {
	days := math.Floor((t.hours/j.params.Scale + slack) / day)
	if days < wholeDays || t.n < minFloors {
		return math.NaN()
	}
	end := t.at(&t.kept, t.hours)
	grown := end - t.kept[0]
	if grown < j.params.MinGrowth*(max(t.kept[0], 0)+j.params.Offset) {
		return math.NaN()
	}
	late := day * math.Floor(days/2) * j.params.Scale
	return (end - t.at(&t.kept, t.hours-late)) / late * t.hours / grown
}
