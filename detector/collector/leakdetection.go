package collector

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mdzesseis/leaktrend/detector"
)

// LeakDetection has the monitor set log_capturer_go's gauge leak_detection, by resource_type and component, after every
// check: see detector.ResourceMonitor.OnLeakDetection, whose function it is. Where the host has registered the gauge,
// that one is set; else it is registered. No registerer means the default one. The error tells of another metric with
// this name.
func LeakDetection(r prometheus.Registerer, m *detector.ResourceMonitor) error {
	if r == nil {
		r = prometheus.DefaultRegisterer
	}
	gauge := prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "leak_detection", Help: "Resource leak detection metrics"}, // as the host has it
		[]string{"resource_type", "component"},
	)
	if err := r.Register(gauge); err != nil {
		var already prometheus.AlreadyRegisteredError
		if !errors.As(err, &already) {
			return fmt.Errorf("leak_detection: %w", err)
		}
		existing, ok := already.ExistingCollector.(*prometheus.GaugeVec)
		if !ok {
			return fmt.Errorf("leak_detection: %w, and it is no gauge with these labels", err)
		}
		gauge = existing
	}
	m.OnLeakDetection(func(resourceType, component string, value float64) {
		gauge.WithLabelValues(resourceType, component).Set(value)
	})
	return nil
}
