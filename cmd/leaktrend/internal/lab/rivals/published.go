package rivals

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/mdzesseis/leaktrend/sampler"
)

const mb = 1 << 20

// fixedDelta is the rule of the monitor that leaktrend replaces, log_capturer_go's pkg/leakdetection, with its
// defaults: more than 50 goroutines, 100 descriptors or 100 MB above what was read at the start of the process. It
// compares memory as an absolute, and only the heap; here growth is compared, of every resource in bytes, which is
// kinder to it. Of other resources it knows nothing. Within its cooldown of 5 minutes it does not alarm again.
func fixedDelta(s *series) []int64 {
	var limit float64
	switch {
	case s.resource.Name == sampler.Goroutines:
		limit = 50
	case s.resource.Name == sampler.OpenFDs:
		limit = 100
	case s.resource.Unit == "bytes":
		limit = 100 * mb
	default:
		return nil
	}
	a := alarm{keep: 5 * minute}
	restarted := restarts(s.starts)
	start := s.values[0]
	for i, at := range s.times {
		if restarted.at(at) {
			start, a.firing = s.values[i], false
		}
		a.step(at, s.values[i]-start > limit)
	}
	return a.edges
}

// holmesTrigger is a rule of holmes: a value of at least minimum that exceeds limit, or the mean by diff percent,
// unless it is ceiling or more.
type holmesTrigger struct {
	minimum, diff, limit int
	ceiling              int // 0 = none
}

// holmes is matchRule of mosn/holmes: it dumps when a value exceeds an absolute bound, or reaches the mean of the last
// 10 (the present one among them) plus a percentage, all in integers. The parameters are those of the examples in its
// README; those it falls back to (3000 goroutines at least) leave most services unwatched. Memory is in percent of the
// limit, so without a ceiling there is no rule for it; descriptors and other counts it does not watch. It samples every
// 5 s; a recording at a slower rate is taken as it is. The first nine samples of a process are warm-up, and the
// cooldown is a minute.
func holmes(s *series) []int64 {
	var trigger holmesTrigger
	share := false
	switch {
	case s.resource.Name == sampler.Goroutines:
		trigger = holmesTrigger{10, 25, 2000, 10000}
	case s.resource.Name == sampler.Threads:
		trigger = holmesTrigger{10, 25, 70, 0}
	case s.resource.Unit == "bytes" && s.bounded():
		trigger, share = holmesTrigger{30, 25, 80, 0}, true
	default:
		return nil
	}
	const (
		points   = 10
		interval = 5e9
		jitter   = interval / 10
	)
	var (
		a         = alarm{keep: minute}
		ring      [points]int
		n, sum    int
		done      int
		latest    = int64(math.MinInt64 / 2)
		restarted = restarts(s.starts)
	)
	for i, at := range s.times {
		if restarted.at(at) {
			n, sum, ring = 0, 0, [points]int{}
			a.firing = false
		}
		if at-latest < interval-jitter {
			continue
		}
		latest = at
		value := s.values[i]
		if share {
			ceiling := s.ceiling(at, &done)
			if ceiling <= 0 {
				continue
			}
			value = 100 * value / ceiling
		}
		v := int(value)
		sum += v - ring[n%points]
		ring[n%points] = v
		if n++; n < points {
			continue
		}
		mean := sum / points
		a.step(at, v >= trigger.minimum && (trigger.ceiling == 0 || v < trigger.ceiling) &&
			(v > trigger.limit || v >= mean*(100+trigger.diff)/100))
	}
	return a.edges
}

// predictLinear is the Prometheus rule `predict_linear(x[6h], 24*3600) > limit` with `for: 1h`, evaluated every minute:
// the form that the node mixin gives it for filling file systems. It takes what history there is, from two samples on.
func predictLinear(s *series) []int64 {
	if !s.bounded() {
		return nil
	}
	done := 0
	return everyMinute(s, 6*hour, alarm{hold: hour}, func(w *window, at int64) bool {
		l, ok := w.fit(at)
		ceiling := s.ceiling(at, &done)
		return ok && ceiling > 0 && l.value+l.slope*24*3600 > ceiling
	})
}

