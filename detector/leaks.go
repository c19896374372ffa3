package detector

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// leakOf needs m.mu.
func (m *state) leakOf(resource string) *sites.Leak {
	l := m.leaks[resource]
	if l == nil {
		l = &sites.Leak{}
		m.leaks[resource] = l
	}
	return l
}

// Deliver makes an alert of what the lines of a kind show, where that is news. all is what they have together, ended
// how the line that ended last did.
func (v forEvidence) Deliver(resource string, findings []sites.Finding, all float64, ended engine.Cause) {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	config := m.detector.Config()
	if m.latest.Time.IsZero() || !config.Adaptive.Enabled {
		findings, ended = nil, engine.ConfigChanged
	}
	total := sites.Total{Value: all}
	if t := m.detector.engine.Of(resource); t != nil {
		total = totalOf(t)
	}
	if total.Alerted && m.withheld(resource, findings) {
		total.Alerted = false // what is known hides nothing
	}
	l := m.leakOf(resource)
	before := l.State().First.Site
	e, news := l.Lines(resource, findings, total, m.latest.Time, config.AlertCooldown)
	if !news {
		return
	}
	if e.Status == alerting.Resolved {
		e.Summary = wording.SitesResolved(&e, &before, ended)
	} else {
		e.Summary = wording.SiteSummary(&e, &findings[0].Site, findings[0].Since)
	}
	m.recordEvent(e)
}

// withheld reports whether the alert on a total is not delivered, as its cause is a known one, although lines leak that
// are not.
func (m *state) withheld(resource string, findings []sites.Finding) bool {
	var leaking []alerting.Site
	for i := range findings {
		if !findings[i].GivenBack {
			leaking = append(leaking, findings[i].Site)
		}
	}
	return m.ledger.withholds(resource, leaking)
}

// totalOf returns what the engine knows of the resource of some lines.
func totalOf(t *engine.Series) (total sites.Total) {
	total.Value, _ = t.Latest()
	total.Baseline, _ = t.Level()
	_, total.Alerted = t.Leaks()
	total.Limits = t.Limits()
	return total
}

// merge reports whether an event on a total is delivered: lines of code share its identity while they leak. It needs
// m.mu.
func (m *state) merge(e *alerting.Event) bool {
	return e.Kind != alerting.Trend || m.leakOf(e.Resource).Total(e, func() (line profile.Frame, ok bool) {
		lines := m.lines.Load()
		if lines == nil {
			return profile.Frame{}, false
		}
		return lines.Culprit(e.Resource, e.Since)
	})
}

// overlay shows findings on lines in the verdicts on the totals. It needs m.mu.
func (m *state) overlay(all []Status) []Status {
	for i := range all {
		s := &all[i]
		l := m.leaks[s.Resource.Name]
		if l == nil {
			continue
		}
		s.Leaks += l.Found()
		if l.Fires() && !s.Trend {
			showLines(s, l)
		}
	}
	for _, resource := range []string{sampler.Goroutines, sampler.HeapLiveBytes} {
		l := m.leaks[resource]
		if l == nil || !l.Fires() || m.detector.engine.Of(resource) != nil {
			continue
		}
		// A resource that is known by its profiles alone, as of a process watched from outside.
		r, _ := sampler.Lookup(resource)
		state := l.State()
		s := Status{Resource: r, Judged: true, Leaks: l.Found(), Value: state.Value}
		showLines(&s, l)
		all = append(all, s)
	}
	return all
}

// showLines makes a verdict of what the lines show.
func showLines(s *Status, l *sites.Leak) {
	state := l.State()
	s.State, s.Trend, s.Reason, s.Since = Firing, true, engine.LineLeaks, state.First.Since
	s.Verdict, s.Callable, s.Doubles = Leak, time.Time{}, 0
	s.Severity = max(s.Severity, state.Severity)
	s.SlopePerHour, s.Evidence = state.First.Site.GrowthPerHour, state.First.Evidence
	s.Why = wording.SiteWhy(&state.First.Site)
	if s.Exhaustion == nil {
		s.Exhaustion = state.Exhaustion
	}
}

// leakSeries is one series of the host's gauge leak_detection.
type leakSeries struct {
	resourceType string
	value        float64
}

// leakDetection returns the host's gauge as of the latest sample: the three series that it always has, then those of
// other resources that ever had a finding.
func (m *state) leakDetection() []leakSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []leakSeries{{LeakType(sampler.OpenFDs), 0}, {LeakType(sampler.Goroutines), 0},
		{LeakType(sampler.HeapInuseBytes), 0}}
	note := func(resource string, holds, found bool) {
		name := LeakType(resource)
		i := slices.IndexFunc(all, func(s leakSeries) bool { return s.resourceType == name })
		if i < 0 {
			if !found {
				return
			}
			i, all = len(all), append(all, leakSeries{resourceType: name})
		}
		switch {
		case !holds:
		case hostName(resource) == "memory":
			all[i].value = m.memoryInUse(resource) / (1 << 20)
		default:
			all[i].value = 1
		}
	}
	for _, t := range m.detector.engine.All() {
		l := m.leaks[t.Resource().Name]
		note(t.Resource().Name, t.Fails() || l != nil && l.Fires(), t.Found() > 0 || l != nil && l.Found() > 0)
	}
	for _, resource := range []string{sampler.Goroutines, sampler.HeapLiveBytes} {
		if l := m.leaks[resource]; l != nil && m.detector.engine.Of(resource) == nil {
			note(resource, l.Fires(), l.Found() > 0)
		}
	}
	return all
}

// memoryInUse returns the heap in use, or where that is not read what the resource has. It needs m.mu.
func (m *state) memoryInUse(resource string) float64 {
	for _, name := range []string{sampler.HeapInuseBytes, resource} {
		if v, ok := m.latest.Value(name); ok {
			return v
		}
	}
	if l := m.leaks[resource]; l != nil {
		return l.State().Value
	}
	return 0
}
