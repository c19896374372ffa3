// Package stats holds estimates of rates and shares with their intervals, and what a budget of false alarms asks of
// them. It knows no recordings.
package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// confidence of all intervals and claims.
const confidence = 0.95

// Estimate is a figure with its 95 % interval. Known is false where there was nothing to estimate it from: that is not
// zero.
type Estimate struct {
	Value, Low, High float64
	Known            bool
}

// PoissonRate returns the rate of events per unit of exposure with its exact interval (Garwood 1936): for k events the
// limits of the mean are half the chi-square quantiles at 2.5 % with 2k and at 97.5 % with 2k+2 degrees of freedom.
func PoissonRate(events int, exposure float64) Estimate {
	if exposure <= 0 {
		return Estimate{}
	}
	e := Estimate{Value: float64(events) / exposure, Known: true}
	if events > 0 {
		e.Low = distuv.ChiSquared{K: 2 * float64(events)}.Quantile((1-confidence)/2) / 2 / exposure
	}
	e.High = distuv.ChiSquared{K: 2 * float64(events+1)}.Quantile((1+confidence)/2) / 2 / exposure
	return e
}

// Proportion returns the share k/n with its exact interval (Clopper and Pearson 1934): the limits are beta quantiles,
// at 2.5 % of Beta(k, n-k+1) and at 97.5 % of Beta(k+1, n-k).
func Proportion(k, n int) Estimate {
	if n <= 0 {
		return Estimate{}
	}
	e := Estimate{Value: float64(k) / float64(n), High: 1, Known: true}
	if k > 0 {
		e.Low = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile((1 - confidence) / 2)
	}
	if k < n {
		e.High = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile((1 + confidence) / 2)
	}
	return e
}

// Spread is the middle and the far end of N measurements. With N = 0 there is none.
type Spread struct {
	N           int
	Median, P90 float64
}

// SpreadOf returns the spread of some measurements, which it sorts.
func SpreadOf(values []float64) Spread {
	slices.Sort(values)
	return Spread{N: len(values), Median: quantile(values, 0.5), P90: quantile(values, 0.9)}
}

// quantile interpolates between the order statistics (type 7 of Hyndman and Fan 1996, the default of R and NumPy).
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-math.Floor(at))*(sorted[i+1]-sorted[i])
}
