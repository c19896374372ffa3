package detector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	leakdetection "github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/hosttest"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

var (
	statsKeys = []string{
		"alloc_rate_bytes_per_sec", "evidence", "fd_leaks_detected", "file_descriptors", "gc_pauses_ns",
		"goroutine_leaks_detected", "goroutines",
		"initial_fds", "initial_goroutines", "last_check_timestamp", "memory_leaks_detected", "memory_usage_bytes",
		"monitoring_uptime_seconds",
	}
	metricsKeys = []string{
		"file_descriptors", "gc_pause_ms", "goroutine_growth", "goroutines", "heap_objects", "memory_alloc_mb",
		"memory_growth",
		"memory_sys_mb", "memory_total_mb", "timestamp",
	}
)

func silent() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

// jsonKeys returns the keys of a value's JSON object.
func jsonKeys(t *testing.T, v any) []string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(object))
}

// The host's program, as far as it has to do with its monitors.
func TestHostInProcess(t *testing.T) {
	monitor := leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{
		MonitoringInterval:     10 * time.Millisecond,
		FDLeakThreshold:        1 << 20,
		GoroutineLeakThreshold: 30,
		MemoryLeakThreshold:    1 << 40,
		AlertCooldown:          time.Minute,
		EnableMemoryProfiling:  false,
		EnableGCOptimization:   false,
		MaxAlertHistory:        100,
	}, silent())
	var mu sync.Mutex
	gauge := map[string]float64{}
	monitor.OnAlert(func(a alerting.Alert) {
		mu.Lock()
		defer mu.Unlock()
		value := 0.
		if a.Status == alerting.Firing {
			value = 1
		}
		gauge[leakdetection.LeakType(a.Resource)] = value
	})
	runtime.GC()
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = monitor.Stop()
		}
	}()
	await.True(t, "a starting baseline", func() bool {
		return monitor.GetStats().LastCheck > 0 && monitor.GetStats().InitialGoroutines > 0
	})
	checks := monitor.Checks().Checks
	await.True(t, "a baseline that has settled", func() bool { return monitor.Checks().Checks >= checks+30 })

	if diff := cmp.Diff(metricsKeys, jsonKeys(t, monitor.GetMetrics())); diff != "" {
		t.Errorf("keys of the metrics (-want +got):\n%s", diff)
	}
	stats := monitor.GetStats()
	if runtime.GOOS == "linux" {
		if diff := cmp.Diff(statsKeys, jsonKeys(t, stats)); diff != "" {
			t.Errorf("keys of the statistics (-want +got):\n%s", diff)
		}
		await.Until(t, func() string { // in the end: what other tests had open may be closed at any moment
			list, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			// the listing has one too
			if got, want := monitor.GetStats().FileDescriptors, int64(len(list)-1); got != want {
				return fmt.Sprintf("%d descriptors, want %d", got, want)
			}
			return ""
		})
		if diff := cmp.Diff([]string{"file_descriptors", "goroutines", "memory_bytes"},
			slices.Sorted(maps.Keys(monitor.GetCurrentUsage()))); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
	}
	if stats.Goroutines <= 0 || stats.MemoryUsage <= 0 || stats.GCPauses == nil || len(stats.GCPauses) > 10 {
		t.Errorf("stats = %+v", stats)
	}
	if !monitor.IsHealthy() || len(monitor.GetLeakHistory()) != 0 {
		t.Errorf("healthy %v, history %v", monitor.IsHealthy(), monitor.GetLeakHistory())
	}

	release := make(chan struct{})
	for range 100 {
		go func() { <-release }()
	}
	await.True(t, "an alert", func() bool { return len(monitor.GetAlertChannel()) > 0 })
	a := <-monitor.GetAlertChannel()
	if a.Resource != sampler.Goroutines || a.Kind != alerting.Limit || a.Status != alerting.Firing ||
		a.Process.PID != os.Getpid() {
		t.Errorf("alert = %+v", a)
	}
	if monitor.IsHealthy() {
		t.Error("healthy with 100 goroutines too many")
	}
	if at := monitor.GetLeakHistory()["goroutines"]; !at.Equal(a.Time) {
		t.Errorf("leak history: %v, want the alert's time, %s", monitor.GetLeakHistory(), a.Time)
	}
	read := func() map[string]float64 {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(gauge)
	}
	await.True(t, "the gauge at 1", func() bool { return maps.Equal(read(), map[string]float64{"goroutine_leak": 1}) })
	close(release)
	await.True(t, "the gauge at 0", func() bool { return maps.Equal(read(), map[string]float64{"goroutine_leak": 0}) })
	if leaks := monitor.GetStats().GoroutineLeaks; leaks != 1 {
		t.Errorf("%d goroutine leaks, want 1", leaks)
	}
	stopped = true
	if err := monitor.Stop(); err != nil {
		t.Error(err)
	}
}

