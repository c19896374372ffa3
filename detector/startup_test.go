package detector

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// Start logs one line: limits, time scale and what is off.
func TestInForce(t *testing.T) {
	const (
		physical = "a doubling is called after 7h, half of that with a day of history"
		ceilings = "80 % of what the process can have (goroutines, open_fds, heap_inuse_bytes and what has no threshold)"
		rest     = "webhook (alert_webhook_url), captures (stack_trace_on_leak)"
	)
	for _, test := range []struct {
		name                   string
		config                 Config
		limits, timeScale, off string
	}{
		{"default", DefaultConfig(), ceilings, physical, rest},
		{"the host's defaults", ResourceMonitorConfig{}.Config(),
			"goroutines 50 above the start, open_fds 100 above the start, heap_inuse_bytes 100 MB", physical, rest},
		{"all on", with(func(c *Config) {
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold, c.GrowthRateThreshold = 1000, 1000, 500<<20, 50
			c.AlertWebhookURL, c.StackTraceOnLeak, c.Adaptive.Sensitivity = "http://user:secret@h/x", true, 2
		}), "goroutines 1,000 above the start, open_fds 1,000 above the start, heap_inuse_bytes 500 MB, growth of 50 % within one interval",
			"a doubling is called after 3h30m, half of that with a day of history", "nothing"},
		{"soak", with(func(c *Config) {
			c.FDThreshold, c.Adaptive.Soak, c.StackTraceOnLeak, c.ProfileMaxMB = 7, 20*time.Minute, true, 0
		}),
			"open_fds 7 above the start, 80 % of what the process can have (goroutines, heap_inuse_bytes and what has no threshold)",
			"soak, a steady leak is called within 20m", rest},
		{"limits counted alone", with(func(c *Config) {
			c.Adaptive.Enabled, c.AlertOnThreshold, c.AlertWebhookURL, c.StackTraceOnLeak = false, false, "http://h", true
		}), ceilings, "none, limits hold at once", "trends (adaptive.enabled), alerts of limits (alert_on_threshold)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := logrus.Fields{
				"enabled": true, "check_interval": 30 * time.Second, "adaptive": test.config.Adaptive.Enabled,
				"limits": test.limits, "time_scale": test.timeScale, "off": test.off,
			}
			if diff := cmp.Diff(want, inForce(test.config)); diff != "" {
				t.Error(diff)
			}
		})
	}
	disabled := logrus.Fields{"enabled": false, "check_interval": 30 * time.Second, "adaptive": true}
	if diff := cmp.Diff(disabled, inForce(with(func(c *Config) { c.Enabled = false }))); diff != "" {
		t.Error(diff)
	}
}
