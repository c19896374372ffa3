package rules

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Approximation is what Prometheus rules can do of the detector under a configuration: the floor ladder with fewer windows and without
// regression. WriteYAML writes the rules, Rule measures them: both come from the same constants, and a test runs one beside the other.
//
// A window has four quarters and a last bucket. Prometheus can take the lowest value since an instant, so the lowest since the start of each
// quarter is the reversed running minimum of the ladder at five points. Windows end now, every 5 minutes, instead of with a bucket.
type Approximation struct {
	config   detector.Config
	patience time.Duration
}

// Approximate returns the approximation of a configuration. The error says what cannot be approximated at all.
func Approximate(c detector.Config) (Approximation, error) {
	if err := c.Validate(); err != nil {
		return Approximation{}, err
	}
	switch {
	case !c.Enabled:
		return Approximation{}, errors.New("enabled is false: there is nothing to approximate")
	case c.Adaptive.Soak > 0:
		return Approximation{}, errors.New("adaptive.soak: rules cannot be scaled to a soak run, which is over before they have seen enough")
	case !c.Adaptive.Enabled && !c.AlertOnThreshold:
		return Approximation{}, errors.New("adaptive.enabled and alert_on_threshold are both false: there is nothing to alert on")
	}
	return Approximation{config: c, patience: time.Duration(float64(c.Adaptive.Patience) / c.Adaptive.Sensitivity)}, nil
}

// span is a window: four quarters and a bucket.
type span struct {
	name            string
	quarter, bucket int // in steps
}

// step is how often the rules are evaluated, and the width of their finest floors.
const step = 5 * minute

// spans are the windows, from two hours to five days. What is between two of them is seen by the longer one, later.
var spans = []span{
	{"2h", 6, 1}, {"4h", 12, 3}, {"8h", 24, 6}, {"16h", 48, 12}, {"32h", 96, 24}, {"64h", 192, 48}, {"128h", 384, 96},
}

func (s span) length() int    { return 4*s.quarter + s.bucket }
func (s span) hours() float64 { return float64(int64(s.length())*step) / float64(hour) }

// The constants of the approximation. Those of the detector are in package trend.
const (
	approxDay    = 288 // steps
	approxPower  = 1.3 // of the growth, as in the detector
	approxMost   = 4   // growth beyond this earns no more patience, as in the detector
	approxShare  = .18 // of the rise in each quarter but the last, as in the detector
	approxLast   = .23 // in the last quarter, as in the detector
	approxBend   = .9  // of the growth of the first half that the second must reach, or be more patient
	approxCosts  = 8   // times as patient, as in the detector
	approxUsed   = .5  // of the headroom at which patience ends, as in the detector
	approxG      = .5  // if the growth is more than this
	approxHold   = 4   // steps that the growth must be seen
	approxKeep   = 72  // steps that the alert stays when it is not
	approxSettle = 10 * minute
	approxShareF = .8 // of the descriptors that the process may have
	approxRelent = 10 // minutes that an alert of a limit stays
)

// lookBack are the lengths of history in which a level counts as seen before, in steps, longest first. A process that is too young for one takes
// the next: Prometheus cannot look back to just its start.
var lookBack = []int{7 * approxDay, approxDay, approxDay / 4}

// need returns the least growth that a window must show when a doubling takes a patience; ok is false where no growth is enough.
func (a Approximation) need(w span, patience time.Duration) (growth float64, ok bool) {
	growth = math.Round(1000*math.Pow(patience.Hours()/w.hours(), 1/approxPower)) / 1000
	return max(growth, a.config.Adaptive.LeastGrowth), growth <= approxMost
}

// needs are the least growths of one window: at any age, with a day of history, and both again for growth that bends down. +Inf = never.
type needs struct{ young, old, bentYoung, bentOld float64 }

func (a Approximation) needs(w span) needs {
	of := func(factor float64) float64 {
		if g, ok := a.need(w, time.Duration(min(float64(a.patience)*factor, math.MaxInt64/2))); ok {
			return g
		}
		return math.Inf(1)
	}
	return needs{of(1), of(.5), of(approxCosts), of(approxCosts * .5)}
}

// baseline is the length over which the level before a window is averaged, in steps: the half-life, up to a week.
func (a Approximation) baseline() int {
	return int(min(max(int64(a.config.Adaptive.HalfLife)/step, 1), 7*approxDay))
}

// metric is a metric of the usual exporters, and the resource that it is.
type metric struct {
	name, resource string
	ceiling        string // metric of what the process may have at most
}

var metrics = []metric{
	{"go_goroutines", sampler.Goroutines, ""},
	{"go_memstats_heap_alloc_bytes", sampler.HeapLiveBytes, ""}, // whose floors are what is live after a collection
	{"process_resident_memory_bytes", sampler.RSSBytes, ""},
	{"process_open_fds", sampler.OpenFDs, "process_max_fds"},
	{"go_threads", sampler.Threads, ""},
}

