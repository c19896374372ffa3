package doubt

import (
	"math"
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// Placeholder finds, in one series in order of time, the values that are written down for a reading that failed: the
// largest number of a width, a row of nines, or minus one. A series may reach such a number in truth, but it does not
// multiply for two readings at most to get there, nor fall below zero from a level. The zero value is ready.
type Placeholder struct {
	// AsRead has 0 and what is below it stand for themselves, as in what is replayed as it was judged live.
	AsRead bool
	// Size says that values are sizes of memory, which no process is without.
	Size bool

	last   float64 // the latest reading
	run    int     // of placeholders since then
	reads  int     // how many readings there were
	missed int     // how many of 0 or less were none
	empty  bool    // whether there was a reading of 0 or less
}

const (
	minPlaceholder = math.MaxInt16
	// suddenly is the factor above the reading before from which on a value is doubted.
	suddenly = 8
	// LongestFailure is how many placeholders in a row are doubted; a level that stays there is one.
	LongestFailure = 2
	// MinLevel is what a count falls to 0 or minus one from at once where a reading has failed.
	MinLevel = 8
)

// Doubtful reports whether a value has to be checked by stands; for most it costs one comparison.
func (p *Placeholder) Doubtful(v float64) bool {
	if v <= 0 {
		return !p.AsRead && (v < 0 && p.reads == 0 || p.last >= MinLevel && (v < 0 || p.mayMiss()))
	}
	return v >= minPlaceholder && v >= suddenly*p.last
}

// mayMiss reports whether another value of 0 may be none: few are, and none where some of them was one.
func (p *Placeholder) mayMiss() bool {
	return !p.empty && p.missed <= p.reads/FailedShare(p.Size)
}

// FailedShare returns the number of readings of which one at most may have failed: few of a count, and many of the size
// of memory, which no process is without.
func FailedShare(size bool) int {
	if size {
		return 4
	}
	return 50
}

// Missed reports whether a value of 0 or less is none, by the ones after it: one or two of them between readings at one
// level. It takes a value that is none; any other is still to be taken.
func (p *Placeholder) Missed(v float64, next func() []float64) bool {
	if v > 0 || isPlaceholder(v) || !p.Doubtful(v) {
		return false
	}
	for i, after := range next() {
		if after > 0 {
			back := i < LongestFailure && after >= p.last/2 && after <= 2*p.last
			if back {
				p.missed++
			}
			return back
		}
	}
	return false
}

// Read takes a value that is not doubtful.
func (p *Placeholder) Read(v float64) {
	p.last, p.run, p.empty = v, 0, p.empty || v <= 0
	p.reads++
}

// Stands reports whether a value is a placeholder, and takes it.
func (p *Placeholder) Stands(v float64) bool {
	if p.Doubtful(v) && isPlaceholder(v) && (p.run < LongestFailure || v < 0 && p.reads > 0) {
		p.run++
		return true
	}
	p.Read(v)
	return false
}

// isPlaceholder reports whether a value is the largest of 15, 16, 31, 32, 53, 63 or 64 bits, or five nines or more,
// also where it was read as kilobytes, or minus one of any unit of size.
func isPlaceholder(v float64) bool {
	if v < 0 {
		return slices.Contains(minusOnes, v)
	}
	for _, unit := range []float64{1, 1000, 1024} {
		switch n := v / unit; n {
		case math.MaxInt16, math.MaxUint16, math.MaxInt32, math.MaxUint32, 1<<53 - 1, 1 << 63, 1 << 64:
			return true
		default:
			if digits := math.Round(math.Log10(n)); digits >= 5 && digits <= 15 && n == math.Pow(10, digits)-1 {
				return true
			}
		}
	}
	return false
}

// minusOnes are minus one as it stands, and where it was read as kilobytes and more.
var minusOnes = []float64{-1, -1e3, -1 << 10, -1e6, -1 << 20, -1e9, -1 << 30}

// HoldsMemory reports whether a column is of the memory of something that runs, by its unit or its name.
func HoldsMemory(name, unit string) bool {
	return unit == "bytes" || naming.HasWord(name, "memory", "mem", "heap", "rss", "resident")
}
