package gathered

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// identity are the labels that distinguish processes, the general before the special.
var identity = []string{
	"cluster", "node", "host", "hostname", "namespace", "job", "service", "app", "pod", "pod_name", "container",
	"container_name", "instance",
	"process", "process_name", "pid", "id", "name", "image",
}

// metricTable is what promtext knows of metrics by name, with their rank.
var metricTable = func() map[string]rankedMetric {
	table := map[string]rankedMetric{}
	for i, m := range promtext.Metrics() {
		table[m.Name] = rankedMetric{m, i}
	}
	return table
}()

type rankedMetric struct {
	promtext.Metric
	rank int
}

// ResourceOf returns the resource that a metric is a reading of, "" where it is none; known says whether its name is in
// the table of metrics.
func ResourceOf(metric string) (resource string, known bool) {
	m, known := metricTable[metric]
	return m.Resource, known
}

// Unranked is the rank of what is not in the table.
const Unranked = 1 << 20

// Metrics gathers series as the formats around Prometheus hold them.
type Metrics struct {
	*File
	In     *input.Text
	kinds  map[string]string // metric family -> declared type
	labels map[*Process][]promtext.Label
	series map[string]*series
	key    []byte
}

// series is where the values of one metric with one set of labels go.
type series struct {
	to        *Column
	aside     bool
	unlimited bool // an infinite value is one, too
}

// NewMetrics returns what is to take series as those of a format around Prometheus.
func NewMetrics(in *input.Text, format string) *Metrics {
	g := New(in, format)
	g.Values = true
	return &Metrics{File: g, In: in, kinds: map[string]string{}, labels: map[*Process][]promtext.Label{},
		series: map[string]*series{}}
}

// Declare takes a comment line: it may give the type of a metric.
func (m *Metrics) Declare(line []byte) {
	if name, kind, ok := promtext.ParseType(line); ok {
		m.kinds[name] = kind
	}
}

// Add takes one value of a series at a time. It returns false where it gives no reading.
func (m *Metrics) Add(line *promtext.Line, t int64) bool {
	m.Rows++
	m.key = promtext.AppendLabels(append(append(m.key[:0], line.Name...), 0), line.Labels)
	s := m.series[string(m.key)]
	if s == nil {
		if s = m.newSeries(line); s == nil {
			return false
		}
		m.series[string(m.key)] = s
	}
	if s.aside || !Finite(line.Value) && !s.unlimited {
		return false
	}
	if !m.File.Add(m.In, s.to, t, line.Value) {
		return false
	}
	m.Used++
	return true
}

// newSeries returns nil where there are too many.
func (m *Metrics) newSeries(line *promtext.Line) *series {
	if len(m.series) >= 2*m.Bounds.Series {
		m.Left++
		return nil
	}
	name := string(line.Name)
	if why := m.partOf(line); why != "" {
		m.SetAside(scan.Printable(name), why)
		return &series{aside: true}
	}
	var own, others []promtext.Label
	for _, l := range line.Labels {
		l = promtext.Label{Name: bytes.Clone(l.Name), Value: bytes.Clone(l.Value)}
		if slices.Contains(identity, string(l.Name)) {
			own = append(own, l)
		} else {
			others = append(others, l)
		}
	}
	p := m.Process(string(promtext.AppendLabels(nil, own)))
	m.labels[p] = own
	row, known := metricTable[name]
	switch {
	case row.Start || strings.HasSuffix(name, "_start_time_seconds"):
		p.Starts.Sorted = len(p.Starts.Points) == 0
		return &series{to: &p.Starts}
	case len(row.Limits) > 0:
		if len(p.limits) >= m.Bounds.Limits {
			m.Left++
			return &series{aside: true}
		}
		l := &limit{limits: row.Limits, source: row.Source}
		l.Sorted, l.series = true, string(promtext.AppendLabels(nil, others))
		p.limits = append(p.limits, l)
		return &series{to: &l.Column, unlimited: true}
	}
	c := m.Column(p, name, string(promtext.AppendLabels(nil, others)))
	if c == nil {
		return &series{aside: true}
	}
	c.Rank, c.Resource.Name = row.rank, row.Resource
	if !known {
		c.Rank, c.Resource.Name = Unranked, resourceName(name)
	}
	switch m.declared(name) {
	case "gauge":
		c.declared = gauge
	case "counter":
		c.declared = counter
	}
	return &series{to: c}
}

// resourceName makes a name that a recording can hold.
func resourceName(metric string) string {
	if metric == "" {
		return "value"
	}
	return promtext.ResourceName(metric)
}

// declared returns the type of the family that a metric belongs to, "" if none is declared.
func (m *Metrics) declared(name string) string {
	if kind := m.kinds[name]; kind != "" {
		return kind
	}
	for _, suffix := range []string{"_total", "_count", "_sum", "_bucket", "_created", "_info"} {
		if family, ok := strings.CutSuffix(name, suffix); ok && m.kinds[family] != "" {
			return m.kinds[family]
		}
	}
	return ""
}

// partOf returns what a series is a part of that is not an amount by itself.
func (m *Metrics) partOf(line *promtext.Line) string {
	switch m.declared(string(line.Name)) {
	case "histogram", "gaugehistogram":
		return "a histogram"
	case "summary":
		return "a summary"
	case "info", "stateset":
		return "not an amount"
	}
	for _, l := range line.Labels {
		switch string(l.Name) {
		case "le":
			return "a histogram"
		case "quantile":
			return "a summary"
		}
	}
	return ""
}

// Finish names the processes by the labels in which they differ, and finishes what was gathered.
func (m *Metrics) Finish() error {
	m.dropSummaries()
	differ := map[string]bool{}
	for _, p := range m.Processes {
		for _, name := range identity {
			if labelOf(m.labels[p], name) != labelOf(m.labels[m.Processes[0]], name) {
				differ[name] = true
			}
		}
	}
	var by []string
	for _, name := range identity {
		if differ[name] {
			by = append(by, name)
		}
	}
	m.By = strings.Join(by, ", ")
	for _, p := range m.Processes {
		var parts []string
		for _, name := range by {
			if value := labelOf(m.labels[p], name); value != "" {
				parts = append(parts, name+" "+scan.Printable(value))
			}
		}
		if p.Name = strings.Join(parts, ", "); p.Name == "" && m.By != "" {
			p.Name = "without " + m.By
		}
	}
	return m.File.Finish()
}

// dropSummaries sets the counts and sums of summaries and histograms of undeclared type aside: those that come
// together.
func (m *Metrics) dropSummaries() {
	for _, p := range m.Processes {
		names := map[string]bool{}
		for _, c := range p.Columns {
			names[c.header] = true
		}
		p.Columns = slices.DeleteFunc(p.Columns, func(c *Column) bool {
			family, counts := strings.CutSuffix(c.header, "_count")
			if !counts {
				if family, counts = strings.CutSuffix(c.header, "_sum"); !counts {
					return false
				}
			}
			if c.declared != undeclared || !names[family+"_count"] || !names[family+"_sum"] {
				return false
			}
			m.SetAside(scan.Printable(c.header), "a summary")
			return true
		})
	}
}

func labelOf(labels []promtext.Label, name string) string {
	for _, l := range labels {
		if string(l.Name) == name {
			return string(l.Value)
		}
	}
	return ""
}