func TestLeakType(t *testing.T) {
	want := map[string]string{
		sampler.OpenFDs: "fd_leak", sampler.Goroutines: "goroutine_leak",
		sampler.HeapLiveBytes: "memory_leak", sampler.HeapInuseBytes: "memory_leak", sampler.RSSBytes: "memory_leak",
		sampler.Threads: "threads_leak", "queue_length": "queue_length_leak",
	}
	got := map[string]string{}
	for resource := range want {
		got[resource] = leakdetection.LeakType(resource)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSystemInfoChangesNothing(t *testing.T) {
	monitor := leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{}, silent())
	for _, percent := range []int{73, -1} {
		old := debug.SetGCPercent(percent)
		info := monitor.GetSystemInfo()
		left := debug.SetGCPercent(old)
		if left != percent || info["gc_target_percent"] != int64(percent) {
			t.Errorf("a target of %d %% is given as %v, and is %d afterwards", percent, info["gc_target_percent"], left)
		}
		want := []string{"gc_cycles", "gc_target_percent", "go_version", "gomaxprocs", "heap_objects", "num_cpu"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(info))); diff != "" {
			t.Errorf("before the first sample (-want +got):\n%s", diff)
		}
	}
}

func TestForceGC(t *testing.T) {
	monitor := leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{}, silent())
	garbage := make([]byte, 32<<20)
	for i := range garbage {
		garbage[i] = 1
	}
	runtime.KeepAlive(garbage)
	before, after := monitor.ForceGC()
	if after.NumGC <= before.NumGC || after.HeapInuse+16<<20 > before.HeapInuse {
		t.Errorf("%d collections and %d bytes in use before, %d and %d after", before.NumGC, before.HeapInuse,
			after.NumGC, after.HeapInuse)
	}
}

// hostProgram uses the monitor as the host does, with nothing but the one import changed, and prints what its HTTP
// clients see.
const hostProgram = `package main

import (
	"encoding/json"
	"os"
	"runtime"
	"time"

	"github.com/sirupsen/logrus"

	leakdetection "github.com/mdzesseis/leaktrend/detector"
)

type app struct {
	logger          *logrus.Logger
	resourceMonitor *leakdetection.ResourceMonitor
}

func (a *app) initialize() error {
	a.resourceMonitor = leakdetection.NewResourceMonitor(leakdetection.ResourceMonitorConfig{
		MonitoringInterval:     50 * time.Millisecond,
		FDLeakThreshold:        int64(1000),
		GoroutineLeakThreshold: int64(1000),
		MemoryLeakThreshold:    int64(500) * 1024 * 1024,
		AlertCooldown:          5 * time.Minute,
		EnableMemoryProfiling:  false,
		EnableGCOptimization:   false,
		MaxAlertHistory:        100,
	}, a.logger)
	return nil
}

func main() {
	a := &app{logger: logrus.New()}
	if err := a.initialize(); err != nil {
		panic(err)
	}
	if err := a.resourceMonitor.Start(); err != nil {
		panic(err)
	}
	var stats leakdetection.ResourceStats
	for stats.LastCheck == 0 {
		time.Sleep(10 * time.Millisecond)
		stats = a.resourceMonitor.GetStats()
	}
	var usage map[string]int64 = a.resourceMonitor.GetCurrentUsage()
	var healthy bool = a.resourceMonitor.IsHealthy()
	var history map[string]time.Time = a.resourceMonitor.GetLeakHistory()
	var before, after runtime.MemStats
	before, after = a.resourceMonitor.ForceGC()
	var info map[string]interface{} = a.resourceMonitor.GetSystemInfo()
	metrics := a.resourceMonitor.GetMetrics()
	select {
	case alert := <-a.resourceMonitor.GetAlertChannel():
		a.logger.Warn(alert.Summary, leakdetection.LeakType(alert.Resource))
	default:
	}
	if err := a.resourceMonitor.Stop(); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"stats": stats, "metrics": metrics, "usage": usage, "healthy": healthy, "history": history,
		"collected": after.NumGC > before.NumGC, "info": info,
	})
}
`

func TestHostCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	host := hosttest.New(t, "..", hostProgram)
	host.Go(t, "build", "-o", "host.exe", ".")
	run := exec.Command(filepath.Join(host.Dir, "host.exe"))
	var log bytes.Buffer
	run.Stderr = &log
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	var got struct {
		Stats, Metrics, Info, History map[string]any
		Usage                         map[string]int64
		Healthy, Collected            bool
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, key := range statsKeys {
		if _, ok := got.Stats[key]; !ok {
			t.Errorf("the statistics have no %s", key)
		}
	}
	if diff := cmp.Diff(metricsKeys, slices.Sorted(maps.Keys(got.Metrics))); diff != "" {
		t.Errorf("keys of the metrics (-want +got):\n%s", diff)
	}
	if !got.Healthy || !got.Collected || len(got.History) != 0 || got.Usage["goroutines"] <= 0 ||
		got.Info["go_version"] != runtime.Version() {
		t.Errorf("printed %s", out)
	}
	if text := log.String(); !strings.Contains(text, "Resource monitor started") ||
		strings.Contains(text, "level=warning") {
		t.Errorf("logged %s", text)
	}
}

// A process that leaks goroutines, its monitor in soak mode, and a replay of what that monitor saw.
func TestLiveAndReplay(t *testing.T) {
	config := leakdetection.DefaultConfig()
	config.CheckInterval = 10 * time.Millisecond
	config.Adaptive.Soak = 30 * time.Second
	config.MaxAlertHistory = 1000
	monitor, err := leakdetection.NewMonitor(config, silent())
	if err != nil {
		t.Fatal(err)
	}
	var recorded bytes.Buffer
	writer := recording.NewWriter(&recorded, recording.Header{Interval: config.CheckInterval,
		Soak: config.Adaptive.Soak, Source: "this test"})
	samples := 0
	monitor.OnSample(func(s *sampler.Sample) {
		samples++
		if err := writer.Write(s); err != nil {
			t.Error(err)
		}
	})
	found := make(chan alerting.Alert, 1)
	monitor.OnAlert(func(a alerting.Alert) {
		if a.Resource == sampler.Goroutines {
			select {
			case found <- a:
			default:
			}
		}
	})
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	defer monitor.Stop()

	release := make(chan struct{})
	defer close(release)
	leak := time.NewTicker(20 * time.Millisecond)
	defer leak.Stop()
	var a alerting.Alert
	for leaked := 0; a.ID == ""; {
		select {
		case a = <-found:
		case <-leak.C:
			if leaked < 6000 { // the race detector bears 8,128
				leaked++
				go func() { <-release }()
			}
		}
	}
	if a.Kind != alerting.Trend || a.Status != alerting.Firing || a.SlopePerHour <= 0 ||
		!strings.HasPrefix(a.Summary, "goroutines leak: ") {
		t.Errorf("alert = %+v", a)
	}
	if err := monitor.Stop(); err != nil {
		t.Fatal(err)
	}
	var want []alerting.Event
	for _, a := range monitor.History() {
		if a.Status == alerting.Firing && (len(a.Sites) == 0 || filepath.Base(a.Sites[0].File) != "host_test.go") {
			t.Errorf("the alert does not name the line: %+v", a.Sites)
		}
		a.Summary, _, _ = strings.Cut(a.Summary, "; host_test.go:") // a recording does not tell of code
		want = append(want, a.Event)
	}

	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	reader, err := recording.NewReader(&recorded, "recording")
	if err != nil {
		t.Fatal(err)
	}
	config = leakdetection.DefaultConfig()
	config.Adaptive.Soak = reader.Header().Soak
	replayed, err := leakdetection.New(config)
	if err != nil {
		t.Fatal(err)
	}
	var got []alerting.Event
	var s sampler.Sample
	for {
		err := reader.Sample(context.Background(), &s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		samples--
		got = append(got, replayed.Observe(&s)...)
	}
	if samples != 0 {
		t.Errorf("the recording has %d samples fewer than were taken", samples)
	}
	// A recording does not say where a ceiling was found.
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(alerting.Exhaustion{}, "Source")); diff != "" {
		t.Errorf("events live and in replay (-want +got):\n%s", diff)
	}
	if n, faults := reader.Faults(); n != 0 {
		t.Errorf("faults in the recording: %v", faults)
	}
}
