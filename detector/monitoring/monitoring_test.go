package monitoring

import (
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector"
)

func silent() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

func TestConfig(t *testing.T) {
	first := detector.ResourceMonitorConfig{AlertCooldown: time.Minute}.Config()
	changed := func(c detector.Config, change func(c *detector.Config)) detector.Config {
		change(&c)
		return c
	}
	all := Config{
		Enabled: true, CheckInterval: 15 * time.Second, GoroutineThreshold: 1000, MemoryThresholdMB: 500,
		FDThreshold:         900,
		GrowthRateThreshold: 50, AlertWebhookURL: "http://am:9093/api/v1/alerts", AlertOnThreshold: true,
	}
	set := func(c *detector.Config) {
		c.CheckInterval, c.GoroutineThreshold, c.MemoryThreshold, c.FDThreshold = 15*time.Second, 1000, 500<<20, 900
		c.GrowthRateThreshold, c.AlertWebhookURL = 50, "http://am:9093/api/v1/alerts"
	}
	for _, test := range []struct {
		name       string
		c          Config
		over, want detector.Config
	}{
		{"all, alone", all, detector.DefaultConfig(), changed(detector.DefaultConfig(), set)},
		{"all, over the first", all, first, changed(first, set)},
		{"nothing set, alone", Config{Enabled: true, AlertOnThreshold: true}, detector.DefaultConfig(),
			detector.DefaultConfig()},
		{"nothing set, over the first", Config{Enabled: true, AlertOnThreshold: true}, first, first},
		{"zero", Config{}, first, changed(first, func(c *detector.Config) {
			c.Enabled, c.AlertOnThreshold = false, false
		})},
		{"more than there is", Config{Enabled: true, AlertOnThreshold: true, MemoryThresholdMB: math.MaxInt64}, first,
			changed(first, func(c *detector.Config) { c.MemoryThreshold = 1 << 60 })},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.c.over(test.over)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The two constructors give one monitor where the host's order and logger say that they belong together.
func TestPairs(t *testing.T) {
	enabled := Config{Enabled: true, AlertOnThreshold: true}
	logger := silent()
	first := func() *detector.ResourceMonitor {
		return detector.NewResourceMonitor(detector.ResourceMonitorConfig{}, logger)
	}
	one := first()
	if NewResourceMonitor(Config{}, logger) == one {
		t.Error("a disabled monitor took the first one")
	}
	if NewResourceMonitor(enabled, silent()) == one {
		t.Error("another logger's monitor was taken")
	}
	if NewResourceMonitor(enabled, logger) != one {
		t.Error("the two constructors gave two monitors")
	}
	if NewResourceMonitor(enabled, logger) == one {
		t.Error("one monitor was taken twice")
	}
	first()
	two := first()
	if NewResourceMonitor(enabled, logger) != two {
		t.Error("not the latest was taken")
	}
	broken := NewResourceMonitor(Config{Enabled: true, CheckInterval: time.Nanosecond, AlertWebhookURL: "ftp://h"},
		logger)
	if err := broken.Start(); err != nil || broken.Stop() != nil {
		t.Error("settings that are not valid keep the host from starting")
	}
	three := first()
	if NewResourceMonitor(Config{Enabled: true, GrowthRateThreshold: math.NaN(), AlertWebhookURL: "ftp://h"},
		logger) != three {
		t.Error("settings that are not valid gave a second monitor")
	}
}

// A disabled monitor starts and stops, and looks at nothing.
func TestDisabled(t *testing.T) {
	m := NewResourceMonitor(Config{}, nil)
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	if checks := m.Checks().Checks; checks != 0 {
		t.Errorf("%d checks", checks)
	}
}
