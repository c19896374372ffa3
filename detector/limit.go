package detector

import (
	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// The hard limits of a resource. They are checked on every sample, beside the trend.
const (
	overThreshold = iota // a configured threshold
	nearCeiling          // without one, ceilingShare of what the process dies at
	growthRate           // percent of growth within one interval
)

const (
	ceilingShare = .8
	// A limit that was passed holds until the growth is back below this share of it, for two samples: no flapping at the edge.
	clearShare = .9
	clearAfter = 2
)

// threshold is a configured hard limit.
type threshold struct {
	key      string  // in the configuration
	value    float64 // in the unit of the resource; 0 = off
	absolute bool    // a level, not growth over the starting baseline
}

func thresholdOf(c Config, resource string) threshold {
	switch resource {
	case sampler.Goroutines:
		return threshold{key: "goroutine_threshold", value: float64(c.GoroutineThreshold)}
	case sampler.OpenFDs:
		return threshold{key: "fd_threshold", value: float64(c.FDThreshold)}
	case sampler.HeapInuseBytes:
		return threshold{key: "memory_threshold_mb", value: float64(c.MemoryThreshold), absolute: true}
	}
	return threshold{}
}

// level returns the value beyond which the limit is passed.
func (l threshold) level(start float64) float64 {
	if l.absolute {
		return l.value
	}
	return start + l.value
}

// passed is a hard limit that a value is beyond or close to.
type passed struct {
	which    int
	over     bool // beyond it
	still    bool // not clearly below it
	severity alerting.Severity
	level    float64
}

// checkLimits moves the limit finding on. It holds from the first sample beyond any limit until two in a row are clearly below all.
// closed says that a bucket closed, which changes the pace.
func (t *tracker) checkLimits(d *Detector, at int64, closed bool) {
	if !t.limit.active && t.threshold.value <= 0 && t.ceiling.Level <= 0 && d.config.GrowthRateThreshold <= 0 {
		return
	}
	p := t.levelLimit()
	if !p.over && d.config.GrowthRateThreshold > 0 && t.fresh && !t.standsIn(d) {
		rate := t.rateLimit(d.config.GrowthRateThreshold)
		rate.still = rate.still || p.still
		p = rate
	}
	f := &t.limit
	switch {
	case p.over:
		f.calm = 0
		if !f.active {
			f.active, f.since = true, at
			t.found[kindIndex(alerting.Limit)]++
		}
	case f.active && p.still:
		f.calm = 0
	case f.active:
		if f.calm++; f.calm >= clearAfter {
			t.resolve(d, at, alerting.Limit, f, "below the limit again")
		}
	}
	if !f.active || !p.over {
		return
	}
	f.level = p.level
	f.severity = max(f.severity, p.severity)
	if closed || !f.announced {
		f.severity = max(f.severity, t.urgency())
	}
	if !t.tell(d, at, alerting.Limit, f) {
		return
	}
	e := t.event(at, alerting.Limit, alerting.Firing, f)
	e.Summary = t.limitSummary(&e, p.which)
	d.events = append(d.events, e)
}

// levelLimit compares the value with its threshold or, where none is set, with its ceiling.
func (t *tracker) levelLimit() passed {
	start, _, _ := t.start.Level()
	if limit := t.threshold; limit.value > 0 {
		level := limit.level(start)
		return passed{
			which: overThreshold, level: level,
			over:     t.value > level,
			still:    t.value > level-(1-clearShare)*limit.value,
			severity: severityOfShare((t.value - start) / limit.value),
		}
	}
	if t.ceiling.Level <= 0 {
		return passed{}
	}
	p := passed{which: nearCeiling, level: ceilingShare * t.ceiling.Level}
	p.over, p.still = t.value > p.level, t.value > clearShare*p.level
	if t.value >= t.ceiling.Level {
		p.severity = alerting.Critical
	}
	return p
}

// rateLimit compares the growth since the sample before with a limit in percent. Growth from nothing has no percentage.
func (t *tracker) rateLimit(limit float64) passed {
	if t.previous <= 0 {
		return passed{}
	}
	level := t.previous * (1 + limit/100)
	return passed{
		which: growthRate, level: level,
		over:     t.value > level,
		still:    t.value > t.previous*(1+clearShare*limit/100),
		severity: severityOfShare((t.value - t.previous) / t.previous * 100 / limit),
	}
}
