// Package metric has the one table of what a monitor exports, by Prometheus and by OpenTelemetry, and reads it. It
// compiles the client of neither.
package metric

import (
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Kind says how the values of a metric behave.
type Kind uint8

const (
	// Gauge goes up and down, and adds up to nothing.
	Gauge Kind = iota
	// Sum goes up and down, in whole numbers that add up over resources, sinks and processes.
	Sum
	// Counter only rises while the process lives.
	Counter
)

// Label is a dimension of a metric.
type Label struct {
	Name      string // for Prometheus
	Attribute string // for OpenTelemetry
}

// Metric is a row of the table. Values are in base units: bytes, seconds, counts.
type Metric struct {
	Name       string // for Prometheus, with its unit
	Instrument string // for OpenTelemetry, without
	Unit       string // as UCUM has it: "By", "s", or what is counted as "{alert}"
	Kind       Kind
	Labels     []Label // in the order in which Snapshot.Each passes their values
	Help       string
}

// Integer reports whether all values are whole numbers.
func (m *Metric) Integer() bool { return m.Kind == Sum || m.Kind == Counter && m.Unit != "s" }

// All returns the table.
func All() []*Metric { return append([]*Metric(nil), table...) }

// table is filled by the declarations below.
var table []*Metric

func add(m Metric) *Metric {
	table = append(table, &m)
	return &m
}

var (
	resource = Label{"resource", "leaktrend.resource"}
	inState  = Label{"state", "leaktrend.state"}
	kind     = Label{"kind", "leaktrend.finding.kind"}
	sink     = Label{"sink", "leaktrend.sink"}
	phase    = Label{"phase", "leaktrend.check.phase"}
	origin   = Label{"in", "leaktrend.panic.origin"}
)

// levels are metrics of one meaning, by the unit of the resource: no metric mixes units.
type levels map[string]*Metric

// of returns the metric for a unit: that of counts for one that a source may have and the table has not.
func (l levels) of(unit string) *Metric {
	if m := l[unit]; m != nil {
		return m
	}
	return l[""]
}

// newLevels makes them. The help text tells which resources of the table have them.
func newLevels(name, per, help string, has func(sampler.Resource) bool) levels {
	all := make(levels)
	for _, unit := range []struct{ of, suffix, instrument, ucum, rate string }{
		{"", "", "count", "{item}", "{item}/s"},
		{"bytes", "_bytes", "size", "By", "By/s"},
		{"seconds", "_seconds", "duration", "s", "1"},
	} {
		var of []string
		for _, r := range sampler.Resources() {
			if r.Unit == unit.of && has(r) {
				of = append(of, r.Name+" ("+r.Sentence+")")
			}
		}
		text := help + ", as a count"
		if unit.of != "" {
			text = help + ", in " + unit.of
		}
		ucum := unit.ucum
		if per != "" {
			text += " per second"
			ucum = unit.rate
		}
		if len(of) > 0 {
			text += ": " + strings.Join(of, ", ")
		}
		all[unit.of] = add(Metric{"leaktrend_" + name + unit.suffix + per, "leaktrend." + name + "." + unit.instrument,
			ucum, Gauge, []Label{resource}, text + "."})
	}
	return all
}

// leveled reports whether a resource has a level to show. A counter has none: what exports the runtime and the process
// has those.
func leveled(r sampler.Resource) bool { return r.Kind == sampler.Gauge }

// judged reports whether a resource is one that can leak.
func judged(r sampler.Resource) bool { return leveled(r) && !r.Context }

func row(name, instrument, unit string, k Kind, help string, labels ...Label) *Metric {
	return add(Metric{"leaktrend_" + name, "leaktrend." + instrument, unit, k, labels, help})
}

var (
	value    = newLevels("value", "", "Latest value of a resource", leveled)
	baseline = newLevels("baseline", "", "Moving baseline of a resource, frozen while growth is suspected", judged)
	slope    = newLevels("slope", "_per_second", "Rate of the growth that is found or, without any, of the latest "+
		"minimums", judged)

	state = row("state", "state", "{resource}", Sum, "Verdict on a resource: 1 for the state that it is in, 0 for "+
		"the others. "+
		"suspected has the shape of a leak and lacks only the duration; firing is a leak or a hard limit passed.",
		resource, inState)
	finding = row("finding", "finding.active", "{finding}", Sum, "1 while a finding holds: trend is growth that "+
		"never came back, "+
		"limit a hard limit that was passed (also one that is not alerted).", resource, kind)
	severity = row("severity", "severity", "{level}", Gauge, "Severity of what holds on a resource: 0 nothing, 1 "+
		"warning, 2 high, 3 critical.",
		resource)
	since = row("since_timestamp_seconds", "since_time", "s", Gauge, "Unix time at which the growth that is "+
		"suspected or found began, "+
		"or a limit was passed.", resource)
	exhaustion = row("exhaustion_timestamp_seconds", "exhaustion_time", "s", Gauge,
		"Unix time at which a resource that grows reaches what "+
			"the process dies at, at its present rate.", resource)
	findings = row("findings_total", "finding.begun", "{finding}", Counter, "Findings that began.", resource, kind)
	memory   = row("memory_bytes", "memory.usage", "By", Sum, "Memory that the monitor keeps to judge a resource.",
		resource)

	checks     = row("checks_total", "check.count", "{check}", Counter, "Checks of the resources.")
	incomplete = row("checks_incomplete_total", "check.incomplete", "{check}", Counter,
		"Checks in which something could not be read or judged.")
	checkSeconds = row("check_seconds_total", "check.time", "s", Counter, "Elapsed time that the checks took: read "+
		"is taking the sample, "+
		"judge is all that the detector made of it.", phase)
	lastCheck = row("last_check_timestamp_seconds", "check.last_time", "s", Gauge,
		"Unix time of the latest sample that was judged; 0 before "+
			"the first.")
	interval = row("check_interval_seconds", "check.interval", "s", Gauge, "Time between two checks; 0 where the "+
		"configuration turns them off.")

	sent    = row("alerts_sent_total", "alert.sent", "{alert}", Counter, "Alerts delivered.", sink)
	retried = row("alerts_retried_total", "alert.retried", "{attempt}", Counter,
		"Attempts to deliver beyond the first of an alert.", sink)
	refused = row("alerts_refused_total", "alert.refused", "{attempt}", Counter,
		"Attempts to deliver that ended in a final error or a panic.", sink)
	dropped = row("alerts_dropped_total", "alert.dropped", "{alert}", Counter,
		"Alerts that gave way to a later one of their finding, "+
			"or for which there was no room.", sink)
	failed = row("alerts_failed_total", "alert.failed", "{alert}", Counter, "Alerts given up, as they were refused "+
		"and their finding is over.", sink)
	queued  = row("alerts_queued", "alert.queued", "{alert}", Sum, "Alerts that wait or are being sent.", sink)
	waiting = row("alerts_waiting", "alert.waiting", "{alert}", Sum, "Alerts that were refused, and are offered "+
		"again while their findings hold.",
		sink)
	failing = row("sink_failing", "sink.failing", "{sink}", Sum, "1 while the last attempt to deliver failed.", sink)
	stuck   = row("sink_stuck", "sink.stuck", "{sink}", Sum,
		"1 while a sink does not return although its time is over.", sink)

	logLines = row("log_lines_total", "log.line.written", "{line}", Counter, "Log lines of the monitor that are no "+
		"alerts and that the logger took.")

	logDropped = row("log_lines_dropped_total", "log.line.dropped", "{line}", Counter,
		"Log lines for which there was no room while the logger "+
			"did not return.")
	logStuck = row("log_stuck", "log.stuck", "{logger}", Sum, "1 while the logger does not return.")
	panics   = row("panics_total", "panic.recovered", "{panic}", Counter, "Panics in what the monitor calls and does "+
		"not own: checks are the "+
		"source, the hooks after a check and evidence, messages is the logger, and the others are sinks.", origin)
)
