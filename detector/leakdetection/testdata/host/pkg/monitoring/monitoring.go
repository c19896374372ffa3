// Package monitoring has the API of the host's second monitor. It watches nothing.
package monitoring

import (
	"time"

	"github.com/sirupsen/logrus"
)

// ResourceMonitor is the second monitor.
type ResourceMonitor struct{}

// Config is its configuration.
type Config struct {
	Enabled             bool
	CheckInterval       time.Duration
	GoroutineThreshold  int
	MemoryThresholdMB   int64
	FDThreshold         int
	GrowthRateThreshold float64
	AlertWebhookURL     string
	AlertOnThreshold    bool
}

// NewResourceMonitor returns a monitor.
func NewResourceMonitor(Config, *logrus.Logger) *ResourceMonitor { return &ResourceMonitor{} }

// Start does nothing.
func (*ResourceMonitor) Start() error { return nil }

// Stop does nothing.
func (*ResourceMonitor) Stop() error { return nil }

// GetMetrics returns nothing.
func (*ResourceMonitor) GetMetrics() struct{} { return struct{}{} }
