package replay

import (
	"fmt"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	minUnitStep = 900  // by which one value of a resource is a multiple of the next, for its unit to have changed
	minLarger   = 1e5  // of the two, and
	minSmaller  = 100  // so that rounding does not hide the factor
	unitError   = .005 // of the factor, and of the values on either side of the step
)

// unitFactors are those between units of memory and of other amounts.
var unitFactors = []float64{1000, 1024, 1e6, 1 << 20}

// unitStep finds where the unit of a series seems to change: a step by a factor between units, between values that are
// steady otherwise. The zero value is ready for use.
type unitStep struct {
	last, before float64 // the latest values
	read         int
	at           time.Time // of the step; zero = none was seen
	factor       float64   // by which values are smaller from there on, or larger where it is less than 1
	confirmed    bool      // by the value after it
}

// add takes the next value.
func (u *unitStep) add(at time.Time, value float64) {
	switch {
	case u.confirmed:
		return
	case !u.at.IsZero():
		if u.confirmed = isNear(value, u.last); !u.confirmed {
			u.at = time.Time{}
		}
	case u.read > 1 && (value*minUnitStep < u.last || u.last*minUnitStep < value):
		u.compare(at, value)
	}
	u.before, u.last = u.last, value
	u.read++
}

// compare looks at a step.
func (u *unitStep) compare(at time.Time, value float64) {
	larger, smaller := max(value, u.last), min(value, u.last)
	if larger < minLarger || smaller < minSmaller || !isNear(u.before, u.last) {
		return
	}
	for _, factor := range unitFactors {
		if isNear(larger/smaller, factor) {
			u.at, u.factor = at, factor
			if value > u.last {
				u.factor = 1 / factor
			}
		}
	}
}

// isNear reports whether two values are the same but for unitError.
func isNear(a, b float64) bool { return math.Abs(a-b) <= unitError*math.Abs(b) }

// note says where the unit of a resource seems to change; "" where it does not.
func (u *unitStep) note(resource string) string {
	if !u.confirmed {
		return ""
	}
	how, factor := "smaller", u.factor
	if factor < 1 {
		how, factor = "larger", 1/factor
	}
	return fmt.Sprintf("%s is %.0f times %s from %s on: its unit seems to change there, and its verdict does not "+
		"hold then",
		resource, factor, how, sampler.FormatInstant(u.at, "2006-01-02 15:04:05 MST"))
}
