package promtext

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/merge"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Suffixes of the names of metrics that only rise, or that are parts of a histogram.
var risingSuffixes = []string{"_total", "_count", "_sum", "_bucket", "_created"}

// What is wrong with a value that is left out.
var (
	ErrOrder     = errors.New("not after the value before it in its series: skipped")
	ErrNotFinite = errors.New("value is not finite: not used")
)

// series is one metric with one set of labels.
type series struct {
	Metric
	rank    int    // row in the table of metrics; past its end if it is not there
	labels  string // in canonical form
	leftOut bool
	ceiling []int // indexes into seriesSet.levels
	points  []merge.Point
	// positive means that 0 or less is no reading: see sampler.Resource.
	positive bool
}

// Set gathers series one after the other, as the Prometheus formats hold them, and yields samples in order of
// time.
type Set struct {
	kinds   map[string]string // metric family -> type
	byKey   map[string]*series
	all     []*series
	LeftOut int // series that are not resources: counters and parts of histograms
	// Max bounds how many series without a meaning of their own here are taken, each of which has one value; 0 = none.
	Max int
	// Over counts the resources that were not taken for that.
	Over int
	key  []byte

	queue    merge.Queue[*series]
	Start    time.Time
	levels   []sampler.Ceiling
	ceilings []sampler.Ceiling
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{kinds: map[string]string{}, byKey: map[string]*series{}}
}

// Add appends the value of m at time t to its series.
func (g *Set) Add(m *Line, t int64) error {
	g.key = append(append(g.key[:0], m.Name...), 0)
	g.key = AppendLabels(g.key, m.Labels)
	s := g.byKey[string(g.key)]
	if s == nil {
		s = g.newSeries(m)
		if s.leftOut && g.Max > 0 {
			return nil // not kept, as there may be any number
		}
		if g.Max > 0 && s.rank == len(metrics) && len(g.all) >= g.Max {
			g.Over++
			return nil
		}
		g.byKey[string(g.key)] = s
		if !s.leftOut {
			g.all = append(g.all, s)
		}
	}
	switch n := len(s.points); {
	case s.leftOut:
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0) && len(s.Limits) == 0:
		return ErrNotFinite
	case n > 0 && t <= s.points[n-1].At:
		return ErrOrder
	default:
		s.points = append(s.points, merge.Point{At: t, Value: m.Value})
	}
	return nil
}

func (g *Set) newSeries(m *Line) *series {
	name := string(m.Name)
	s := &series{labels: string(g.key[len(name)+1:]), rank: slices.IndexFunc(metrics, func(row Metric) bool {
		return row.Name == name
	})}
	if s.rank >= 0 {
		s.Metric = metrics[s.rank]
	} else {
		s.rank = len(metrics)
		s.Metric = Metric{Name: name, Resource: ResourceName(name)}
		s.leftOut = g.rises(m)
	}
	if s.leftOut {
		g.LeftOut++
	}
	return s
}

// Declared describes the gauges among the resources whose name alone would mean something else, as
// nodejs_active_handles_total.
func (g *Set) Declared() (all []sampler.Resource) {
	for _, s := range g.all {
		if r, known := sampler.Lookup(s.Resource); !known && r.Unjudged != "" && g.kinds[s.Name] == "gauge" {
			r.Kind, r.Context, r.Unjudged = sampler.Gauge, false, ""
			all = append(all, r)
		}
	}
	return all
}

// ResourceName makes a name that a recording can hold.
func ResourceName(metric string) string {
	switch {
	case metric == "":
		return "value"
	case !scan.Recordable(metric) || redact.Printable(metric) != metric:
		return strconv.Quote(metric)
	}
	return metric
}

// rises reports whether a metric is a counter or a part of a histogram or summary. A declared gauge is a gauge whatever
// its name is; without a declaration the name decides.
func (g *Set) rises(m *Line) bool {
	for _, l := range m.Labels {
		if string(l.Name) == "le" || string(l.Name) == "quantile" {
			return true
		}
	}
	name := string(m.Name)
	kind := g.kinds[name]
	rising := false
	for _, suffix := range risingSuffixes {
		if family, ok := strings.CutSuffix(name, suffix); ok {
			rising = true
			if kind == "" {
				kind = g.kinds[family]
			}
		}
	}
	switch kind {
	case "gauge":
		return false
	case "counter", "histogram", "gaugehistogram", "summary", "info", "stateset":
		return true
	}
	return rising
}

