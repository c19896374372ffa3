// Package collector exports the verdicts of a detector.ResourceMonitor as Prometheus metrics:
//
//	prometheus.MustRegister(collector.New(monitor))
//
// Only services that import this package compile the Prometheus client. A scrape reads the monitor's latest
// verdicts. It takes no sample, and holds the monitor's lock for about ten microseconds.
//
// Levels and slopes have one metric for each unit (leaktrend_value, leaktrend_value_bytes, leaktrend_value_seconds),
// so that no metric mixes units. Unknown values have no series: a resource without a ceiling has no time of
// exhaustion.
//
// A registry takes one monitor. Two monitors in one process need labels that tell them apart:
// prometheus.WrapRegistererWith.
package collector

import (
	_ "embed"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
)

// Rules are alerting rules for a Prometheus that scrapes the Collector: findings, a monitor that went blind, and alerts
// that do not arrive.
//
//go:embed leaktrend.rules.yaml
var Rules string

// Dashboard is a Grafana dashboard of the same metrics.
//
//go:embed dashboard.json
var Dashboard string

// Collector is a prometheus.Collector of one monitor. It is safe for concurrent use.
type Collector struct {
	read func() metric.Snapshot
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector of a monitor, running or not.
func New(m *detector.ResourceMonitor) *Collector {
	return &Collector{read: func() metric.Snapshot { return metric.Of(m) }}
}

// described is a metric as the client knows it.
type described struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

var all = describe()

func describe() map[*metric.Metric]described {
	all := make(map[*metric.Metric]described)
	for _, m := range metric.All() {
		var labels []string
		for _, l := range m.Labels {
			labels = append(labels, l.Name)
		}
		d := described{prometheus.NewDesc(m.Name, m.Help, labels, nil), prometheus.GaugeValue}
		if m.Kind == metric.Counter {
			d.kind = prometheus.CounterValue
		}
		all[m] = d
	}
	return all
}

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d.desc
	}
}

// Collect sends the metrics as of the latest check.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	s.Each(func(m *metric.Metric, value float64, labels ...string) {
		d := all[m]
		ch <- prometheus.MustNewConstMetric(d.desc, d.kind, value, labels...)
	})
}
