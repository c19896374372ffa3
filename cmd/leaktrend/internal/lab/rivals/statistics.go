package rivals

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// testSpan is the window of the two significance tests.
const testSpan = 6 * hour

// mannKendall is the test of Mann (1945) and Kendall (1975) for a monotonic trend over the last 6 h, asked every minute
// once there are 6 h. S is the number of pairs that rise less those that fall; without a trend it has mean 0 and, with
// groups of t equal values, variance (n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18. z = (S-1) / sqrt(variance) with the
// correction for continuity. Growth is significant at two-sided p < .01.
func mannKendall(s *series) []int64 {
	critical := distuv.UnitNormal.Quantile(1 - 0.01/2)
	k := newPairs(s.values)
	lo, hi := 0, 0
	return everyMinute(s, testSpan, alarm{keep: testSpan}, func(w *window, at int64) bool {
		for ; hi < w.hi; hi++ {
			k.add(hi)
		}
		for ; lo < w.lo; lo++ {
			k.drop(lo)
		}
		return w.covers(at) && k.z() > critical
	})
}

// pairs counts the rising and the falling pairs in a window, in O(log n) a value: how many values in the window are
// below another one is a prefix sum over their ranks, kept in a Fenwick tree.
type pairs struct {
	rank  []int // of each value, from 1
	count []int // in the window, by rank
	tree  []int
	n, s  int
	ties  float64 // sum of t(t-1)(2t+5)
}

func newPairs(values []float64) *pairs {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	k := &pairs{rank: make([]int, len(values)), count: make([]int, len(sorted)+1), tree: make([]int, len(sorted)+1)}
	for i, v := range values {
		at, _ := slices.BinarySearch(sorted, v)
		k.rank[i] = at + 1
	}
	return k
}

// below returns how many values in the window have at most a rank.
func (k *pairs) below(rank int) (n int) {
	for ; rank > 0; rank -= rank & -rank {
		n += k.tree[rank]
	}
	return n
}

func (k *pairs) change(rank, by int) {
	k.ties -= tied(k.count[rank])
	k.count[rank] += by
	k.ties += tied(k.count[rank])
	k.n += by
	for ; rank < len(k.tree); rank += rank & -rank {
		k.tree[rank] += by
	}
}

func tied(t int) float64 {
	n := float64(t)
	return n * (n - 1) * (2*n + 5)
}

// add takes in the newest value.
func (k *pairs) add(i int) {
	rank := k.rank[i]
	lower := k.below(rank - 1)
	higher := k.n - lower - k.count[rank]
	k.s += lower - higher
	k.change(rank, 1)
}

// drop takes out the oldest value.
func (k *pairs) drop(i int) {
	rank := k.rank[i]
	lower := k.below(rank - 1)
	higher := k.n - lower - k.count[rank]
	k.s -= higher - lower
	k.change(rank, -1)
}

// z returns the score of the test; 0 where there is no variance.
func (k *pairs) z() float64 {
	n := float64(k.n)
	variance := (n*(n-1)*(2*n+5) - k.ties) / 18
	if variance <= 0 || k.s == 0 {
		return 0
	}
	return (float64(k.s) - math.Copysign(1, float64(k.s))) / math.Sqrt(variance)
}

// olsTest is the textbook t test of the slope of a regression over the last 6 h, asked every minute once there are 6 h:
// t = sqrt(R2 (n-2) / (1-R2)) with n-2 degrees of freedom, growth significant at two-sided p < .001. It takes the
// samples as independent, which resources never are.
func olsTest(s *series) []int64 {
	critical := make(map[int]float64)
	return everyMinute(s, testSpan, alarm{keep: testSpan}, func(w *window, at int64) bool {
		n := w.hi - w.lo
		if n < 3 || !w.covers(at) {
			return false
		}
		l, ok := w.fit(at)
		if !ok || l.slope <= 0 {
			return false
		}
		bound, known := critical[n]
		if !known {
			bound = distuv.StudentsT{Sigma: 1, Nu: float64(n - 2)}.Quantile(1 - 0.001/2)
			critical[n] = bound
		}
		return math.Sqrt(l.r2*float64(n-2)) > bound*math.Sqrt(1-l.r2)
	})
}

