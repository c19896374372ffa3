//go:build go1.25

package monitoring_test

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
	"github.com/mdzesseis/leaktrend/detector/leakdetection"
	"github.com/mdzesseis/leaktrend/detector/monitoring"
)

// shipped is the host's configuration, as it comes with it.
var shipped = filepath.Join("..", "config", "testdata", "host-config.yaml")

// variants are the ways for the host to switch over. Each returns the monitors that it starts.
var variants = []struct {
	name string
	make func(t *testing.T, logger *logrus.Logger) []*detector.ResourceMonitor
}{
	{"import alone", func(_ *testing.T, logger *logrus.Logger) []*detector.ResourceMonitor {
		return []*detector.ResourceMonitor{firstMonitor(logger)}
	}},
	{"both monitors", func(_ *testing.T, logger *logrus.Logger) []*detector.ResourceMonitor {
		return []*detector.ResourceMonitor{firstMonitor(logger), secondMonitor(logger)}
	}},
	{"LoadConfig", func(t *testing.T, logger *logrus.Logger) []*detector.ResourceMonitor {
		config, _, err := detector.LoadConfig(shipped)
		if err != nil {
			t.Fatal(err)
		}
		config.ProfileDir = t.TempDir()
		m, err := detector.NewMonitor(config, logger)
		if err != nil {
			t.Fatal(err)
		}
		if err := collector.LeakDetection(nil, m); err != nil {
			t.Fatal(err)
		}
		return []*detector.ResourceMonitor{m}
	}},
}

// firstMonitor and secondMonitor give the values of the shipped file to the constructors, as the host does.
func firstMonitor(logger *logrus.Logger) *detector.ResourceMonitor {
	return leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{
		MonitoringInterval: 15 * time.Second, FDLeakThreshold: 1000, GoroutineLeakThreshold: 1000,
		MemoryLeakThreshold: 500 << 20,
		AlertCooldown:       5 * time.Minute, MaxAlertHistory: 100,
	}, logger)
}

func secondMonitor(logger *logrus.Logger) *detector.ResourceMonitor {
	return monitoring.NewResourceMonitor(monitoring.Config{
		Enabled: true, CheckInterval: 15 * time.Second, GoroutineThreshold: 1000, MemoryThresholdMB: 500,
		FDThreshold:         1000,
		GrowthRateThreshold: 50, AlertOnThreshold: true,
	}, logger)
}

// service is what the monitors watch: this process, with work in bursts, and what it forgets.
type service struct {
	t      *testing.T
	over   chan struct{}
	files  []*os.File
	memory [][]byte
	bursts int
}

func (s *service) open() *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (s *service) page() []byte {
	page := make([]byte, 1<<20)
	for i := 0; i < len(page); i += 4096 {
		page[i] = 1
	}
	return page
}

// startUp begins as services do: half a minute after the monitor there are workers, connections and a cache.
func (s *service) startUp() {
	time.Sleep(31 * time.Second)
	for range 40 {
		go s.waitForever()
		s.files = append(s.files, s.open())
	}
	for range 20 {
		s.memory = append(s.memory, s.page())
	}
}

// run works for a time: every 80 s a burst, of 20 to 50 s, of up to 120 goroutines, 60 descriptors and 24 MB, and every
// hour one of four times as much. leak is called after each.
func (s *service) run(d time.Duration, leak func()) {
	for start := time.Now(); time.Since(start) < d; s.bursts++ {
		n := s.bursts
		size, length := 40+20*(n*7%5), time.Duration(20+15*(n*5%3))*time.Second
		if n%45 == 30 {
			size *= 4
		}
		release := make(chan struct{})
		for range size {
			go func() { <-release }()
		}
		var files []*os.File
		for range size / 2 {
			files = append(files, s.open())
		}
		var memory [][]byte
		for range size / 5 {
			memory = append(memory, s.page())
		}
		time.Sleep(length)
		runtime.KeepAlive(memory)
		close(release)
		for _, f := range files {
			f.Close()
		}
		memory = nil
		runtime.GC()
		time.Sleep(80*time.Second - length)
		leak()
	}
}

// leak forgets a goroutine or two, a descriptor and a megabyte.
func (s *service) leak() {
	go s.waitForever()
	go s.waitForever()
	s.files = append(s.files, s.open())
	s.memory = append(s.memory, s.page())
}

func (s *service) waitForever() { <-s.over }

func (s *service) end() {
	close(s.over)
	for _, f := range s.files {
		f.Close()
	}
	s.memory = nil
	runtime.GC()
}

// gauge returns the host's panel: leak_detection of the default registry by resource_type.
func gauge(t *testing.T) map[string]float64 {
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	panel := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "leak_detection" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["component"] == "resource_monitor" {
				panel[labels["resource_type"]] = m.GetGauge().GetValue()
			}
		}
	}
	return panel
}

// Whichever way the host switches over: hours of bursts alarm nobody, and what leaks below them is found, told in its
// log, and shown on its panel.
func TestVariants(t *testing.T) {
	healthy := 4 * time.Hour
	if testing.Short() {
		healthy = time.Hour
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { switchOver(t, v.make, healthy) })
		})
	}
}

func switchOver(t *testing.T, start func(*testing.T, *logrus.Logger) []*detector.ResourceMonitor,
	healthy time.Duration) {
	var log strings.Builder // written to by one goroutine at a time
	logger := logrus.New()
	logger.SetOutput(&log)
	s := &service{t: t, over: make(chan struct{})}
	defer s.end()
	monitors := start(t, logger)
	m := monitors[0]
	for _, each := range monitors {
		if each != m {
			t.Fatal("the two constructors gave two monitors")
		}
		if err := each.Start(); err != nil {
			t.Fatal(err)
		}
	}
	stop := func() {
		for _, each := range monitors {
			if err := each.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
	defer stop()

	s.startUp()
	s.run(healthy, func() {})
	if alerts := m.History(); len(alerts) > 0 {
		t.Errorf("%d alerts on healthy bursts, the first: %s", len(alerts), alerts[0].Summary)
	}
	if diff := cmp.Diff(map[string]float64{"fd_leak": 0, "goroutine_leak": 0, "memory_leak": 0}, gauge(t)); diff != "" {
		t.Errorf("panel after healthy bursts (-want +got):\n%s", diff)
	}

	began, found := time.Now(), map[string]time.Duration{}
	for len(found) < 3 && time.Since(began) < 12*time.Hour {
		s.run(10*time.Minute, s.leak)
		for _, a := range m.History() {
			kind := detector.LeakType(a.Resource)
			if _, known := found[kind]; !known && a.Kind == alerting.Trend {
				found[kind] = a.Time.Sub(began).Round(time.Minute)
			}
		}
	}
	t.Logf("no alert in %s of bursts; found by trend after: %v", healthy, found)
	if diff := cmp.Diff([]string{"fd_leak", "goroutine_leak", "memory_leak"},
		slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	panel := gauge(t)
	mb := panel["memory_leak"]
	delete(panel, "memory_leak")
	if diff := cmp.Diff(map[string]float64{"fd_leak": 1, "goroutine_leak": 1}, panel); diff != "" || mb < 10 ||
		mb > 500 {
		t.Errorf("panel, with memory_leak at %v MB (-want +got):\n%s", mb, diff)
	}
	stop()
	for _, leak := range []string{"goroutines leak: ", "open_fds leak: ", "heap_live_bytes leak: "} {
		if !strings.Contains(log.String(), leak) {
			t.Errorf("the log does not tell %q:\n%s", leak, &log)
		}
	}
}
