// Package baseline learns what is normal for one series: a moving level, and the level at which the series settled
// after its start. It is pure arithmetic: the caller passes the instant of every value. Package trend decides
// whether a departure from the level is growth.
package baseline

import (
	"math"
	"time"
)

// EWMA is an exponentially weighted moving mean and deviation of an irregularly sampled series. The weight of a value
// halves with every half-life that passes, however many samples were taken in it. During the first half-lives (up to
// halfLife/ln 2), while there is no past to speak of, it is the plain mean, each value weighted by the time since the
// one before it and the first like the second, so that the first value weighs no more than the others.
//
// It is not safe for concurrent use.
type EWMA struct {
	halfLife time.Duration

	last     int64 // unix nanoseconds
	age      int64 // nanoseconds that were learned from
	seen     bool
	frozen   bool
	mean     float64
	variance float64

	step  int64 // elapsed time for which alpha was computed; most series are regular
	alpha float64
}

// maxMagnitude bounds the magnitude of a value, so that squares stay finite.
const maxMagnitude = 1e100

// clamp compares by hand: min and max also order zeros and NaN, which costs.
func clamp(value float64) float64 {
	if value > maxMagnitude {
		return maxMagnitude
	}
	if value < -maxMagnitude {
		return -maxMagnitude
	}
	return value
}

// NewEWMA returns an empty EWMA. halfLife must be positive.
func NewEWMA(halfLife time.Duration) EWMA {
	if halfLife <= 0 {
		panic("baseline: half-life must be positive")
	}
	return EWMA{halfLife: halfLife}
}

// Observe adds a finite value measured at an instant in unix nanoseconds. Values that are not newer than the last one
// are ignored, and one beyond ±1e100 counts as that. While frozen only the instant is kept.
//
// With d = value - mean, the update is mean += a*d and variance = (1-a)(variance + a*d*d), which uses the mean before
// and after the value (West 1979; Finch 2009, "Incremental calculation of weighted mean and variance", eq. 143). The
// weight is a = 1 - 2^(-dt/halfLife), with dt the time since the last value, and at least dt over the time learned
// from.
func (e *EWMA) Observe(at int64, value float64) {
	value = clamp(value)
	if !e.seen {
		e.seen, e.last, e.mean = true, at, value
		return
	}
	dt := at - e.last
	if dt <= 0 {
		return
	}
	e.last = at
	if e.frozen {
		return
	}
	if dt != e.step {
		e.step = dt
		e.alpha = -math.Expm1(-math.Ln2 * float64(dt) / float64(e.halfLife))
	}
	if e.age == 0 {
		e.age = dt // for the first value
	}
	e.age += dt
	a := e.alpha
	if float64(dt) > a*float64(e.age) {
		a = float64(dt) / float64(e.age)
	}
	d := value - e.mean
	e.mean += a * d
	e.variance = (1 - a) * (e.variance + a*d*d)
}

// Freeze stops the learning, or lets it go on: what is suspected of being a leak must not become normal.
func (e *EWMA) Freeze(on bool) { e.frozen = on }

// Mean returns the moving level in the unit of the series; ok is false before the first value.
func (e *EWMA) Mean() (mean float64, ok bool) { return e.mean, e.seen }

// Deviation returns the moving standard deviation in the unit of the series, 0 or more: the root of the weighted mean
// square distance from Mean, with the weights of Mean. It is 0 before the second value.
func (e *EWMA) Deviation() float64 { return math.Sqrt(e.variance) }

// SetHalfLife changes how fast the past is forgotten and keeps what was learned. halfLife must be positive.
func (e *EWMA) SetHalfLife(halfLife time.Duration) {
	if halfLife <= 0 {
		panic("baseline: half-life must be positive")
	}
	e.halfLife, e.step = halfLife, 0
}