// olsFloors is a rule of thumb in wide use, of which we know no publication: a regression over the minima of the last
// 24 hours, asked as each hour closes. The line must explain more than 80 % of the variance and rise by more than 20 %
// of its beginning. Hours without a reading have no minimum; 20 minimums are needed. The alarm ends after 24 hours in
// which it did not hold.
func olsFloors(s *series) []int64 {
	const (
		span  = 24
		bound = 20
	)
	a := alarm{keep: span * hour}
	var floors [span]float64 // by hour modulo span; NaN = none
	for i := range floors {
		floors[i] = math.NaN()
	}
	i := 0
	for h := 0; ; h++ {
		end := s.times[0] + int64(h+1)*hour
		if end > s.last() {
			return a.edges
		}
		floor := math.NaN()
		for ; s.times[i] < end; i++ {
			if math.IsNaN(floor) || s.values[i] < floor {
				floor = s.values[i]
			}
		}
		floors[h%span] = floor
		var f sums
		for back := range span {
			if y := floors[(h+1+back)%span]; !math.IsNaN(y) {
				x := float64(back)
				f = f.with(x, y)
			}
		}
		l, ok := f.fit(0, 0)
		a.step(end, ok && f.n >= bound && l.r2 > 0.8 && l.slope*(span-1) > 0.2*l.value)
	}
}

func (s sums) with(x, y float64) sums {
	return sums{s.n + 1, s.sx + x, s.sy + y, s.sxx + x*x, s.sxy + x*y, s.syy + y*y}
}

// backwardRegression is LBR, linear backward regression, of Jindal et al., "Memory Leak Detection Algorithms in the
// Cloud-based Infrastructure" (2021, arXiv:2106.08938). Every 5 minutes it looks at windows that end now and reach back
// ever further; it is an alarm if a line with R2 >= 0.8 through one of them reaches the limit within the critical time.
// Verified in the authors' repository, ansjin/memory_leak_detection: medians of 5 minutes, windows from 60 of them on
// in steps of 50, R2 of 0.8. Not verifiable for LBR: the critical time; 7 days is the default of its sister algorithm
// Precog there. Left out: the repository takes the trend of a seasonal decomposition with the best of ten Fourier
// periods before the regression. The paper judges a series once; the alarm here ends when it has not held for the
// smallest window.
func backwardRegression(s *series) []int64 {
	if !s.bounded() {
		return nil
	}
	const (
		width    = 5 * minute
		smallest = 60
		further  = 50
		within   = 7 * day
	)
	a := alarm{keep: smallest * width}
	var (
		block []float64
		total = []sums{{}} // of the medians up to each one, around the first
		y0    float64
		i     int
		done  int
	)
	for end := s.times[0] + width; end <= s.last(); end += width {
		block = block[:0]
		for ; s.times[i] < end; i++ {
			block = append(block, s.values[i])
		}
		if len(block) == 0 {
			continue
		}
		slices.Sort(block)
		y := (block[(len(block)-1)/2] + block[len(block)/2]) / 2
		if len(total) == 1 {
			y0 = y
		}
		now := float64(end-s.times[0]) / 1e9
		total = append(total, total[len(total)-1].with(now, y-y0))
		ceiling := s.ceiling(end, &done)
		holds := false
		for points := smallest; points < len(total) && ceiling > 0 && !holds; points += further {
			l, ok := total[len(total)-1].less(total[len(total)-1-points]).fit(now, y0)
			holds = ok && l.r2 >= 0.8 && l.slope > 0 && l.value+l.slope*float64(within)/1e9 >= ceiling
		}
		a.step(end, holds)
	}
	return a.edges
}

func (s sums) less(o sums) sums {
	return sums{s.n - o.n, s.sx - o.sx, s.sy - o.sy, s.sxx - o.sxx, s.sxy - o.sxy, s.syy - o.syy}
}

// cusum is the one-sided cumulative sum of Page (1954) with the reference value k = 0.5 and the bound h = 50, both in
// deviations: S = max(0, S + z - k), an alarm when S > h. One value a minute, the mean of its readings. Mean and
// deviation are those of the first 60 values of the process; the deviation is taken as 1 % of the mean or more, so that
// a count that stood still does not alarm at the first change.
func cusum(s *series) []int64 {
	const (
		k     = 0.5
		h     = 50
		learn = 60
	)
	var (
		a                 alarm
		sum, n, mean, dev float64
		restarted         = restarts(s.starts)
		i                 int
	)
	for end := s.times[0] + minute; end <= s.last(); end += minute {
		if restarted.at(end - 1) {
			sum, n, mean, dev = 0, 0, 0, 0
			a.firing = false
		}
		total, readings := 0.0, 0.0
		for ; s.times[i] < end; i++ {
			total += s.values[i]
			readings++
		}
		if readings == 0 {
			continue
		}
		x := total / readings
		if n < learn {
			n++
			d := x - mean
			mean += d / n
			dev += d * (x - mean)
			continue
		}
		sigma := max(math.Sqrt(dev/(n-1)), 0.01*math.Abs(mean))
		if sigma == 0 {
			continue
		}
		sum = max(0, sum+(x-mean)/sigma-k)
		a.step(end, sum > h)
	}
	return a.edges
}
