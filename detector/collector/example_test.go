package collector_test

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
)

func ExampleNew() {
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logrus.New())
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer, as promhttp.Handler shows it
	registry.MustRegister(collector.New(monitor))
	metrics, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, m := range metrics {
		if m.GetName() == "leaktrend_check_interval_seconds" {
			fmt.Println(m.GetName(), m.Metric[0].GetGauge().GetValue())
		}
	}
	// Output: leaktrend_check_interval_seconds 30
}

// The first host has registered its gauge, which the monitor sets after every check.
func ExampleLeakDetection() {
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logrus.New())
	if err != nil {
		panic(err)
	}
	gauge := prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "leak_detection", Help: "Resource leak detection metrics"},
		[]string{"resource_type", "component"},
	)
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauge)
	fmt.Println(collector.LeakDetection(registry, monitor))
	// Output: <nil>
}