// deriv is the Prometheus rule `deriv(x[1h]) > 0` with `for: 1h`, evaluated every minute.
func deriv(s *series) []int64 {
	return everyMinute(s, hour, alarm{hold: hour}, func(w *window, at int64) bool {
		l, ok := w.fit(at)
		return ok && l.slope > 0
	})
}

// everyMinute asks a condition on the readings of the last span, once a minute.
func everyMinute(s *series, span int64, a alarm, holds func(w *window, at int64) bool) []int64 {
	w := &window{s: s, span: span}
	for at := s.times[0]; at <= s.last(); at += minute {
		w.to(at)
		a.step(at, holds(w, at))
	}
	return a.edges
}

// coroot is MemoryGrowthPct of coroot's auditor/memory.go and its built-in alert rule, as of August 2026. Every minute
// it looks at the last hour of a container's resident memory; here, of every resource in bytes. Of the 1h at least 80 %
// must be read. It is cut where a value is less than half of the one before, and the longest piece (10 points and a
// third of the hour or more) is fitted by least squares. The slope must be positive, that of the last quarter (15
// minutes and 5 points at least) too and no less than 30 % of it. The line must rise over the hour by 5 % of the limit,
// or 50 MB where none is known, and by more than 10 % of its beginning. That for 15 minutes is an alarm, which is kept
// for 15 minutes.
func coroot(s *series) []int64 {
	if s.resource.Unit != "bytes" {
		return nil
	}
	step := usualStep(s.times)
	points := int(hour / step)
	var x []float64
	done := 0
	return everyMinute(s, hour, alarm{hold: 15 * minute, keep: 15 * minute}, func(w *window, at int64) bool {
		if float64(w.hi-w.lo) < 0.8*float64(points) {
			return false
		}
		lo, hi := longestPiece(s.values, w.lo, w.hi)
		if hi-lo < 10 || hi-lo < points/3 {
			return false
		}
		x = x[:0]
		for _, t := range s.times[lo:hi] {
			x = append(x, float64(t-at)/1e9)
		}
		return corootGrowth(x, s.values[lo:hi], s.ceiling(at, &done)) > 10
	})
}

// usualStep returns the median time between readings.
func usualStep(times []int64) int64 {
	if len(times) < 2 {
		return minute
	}
	steps := make([]int64, len(times)-1)
	for i := range steps {
		steps[i] = times[i+1] - times[i]
	}
	slices.Sort(steps)
	return max(1, steps[len(steps)/2])
}

// longestPiece returns the longest run of values without a fall to less than half, the first of them.
func longestPiece(values []float64, from, to int) (lo, hi int) {
	lo, hi = from, from
	begin := from
	for i := from; i <= to; i++ {
		if i == to || i > from && values[i-1] > 0 && values[i] < values[i-1]*0.5 {
			if i-begin > hi-lo {
				lo, hi = begin, i
			}
			begin = i
		}
	}
	return lo, hi
}

// corootGrowth returns the growth of the line over the hour before now in percent; 0 = none that counts. x is in
// seconds, 0 is now.
func corootGrowth(x, y []float64, ceiling float64) float64 {
	intercept, slope := stat.LinearRegression(x, y, nil, false)
	if !(slope > 0) {
		return 0
	}
	n := len(x)
	tail := n - n/4
	for tail > 0 && x[n-1]-x[tail] < 15*60 {
		tail--
	}
	if n-tail < 5 {
		return 0
	}
	if _, late := stat.LinearRegression(x[tail:], y[tail:], nil, false); !(late > 0 && late >= 0.3*slope) {
		return 0
	}
	begin, end := intercept-3600*slope, intercept
	minimum := 50.0 * mb
	if ceiling > 0 {
		minimum = 0.05 * ceiling
	}
	switch {
	case !(end > 0 && end > begin) || end-begin < minimum:
		return 0
	case begin > 0:
		return (end - begin) / begin * 100
	}
	return (end - begin) / end * 100
}
