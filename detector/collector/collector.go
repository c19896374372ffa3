// Package collector exports what a detector.ResourceMonitor knows as Prometheus metrics:
//
//	prometheus.MustRegister(collector.New(monitor))
//
// Only services that import this package compile the Prometheus client. A scrape reads the monitor's latest verdicts:
// it takes no sample, and holds the monitor's lock for about ten microseconds.
//
// Levels and slopes have one metric for each unit (leaktrend_value, leaktrend_value_bytes, leaktrend_value_seconds), so
// that no metric mixes units. What is not known has no series: a resource without a ceiling has no time of exhaustion.
//
// One monitor to a registry. Two in one process need labels that tell them apart: prometheus.WrapRegistererWith.
package collector

import (
	_ "embed"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
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
	read func() snapshot
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector of a monitor, running or not.
func New(m *detector.ResourceMonitor) *Collector {
	return &Collector{read: func() snapshot { return snapshot{m.Status(), m.Delivery(), m.Checks(), m.LogStats()} }}
}

// snapshot is what one scrape exports.
type snapshot struct {
	status   []detector.Status
	delivery []alerting.SinkStats
	checks   detector.CheckStats
	log      alerting.LogStats
}

// units are the suffixes of the metrics that hold levels, by the unit of the resource.
var units = map[string]string{"": "", "bytes": "_bytes", "seconds": "_seconds"}

// levels are metrics of one meaning, one for each unit.
type levels map[string]*prometheus.Desc

// newLevels makes them. The help text tells which resources of the table have them.
func newLevels(name, per, help string, has func(sampler.Resource) bool) levels {
	all := make(levels)
	for unit, suffix := range units {
		var of []string
		for _, r := range sampler.Resources() {
			if r.Unit == unit && has(r) {
				of = append(of, r.Name+" ("+r.Sentence+")")
			}
		}
		text := help + ", as a count"
		if unit != "" {
			text = help + ", in " + unit
		}
		if per != "" {
			text += " per second"
		}
		if len(of) > 0 {
			text += ": " + strings.Join(of, ", ")
		}
		all[unit] = prometheus.NewDesc("leaktrend_"+name+suffix+per, text+".", []string{"resource"}, nil)
	}
	return all
}

// leveled reports whether a resource has a level to show. A counter has none; the Go and process collectors export
// those.
func leveled(r sampler.Resource) bool { return r.Kind == sampler.Gauge }

// judged reports whether a resource is one that can leak.
func judged(r sampler.Resource) bool { return leveled(r) && !r.Context }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("leaktrend_"+name, help, labels, nil)
}

var (
	value    = newLevels("value", "", "Latest value of a resource", leveled)
	baseline = newLevels("baseline", "", "Moving baseline of a resource, frozen while growth is suspected", judged)
	slope    = newLevels("slope", "_per_second", "Rate of the growth that is found or, without any, of the latest minimums", judged)

	state = desc("state", "Verdict on a resource: 1 for the state that it is in, 0 for the others. "+
		"suspected has the shape of a leak and lacks only the duration; firing is a leak or a hard limit passed.", "resource", "state")
	finding = desc("finding", "1 while a finding holds: trend is growth that never came back, limit a hard limit that was passed "+
		"(also one that is not alerted).", "resource", "kind")
	severity   = desc("severity", "Severity of what holds on a resource: 0 nothing, 1 warning, 2 high, 3 critical.", "resource")
	since      = desc("since_timestamp_seconds", "Unix time at which the growth that is suspected or found began, or a limit was passed.", "resource")
	exhaustion = desc("exhaustion_timestamp_seconds", "Unix time at which a resource that grows reaches what the process dies at, "+
		"at its present rate.", "resource")
	findings = desc("findings_total", "Findings that began.", "resource", "kind")
	memory   = desc("memory_bytes", "Memory that the monitor keeps to judge a resource.", "resource")

	checks       = desc("checks_total", "Checks of the resources.")
	incomplete   = desc("checks_incomplete_total", "Checks in which something could not be read or judged.")
	checkSeconds = desc("check_seconds_total", "Elapsed time that the checks took: read is taking the sample, judge is all that the "+
		"detector made of it.", "phase")
	lastCheck = desc("last_check_timestamp_seconds", "Unix time of the latest sample that was judged; 0 before the first.")
	interval  = desc("check_interval_seconds", "Time between two checks; 0 where the configuration turns them off.")

	sent    = desc("alerts_sent_total", "Alerts delivered.", "sink")
	retried = desc("alerts_retried_total", "Attempts to deliver beyond the first of an alert.", "sink")
	refused = desc("alerts_refused_total", "Attempts to deliver that ended in a final error or a panic.", "sink")
	dropped = desc("alerts_dropped_total", "Alerts that gave way to a later one of their finding, or for which there was no room.", "sink")
	failed  = desc("alerts_failed_total", "Alerts given up, as they were refused and their finding is over.", "sink")
	queued  = desc("alerts_queued", "Alerts that wait or are being sent.", "sink")
	waiting = desc("alerts_waiting", "Alerts that were refused, and are offered again while their findings hold.", "sink")
	failing = desc("sink_failing", "1 while the last attempt to deliver failed.", "sink")
	stuck   = desc("sink_stuck", "1 while a sink does not return although its time is over.", "sink")

	logLines   = desc("log_lines_total", "Log lines of the monitor that are no alerts and that the logger took.")
	logDropped = desc("log_lines_dropped_total", "Log lines for which there was no room while the logger did not return.")
	logStuck   = desc("log_stuck", "1 while the logger does not return.")
	panics     = desc("panics_total", "Panics in what the monitor calls and does not own: checks are the source, the hooks after a check and "+
		"evidence, messages is the logger, and the others are sinks.", "in")
)

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, l := range []levels{value, baseline, slope} {
		for _, d := range l {
			ch <- d
		}
	}
	for _, d := range []*prometheus.Desc{
		state, finding, severity, since, exhaustion, findings, memory, checks, incomplete, checkSeconds, lastCheck, interval,
		sent, retried, refused, dropped, failed, queued, waiting, failing, stuck, logLines, logDropped, logStuck, panics,
	} {
		ch <- d
	}
}

