package trend

import (
	"math"
	"time"

	"gonum.org/v1/gonum/stat"
)

// Onset is the estimated start of a growth.
type Onset struct {
	At int64 // unix nanoseconds
	// half-width of an interval around At that holds the true start in about four of five leaks, above 0
	Error time.Duration

	Spread float64 // uncertainty of the fit alone, in seconds, without the allowance for the model; 0 = not from a fit
}

// Sharper reports whether the fit is less uncertain than that of another estimate. Any fit is sharper than none.
func (o Onset) Sharper(than Onset) bool { return than.Spread == 0 || o.Spread < than.Spread }

const (
	// maxOnsetPoints bounds how many minimums an onset is estimated from.
	maxOnsetPoints = Widths * Buckets
	minOnsetPoints = 5
	// clipShare is the share of the rise by which a minimum may exceed all later ones: noise at the old level counts as
	// it is, while bursts, a sawtooth or a higher level of before are cut off.
	clipShare = .05
	// curveGain is the share of the residuals that an accelerating growth must leave at most, to be preferred over a
	// straight one.
	curveGain = .5
	maxPower  = 2
	// onsetF is the likelihood-ratio threshold of the interval.
	onsetF = 10
	// onsetModel is the share of the time since that the error is at least: few leaks follow the model.
	onsetModel = .08
)

// EstimateOnset estimates when growth began, given the window from since to until in which it was found, both in unix
// nanoseconds. ok is false with too few minimums, or where none of the fits rises.
//
// The minimums from one window's length before since on, as fine as they are kept, are explained by a level that is
// flat until the onset c and grows from there, y = a + b max(0, x-c)^p with p = 1 or 2. c is the candidate with the
// smallest sum S of squared residuals, as in two-phase regression with joined lines (Hinkley 1971, "Inference in
// two-phase regression"; Quandt 1958), each fit by gonum's stat.LinearRegression. Its error comes from the candidates
// with S(c) <= S(min) (1 + F/(m-3)), where m is the number of points that the residuals are worth (see Regress); it is
// calibrated on generated leaks, not a confidence interval by theory. The onset is never before the last minimum at the
// old level.
func EstimateOnset(l *Ladder, since, until int64) (o Onset, ok bool) {
	s := &onsetFit{}
	s.collect(l, since-(until-since))
	if s.n < minOnsetPoints {
		return Onset{}, false
	}
	n := s.n
	raw := s.y
	s.clip()
	best, power := s.search(1), 1
	for p := 2; p <= maxPower; p++ {
		if curved := s.search(p); curved.sse < curveGain*best.sse {
			best, power = curved, p
		}
	}
	if math.IsInf(best.sse, 1) {
		return Onset{}, false
	}
	low, high := s.interval(best, power)
	at, last := best.at, 0
	for i := range n {
		if raw[i] <= best.level {
			at = max(at, s.x[i])
		}
		if s.x[i] <= at {
			last = i
		}
	}
	spread := max(high-at, at-low, s.width[last]/2)
	uncertainty := max(spread, onsetModel*(s.x[n-1]-at))
	return Onset{At: l.epoch + int64(at*1e9), Error: time.Duration(uncertainty * 1e9), Spread: spread}, true
}

// onsetFit are the minimums that an onset is estimated from, oldest first, and room for the fits.
type onsetFit struct {
	n                  int
	x, y, width, grown [maxOnsetPoints]float64 // x and width in seconds, x after the epoch

	// bound are lower bounds of the sums of squares of the candidates, by power less one.
	bound [maxPower][2 * maxOnsetPoints]float64
}

// hinge is one fit: flat at a level until an instant.
type hinge struct {
	sse, at, level float64
	points         float64 // that the residuals are worth
}

// collect fills in the closed buckets that end after an instant: of each width those from before the finer ones.
func (s *onsetFit) collect(l *Ladder, since int64) {
	for w := Widths - 1; w >= 0; w-- {
		finer := int64(math.MaxInt64)
		if w > 0 {
			finer = l.rings[w-1].oldest() * l.Width(w-1)
		}
		r := &l.rings[w]
		for i := r.oldest(); i < r.count; i++ {
			start, end := i*l.Width(w), (i+1)*l.Width(w)
			if f := r.at(i).minimum; end <= finer && end > since-l.epoch && !math.IsNaN(f) {
				s.x[s.n], s.y[s.n], s.width[s.n] = float64(start)/1e9, f, float64(end-start)/1e9
				s.n++
			}
		}
	}
}

// clip lowers what exceeds all later minimums by more than a share of the rise.
func (s *onsetFit) clip() {
	kept := s.y
	for i := s.n - 2; i >= 0; i-- {
		kept[i] = min(kept[i], kept[i+1])
	}
	slack := clipShare * (kept[s.n-1] - kept[0])
	for i := range s.n {
		s.y[i] = min(s.y[i], kept[i]+slack)
	}
}

