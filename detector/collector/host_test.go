package collector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hostProgram registers the collector beside a gauge of its own, as log_capturer_go does.
const hostProgram = `package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	leakdetection "github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
)

var leakDetection = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "leak_detection", Help: "Leak detection metrics"},
	[]string{"resource_type", "component"})

func main() {
	monitor := leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{}, logrus.New())
	monitor.OnAlert(func(a alerting.Alert) {
		leakDetection.WithLabelValues(leakdetection.LeakType(a.Resource), "resource_monitor").Set(a.Value)
	})
	prometheus.MustRegister(collector.New(monitor))
	http.Handle("/metrics", promhttp.Handler())
}
`

// A host at the lowest version of the Prometheus client compiles with the collector, and stays at that version.
func TestHostKeepsItsClient(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": hostProgram,
		"go.sum":  string(sums),
		"go.mod": "module ssw-logs-capture\n\ngo 1.24.0\n\nrequire (\n\tgithub.com/mdzesseis/leaktrend v0.0.0\n" +
			"\tgithub.com/prometheus/client_golang v1.17.0\n\tgithub.com/sirupsen/logrus v1.9.4\n)\n\n" +
			"replace github.com/mdzesseis/leaktrend => " + filepath.ToSlash(root) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(arguments ...string) string {
		cmd := exec.Command(tool, arguments...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("build", "-o", filepath.Join(dir, "host.exe"), ".")
	if got, want := run("list", "-m", "github.com/prometheus/client_golang"), "github.com/prometheus/client_golang v1.17.0"; got != want {
		t.Errorf("the host is at %s, want %s", got, want)
	}
}
