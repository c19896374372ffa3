// Package trend tells sustained growth from everything else that a series does. It keeps the minimums of a series in
// buckets of several widths, and judges windows of them. Growth must never have come back, must exceed what was seen
// before, must be material, last long enough for its size, be even, and hold in a linear regression. EstimateOnset
// says when it began. The package is pure arithmetic: the caller passes the instant of every value, and decides what
// follows from a verdict.
package trend

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// MaxT caps the t statistic: an exact fit has no error to divide by.
const MaxT = 1e6

// Fit is a line through points, with the evidence for its slope.
type Fit struct {
	Slope     float64 // per second, in the unit of the series; exactly 0 for flat data
	Intercept float64 // at x = 0, in the unit of the series
	R2        float64 // coefficient of determination, 0 to 1; 0 for flat data
	// slope over its standard error, corrected for autocorrelation; within ±MaxT, 0 for flat data
	T               float64
	EffectivePoints float64 // how many independent points these are worth, n/39 to n
}

// minRest is the least share of the variance that a line is held to leave: below it, rounding would decide.
const minRest = 1e-9

// Nats returns how much better a line with this slope explains the points than no growth does, in nats: the
// log-likelihood ratio under normal errors, n/2 ln(1/(1-R2)) with n the effective points; 0 for a slope that does not
// rise, and at most 332. Unlike T it does not explode where few points happen to lie on a line. As T it is a score to
// be calibrated.
func (f Fit) Nats() float64 {
	if f.Slope <= 0 {
		return 0
	}
	return -f.EffectivePoints / 2 * math.Log(max(1-f.R2, minRest))
}

// Regress fits a line by least squares (gonum stat.LinearRegression) through points at x seconds. x must rise and have
// the length of y. ok is false with fewer than 4 points, with equal x, or when a value is not finite.
//
// The residuals of resource counts are correlated, which makes the textbook standard error too small. With r the lag-1
// autocorrelation of the residuals, clipped to [0, 0.95], n points are worth n(1-r)/(1+r) (Bayley and Hammersley 1946),
// and t shrinks by the square root of that share. t is a score to be calibrated on recordings, not to be turned into a
// p-value.
func Regress(x, y []float64) (f Fit, ok bool) { return new(fitter).regress(x, y) }

// fitter holds the points while gonum looks at them. What is passed to gonum must live on the heap: a ladder keeps a
// fitter, so that its judgments do not allocate.
type fitter struct{ x, y [Buckets]float64 }

// regress is Regress.
func (t *fitter) regress(x, y []float64) (f Fit, ok bool) {
	if len(x) != len(y) {
		panic("trend: x and y differ in length")
	}
	if len(x) < 4 || x[len(x)-1] <= x[0] {
		return Fit{}, false
	}
	var buf [Buckets]float64
	var rest []float64
	rest, f.Intercept, f.Slope = t.line(buf[:0], x, y)
	sxx, sst, sse := squares(x), squares(y), sumOfSquares(rest)
	if !finite(f.Intercept) || !finite(f.Slope) || !finite(sst) || !finite(sse) {
		return Fit{}, false
	}
	if sst == 0 {
		return Fit{Intercept: y[0], EffectivePoints: float64(len(x))}, true
	}
	f.R2 = max(0, 1-sse/sst)
	// Below this the residuals are rounding errors, whose correlation says nothing.
	if sse < 1e-18*sst {
		sse = 0
	}
	f.T, f.EffectivePoints = significance(f.Slope, rest, sse, sxx, 2)
	return f, true
}

// partial returns the slope of y over x with z held constant, and its t statistic: both are regressed on z, and what is
// left of y on what is left of x (Frisch and Waugh 1933, Lovell 1963). ok is false where z alone tells x.
func (t *fitter) partial(x, y, z []float64) (f Fit, ok bool) {
	if squares(z) <= 1e-6*sumOfSquares(z) {
		return t.regress(x, y) // a constant explains nothing
	}
	if len(x) < 5 {
		return Fit{}, false
	}
	var bufX, bufY, bufE [Buckets]float64
	restX, _, _ := t.line(bufX[:0], z, x)
	restY, _, _ := t.line(bufY[:0], z, y)

	left := sumOfSquares(restX)
	if left <= 1e-6*squares(x) {
		return Fit{}, false
	}
	rest, _, slope := t.line(bufE[:0], restX, restY)
	f.Slope = slope
	f.T, f.EffectivePoints = significance(f.Slope, rest, sumOfSquares(rest), left, 3)
	return f, finite(f.Slope) && finite(f.T)
}

// significance returns slope over standard error, within ±MaxT, and the number of points that the residuals (rest,
// their sum of squares sse) are worth: t = slope / sqrt(sse/(n-fitted) / sxx / share) with share = (1-r)/(1+r). fitted
// is the number of coefficients.
func significance(slope float64, rest []float64, sse, sxx float64, fitted int) (t, points float64) {
	n := float64(len(rest))
	share := 1.0
	if sse > 0 {
		var lagged float64
		for i := 1; i < len(rest); i++ {
			lagged += rest[i] * rest[i-1]
		}
		share = independent(lagged, sse)
	}
	if slope == 0 {
		return 0, n * share
	}
	se := math.Sqrt(sse / (n - float64(fitted)) / sxx / share)
	return min(max(slope/se, -MaxT), MaxT), n * share
}

// independent returns which share of their number residuals are worth, 1/39 to 1, by their sum of products with the
// ones before them and their sum of squares.
func independent(lagged, squares float64) float64 {
	if squares <= 0 {
		return 1
	}
	r := min(max(lagged/squares, 0), 0.95)
	return (1 - r) / (1 + r)
}

// line fits y over x and appends to dst what the line leaves of y. It counts x and y from their first values, so that a
// high level costs no digits and flat data gives a slope of exactly 0.
func (t *fitter) line(dst, x, y []float64) (rest []float64, intercept, slope float64) {
	dx, dy := fromFirst(t.x[:0], x), fromFirst(t.y[:0], y)
	intercept, slope = stat.LinearRegression(dx, dy, nil, false)
	for i := range dx {
		dst = append(dst, dy[i]-intercept-slope*dx[i])
	}
	return dst, y[0] + intercept - slope*x[0], slope
}

func fromFirst(dst, v []float64) []float64 {
	for _, a := range v {
		dst = append(dst, a-v[0])
	}
	return dst
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func sumOfSquares(v []float64) (sum float64) {
	for _, d := range v {
		sum += d * d
	}
	return sum
}

// squares returns the sum of squared distances from the mean.
func squares(v []float64) (sum float64) {
	var mean float64 // above the first
	for _, a := range v {
		mean += (a - v[0]) / float64(len(v))
	}
	for _, a := range v {
		d := a - v[0] - mean
		sum += d * d
	}
	return sum
}
