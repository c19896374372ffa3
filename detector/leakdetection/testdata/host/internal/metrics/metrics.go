// Package metrics holds the host's metrics.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// LeakDetection is the gauge of the host's dashboard.
var LeakDetection = prometheus.NewGaugeVec(
	prometheus.GaugeOpts{
		Name: "leak_detection",
		Help: "Resource leak detection metrics",
	},
	[]string{"resource_type", "component"},
)

// Register registers it, as the host does: a second registration is ignored.
func Register() {
	defer func() { _ = recover() }()
	prometheus.MustRegister(LeakDetection)
}

// EnhancedMetrics records metrics.
type EnhancedMetrics struct{}

// RecordLeakDetection sets the gauge.
func (em *EnhancedMetrics) RecordLeakDetection(resourceType, component string, count float64) {
	LeakDetection.WithLabelValues(resourceType, component).Set(count)
}

// Panel returns what the panel of the dashboard asks for, by resource_type.
func Panel() map[string]float64 {
	panel := map[string]float64{}
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		panic(err)
	}
	for _, family := range families {
		if family.GetName() != "leak_detection" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "resource_type" {
					panel[l.GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
	}
	return panel
}
