package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the log says at the start, in one line, and check in the terminal.
func TestInForce(t *testing.T) {
	const (
		physical = "a leak that doubles a level in 8h (with a day of history: in 4h) is called soon after, a faster " +
			"one sooner"
		ceilings = "80 % of what the process can have"
	)
	rest := []string{"webhook (alert_webhook_url)", "captures (stack_trace_on_leak)"}
	for _, test := range []struct {
		name              string
		config            Config
		limits, timeScale string
		off               []string
	}{
		{"default", Default(), ceilings, physical, rest},
		{"the first host's defaults", with(func(c *Config) {
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold = 50, 100, 100<<20
		}),
			"goroutines 50 above the start, open_fds 100 above the start, heap_inuse_bytes 100 MB, else 80 % of what " +
				"the process can have", physical, rest},
		{"all on", with(func(c *Config) {
			c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold, c.GrowthRateThreshold = 1000, 1000, 500<<20, 50
			c.AlertWebhookURL, c.StackTraceOnLeak, c.Adaptive.Sensitivity = "http://user:secret@h/x", true, 2
		}), "goroutines 1,000 above the start, open_fds 1,000 above the start, heap_inuse_bytes 500 MB, growth of 50 " +
			"% within one interval, else 80 % of what the process can have",
			"a leak that doubles a level in 4h (with a day of history: in 2h) is called soon after, a faster one " +
				"sooner", nil},
		{"soak", with(func(c *Config) {
			c.FDThreshold, c.Adaptive.Soak, c.StackTraceOnLeak, c.ProfileMaxMB = 7, 20*time.Minute, true, 0
		}),
			"open_fds 7 above the start, else 80 % of what the process can have",
			"soak, steady growth by half of a level is called within 20m (live heap: if it is collected a few times " +
				"by then)", rest},
		{"limits counted alone", with(func(c *Config) {
			c.Adaptive.Enabled, c.AlertOnThreshold, c.AlertWebhookURL, c.StackTraceOnLeak = false, false, "http://h",
				true
		}), ceilings, "none, limits hold at once",
			[]string{"trends (adaptive.enabled)", "alerts of limits (alert_on_threshold)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(InForce{test.limits, test.timeScale, test.off}, test.config.InForce()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(InForce{}, with(func(c *Config) { c.Enabled = false }).InForce()); diff != "" {
		t.Error(diff)
	}
}
