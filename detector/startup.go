package detector

import (
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/sampler"
)

// inForce is what the log says of a configuration at the start: its limits, its time scale, and what is off.
func inForce(c Config) logrus.Fields {
	fields := logrus.Fields{"enabled": c.Enabled, "check_interval": c.CheckInterval, "adaptive": c.Adaptive.Enabled}
	if c.Enabled {
		fields["limits"], fields["time_scale"], fields["off"] = limitsOf(c), timeScaleOf(c), strings.Join(turnedOff(c), ", ")
	}
	return fields
}

func limitsOf(c Config) string {
	var limits, ceilings []string
	add := func(resource string, value int64, suffix string) {
		r, _ := sampler.Lookup(resource)
		if value > 0 {
			limits = append(limits, r.Name+" "+r.Format(float64(value))+suffix)
		} else {
			ceilings = append(ceilings, r.Name)
		}
	}
	add(sampler.Goroutines, c.GoroutineThreshold, " above the start")
	add(sampler.OpenFDs, c.FDThreshold, " above the start")
	add(sampler.HeapInuseBytes, c.MemoryThreshold, "")
	if c.GrowthRateThreshold > 0 {
		limits = append(limits, fmt.Sprintf("growth of %g %% within one interval", c.GrowthRateThreshold))
	}
	if len(ceilings) > 0 {
		limits = append(limits, fmt.Sprintf("80 %% of what the process can have (%s and what has no threshold)", strings.Join(ceilings, ", ")))
	}
	return strings.Join(limits, ", ")
}

func timeScaleOf(c Config) string {
	a := c.Adaptive
	switch {
	case !a.Enabled:
		return "none, limits hold at once"
	case a.Soak > 0:
		return "soak, a steady leak is called within " + sampler.ShortDuration(a.Soak)
	}
	doubling := time.Duration(float64(a.Patience) / a.Sensitivity).Round(time.Second)
	return fmt.Sprintf("a doubling is called after %s, half of that with a day of history", sampler.ShortDuration(doubling))
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
		{"captures (stack_trace_on_leak)", c.StackTraceOnLeak && c.ProfileMaxMB > 0},
	} {
		if !feature.on {
			off = append(off, feature.name)
		}
	}
	if len(off) == 0 {
		off = []string{"nothing"}
	}
	return off
}
