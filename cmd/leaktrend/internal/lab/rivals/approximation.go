package rivals

import (
	"fmt"
	"math"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/rules"
	"github.com/mdzesseis/leaktrend/sampler"
)

// approximation does what the rules of package rules do in a Prometheus.
type approximation struct {
	rules.Approximation
	rules.Constants
	step int64
}

// Of returns an approximation of the detector as a rule that can be measured.
func Of(r rules.Approximation) Rule {
	a := newApproximation(r)
	return Rule{
		name: "leaktrend rules",
		source: fmt.Sprintf("what `leaktrend rules` writes for this configuration: minimums of 5m in %d windows of "+
			"%s to %s, no regression, no load",
			len(a.Windows), a.Windows[0].Name, a.Windows[len(a.Windows)-1].Name),
		run: a.run,
	}
}

func newApproximation(r rules.Approximation) approximation {
	c := r.Constants()
	return approximation{r, c, int64(c.Step)}
}

func (a approximation) run(s *series) []int64 {
	var edges []int64
	if a.Config().Adaptive.Enabled {
		edges = a.trend(s)
	}
	if a.Config().AlertOnThreshold {
		edges = append(edges, a.limits(s)...)
	}
	return edges
}

// trend returns the alarms from growth.
func (a approximation) trend(s *series) []int64 {
	al := alarm{hold: int64(a.Hold) * a.step, keep: int64(a.Keep+1) * a.step}
	at, holds := a.growths(s)
	for k := range at {
		al.step(at[k], holds[k])
	}
	return al.edges
}

// climbs returns the instants at which the rules are evaluated, and at which of them some window holds growth.
func (a approximation) growths(s *series) (at []int64, holds []bool) {
	at, floors, means := floorsOf(s, a.step)
	holds = make([]bool, len(at))
	born := bornAt(s, at)
	level := slidingMean(means, a.Baseline())
	ceilings := make([]float64, len(at))
	if s.resource.Name == sampler.OpenFDs {
		done := 0
		for k := range at {
			ceilings[k] = s.ceiling(at[k], &done)
		}
	}
	offset := rules.Offset(s.resource.Name)
	for _, w := range a.Windows {
		n, need := w.Steps(), a.Needs(w)
		var since [5][]float64 // the lowest value since 0 to 4 quarters before the last bucket
		for q := range since {
			since[q] = slidingMin(floors, q*w.Quarter+w.Bucket)
		}
		var seen [][]float64
		for _, back := range a.LookBack {
			seen = append(seen, slidingMax(since[0], back))
		}
		for k := 4 * w.Quarter; k < len(at); k++ {
			age := at[k] - born[k]
			before := level[k-4*w.Quarter]
			if age < int64(n)*a.step || math.IsNaN(since[0][k]) || math.IsNaN(before) {
				continue
			}
			base := since[4][k]
			for i, back := range a.LookBack {
				if age >= int64(n+back+w.Bucket)*a.step && k >= n && !math.IsNaN(seen[i][k-n]) {
					base = max(base, seen[i][k-n])
					break
				}
			}
			rise := since[0][k] - base
			growth := rise / (max(before, 0) + offset)
			old := age >= int64(n+a.Day)*a.step
			enough := growth >= need.Young || old && growth >= need.Old ||
				ceilings[k] > 0 && growth > a.HeadroomGrowth && rise >= a.HeadroomUsed*(ceilings[k]-before)
			first, second := since[2][k]-base, since[0][k]-since[2][k]
			straight := second >= a.Bend*first || growth >= need.BentYoung || old && growth >= need.BentOld
			even := since[3][k]-base >= a.QuarterShare*rise && since[2][k]-since[3][k] >= a.QuarterShare*rise &&
				since[1][k]-since[2][k] >= a.QuarterShare*rise && since[0][k]-since[1][k] >= a.LastShare*rise
			holds[k] = holds[k] || enough && straight && even
		}
	}
	return at, holds
}

