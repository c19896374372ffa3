package metric

import (
	"fmt"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
)

// Snapshot is what a monitor knew at one time.
type Snapshot struct {
	Status   []detector.Status
	Delivery []alerting.SinkStats
	Checks   detector.CheckStats
	Log      alerting.LogStats
}

// Of returns what a monitor knows, running or not. It takes no sample, and holds the monitor's lock for about ten
// microseconds.
func Of(m *detector.ResourceMonitor) Snapshot {
	return Snapshot{m.Status(), m.Delivery(), m.Checks(), m.LogStats()}
}

// Each calls yield with every value that is known, and with the values of the metric's labels. What is not known has no
// value: a resource without a ceiling has no time of exhaustion. All text is valid UTF-8.
func (s *Snapshot) Each(yield func(m *Metric, value float64, labels ...string)) {
	var names uniqueNames
	for i := range s.Status {
		eachOfResource(&s.Status[i], names.of(s.Status[i].Resource.Name), yield)
	}
	yield(checks, float64(s.Checks.Checks))
	yield(incomplete, float64(s.Checks.Incomplete))
	yield(checkSeconds, s.Checks.Reading.Seconds(), "read")
	yield(checkSeconds, s.Checks.Judging.Seconds(), "judge")
	yield(lastCheck, unix(s.Checks.Last))
	yield(interval, s.Checks.Interval.Seconds())
	yield(logLines, float64(s.Log.Written))
	yield(logDropped, float64(s.Log.Dropped))
	yield(logStuck, truth(s.Log.Stuck))
	yield(panics, float64(s.Checks.Panics), "checks")
	yield(panics, float64(s.Log.Panics), "messages")
	for _, d := range s.Delivery {
		yield(sent, float64(d.Sent), d.Name)
		yield(retried, float64(d.Retried), d.Name)
		yield(refused, float64(d.Refused), d.Name)
		yield(dropped, float64(d.Dropped), d.Name)
		yield(failed, float64(d.Failed), d.Name)
		yield(queued, float64(d.Queued), d.Name)
		yield(waiting, float64(d.Waiting), d.Name)
		yield(panics, float64(d.Panics), d.Name)
		yield(failing, truth(d.Failing), d.Name)
		yield(stuck, truth(d.Stuck), d.Name)
	}
}

// uniqueNames makes names of resources valid UTF-8 and keeps them apart.
type uniqueNames map[string]bool

// of returns what stands for a name, which may hold any bytes where it was read from an endpoint: with a number behind
// it where another one differs from it in bytes alone that are none of a character.
func (u *uniqueNames) of(name string) string {
	valid := strings.ToValidUTF8(name, replacement)
	if !strings.Contains(valid, replacement) {
		return valid
	}
	if *u == nil {
		*u = make(uniqueNames)
	}
	unique := valid
	for n := 2; (*u)[unique]; n++ {
		unique = fmt.Sprintf("%s (%d)", valid, n)
	}
	(*u)[unique] = true
	return unique
}

const replacement = "\uFFFD"

func eachOfResource(s *detector.Status, name string, yield func(m *Metric, value float64, labels ...string)) {
	yield(memory, float64(s.Memory), name)
	if !leveled(s.Resource) {
		return
	}
	unit := s.Resource.Unit
	yield(value.of(unit), s.Value, name)
	if !judged(s.Resource) {
		return
	}
	yield(baseline.of(unit), s.Baseline, name)
	yield(slope.of(unit), s.SlopePerHour/3600, name)
	for _, other := range []detector.State{detector.Learning, detector.Healthy, detector.Suspected, detector.Firing} {
		yield(state, truth(s.State == other), name, other.String())
	}
	yield(finding, truth(s.Trend), name, string(alerting.Trend))
	yield(finding, truth(s.Limit), name, string(alerting.Limit))
	yield(findings, float64(s.Leaks), name, string(alerting.Trend))
	yield(findings, float64(s.LimitsPassed), name, string(alerting.Limit))
	level := 0.
	if s.Trend || s.Limit {
		level = 1 + float64(s.Severity)
	}
	yield(severity, level, name)
	if s.State < detector.Suspected {
		return // what is early has a beginning and an end only if it becomes a leak
	}
	if !s.Since.IsZero() {
		yield(since, unix(s.Since), name)
	}
	if s.Exhaustion != nil {
		yield(exhaustion, unix(s.Exhaustion.At), name)
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
