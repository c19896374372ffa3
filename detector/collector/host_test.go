package collector_test

import (
	"path/filepath"
	"testing"

	"github.com/mdzesseis/leaktrend/detector/internal/hosttest"
)

// hostProgram registers the collector beside a gauge of its own, as log_capturer_go does.
const hostProgram = `package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	leakdetection "github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
)

var _ = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "leak_detection", Help: "Resource leak detection metrics"},
	[]string{"resource_type", "component"})

func main() {
	monitor := leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{}, logrus.New())
	if err := collector.LeakDetection(nil, monitor); err != nil {
		panic(err)
	}
	prometheus.MustRegister(collector.New(monitor))
	http.Handle("/metrics", promhttp.Handler())
}
`

// A host at the lowest version of the Prometheus client compiles with the collector, and stays at that version.
func TestHostKeepsItsClient(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	host := hosttest.New(t, filepath.Join("..", ".."), hostProgram)
	host.Go(t, "build", "-o", "host.exe", ".")
	if got, want := host.Go(t, "list", "-m", "github.com/prometheus/client_golang"),
		"github.com/prometheus/client_golang v1.17.0"; got != want {
		t.Errorf("the host is at %s, want %s", got, want)
	}
}
