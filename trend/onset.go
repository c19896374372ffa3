package trend

import (
	"math"
	"time"

	"gonum.org/v1/gonum/stat"
)

// Onset is the estimated start of a growth.
type Onset struct {
	At    int64         // unix nanoseconds
	Error time.Duration // half-width of an interval around At that holds the true start in about four of five leaks, above 0

	Spread float64 // seconds that the fit leaves open, without what the model costs; 0 = not from a fit
}

// Sharper reports whether the fit leaves less open than that of another estimate. Any fit is sharper than none.
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

// EstimateOnset estimates when a growth began of which a window from since to until was judged, both in unix
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
	s.take(l, since-(until-since))
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
	told := max(spread, onsetModel*(s.x[n-1]-at))
	return Onset{At: l.epoch + int64(at*1e9), Error: time.Duration(told * 1e9), Spread: spread}, true
}

// onsetFit are the minimums that an onset is estimated from, oldest first, and room for the fits.
type onsetFit struct {
	n                  int
	x, y, width, grown [maxOnsetPoints]float64 // x and width in seconds, x after the epoch
}

// hinge is one fit: flat at a level until an instant.
type hinge struct {
	sse, at, level float64
	points         float64 // that the residuals are worth
}

// take fills in the closed buckets that end after an instant: of each width those from before the finer ones.
func (s *onsetFit) take(l *Ladder, since int64) {
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

// search returns the best fit of a power.
func (s *onsetFit) search(power int) hinge {
	best := hinge{sse: math.Inf(1)}
	for i := range s.candidates() {
		if h := s.fit(s.candidate(i), power); h.sse < best.sse {
			best = h
		}
	}
	return best
}

// interval returns the earliest and the latest instant whose fit is about as good as the best.
func (s *onsetFit) interval(best hinge, power int) (low, high float64) {
	low, high = best.at, best.at
	limit := best.sse * (1 + onsetF/max(1, best.points-3))
	for i := range s.candidates() {
		if c := s.candidate(i); s.fit(c, power).sse <= limit {
			low, high = min(low, c), max(high, c)
		}
	}
	return low, high
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
