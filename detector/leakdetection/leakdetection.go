// Package leakdetection stands in for log_capturer_go's package of this name: the host's code compiles with the
// import changed, and nothing else. Like the original it sets the gauge leak_detection of the default registry. A
// service that does without the Prometheus client imports package detector instead.
package leakdetection

import (
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
)

// ResourceMonitor watches the process that it runs in.
type ResourceMonitor = detector.ResourceMonitor

// ResourceMonitorConfig is its configuration. Zero and negative values take the host's defaults.
type ResourceMonitorConfig = detector.ResourceMonitorConfig

// ResourceStats is what the monitor knows of its process, in the host's JSON form.
type ResourceStats = detector.ResourceStats

// NewResourceMonitor returns a monitor as detector.NewResourceMonitor does, which sets leak_detection after every
// check.
func NewResourceMonitor(config ResourceMonitorConfig, logger *logrus.Logger) *ResourceMonitor {
	if logger == nil {
		logger = logrus.StandardLogger()
	}
	m := detector.NewResourceMonitor(config, logger)
	if err := collector.LeakDetection(nil, m); err != nil {
		logger.WithError(err).Error("Resource monitor: leak_detection is not exported")
	}
	return m
}
