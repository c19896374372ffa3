package sites

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// Leak is one leak of a resource, whatever shows it: lines of code that grow below a total that hides them, the total,
// or both. It decides what is news of it, and when it is over. Its lines are rated, cooled down and alerted as totals
// are. The zero value is one of which nothing is known. It is not safe for concurrent use.
type Leak struct {
	active   bool // lines leak
	first    Finding
	value    float64 // of the resource
	severity alerting.Severity
	exhaust  *alerting.Exhaustion
	notice   finding.Notice // of the one identity that lines and total share
	cooldown finding.Cooldown
	byTotal  bool                   // alerts on the total are part of it
	named    map[profile.Frame]bool // lines that were alerted, and whether as proven
	found    int
}

// Total is what is known of the resource as a whole, in its unit. Of one that is not sampled it is what all lines have
// together.
type Total struct {
	Value, Baseline float64
	Alerted         bool // whether growth of the total is found and alerted
	Limits          finding.Limits
}

// FrameOf returns where a site is.
func FrameOf(s *alerting.Site) profile.Frame {
	return profile.Frame{Function: s.Function, File: s.File, Line: s.Line}
}

// Lines takes what Tracker.Findings returns for a resource at an instant. ok is whether that is an alert: that lines
// leak, that more of them do, that it is proven now, that it has become more urgent, or that none does any more. Its
// Summary is empty.
func (l *Leak) Lines(resource string, findings []Finding, total Total, at time.Time,
	cooldown time.Duration) (e alerting.Event, ok bool) {
	e = alerting.Event{Time: at, Kind: alerting.Trend, Resource: resource, Value: total.Value, Baseline: total.Baseline}
	if len(findings) == 0 {
		ended := *l
		*l = Leak{cooldown: l.cooldown, found: l.found}
		e.Status, e.Severity, e.Since = alerting.Resolved, ended.notice.Severity, ended.first.Since
		return e, ended.active && ended.notice.Alerted && !total.Alerted
	}
	l.active, l.first, l.value = true, findings[0], total.Value
	grows, news := l.rate(findings, &total)
	l.exhaust = total.Limits.Exhaustion(at, total.Value, fastest(findings))
	if !grows || total.Alerted {
		return e, false // an alert on the total names its lines
	}
	alerted := l.notice.Alerted
	if !l.notice.Due(&l.cooldown, at.UnixNano(), l.severity, cooldown) {
		if !alerted || !news {
			return e, false
		}
		l.cooldown.Start(at.UnixNano(), l.severity)
	}
	if !alerted {
		l.found++
	}
	l.name(findings)
	e.Status, e.Severity, e.Since, e.SlopePerHour = alerting.Firing, l.severity, l.first.Since,
		l.first.Site.GrowthPerHour
	e.Exhaustion, e.Evidence = l.exhaust, l.first.Evidence
	return e, true
}

// rate rates the lines as a total is rated. grows is whether any of them has not given its growth back, news whether
// one of these was not named yet, or not as proven.
func (l *Leak) rate(findings []Finding, total *Total) (grows, news bool) {
	for i := range findings {
		f := &findings[i]
		if f.GivenBack {
			continue
		}
		l.severity = max(l.severity, total.Limits.Rate(f.Growth, total.Value, f.Site.GrowthPerHour/3600))
		proven, named := l.named[FrameOf(&f.Site)]
		grows, news = true, news || !named || f.Site.Proven && !proven
	}
	return grows, news
}

// fastest returns the slope of the line that grows fastest: behind a proven one it need not be the first.
func fastest(findings []Finding) (slope finding.Slope) {
	for i := range findings {
		f := &findings[i]
		if i > 0 && (f.GivenBack || f.Site.GrowthPerHour/3600 <= slope.Rate) {
			continue
		}
		slope = finding.Slope{Rate: f.Site.GrowthPerHour / 3600}
		if f.Evidence != nil {
			slope.T = f.Evidence.T
		}
	}
	return slope
}

func (l *Leak) name(findings []Finding) {
	if l.named == nil {
		l.named = make(map[profile.Frame]bool)
	}
	for i := range findings {
		if s := &findings[i].Site; !findings[i].GivenBack {
			l.named[FrameOf(s)] = s.Proven
		}
	}
}

// Total takes an alert on the total and reports whether it is news: while lines leak on, the leak is not over, and
// growth of the total is no news where the alert that holds has named the line that makes most of it, which culprit
// returns.
func (l *Leak) Total(e *alerting.Event, culprit func() (profile.Frame, bool)) bool {
	if !l.active {
		if e.Status == alerting.Firing {
			l.cooldown.Start(e.Time.UnixNano(), e.Severity)
		}
		return true
	}
	shared := l.notice.Alerted
	l.notice.Alerted = true
	if e.Status == alerting.Resolved {
		l.byTotal = false
		return false
	}
	if shared && !l.byTotal {
		l.found-- // it is counted with those of the total
	}
	l.byTotal = true
	if shared && e.Severity <= l.notice.Severity && l.names(culprit) {
		return false
	}
	l.notice.Severity = max(l.notice.Severity, e.Severity)
	l.cooldown.Start(e.Time.UnixNano(), e.Severity)
	return true
}

func (l *Leak) names(culprit func() (profile.Frame, bool)) bool {
	frame, ok := culprit()
	if !ok {
		return false
	}
	_, named := l.named[frame]
	return named
}

// Active reports whether lines leak, alerted or not.
func (l *Leak) Active() bool { return l.active }

// Fires reports whether lines leak of which an alert holds, be it that of the total.
func (l *Leak) Fires() bool { return l.active && l.notice.Alerted }

// Found returns how many leaks lines have shown that no total had.
func (l *Leak) Found() int { return l.found }

// State is what holds of a leak whose lines fire.
type State struct {
	First      Finding // the line that grows fastest
	Value      float64 // of the resource
	Severity   alerting.Severity
	Exhaustion *alerting.Exhaustion
}

// State returns what holds at the latest profile.
func (l *Leak) State() State {
	return State{First: l.first, Value: l.value, Severity: l.severity, Exhaustion: l.exhaust}
}
