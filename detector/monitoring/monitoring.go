// Package monitoring stands in for log_capturer_go's package of this name, its second monitor: the host's code
// compiles with the import changed. Both of its monitors are then one, which samples once and reports each leak
// once.
package monitoring

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/pair"
)

// Config is the configuration of the host's second monitor.
type Config struct {
	Enabled            bool          `yaml:"enabled"`             // run at all
	CheckInterval      time.Duration `yaml:"check_interval"`      // default 30s
	GoroutineThreshold int           `yaml:"goroutine_threshold"` // goroutines above the start; 0 = off
	MemoryThresholdMB  int64         `yaml:"memory_threshold_mb"` // heap in use in MB of 1024*1024 bytes; 0 = off
	FDThreshold        int           `yaml:"fd_threshold"`        // descriptors above the start; 0 = off
	// percent within one interval, once it outlasted a burst of 10m; 0 = off
	GrowthRateThreshold float64 `yaml:"growth_rate_threshold"`
	AlertWebhookURL     string  `yaml:"alert_webhook_url"` // http or https; empty = none
	// false: hard limits are counted and shown but not alerted
	AlertOnThreshold bool `yaml:"alert_on_threshold"`
}

// ResourceMonitor is the one monitor.
type ResourceMonitor = detector.ResourceMonitor

// Metrics are the resources at the latest sample, as GetMetrics returns them.
type Metrics = detector.ResourceMetrics

// Alert is what GetAlertChannel delivers.
type Alert = alerting.Alert

// NewResourceMonitor returns the monitor that detector.NewResourceMonitor made last with this logger, with what the
// configuration sets beyond its own, or else a monitor of its own. Both constructors' monitor may be started and
// stopped twice. With Enabled false it is one of its own, which watches nothing.
//
// A setting that is not valid is logged and replaced by its default.
func NewResourceMonitor(config Config, logger *logrus.Logger) *ResourceMonitor {
	if logger == nil {
		logger = logrus.StandardLogger()
	}
	if config.Enabled {
		if first, ok := pair.Take(logger); ok {
			m, held := first.Monitor().(*ResourceMonitor)
			given, known := first.Given.(detector.Config)
			if held && m != nil && known {
				config.join(m, given, logger)
				return m
			}
		}
	}
	full, err := config.over(detector.DefaultConfig()), error(nil)
	if err = full.Validate(); err != nil {
		replaced(logger, err)
		full = full.Repaired()
	}
	m, err := detector.NewMonitor(full, logger)
	if err != nil { // of a webhook that passes the check and cannot be made
		replaced(logger, err)
		full.AlertWebhookURL = ""
		m, _ = detector.NewMonitor(full, logger)
	}
	return m
}

// join puts the settings on the monitor that the first constructor made.
func (c Config) join(m *ResourceMonitor, given detector.Config, logger *logrus.Logger) {
	full := c.over(given)
	err := full.Validate()
	if err != nil {
		replaced(logger, err)
		full = full.Repaired()
	}
	if err := m.Reload(full); err != nil {
		replaced(logger, err)
	}
}

// replaced logs without any harm from a logger that blocks or panics.
func replaced(logger *logrus.Logger, err error) {
	log := alerting.NewDispatcher(logger)
	log.Logger().WithError(err).Error("Resource monitor: settings that are not valid are replaced by their defaults")
	_ = log.FlushLog() // what is left is written by the time that the logger returns
}

// over returns full with what c sets.
func (c Config) over(full detector.Config) detector.Config {
	full.Enabled, full.AlertOnThreshold = c.Enabled, c.AlertOnThreshold
	if c.CheckInterval > 0 {
		full.CheckInterval = c.CheckInterval
	}
	if c.GoroutineThreshold > 0 {
		full.GoroutineThreshold = int64(c.GoroutineThreshold)
	}
	if c.FDThreshold > 0 {
		full.FDThreshold = int64(c.FDThreshold)
	}
	if mb := min(c.MemoryThresholdMB, 1<<40); mb > 0 {
		full.MemoryThreshold = mb << 20
	}
	if c.GrowthRateThreshold > 0 {
		full.GrowthRateThreshold = c.GrowthRateThreshold
	}
	if c.AlertWebhookURL != "" {
		full.AlertWebhookURL = c.AlertWebhookURL
	}
	return full
}
