package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// InForce is what a configuration has the monitor do, as clauses for people.
type InForce struct {
	Limits    string   // the hard limits, and where none is set what holds by itself
	TimeScale string   // how long growth must be sustained
	Off       []string // what does nothing, by its key
}

// InForce returns what the configuration, which must be valid, has the monitor do. With Enabled false it is empty.
func (c Config) InForce() InForce {
	if !c.Enabled {
		return InForce{}
	}
	return InForce{limitsOf(c), timeScaleOf(c), turnedOff(c)}
}

func limitsOf(c Config) string {
	var limits []string
	add := func(resource string, value int64, suffix string) {
		if value > 0 {
			r, _ := sampler.Lookup(resource)
			limits = append(limits, r.Name+" "+r.Format(float64(value))+suffix)
		}
	}
	add(sampler.Goroutines, c.GoroutineThreshold, " above the start")
	add(sampler.OpenFDs, c.FDThreshold, " above the start")
	add(sampler.HeapInuseBytes, c.MemoryThreshold, "")
	if c.GrowthRateThreshold > 0 {
		limits = append(limits, fmt.Sprintf("growth of %g %% within one interval", c.GrowthRateThreshold))
	}
	of := ""
	if len(limits) > 0 {
		of = "else "
	}
	limits = append(limits, fmt.Sprintf("%s%.0f %% of what the process can have", of, 100*engine.CeilingShare))
	return strings.Join(limits, ", ")
}

func timeScaleOf(c Config) string {
	a := c.Adaptive
	switch {
	case !a.Enabled:
		return "none, limits hold at once"
	case a.Soak > 0:
		return fmt.Sprintf("soak, steady growth by half of a level is called within %s (live heap: if it is "+
			"collected a few times by then)",
			sampler.ShortDuration(a.Soak))
	}
	doubling := time.Duration(float64(a.Patience) / a.Sensitivity)
	return fmt.Sprintf("a leak that doubles a level in %s (with a day of history: in %s) is called soon after, a "+
		"faster one sooner",
		sampler.ShortDuration(doubling.Round(time.Second)), sampler.ShortDuration((doubling / 2).Round(time.Second)))
}

// turnedOff names what does nothing under a configuration, by its key.
func turnedOff(c Config) (off []string) {
	for _, feature := range []struct {
		name string
		on   bool
	}{
		{"trends (adaptive.enabled)", c.Adaptive.Enabled},
		{"alerts of limits (alert_on_threshold)", c.AlertOnThreshold},
		{"webhook (alert_webhook_url)", c.AlertWebhookURL != ""},
		{"captures (stack_trace_on_leak)", c.Captures()},
	} {
		if !feature.on {
			off = append(off, feature.name)
		}
	}
	return off
}
