// Package otlp reads the metrics of OpenTelemetry in JSON, as the file exporter of its collector writes them.
package otlp

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
)

const format = "JSON of OpenTelemetry (OTLP)"

// Is reports whether a JSON text holds metrics of OpenTelemetry.
func Is(line *jsonwalk.Outline) bool { return !line.List && line.Keys["resourceMetrics"] }

// The parts of OTLP that are read.
type (
	resource struct {
		Resource struct {
			Attributes []attribute `json:"attributes"`
		} `json:"resource"`
		ScopeMetrics                  []scope `json:"scopeMetrics"`
		InstrumentationLibraryMetrics []scope `json:"instrumentationLibraryMetrics"` // before version 0.16
	}
	scope struct {
		Metrics []metric `json:"metrics"`
	}
	metric struct {
		Name  string `json:"name"`
		Unit  string `json:"unit"`
		Gauge *data  `json:"gauge"`
		Sum   *data  `json:"sum"`
	}
	data struct {
		DataPoints             []point         `json:"dataPoints"`
		IsMonotonic            bool            `json:"isMonotonic"`
		AggregationTemporality json.RawMessage `json:"aggregationTemporality"`
	}
	point struct {
		Attributes   []attribute     `json:"attributes"`
		TimeUnixNano json.RawMessage `json:"timeUnixNano"`
		StartNano    json.RawMessage `json:"startTimeUnixNano"`
		AsInt        json.RawMessage `json:"asInt"`
		AsDouble     json.RawMessage `json:"asDouble"`
		Flags        int             `json:"flags"` // 1: no value was recorded
	}
	attribute struct {
		Key   string                     `json:"key"`
		Value map[string]json.RawMessage `json:"value"`
	}
)

// identity are attributes of resources that distinguish processes, and the labels that they are here; others say the
// same of each, or what the telemetry was made with.
var identity = map[string]string{
	"k8s.cluster.name": "cluster", "k8s.node.name": "node", "host.name": "host", "k8s.namespace.name": "namespace",
	"service.name": "service", "k8s.pod.name": "pod", "container.name": "container", "k8s.container.name": "container",
	"service.instance.id": "instance", "process.pid": "pid", "process.executable.name": "process",
}

// Read reads metrics of OpenTelemetry, one message a line or in all. Gauges and sums are read; a sum that only
// rises is a counter.
func Read(t *input.Text) (*gathered.File, error) {
	m := gathered.NewMetrics(t, format)
	r := jsonwalk.New(t)
	var err error
	for err == nil && t.Stopped == "" && r.More() {
		err = r.Object(func(key string) error {
			if key != "resourceMetrics" {
				return r.Skip()
			}
			return r.List(func() error {
				var one resource
				if err := r.Decode(&one); err != nil {
					return err
				}
				takeResource(m, &one, r.Here())
				return nil
			})
		})
	}
	if err := r.Failed(err); err != nil && (m.Rows == 0 || t.Ctx.Err() != nil) {
		return nil, err
	} else if err != nil {
		m.Fault(r.Here(), "%w", err)
	}
	return m.File, m.Finish()
}

func takeResource(m *gathered.Metrics, one *resource, line int) {
	var own []promtext.Label
	for _, a := range one.Resource.Attributes {
		if name := identity[a.Key]; name != "" {
			own = append(own, promtext.Label{Name: []byte(name), Value: []byte(a.text())})
		}
	}
	starts := map[int64]int64{}
	for _, s := range append(one.ScopeMetrics, one.InstrumentationLibraryMetrics...) {
		for i := range s.Metrics {
			takeMetric(m, &s.Metrics[i], own, starts, line)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(starts)) {
		m.Rows-- // it is no value of the file
		start := promtext.Line{Name: []byte("process_start_time_seconds"), Labels: own,
			Value: float64(starts[at]) / 1e9}
		if m.Add(&start, at) {
			m.Used--
		}
	}
}

// takeMetric takes the points of a gauge or a sum. The earliest time at which a sum of a moment began is when the
// process did.
func takeMetric(m *gathered.Metrics, from *metric, own []promtext.Label, starts map[int64]int64, line int) {
	points, kind := from.Gauge, "gauge"
	if points == nil {
		if points = from.Sum; points == nil {
			m.SetAside(scan.Printable(from.Name), "a histogram or a summary")
			return
		}
		if points.IsMonotonic {
			kind = "counter"
		} else if isDelta(points.AggregationTemporality) {
			m.SetAside(scan.Printable(from.Name), "changes, not amounts: export it with cumulative temporality")
			return
		}
	}
	name := nameOf(from, kind)
	m.Declare([]byte("# TYPE " + name + " " + kind))
	for _, p := range points.DataPoints {
		if p.Flags&1 != 0 {
			continue
		}
		labels := own
		for _, a := range p.Attributes {
			labels = append(labels[:len(labels):len(labels)],
				promtext.Label{Name: []byte(promtext.ResourceName(a.Key)), Value: []byte(a.text())})
		}
		value, err := p.value()
		at, form := scan.Instant(unquoted(p.TimeUnixNano), scan.MonthFirst)
		stamp, ok := gathered.Nanos(at)
		if err != nil || form == scan.NoTime || !ok {
			m.Rows++
			m.Fault(line, "%s: a point without a time and a number: skipped", scan.Printable(from.Name))
			continue
		}
		if start, form := scan.Instant(unquoted(p.StartNano), scan.MonthFirst); form != scan.NoTime &&
			from.Sum != nil {
			if began, known := starts[stamp]; !known || start.UnixNano() < began {
				starts[stamp] = start.UnixNano()
			}
		}
		m.Add(&promtext.Line{Name: []byte(name), Labels: labels, Value: value}, stamp)
	}
}

// isDelta reports whether points hold what has changed since the last one.
func isDelta(temporality json.RawMessage) bool {
	text := unquoted(temporality)
	return text == "1" || strings.HasSuffix(text, "_DELTA")
}

// nameOf is the name of a metric as Prometheus has it.
func nameOf(of *metric, kind string) string {
	name := strings.NewReplacer(".", "_", "-", "_", "/", "_").Replace(of.Name)
	switch of.Unit {
	case "By":
		name = strings.TrimSuffix(name, "_bytes") + "_bytes"
	case "s":
		name = strings.TrimSuffix(name, "_seconds") + "_seconds"
	}
	if kind == "counter" {
		name = strings.TrimSuffix(name, "_total") + "_total"
	}
	return name
}

func (p *point) value() (float64, error) {
	text := unquoted(p.AsInt)
	if text == "" {
		text = unquoted(p.AsDouble)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && math.IsInf(v, 0) {
		err = strconv.ErrRange
	}
	return v, err
}

// text is the value of an attribute.
func (a *attribute) text() string {
	for _, value := range a.Value { // there is one
		return unquoted(value)
	}
	return ""
}

func unquoted(raw json.RawMessage) string { return string(bytes.Trim(raw, `"`)) }
