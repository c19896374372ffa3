package engine

import (
	"slices"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// CeilingShare is the share of what the process dies at that is a hard limit where no threshold is set.
const CeilingShare = .8

// A limit that was passed holds until the growth is back below this share of it, for two samples: no flapping at the
// edge.
const (
	clearShare = .9
	clearAfter = 2
)

// outlasts is how long growth within one interval must not be given back where the trend is judged too: every burst
// grows as much at once.
const outlasts = 2 * trend.FinestWidth

// Threshold is a configured hard limit.
type Threshold struct {
	Key      string  // in the configuration
	Value    float64 // in the unit of the resource; 0 = off
	Absolute bool    // a level, not growth over the starting baseline
}

// memoryResources are those that the memory threshold may be compared with, the best one that is read: heap in use as
// documented; of another process the live heap, which is no more than that, or what it all takes.
var memoryResources = [...]string{sampler.HeapInuseBytes, sampler.HeapLiveBytes, sampler.RSSBytes}

// limitMemory has the memory threshold compared with the best of the resources that were ever read for that.
func limitMemory(e *Engine, s *sampler.Sample, at int64) {
	if e.config.MemoryThreshold == 0 || e.memory == 0 {
		return
	}
	best := e.memory
	for i, name := range memoryResources[:best] {
		if slices.ContainsFunc(s.Readings, func(r sampler.Reading) bool { return r.Resource == name }) {
			best = i
			break
		}
	}
	if best == e.memory {
		return
	}
	e.memory = best
	for _, name := range memoryResources {
		if series := e.byName[name]; series != nil {
			series.setThreshold(e, at)
		}
	}
}

func thresholdOf(e *Engine, resource string) Threshold {
	c := &e.config
	switch {
	case resource == sampler.Goroutines:
		return Threshold{Key: "goroutine_threshold", Value: float64(c.GoroutineThreshold)}
	case resource == sampler.OpenFDs:
		return Threshold{Key: "fd_threshold", Value: float64(c.FDThreshold)}
	case e.memory < len(memoryResources) && resource == memoryResources[e.memory]:
		return Threshold{Key: "memory_threshold_mb", Value: float64(c.MemoryThreshold), Absolute: true}
	}
	return Threshold{}
}

// setThreshold takes the threshold that is in force, and ends a finding of the one before that is not passed any more.
func (s *Series) setThreshold(e *Engine, at int64) {
	threshold := thresholdOf(e, s.resource.Name)
	if threshold == s.threshold {
		return
	}
	s.threshold, s.pending = threshold, jump{}
	if !s.levelLimit().over {
		s.resolveLimit(e, at, LimitChanged)
	}
}

// level returns the value beyond which the limit is passed.
func (l Threshold) level(start float64) float64 {
	if l.Absolute {
		return l.Value
	}
	return start + l.Value
}

// limit is the limit finding of a series.
type limit struct {
	active   bool
	since    int64
	severity alerting.Severity
	level    float64 // that was passed
	calm     int8    // samples in a row in which the condition did not hold
	notice   finding.Notice
}

// passed is a hard limit that a value is beyond or close to.
type passed struct {
	which    Cause
	over     bool // beyond it
	still    bool // not clearly below it
	severity alerting.Severity
	level    float64
}

// checkLimits moves the limit finding on. It holds from the first sample beyond any limit until two in a row are
// clearly below all. closed says that a bucket closed, which changes the rate.
func (s *Series) checkLimits(e *Engine, at int64, closed bool) {
	f := &s.limit
	if !f.active && s.threshold.Value <= 0 && s.ceiling.Level <= 0 && e.config.GrowthRateThreshold <= 0 {
		return
	}
	p, since := s.levelLimit(), at
	if e.config.GrowthRateThreshold > 0 && !s.standsIn(e) {
		if rate, from := s.growthAtOnce(e, at); !p.over {
			rate.still = rate.still || p.still
			p, since = rate, from
		}
	}
	switch {
	case p.over:
		f.calm = 0
		if !f.active {
			f.active, f.since = true, since
			s.found[kindIndex(alerting.Limit)]++
		}
	case f.active && p.still:
		f.calm = 0
	case f.active:
		if f.calm++; f.calm >= clearAfter {
			s.resolveLimit(e, at, BelowLimit)
		}
	}
	if !f.active || !p.over {
		return
	}
	f.level = p.level
	if _, settled := s.Start(); !settled && p.which == OverThreshold && !s.threshold.Absolute {
		p.severity = alerting.Warning // above what is not settled yet: once, and not rated
	}
	f.severity = max(f.severity, p.severity)
	if closed || !f.notice.Alerted {
		f.severity = max(f.severity, s.urgency())
	}
	if !e.config.AlertOnThreshold || !f.notice.Due(&s.cooldown[kindIndex(alerting.Limit)], at, f.severity,
		e.config.AlertCooldown) {
		return
	}
	d := s.limitDecision(at, alerting.Firing, p.which)
	d.Severity, d.Exhaustion = f.severity, s.exhaustion(at)
	e.decisions = append(e.decisions, d)
}

// resolveLimit ends the limit finding, and says so if it had been alerted.
func (s *Series) resolveLimit(e *Engine, at int64, why Cause) {
	if d, alerted := s.endOfLimit(at, why); alerted {
		e.decisions = append(e.decisions, d)
	}
	s.limit = limit{}
}

// endOfLimit returns the decision that ends the limit finding; ok is false where it was not alerted.
func (s *Series) endOfLimit(at int64, why Cause) (d Decision, ok bool) {
	if !s.limit.notice.Alerted {
		return Decision{}, false
	}
	d = s.limitDecision(at, alerting.Resolved, why)
	d.Severity = s.limit.notice.Severity
	return d, true
}

func (s *Series) limitDecision(at int64, status alerting.Status, why Cause) Decision {
	d := s.decision(at, alerting.Limit, status, why)
	d.Since, d.Threshold = finding.Instant(s.limit.since), s.limit.level
	d.Before, d.Beyond = s.jumped.before, s.jumped.beyond
	return d
}

// levelLimit compares the value with its threshold or, where none is set, with its ceiling.
func (s *Series) levelLimit() passed {
	start, _ := s.Start()
	if limit := s.threshold; limit.Value > 0 {
		level := limit.level(start)
		return passed{
			which: OverThreshold, level: level,
			over:     s.value > level,
			still:    s.value > level-(1-clearShare)*limit.Value,
			severity: finding.SeverityOfShare((s.value - start) / limit.Value),
		}
	}
	if s.ceiling.Level <= 0 {
		return passed{}
	}
	p := passed{which: NearCeiling, level: CeilingShare * s.ceiling.Level}
	p.over, p.still = s.value > p.level, s.value > clearShare*p.level
	if s.value >= s.ceiling.Level {
		p.severity = alerting.Critical
	}
	return p
}

// jump is growth within one interval that may be a burst.
type jump struct {
	at             int64 // 0 = none
	limit          passed
	before, beyond float64 // the readings between which it grew
}

// growthAtOnce returns growth within one interval that is beyond its limit, and when that was. Where the trend is
// judged, it is what has outlasted a burst, is no start-up, and is more than a few units over next to nothing.
func (s *Series) growthAtOnce(e *Engine, at int64) (p passed, since int64) {
	limit := e.config.GrowthRateThreshold
	if s.fresh {
		p = s.rateLimit(limit)
	}
	s.jumped = jump{}
	if p.over {
		s.jumped = jump{at, p, s.previous, s.value}
	}
	if !e.config.Adaptive.Enabled {
		s.pending = jump{}
		return p, at
	}
	_, settled, _ := s.start.Level()
	news := p.over && settled && s.value > s.previous+limit/100*(s.previous+s.offsetNow())
	p.over = false
	if s.value <= s.pending.limit.level {
		s.pending = jump{} // it was given back
	}
	switch {
	case s.pending.at == 0 && news:
		s.pending = s.jumped
	case s.pending.at != 0 && at-s.pending.at >= int64(finding.Stretch(outlasts, e.scale)):
		s.jumped, s.pending = s.pending, jump{}
		return s.jumped.limit, s.jumped.at
	}
	return p, at
}

// rateLimit compares the growth since the sample before with a limit in percent. Growth from nothing has no percentage.
func (s *Series) rateLimit(limit float64) passed {
	if s.previous <= 0 {
		return passed{}
	}
	level := s.previous * (1 + limit/100)
	return passed{
		which: GrewAtOnce, level: level,
		over:     s.value > level,
		still:    s.value > s.previous*(1+clearShare*limit/100),
		severity: finding.SeverityOfShare((s.value - s.previous) / s.previous * 100 / limit),
	}
}