// Finish names the resources once all series are there. Where a metric has several series, now or in multi, the names
// carry the labels; multi learns of such metrics.
func (g *Set) Finish(multi map[string]bool) {
	count := map[string]int{}
	for _, s := range g.all {
		if count[s.Name]++; count[s.Name] > 1 {
			multi[s.Name] = true
		}
	}
	slices.SortStableFunc(g.all, func(a, b *series) int { return a.rank - b.rank })
	// The readings come first, so that the ceilings find them.
	used := map[string]bool{}
	bare := map[string][]*series{}
	for _, s := range g.all {
		if s.Resource == "" {
			continue
		}
		base := s.Resource
		if multi[s.Name] {
			s.Resource += s.labels
		}
		if used[s.Resource] {
			s.points = nil
			continue
		}
		used[s.Resource] = true
		if s.rank < len(metrics) {
			bare[base] = append(bare[base], s)
		}
	}
	for _, s := range g.all {
		for _, resource := range s.Limits {
			for _, name := range limitedNames(s, bare[resource], resource, multi[s.Name]) {
				s.ceiling = append(s.ceiling, len(g.levels))
				g.levels = append(g.levels, sampler.Ceiling{Resource: name, Source: s.Source})
			}
		}
		if s.Start && multi[s.Name] { // several processes: no one start is the sample's
			s.points = nil
		}
		r, _ := sampler.Lookup(s.Resource)
		s.positive = r.Positive
		g.queue.Add(s, s.points)
	}
}

// limitedNames returns the resources that the ceiling series c limits: those of the same process, which has the same
// labels.
func limitedNames(c *series, readings []*series, resource string, several bool) (names []string) {
	for _, r := range readings {
		if r.labels == c.labels || len(readings) == 1 && !several {
			names = append(names, r.Resource)
		}
	}
	if len(readings) == 0 && !several {
		names = append(names, resource)
	}
	return names
}

// Sample yields the next sample, and false when there is none left.
func (g *Set) Sample(s *sampler.Sample) bool {
	for {
		t, ok := g.queue.Next()
		if !ok {
			return false
		}
		s.Reset(time.Unix(0, t).UTC())
		changed := false
		for {
			head, v, ok := g.queue.Pop(t)
			if !ok {
				break
			}
			switch {
			case head.Resource != "":
				if !head.positive || v > 0 { // else an exporter that could not read
					s.Add(head.Resource, v)
				}
			case head.Start:
				g.Start = SteadyStart(g.Start, v)
			default:
				if v < 0 || v >= unlimited {
					v = 0
				}
				for _, i := range head.ceiling {
					changed = changed || g.levels[i].Level != v
					g.levels[i].Level = v
				}
			}
		}
		if changed {
			g.ceilings = nil
			for _, c := range g.levels {
				if c.Level > 0 {
					g.ceilings = append(g.ceilings, c)
				}
			}
		}
		if len(s.Readings) > 0 {
			s.Start, s.Ceilings = g.Start, g.ceilings
			return true
		}
	}
}

// SteadyStart returns the process start that an exporter gives in unix seconds. It is derived from the boot time, which
// the kernel may give a second off after a correction of the clock: so small a change is no restart.
func SteadyStart(before time.Time, seconds float64) time.Time {
	if !(seconds > 0 && seconds < scan.EndOfTime) {
		return before
	}
	start := time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	if !before.IsZero() && start.Sub(before).Abs() <= 2*time.Second {
		return before
	}
	return start
}

// Declare takes a comment line of the text format: it may give the type of a metric.
func (g *Set) Declare(line []byte) {
	if name, kind, ok := ParseType(line); ok {
		g.kinds[name] = kind
	}
}