// Collect sends the metrics as of the latest check.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for i := range s.status {
		collectResource(&s.status[i], gauge, count)
	}
	count(checks, float64(s.checks.Checks))
	count(incomplete, float64(s.checks.Incomplete))
	count(checkSeconds, s.checks.Reading.Seconds(), "read")
	count(checkSeconds, s.checks.Judging.Seconds(), "judge")
	gauge(lastCheck, unix(s.checks.Last))
	gauge(interval, s.checks.Interval.Seconds())
	count(logLines, float64(s.log.Written))
	count(logDropped, float64(s.log.Dropped))
	gauge(logStuck, truth(s.log.Stuck))
	count(panics, float64(s.checks.Panics), "checks")
	count(panics, float64(s.log.Panics), "messages")
	for _, d := range s.delivery {
		count(sent, float64(d.Sent), d.Name)
		count(retried, float64(d.Retried), d.Name)
		count(refused, float64(d.Refused), d.Name)
		count(dropped, float64(d.Dropped), d.Name)
		count(failed, float64(d.Failed), d.Name)
		gauge(queued, float64(d.Queued), d.Name)
		gauge(waiting, float64(d.Waiting), d.Name)
		count(panics, float64(d.Panics), d.Name)
		gauge(failing, truth(d.Failing), d.Name)
		gauge(stuck, truth(d.Stuck), d.Name)
	}
}

func collectResource(s *detector.Status, gauge, count func(d *prometheus.Desc, v float64, labels ...string)) {
	// A name read from an endpoint may hold any bytes.
	name := strings.ToValidUTF8(s.Resource.Name, "\uFFFD")
	gauge(memory, float64(s.Memory), name)
	if !leveled(s.Resource) {
		return
	}
	unit := s.Resource.Unit
	gauge(value[unit], s.Value, name)
	if !judged(s.Resource) {
		return
	}
	gauge(baseline[unit], s.Baseline, name)
	gauge(slope[unit], s.SlopePerHour/3600, name)
	for _, other := range []detector.State{detector.Learning, detector.Healthy, detector.Suspected, detector.Firing} {
		gauge(state, truth(s.State == other), name, other.String())
	}
	gauge(finding, truth(s.Trend), name, string(alerting.Trend))
	gauge(finding, truth(s.Limit), name, string(alerting.Limit))
	count(findings, float64(s.Leaks), name, string(alerting.Trend))
	count(findings, float64(s.LimitsPassed), name, string(alerting.Limit))
	level := 0.
	if s.Trend || s.Limit {
		level = 1 + float64(s.Severity)
	}
	gauge(severity, level, name)
	if s.State < detector.Suspected {
		return // what is early has a beginning and an end only if it becomes a leak
	}
	if !s.Since.IsZero() {
		gauge(since, unix(s.Since), name)
	}
	if s.Exhaustion != nil {
		gauge(exhaustion, unix(s.Exhaustion.At), name)
	}
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// unix returns an instant in seconds since 1970; 0 for the zero instant.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
