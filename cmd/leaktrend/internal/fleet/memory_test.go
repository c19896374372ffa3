package fleet

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"gonum.org/v1/gonum/floats"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// memory is a Server that holds series. It understands the matchers that a scan uses.
type memory struct {
	series []prom.Series
	before []prom.Series            // of the time before the week, at the step of a look back
	fail   func(query string) error // nil = never

	mu      sync.Mutex
	queries []string
	refused int // queries that failed
}

func (m *memory) add(labels string, v []float64) {
	metric := model.Metric{}
	for _, pair := range strings.Split(labels, ",") {
		name, value, _ := strings.Cut(pair, "=")
		metric[model.LabelName(name)] = model.LabelValue(value)
	}
	m.series = append(m.series, prom.Series{Labels: metric, Values: v})
}

var (
	inBraces = regexp.MustCompile(`\{(.*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"`)
)

func selected(from []prom.Series, selectors ...string) (all []prom.Series) {
	for _, s := range from {
		if slices.ContainsFunc(selectors, func(text string) bool { return selects(text, s.Labels) }) {
			all = append(all, s)
		}
	}
	return all
}

func selects(text string, labels model.Metric) bool {
	for _, one := range matcher.FindAllStringSubmatch(inBraces.FindStringSubmatch(text)[1], -1) {
		value, want := string(labels[model.LabelName(one[1])]), strings.ReplaceAll(one[3], `\\`, `\`)
		equal, matches := value == want, func() bool {
			return regexp.MustCompile("^(?:" + want + ")$").MatchString(value)
		}
		if one[2] == "=" && !equal || one[2] == "!=" && equal || one[2] == "=~" && !matches() || one[2] == "!~" &&
			matches() {
			return false
		}
	}
	return true
}

func (m *memory) failing(query string) error {
	if m.fail == nil {
		return nil
	}
	err := m.fail(query)
	if err != nil {
		m.mu.Lock()
		m.refused++
		m.mu.Unlock()
	}
	return err
}

func (m *memory) Range(ctx context.Context, query string, g prom.Grid, _ bool) ([]prom.Series, error) {
	m.mu.Lock()
	m.queries = append(m.queries, query)
	m.mu.Unlock()
	if err := m.failing(query); err != nil {
		return nil, err
	}
	var all []prom.Series
	from := m.series
	if g.Step == lookBackStep {
		from = m.before
	}
	overCores := strings.HasPrefix(query, "sum without (cpu)")
	for _, s := range selected(from, strings.Split(query, " or ")...) {
		labels := s.Labels.Clone()
		if strings.Contains(query, "(") {
			delete(labels, model.MetricNameLabel)
		}
		if overCores {
			delete(labels, "cpu")
			if k := slices.IndexFunc(all, func(sum prom.Series) bool { return sum.Labels.Equal(labels) }); k >= 0 {
				floats.Add(all[k].Values, s.Values)
				continue
			}
		}
		all = append(all, prom.Series{Labels: labels, Values: slices.Clone(s.Values)})
	}
	return all, ctx.Err()
}

func (m *memory) LabelNames(ctx context.Context, matches []string, _, _ time.Time) ([]string, error) {
	if err := m.failing("labels " + strings.Join(matches, " or ")); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	from := m.series
	if len(matches) > 0 {
		from = selected(from, matches...)
	}
	for _, s := range from {
		for name := range s.Labels {
			names[string(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), ctx.Err()
}

func (m *memory) LabelValues(ctx context.Context, label string, matches []string, _, end time.Time) ([]string, error) {
	if err := m.failing("label " + label + " " + strings.Join(matches, " or ")); err != nil {
		return nil, err
	}
	var all []string
	from := m.series
	if !end.After(week.Start) {
		from = m.before
	}
	if len(matches) > 0 {
		from = selected(from, matches...)
	}
	for _, s := range from {
		if v := string(s.Labels[model.LabelName(label)]); v != "" && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all, ctx.Err()
}

func (m *memory) Series(ctx context.Context, labels, matches []string, _, _ time.Time,
	each func(values []string)) error {
	if err := m.failing("series " + matches[0]); err != nil {
		return err
	}
	values := make([]string, len(labels))
	for _, s := range selected(m.series, matches...) {
		for i, label := range labels {
			values[i] = string(s.Labels[model.LabelName(label)])
		}
		each(values)
	}
	return ctx.Err()
}
