package detector

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// siteFinding is growth at lines of code that the total of their resource does not show, or not yet. It shares its identity with the
// finding on the total: one leak is one alert.
type siteFinding struct {
	active    bool
	announced bool    // an alert of this identity fires
	counted   bool    // by the total, too
	value     float64 // what all sites have together
	pace      float64 // of the first site, per hour
	since     time.Time
	severity  alerting.Severity
	why       string                 // of the first site, as a clause
	alerted   map[profile.Frame]bool // sites that were alerted, and whether as proven
	found     int                    // findings since the monitor began that no total had shown
}

// siteFindingOf needs m.mu.
func (m *ResourceMonitor) siteFindingOf(resource string) *siteFinding {
	f := m.bySite[resource]
	if f == nil {
		f = &siteFinding{alerted: make(map[profile.Frame]bool)}
		m.bySite[resource] = f
	}
	return f
}

// Deliver takes what the sites of a kind show: that some leak, that more of them do or that it is proven now, or that none does any more.
func (v forEvidence) Deliver(resource string, findings []sites.Finding, all float64) {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest.Time.IsZero() || !m.detector.Config().Adaptive.Enabled {
		findings = nil
	}
	f := m.siteFindingOf(resource)
	t := m.detector.engine.Of(resource)
	total, totalAlerted := false, false
	if t != nil {
		total, totalAlerted = t.Leaks()
	}
	at := m.latest.Time
	if len(findings) == 0 {
		if f.active && f.announced && !total {
			e := m.siteEvent(resource, alerting.Resolved, at, all)
			e.Severity, e.Since = f.severity, f.since
			e.Summary = wording.SitesResolved(&e)
			m.recordEvent(e)
		}
		*f = siteFinding{alerted: f.alerted, found: f.found}
		clear(f.alerted)
		return
	}
	f.active = true
	news := false
	for i := range findings {
		s := &findings[i].Site
		proven, alerted := f.alerted[evidence.FrameOf(s)]
		news = news || !findings[i].GivenBack && (!alerted || s.Proven && !proven)
	}
	first := &findings[0]
	f.why, f.value, f.pace = wording.SiteWhy(&first.Site), all, first.Site.GrowthPerHour
	if f.since.IsZero() {
		f.since = first.Since
	}
	if !news || total && totalAlerted {
		return // the alert on the total names its sites
	}
	e := m.siteEvent(resource, alerting.Firing, at, all)
	e.Since, e.SlopePerHour, e.Evidence = first.Since, first.Site.GrowthPerHour, first.Evidence
	m.rateSite(&e, t, first)
	config := m.detector.Config()
	last := m.ledger.latestTrend(resource)
	if !f.announced && !last.at.IsZero() && at.Sub(last.at) < config.AlertCooldown && e.Severity <= last.severity {
		return // once the cooldown is over
	}
	if !f.announced {
		f.found++
	}
	f.announced, f.severity = true, max(f.severity, e.Severity)
	for i := range findings {
		if s := &findings[i].Site; !findings[i].GivenBack {
			f.alerted[evidence.FrameOf(s)] = s.Proven
		}
	}
	e.Summary = wording.SiteSummary(&e, &first.Site, first.Since)
	m.recordEvent(e)
}

// siteEvent needs m.mu. all is what the sites have together, for a resource that is not sampled.
func (m *ResourceMonitor) siteEvent(resource string, status alerting.Status, at time.Time, all float64) alerting.Event {
	e := alerting.Event{Time: at, Status: status, Kind: alerting.Trend, Resource: resource, Value: all}
	if t := m.detector.engine.Of(resource); t != nil {
		e.Value, _ = t.Latest()
		e.Baseline, _ = t.Level()
	}
	return e
}

// rateSite rates growth at a site as that of a total is rated: by its share of the limit, and by the time that is left at its pace.
func (m *ResourceMonitor) rateSite(e *alerting.Event, t *engine.Series, f *sites.Finding) {
	if t == nil {
		return
	}
	if limit := t.Threshold(); limit.Value > 0 && !limit.Absolute {
		e.Severity = max(e.Severity, finding.SeverityOfShare(f.Site.GrowthPerHour*e.Time.Sub(f.Since).Hours()/limit.Value))
	}
	value, _ := t.Latest()
	ceiling, rate := t.Ceiling(), f.Site.GrowthPerHour/3600
	left, ok := finding.SecondsLeft(value, rate, ceiling.Level)
	if !ok {
		return
	}
	e.Exhaustion = &alerting.Exhaustion{
		Limit: ceiling.Level, Source: ceiling.Source, At: e.Time.Add(time.Duration(left * 1e9)).Truncate(time.Millisecond),
	}
	e.Severity = max(e.Severity, finding.SeverityOfTime(left, ok))
}

// merge reports whether an event on a total is alerted, and changes the account of the sites that share its identity: while a site leaks on, the
// finding is not over, and growth of the total is no news where the alert that holds has named the line that makes it. It needs m.mu.
func (m *ResourceMonitor) merge(e *alerting.Event) bool {
	if e.Kind != alerting.Trend {
		return true
	}
	f := m.bySite[e.Resource]
	if f == nil || !f.active {
		return true
	}
	before := f.announced
	f.announced = true // the alert on the total is its own too
	if e.Status == alerting.Resolved {
		return false
	}
	if before && !f.counted {
		f.counted = true
		f.found-- // the total counts it now
	}
	if before && e.Severity <= f.severity && m.namesCulprit(e, f) {
		return false
	}
	f.severity = max(f.severity, e.Severity)
	return true
}

// namesCulprit reports whether the line that made the most of a total's growth was alerted. It needs m.mu.
func (m *ResourceMonitor) namesCulprit(e *alerting.Event, f *siteFinding) bool {
	line, ok := m.lines.Culprit(e.Resource, e.Since)
	if !ok {
		return false
	}
	_, alerted := f.alerted[line]
	return alerted
}

// overlay shows findings on sites in the verdicts on the totals. It needs m.mu.
func (m *ResourceMonitor) overlay(all []Status) []Status {
	for i := range all {
		s := &all[i]
		f := m.bySite[s.Resource.Name]
		if f == nil {
			continue
		}
		s.Leaks += f.found
		if f.active && f.announced && !s.Trend {
			s.State, s.Trend, s.Since = Firing, true, f.since
			s.Severity = max(s.Severity, f.severity)
			s.Why = f.why
		}
	}
	for _, i := range []string{sampler.Goroutines, sampler.HeapLiveBytes} {
		f := m.bySite[i]
		if f == nil || !f.active || !f.announced || m.detector.engine.Of(i) != nil {
			continue
		}
		// A resource that is known by its profiles alone, as of a process watched from outside.
		r, _ := sampler.Lookup(i)
		all = append(all, Status{
			Resource: r, State: Firing, Trend: true, Severity: f.severity, Since: f.since, Why: f.why, Judged: true, Leaks: f.found,
			Value: f.value, SlopePerHour: f.pace,
		})
	}
	return all
}
