package doubt

import (
	"math"
	"slices"
)

// Placeholder finds, in one series in order of time, the values that are written down for a reading that failed: the
// largest number of a width, a row of nines, or minus one. A series may reach such a number in truth, but it does not
// multiply for two readings at most to get there, nor fall below zero from a level. The zero value is ready.
type Placeholder struct {
	last float64 // the latest reading
	run  int     // of placeholders since then
	read bool    // whether there was a reading
}

const (
	minPlaceholder = math.MaxInt16
	// suddenly is the factor above the reading before from which on a value is doubted.
	suddenly = 8
	// longestFailure is how many placeholders in a row are doubted; a level that stays there is one.
	longestFailure = 2
	// minLevel is what a count falls to minus one from at once where a reading has failed.
	minLevel = 8
)

// Doubtful reports whether a value has to be checked by stands; for most it costs one comparison.
func (p *Placeholder) Doubtful(v float64) bool {
	if v < 0 {
		return p.last >= minLevel || !p.read
	}
	return v >= minPlaceholder && v >= suddenly*p.last
}

// Read takes a value that is not doubtful.
func (p *Placeholder) Read(v float64) { p.last, p.run, p.read = v, 0, true }

// Stands reports whether a value is a placeholder, and takes it.
func (p *Placeholder) Stands(v float64) bool {
	if p.Doubtful(v) && isPlaceholder(v) && (p.run < longestFailure || v < 0 && p.read) {
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
