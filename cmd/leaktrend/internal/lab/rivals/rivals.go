// Package rivals holds the well-known rules for finding leaks, each as published, to measure them on the same
// recordings as the detector. Those that a user would otherwise write stand beside it in every report of tune, the
// others in that of TestField.
//
// Each looks at the series that the detector judges, at those of them that it is made for. Where a rule needs the limit
// of a resource it takes the ceiling in the recording, and cannot fire without. All times are those of the samples.
//
// A published rule brings its own way to begin and to end an alarm. The bare statistics bring none: tested once a
// minute, they would flicker. Their alarm ends when the condition has not held for a whole window, so that no two
// alarms rest on the same samples, which is in their favour.
package rivals

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Rule is one rule as an evaluate.Method. It is safe for concurrent use.
type Rule struct {
	name, source string
	run          func(s *series) []int64
}

var _ evaluate.Method = Rule{}

// Name returns a short name for tables.
func (r Rule) Name() string { return r.name }

// Source returns where the rule was published, and with which parameters it is run.
func (r Rule) Source() string { return r.source }

// Run returns the alarms of the rule, in order of time.
func (r Rule) Run(rec *dataset.Recording) []evaluate.Firing {
	var firings []evaluate.Firing
	for _, judged := range rec.Judged() {
		s := newSeries(rec, judged)
		if len(s.times) == 0 {
			continue
		}
		for _, at := range r.run(s) {
			firings = append(firings, evaluate.Firing{Resource: judged.Resource, At: at})
		}
	}
	slices.SortStableFunc(firings, func(a, b evaluate.Firing) int { return cmp.Compare(a.At, b.At) })
	return firings
}

// Usual returns the rules that a user would otherwise write or run, in the order in which tables show them.
func Usual() []Rule {
	return []Rule{
		{"fixed delta", "log_capturer_go pkg/leakdetection, its defaults: start value + 50 goroutines, + 100 " +
			"descriptors, + 100 MB", fixedDelta},
		{"holmes", "mosn/holmes matchRule: mean of the last 10; goroutines 10 +25% 2000 max 10000, memory 30% +25% " +
			"80%, threads 10 +25% 70", holmes},
		{"coroot", "coroot auditor/memory.go, 2026: 1h OLS and its tail, > 10 %/h for 15m, bytes only", coroot},
		{"predict_linear", "Prometheus predict_linear(x[6h], 24h) > limit for 1h, as in the node mixin's " +
			"NodeFilesystemSpaceFillingUp", predictLinear},
		{"deriv", "Prometheus deriv(x[1h]) > 0 for 1h", deriv},
	}
}

// All returns the usual rules, then those of the literature.
func All() []Rule {
	return append(Usual(), []Rule{
		{"Mann-Kendall", "Mann 1945, Kendall 1975: 6h, two-sided p < .01, corrected for ties and continuity",
			mannKendall},
		{"OLS t-test", "textbook t test of the slope: 6h, two-sided p < .001", olsTest},
		{"OLS on minimums", "rule of thumb without a publication: hourly minimums over 24h, R2 > .8 and + 20 %",
			olsFloors},
		{"LBR", "Jindal et al. 2021, arXiv:2106.08938, and ansjin/memory_leak_detection: R2 >= .8, 100 % within 7d, " +
			"windows from 5h", backwardRegression},
		{"CUSUM", "Page 1954: k = .5, h = 50 on means of a minute, in control for the first 60", cusum},
	}...)
}

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
	day    = 24 * hour
)

// series is what a rule sees of one resource.
type series struct {
	resource sampler.Resource
	times    []int64 // of the readings, unix nanoseconds
	values   []float64
	starts   []int64 // when the process was started anew
	born     []birth // in order
	ceilings []level // in order
}

// level is a ceiling from an instant on; 0 = none.
type level struct {
	from  int64
	value float64
}

// birth is the start of the process that runs from an instant on.
type birth struct{ from, start int64 }

func newSeries(rec *dataset.Recording, judged *dataset.Series) *series {
	s := &series{
		times:  make([]int64, 0, len(rec.Times)),
		values: make([]float64, 0, len(rec.Times)),
	}
	s.resource, _ = sampler.Lookup(judged.Resource)
	for i, v := range judged.Values {
		if !math.IsNaN(v) {
			s.times, s.values = append(s.times, rec.Times[i]), append(s.values, v)
		}
	}
	for _, m := range rec.Starts {
		s.born = append(s.born, birth{rec.Times[m.From], m.Value.UnixNano()})
	}
	for i := 1; i < len(rec.Starts); i++ {
		if rec.Starts[i].Value.After(rec.Starts[i-1].Value) {
			s.starts = append(s.starts, rec.Times[rec.Starts[i].From])
		}
	}
	for _, m := range rec.Ceilings {
		l := level{from: rec.Times[m.From]}
		for _, c := range m.Value {
			if c.Resource == judged.Resource {
				l.value = c.Level
				break
			}
		}
		s.ceilings = append(s.ceilings, l)
	}
	return s
}

func (s *series) last() int64 { return s.times[len(s.times)-1] }

// bounded reports whether the series has a ceiling at any time.
func (s *series) bounded() bool {
	return slices.ContainsFunc(s.ceilings, func(l level) bool { return l.value > 0 })
}

// ceiling returns the ceiling at an instant; 0 = none. Instants must not go back: done counts the levels that are over.
func (s *series) ceiling(at int64, done *int) float64 {
	for *done+1 < len(s.ceilings) && s.ceilings[*done+1].from <= at {
		*done++
	}
	if len(s.ceilings) == 0 || s.ceilings[*done].from > at {
		return 0
	}
	return s.ceilings[*done].value
}

// restarts follows the restarts of the process: at reports whether there was one since the instant before.
type restarts []int64

func (r *restarts) at(now int64) bool {
	seen := false
	for len(*r) > 0 && (*r)[0] <= now {
		seen, *r = true, (*r)[1:]
	}
	return seen
}

// alarm turns a condition into alarms: it begins when the condition has held for hold, and ends when it has not held
// for keep.
type alarm struct {
	hold, keep int64

	pending, firing bool
	since, held     int64
	edges           []int64
}

func (a *alarm) step(at int64, holds bool) {
	if !holds {
		a.pending = false
		if at-a.held >= a.keep {
			a.firing = false
		}
		return
	}
	if !a.pending {
		a.pending, a.since = true, at
	}
	a.held = at
	if !a.firing && at-a.since >= a.hold {
		a.firing = true
		a.edges = append(a.edges, at)
	}
}
