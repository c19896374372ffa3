package collector

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// The host's gauge is taken over where it stands, made where it does not, and never another one.
func TestLeakDetection(t *testing.T) {
	hosts := func(help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leak_detection", Help: help}, labels)
	}
	const help = "Resource leak detection metrics"
	for _, test := range []struct {
		name     string
		existing prometheus.Collector
		fault    string
	}{
		{"the host's own", hosts(help, "resource_type", "component"), ""},
		{"none", nil, ""},
		{"another help", hosts("another", "resource_type", "component"), "leak_detection: "},
		{"other labels", hosts(help, "resource"), "leak_detection: "},
		{"no gauge", prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leak_detection", Help: help},
			[]string{"resource_type", "component"}),
			"and it is no gauge with these labels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			if test.existing != nil {
				registry.MustRegister(test.existing)
			}
			config := detector.DefaultConfig()
			config.CheckInterval = 10 * time.Millisecond
			m, err := detector.NewMonitor(config, silent())
			if err != nil {
				t.Fatal(err)
			}
			err = LeakDetection(registry, m)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("error %v, want one with %q", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			defer m.Stop()
			want := "# HELP leak_detection " + help + "\n# TYPE leak_detection gauge\n" +
				`leak_detection{component="resource_monitor",resource_type="fd_leak"} 0` + "\n" +
				`leak_detection{component="resource_monitor",resource_type="goroutine_leak"} 0` + "\n" +
				`leak_detection{component="resource_monitor",resource_type="memory_leak"} 0` + "\n"
			await.True(t, "zeros from the first check on", func() bool { return exposition(t, registry) == want })
		})
	}
}