func offsetOf(resource string) float64 {
	if r, _ := sampler.Lookup(resource); r.Unit == "bytes" {
		return mb
	}
	return 4
}

// deltaOf returns the configured hard limit on growth over the start; 0 = none.
func (a Approximation) deltaOf(resource string) int64 {
	switch resource {
	case sampler.Goroutines:
		return a.config.GoroutineThreshold
	case sampler.OpenFDs:
		return a.config.FDThreshold
	}
	return 0
}

// Rule returns the approximation as a rule that can be measured.
func (a Approximation) Rule() Rule {
	return Rule{
		name: "leaktrend rules",
		source: fmt.Sprintf("what `leaktrend rules` writes for this configuration: floors of 5m in %d windows of %s to %s, no regression, no load",
			len(spans), spans[0].name, spans[len(spans)-1].name),
		run: a.run,
	}
}

func (a Approximation) run(s *series) []int64 {
	var edges []int64
	if a.config.Adaptive.Enabled {
		edges = a.trend(s)
	}
	if a.config.AlertOnThreshold {
		edges = append(edges, a.limits(s)...)
	}
	return edges
}

// trend returns the alarms from growth.
func (a Approximation) trend(s *series) []int64 {
	al := alarm{hold: approxHold * step, keep: (approxKeep + 1) * step}
	at, holds := a.climbs(s)
	for k := range at {
		al.step(at[k], holds[k])
	}
	return al.edges
}

// climbs returns the instants at which the rules are evaluated, and at which of them some window holds growth.
func (a Approximation) climbs(s *series) (at []int64, holds []bool) {
	at, floors, means := floorsOf(s)
	holds = make([]bool, len(at))
	born := bornAt(s, at)
	level := slidingMean(means, a.baseline())
	ceilings := make([]float64, len(at))
	if s.resource.Name == sampler.OpenFDs {
		done := 0
		for k := range at {
			ceilings[k] = s.ceiling(at[k], &done)
		}
	}
	offset := offsetOf(s.resource.Name)
	for _, w := range spans {
		n, need := w.length(), a.needs(w)
		var since [5][]float64 // the lowest value since 0 to 4 quarters before the last bucket
		for q := range since {
			since[q] = slidingMin(floors, q*w.quarter+w.bucket)
		}
		var seen [][]float64
		for _, back := range lookBack {
			seen = append(seen, slidingMax(since[0], back))
		}
		for k := 4 * w.quarter; k < len(at); k++ {
			age := at[k] - born[k]
			before := level[k-4*w.quarter]
			if age < int64(n)*step || math.IsNaN(since[0][k]) || math.IsNaN(before) {
				continue
			}
			base := since[4][k]
			for i, back := range lookBack {
				if age >= int64(n+back+w.bucket)*step && k >= n && !math.IsNaN(seen[i][k-n]) {
					base = max(base, seen[i][k-n])
					break
				}
			}
			rise := since[0][k] - base
			growth := rise / (max(before, 0) + offset)
			old := age >= int64(n+approxDay)*step
			enough := growth >= need.young || old && growth >= need.old ||
				ceilings[k] > 0 && growth > approxG && rise >= approxUsed*(ceilings[k]-before)
			first, second := since[2][k]-base, since[0][k]-since[2][k]
			straight := second >= approxBend*first || growth >= need.bentYoung || old && growth >= need.bentOld
			even := since[3][k]-base >= approxShare*rise && since[2][k]-since[3][k] >= approxShare*rise &&
				since[1][k]-since[2][k] >= approxShare*rise && since[0][k]-since[1][k] >= approxLast*rise
			holds[k] = holds[k] || enough && straight && even
		}
	}
	return at, holds
}

// floorsOf returns the lowest value and the mean of each step, which is named by its end; NaN where nothing was read.
func floorsOf(s *series) (at []int64, floors, means []float64) {
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

// bornAt returns when the process was started that runs at each instant: where that is not known, when it was first seen.
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
func (a Approximation) limits(s *series) []int64 {
	keep := alarm{keep: (approxRelent + 1) * minute}
	var exceeds func(w *window, at int64, now float64) bool
	switch delta := float64(a.deltaOf(s.resource.Name)); {
	case delta > 0:
		start, next, began := math.NaN(), 0, s.times[0]
		exceeds = func(w *window, at int64, now float64) bool {
			for ; next < len(s.born) && s.born[next].from <= at; next++ {
				began = s.born[next].start
			}
			if math.IsNaN(start) || at-began < approxSettle {
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
			return ceiling > 0 && now > approxShareF*ceiling
		}
	case s.resource.Name == sampler.HeapInuseBytes && a.config.MemoryThreshold > 0:
		exceeds = func(_ *window, _ int64, now float64) bool { return now > float64(a.config.MemoryThreshold) }
	default:
		return nil
	}
	return everyMinute(s, step, keep, func(w *window, at int64) bool {
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