// candidate returns instant number i, 0 <= i < 2(n-2): the starts of the buckets and the middles between them.
func (s *onsetFit) candidate(i int) float64 { return (s.x[i/2] + s.x[(i+1)/2]) / 2 }

func (s *onsetFit) candidates() int { return 2 * (s.n - 2) }

// search returns the best fit of a power: the first of those with the smallest sum of squares. Candidates that cannot
// be as good as the one that promises most are not fitted.
func (s *onsetFit) search(power int) hinge {
	promising, bound := s.screen(power), &s.bound[power-1]
	limit := s.fit(s.candidate(promising), power).sse
	best := hinge{sse: math.Inf(1)}
	for i := range s.candidates() {
		if bound[i] > limit {
			continue
		}
		if h := s.fit(s.candidate(i), power); h.sse < best.sse {
			best = h
		}
	}
	return best
}

// interval returns the earliest and the latest instant whose fit is about as good as the best.
func (s *onsetFit) interval(best hinge, power int) (low, high float64) {
	limit, bound := best.sse*(1+onsetF/max(1, best.points-3)), &s.bound[power-1]
	good := func(i int) bool { return bound[i] <= limit && s.fit(s.candidate(i), power).sse <= limit }
	low, high = best.at, best.at
	n := s.candidates()
	for i := 0; i < n && s.candidate(i) < low; i++ {
		if good(i) {
			low = s.candidate(i)
		}
	}
	for i := n - 1; i >= 0 && s.candidate(i) > high; i-- {
		if good(i) {
			high = s.candidate(i)
		}
	}
	return low, high
}

// The rounding of a sum of squares, whether from moments or from residuals, is below this share of the sum about the
// mean and, as the residuals come from values, of what these are.
const (
	momentRounding = 1e-9
	valueRounding  = 1e-13
)

// screen fills in a lower bound of the sum of squares of each candidate, and returns the one that promises most. Sums
// of powers of the time since a candidate follow from those of the next later one, so that each takes a few operations.
func (s *onsetFit) screen(power int) (promising int) {
	x, n := s.x[:s.n], float64(s.n)
	mean, highest := 0., 0.
	for _, v := range s.y[:s.n] {
		mean += v / n
		highest = max(highest, math.Abs(v))
	}
	squares := 0.
	for _, v := range s.y[:s.n] {
		squares += (v - mean) * (v - mean)
	}
	rounding := momentRounding*squares + valueRounding*highest*(math.Sqrt(n*squares)+valueRounding*n*highest)
	var (
		since  [2*maxPower + 1]float64 // sums of the powers of the time since the candidate
		values [maxPower + 1]float64   // times the values, above their mean
	)
	at, first := x[s.n-1], s.n
	lowest := math.Inf(1)
	for i := s.candidates() - 1; i >= 0; i-- {
		before := at - s.candidate(i)
		at = s.candidate(i)
		shift(since[:2*power+1], before)
		shift(values[:power+1], before)
		for ; first > 0 && x[first-1] >= at; first-- {
			term, value := 1., s.y[first-1]-mean
			for k := range 2*power + 1 {
				since[k] += term
				if k <= power {
					values[k] += term * value
				}
				term *= x[first-1] - at
			}
		}
		covariance := max(values[power], 0)
		left := squares - covariance*covariance/(since[2*power]-since[power]*since[power]/n)
		s.bound[power-1][i] = left - rounding
		if left < lowest {
			lowest, promising = left, i
		}
	}
	return promising
}

// shift turns sums of the powers of times, from the power 0 on, into those of times that are all longer.
func shift(sums []float64, by float64) {
	for k := 1; k < len(sums); k++ {
		for j := len(sums) - 1; j >= k; j-- {
			sums[j] += by * sums[j-1]
		}
	}
}

// fit explains the minimums by growth from an instant on. The sum of squares is infinite where that does not rise.
func (s *onsetFit) fit(at float64, power int) hinge {
	x, y := s.grown[:s.n], s.y[:s.n]
	whole := s.x[s.n-1] - at
	for i := range x {
		grown := max(0, s.x[i]-at) / whole
		x[i] = grown
		for range power - 1 {
			x[i] *= grown
		}
	}
	level, rise := stat.LinearRegression(x, y, nil, false)
	h := hinge{at: at, level: level}
	if !(rise > 0) {
		h.sse = math.Inf(1)
		return h
	}
	var lagged, before float64
	for i := range x {
		rest := y[i] - level - rise*x[i]
		h.sse += rest * rest
		lagged += rest * before
		before = rest
	}
	h.points = float64(s.n) * independent(lagged, h.sse)
	return h
}