// floorsOf returns the lowest value and the mean of each step, which is named by its end; NaN where nothing was read.
func floorsOf(s *series, step int64) (at []int64, floors, means []float64) {
	i := 0
	for t := s.times[0]; t <= s.last(); t += step {
		low, sum, n := math.NaN(), 0., 0
		for ; i < len(s.times) && s.times[i] <= t; i++ {
			if n == 0 || s.values[i] < low {
				low = s.values[i]
			}
			sum += s.values[i]
			n++
		}
		at, floors, means = append(at, t), append(floors, low), append(means, sum/float64(n))
	}
	return at, floors, means
}

// bornAt returns when the process was started that runs at each instant: where that is not known, when it was first
// seen.
func bornAt(s *series, at []int64) []int64 {
	born := make([]int64, len(at))
	latest, next := s.times[0], 0
	for k := range at {
		for ; next < len(s.born) && s.born[next].from <= at[k]; next++ {
			latest = s.born[next].start
		}
		born[k] = latest
	}
	return born
}

// limits returns the alarms from the hard limits.
func (a approximation) limits(s *series) []int64 {
	keep := alarm{keep: int64(a.LimitKeep) + minute}
	var exceeds func(w *window, at int64, now float64) bool
	switch delta := float64(a.Delta(s.resource.Name)); {
	case delta > 0:
		start, next, began := math.NaN(), 0, s.times[0]
		exceeds = func(w *window, at int64, now float64) bool {
			for ; next < len(s.born) && s.born[next].from <= at; next++ {
				began = s.born[next].start
			}
			if math.IsNaN(start) || at-began < int64(a.Settle) {
				sum := 0.
				for _, v := range s.values[w.lo:w.hi] {
					sum += v
				}
				start = sum / float64(w.hi-w.lo)
			}
			return now-start > delta
		}
	case s.resource.Name == sampler.OpenFDs && s.bounded():
		done := 0
		exceeds = func(_ *window, at int64, now float64) bool {
			ceiling := s.ceiling(at, &done)
			return ceiling > 0 && now > a.DescriptorShare*ceiling
		}
	case s.resource.Name == sampler.HeapInuseBytes && a.Config().MemoryThreshold > 0:
		exceeds = func(_ *window, _ int64, now float64) bool { return now > float64(a.Config().MemoryThreshold) }
	default:
		return nil
	}
	return everyMinute(s, a.step, keep, func(w *window, at int64) bool {
		return w.hi > w.lo && exceeds(w, at, s.values[w.hi-1])
	})
}

// slidingMin returns the lowest of the last n values at each place; NaN where there is none.
func slidingMin(values []float64, n int) []float64 {
	low := make([]float64, len(values))
	var rising []int // places of values each of which is the lowest from there on
	for i, v := range values {
		if len(rising) > 0 && rising[0] <= i-n {
			rising = rising[1:]
		}
		if !math.IsNaN(v) {
			for len(rising) > 0 && values[rising[len(rising)-1]] >= v {
				rising = rising[:len(rising)-1]
			}
			rising = append(rising, i)
		}
		low[i] = math.NaN()
		if len(rising) > 0 {
			low[i] = values[rising[0]]
		}
	}
	return low
}

func slidingMax(values []float64, n int) []float64 {
	negative := func(values []float64) []float64 {
		other := make([]float64, len(values))
		for i, v := range values {
			other[i] = -v
		}
		return other
	}
	return negative(slidingMin(negative(values), n))
}

// slidingMean returns the mean of the last n values at each place; NaN where there is none.
func slidingMean(values []float64, n int) []float64 {
	mean := make([]float64, len(values))
	sum, count := 0., 0
	for i := range values {
		if v := values[i]; !math.IsNaN(v) {
			sum, count = sum+v, count+1
		}
		if i >= n && !math.IsNaN(values[i-n]) {
			sum, count = sum-values[i-n], count-1
		}
		if count == 0 {
			sum = 0 // what rounding left of values that are gone
		}
		mean[i] = sum / float64(count)
	}
	return mean
}
