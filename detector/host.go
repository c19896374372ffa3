package detector

import (
	"context"
	"runtime"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"slices"
	"time"
	"weak"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/internal/pair"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// What log_capturer_go's two monitors offered, on top of ResourceMonitor, under the names that its code and its HTTP
// clients use.

// ResourceMonitorConfig is the configuration of log_capturer_go's leakdetection.ResourceMonitor, with what its second
// monitor could do beside it. Zero and negative values take the host's defaults.
type ResourceMonitorConfig struct {
	MonitoringInterval     time.Duration `yaml:"monitoring_interval"`      // default 30s
	FDLeakThreshold        int64         `yaml:"fd_leak_threshold"`        // descriptors above the start; default 100
	GoroutineLeakThreshold int64         `yaml:"goroutine_leak_threshold"` // goroutines above the start; default 50
	MemoryLeakThreshold    int64         `yaml:"memory_leak_threshold"`    // bytes of heap in use; default 100 MB
	AlertCooldown          time.Duration `yaml:"alert_cooldown"`           // default 5m
	EnableMemoryProfiling  bool          `yaml:"enable_memory_profiling"`
	EnableGCOptimization   bool          `yaml:"enable_gc_optimization"` // accepted, does nothing
	MaxAlertHistory        int           `yaml:"max_alert_history"`      // default 100

	GrowthRateThreshold float64 `yaml:"growth_rate_threshold"` // percent within one interval; 0 = off
	AlertWebhookURL     string  `yaml:"alert_webhook_url"`
	AlertWebhookFormat  string  `yaml:"alert_webhook_format"`
}

// Config returns the full configuration that c stands for.
func (c ResourceMonitorConfig) Config() Config {
	full := DefaultConfig()
	full.CheckInterval = positiveOr(c.MonitoringInterval, 30*time.Second)
	full.FDThreshold = positiveOr(c.FDLeakThreshold, 100)
	full.GoroutineThreshold = positiveOr(c.GoroutineLeakThreshold, 50)
	full.MemoryThreshold = positiveOr(c.MemoryLeakThreshold, 100<<20)
	full.AlertCooldown = positiveOr(c.AlertCooldown, 5*time.Minute)
	full.MaxAlertHistory = positiveOr(c.MaxAlertHistory, 100)
	full.StackTraceOnLeak = c.EnableMemoryProfiling
	full.GrowthRateThreshold = positiveOr(c.GrowthRateThreshold, 0)
	full.AlertWebhookURL = c.AlertWebhookURL
	if c.AlertWebhookFormat != "" {
		full.AlertWebhookFormat = c.AlertWebhookFormat
	}
	return full
}

func positiveOr[T int | int64 | float64 | time.Duration](value, standard T) T {
	if value > 0 {
		return value
	}
	return standard
}

// NewResourceMonitor returns a monitor that starts nothing yet. A setting that is not valid is logged and replaced by
// its default: a monitor must not keep its host from starting. Package monitoring's constructor takes the same monitor.
func NewResourceMonitor(config ResourceMonitorConfig, logger *logrus.Logger) *ResourceMonitor {
	if logger == nil {
		logger = logrus.StandardLogger()
	}
	full := config.Config()
	m, fault := NewMonitor(full, logger)
	if fault != nil {
		full = full.Repaired()
		var err error
		if m, err = NewMonitor(full, logger); err != nil {
			full = ResourceMonitorConfig{}.Config()
			m, _ = NewMonitor(full, logger)
		}
		m.logger.WithError(fault).Error("Resource monitor: settings that are not valid are replaced by their defaults")
	}
	if config.EnableGCOptimization {
		m.logger.Warn("Resource monitor: EnableGCOptimization does nothing, collections are left to the runtime")
	}
	_ = m.dispatcher.FlushLog()
	held := weak.Make(m)
	pair.Made(logger, pair.Monitor{Monitor: func() any { return held.Value() }, Given: full})
	return m
}

// ResourceStats is the state of the watched process, in the host's JSON form.
type ResourceStats struct {
	FileDescriptors   int64           `json:"file_descriptors"`
	Goroutines        int64           `json:"goroutines"`
	MemoryUsage       int64           `json:"memory_usage_bytes"` // heap in use
	InitialFDs        int64           `json:"initial_fds"`        // settled starting baseline, like the next
	InitialGoroutines int64           `json:"initial_goroutines"`
	FDLeaks           int64           `json:"fd_leaks_detected"` // findings, each counted once
	GoroutineLeaks    int64           `json:"goroutine_leaks_detected"`
	MemoryLeaks       int64           `json:"memory_leaks_detected"`
	GCPauses          []time.Duration `json:"gc_pauses_ns"` // the last 10, oldest first
	AllocRate         float64         `json:"alloc_rate_bytes_per_sec"`
	LastCheck         int64           `json:"last_check_timestamp"` // unix seconds; 0 before the first
	MonitoringUptime  int64           `json:"monitoring_uptime_seconds"`
	// Evidence is the cost of the profiles that name the lines of code.
	Evidence EvidenceCost `json:"evidence"`
	// Unavailable names the resources that cannot be read here; their fields are 0.
	Unavailable []string `json:"unavailable,omitempty"`
}

// GetStats returns the state at the latest sample.
func (m *ResourceMonitor) GetStats() ResourceStats {
	pauses, cost := lastPauses(10), m.EvidenceCost()
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	s := ResourceStats{GCPauses: pauses, Evidence: cost}
	if m.state.latest.Time.IsZero() {
		return s
	}
	read := func(resource string) int64 {
		v, ok := m.state.latest.Value(resource)
		if !ok {
			s.Unavailable = append(s.Unavailable, resource)
		}
		return int64(v)
	}
	s.FileDescriptors = read(sampler.OpenFDs)
	s.Goroutines = read(sampler.Goroutines)
	s.MemoryUsage = read(sampler.HeapInuseBytes)
	for _, t := range m.state.detector.engine.All() {
		name, found := t.Resource().Name, int64(t.Found())
		if l := m.state.leaks[name]; l != nil {
			found += int64(l.Found())
		}
		start, _ := t.Start()
		switch name {
		case sampler.OpenFDs:
			s.InitialFDs, s.FDLeaks = int64(start), found
		case sampler.Goroutines:
			s.InitialGoroutines, s.GoroutineLeaks = int64(start), found
		case sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.RSSBytes:
			s.MemoryLeaks += found
		}
	}
	s.AllocRate = perSecond(&m.state.before, &m.state.latest, sampler.AllocBytes)
	s.LastCheck = m.state.latest.Time.Unix()
	s.MonitoringUptime = int64(time.Since(m.state.started).Seconds())
	return s
}

// perSecond returns the rate of a counter over two samples, or 0.
func perSecond(before, latest *sampler.Sample, resource string) float64 {
	now, ok1 := latest.Value(resource)
	then, ok2 := before.Value(resource)
	elapsed := latest.Time.Sub(before.Time).Seconds()
	if !ok1 || !ok2 || elapsed <= 0 {
		return 0
	}
	return max(0, (now-then)/elapsed)
}

// percentGrown returns the growth of a resource over two samples in percent, or 0.
func percentGrown(before, latest *sampler.Sample, resource string) float64 {
	now, ok1 := latest.Value(resource)
	then, ok2 := before.Value(resource)
	if !ok1 || !ok2 || then <= 0 {
		return 0
	}
	return 100 * (now - then) / then
}

// lastPauses returns the latest pauses of the garbage collector, oldest first. It does not stop the world.
func lastPauses(limit int) []time.Duration {
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	pauses := gc.Pause[:min(len(gc.Pause), limit)]
	slices.Reverse(pauses)
	return slices.Clone(pauses)
}

// ResourceMetrics is the host's JSON form of the resources at the latest sample.
type ResourceMetrics struct {
	Timestamp       time.Time `json:"timestamp"`
	Goroutines      int       `json:"goroutines"`
	MemoryAllocMB   int64     `json:"memory_alloc_mb"` // heap objects
	MemoryTotalMB   int64     `json:"memory_total_mb"` // allocated since the start
	MemorySysMB     int64     `json:"memory_sys_mb"`   // obtained from the system
	GCPauseMS       float64   `json:"gc_pause_ms"`     // the latest
	FileDescriptors int       `json:"file_descriptors"`
	HeapObjects     uint64    `json:"heap_objects"`
	GoroutineGrowth float64   `json:"goroutine_growth"` // percent within the last interval
	MemoryGrowth    float64   `json:"memory_growth"`
}

// GetMetrics returns the resources at the latest sample; what is not part of a sample is read now.
func (m *ResourceMonitor) GetMetrics() ResourceMetrics {
	memory := []rtmetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/heap/objects:objects"},
	}
	rtmetrics.Read(memory)
	value := func(i int) uint64 {
		if memory[i].Value.Kind() != rtmetrics.KindUint64 {
			return 0
		}
		return memory[i].Value.Uint64()
	}
	const mb = 1 << 20
	metrics := ResourceMetrics{
		Timestamp:     time.Now(),
		Goroutines:    runtime.NumGoroutine(),
		MemoryAllocMB: int64(value(0) / mb),
		MemoryTotalMB: int64(value(1) / mb),
		MemorySysMB:   int64(value(2) / mb),
		HeapObjects:   value(3),
	}
	if pauses := lastPauses(1); len(pauses) > 0 {
		metrics.GCPauseMS = float64(pauses[0]) / 1e6
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	if m.state.latest.Time.IsZero() {
		return metrics
	}
	metrics.Timestamp = m.state.latest.Time
	if v, ok := m.state.latest.Value(sampler.Goroutines); ok {
		metrics.Goroutines = int(v)
	}
	if v, ok := m.state.latest.Value(sampler.OpenFDs); ok {
		metrics.FileDescriptors = int(v)
	}
	metrics.GoroutineGrowth = percentGrown(&m.state.before, &m.state.latest, sampler.Goroutines)
	metrics.MemoryGrowth = percentGrown(&m.state.before, &m.state.latest, sampler.HeapInuseBytes)
	return metrics
}

// GetCurrentUsage returns the latest readings under the host's names, without those that cannot be read.
func (m *ResourceMonitor) GetCurrentUsage() map[string]int64 {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	usage := make(map[string]int64)
	for key, resource := range map[string]string{
		"file_descriptors": sampler.OpenFDs, "goroutines": sampler.Goroutines, "memory_bytes": sampler.HeapInuseBytes,
	} {
		if v, ok := m.state.latest.Value(resource); ok {
			usage[key] = int64(v)
		}
	}
	return usage
}

// IsHealthy reports whether no leak and no exceeded hard limit is active. It is also false while the monitor runs
// blind: when no sample was judged for two intervals and 10 s, as when the source hangs or returns nothing.
func (m *ResourceMonitor) IsHealthy() bool {
	if m.isStalled() {
		return false
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	for _, t := range m.state.detector.engine.All() {
		if t.Fails() {
			return false
		}
	}
	for _, l := range m.state.leaks {
		if l.Fires() {
			return false
		}
	}
	return true
}

// GetLeakHistory returns when each kind of resource last had an alert, under the host's names.
func (m *ResourceMonitor) GetLeakHistory() map[string]time.Time {
	last := make(map[string]time.Time)
	for resource, at := range m.state.ledger.latest() {
		if key := hostName(resource); at.After(last[key]) {
			last[key] = at
		}
	}
	return last
}

func hostName(resource string) string {
	switch resource {
	case sampler.OpenFDs:
		return "file_descriptors"
	case sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.RSSBytes:
		return "memory"
	}
	return resource
}

// LeakType returns the resource_type label of the host's gauge leak_detection for a resource: fd_leak, goroutine_leak,
// memory_leak, or the resource's name followed by _leak.
func LeakType(resource string) string {
	switch name := hostName(resource); name {
	case "file_descriptors":
		return "fd_leak"
	case sampler.Goroutines:
		return "goroutine_leak"
	default:
		return name + "_leak"
	}
}

// component is the label component of the host's gauge leak_detection.
const component = "resource_monitor"

// OnLeakDetection sets the function that is called after every check for each series of the host's gauge
// leak_detection, with its labels resource_type and component; nil for none. It replaces the one before, and is called
// before what OnSample set, under the same conditions. The host's RecordLeakDetection can be given as it is.
//
// fd_leak and goroutine_leak are 1 while a finding on their resource is active, be it a trend, a limit (also one that
// is not alerted) or a line of code. memory_leak is the heap in use in MB of 1024*1024 bytes while one on the heap or
// on the resident memory is. All are 0 otherwise, from the first check on. Other series, such as threads_leak, appear
// with their first finding.
func (m *ResourceMonitor) OnLeakDetection(set func(resourceType, component string, value float64)) {
	m.loop.hooks.onLeakDetection.Store(&set)
}

// ForceGC collects garbage, returns memory to the system, and returns the statistics before and after. It stops the
// world.
func (m *ResourceMonitor) ForceGC() (before, after runtime.MemStats) {
	runtime.ReadMemStats(&before)
	runtime.GC()
	debug.FreeOSMemory()
	runtime.ReadMemStats(&after)
	const mb = 1 << 20
	m.logger.WithFields(logrus.Fields{
		"heap_before_mb": before.HeapInuse / mb,
		"heap_after_mb":  after.HeapInuse / mb,
		"freed_mb":       (int64(before.HeapInuse) - int64(after.HeapInuse)) / mb,
	}).Info("Manual GC completed")
	return before, after
}

// GetSystemInfo describes the runtime and its limits. max_fds is there only where it is known.
func (m *ResourceMonitor) GetSystemInfo() map[string]interface{} {
	samples := []rtmetrics.Sample{
		{Name: "/gc/gogc:percent"}, {Name: "/gc/heap/objects:objects"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	rtmetrics.Read(samples)
	info := map[string]interface{}{
		"go_version": runtime.Version(),
		"num_cpu":    runtime.NumCPU(),
		"gomaxprocs": runtime.GOMAXPROCS(0),
	}
	for i, key := range []string{"gc_target_percent", "heap_objects", "gc_cycles"} {
		if samples[i].Value.Kind() == rtmetrics.KindUint64 {
			info[key] = int64(samples[i].Value.Uint64())
		}
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	for _, c := range m.state.latest.Ceilings {
		if c.Resource == sampler.OpenFDs && c.Level > 0 {
			info["max_fds"] = int64(c.Level)
		}
	}
	return info
}

// NameHolders makes the alerts of a monitor of this process on memory name what keeps it alive, as package holders
// finds it: once for a finding, without delaying the sampling, unless memory is close to a limit or the configuration
// turns it off. find should return soon after its context has ended. Call it before Start or Run.
func (m *ResourceMonitor) NameHolders(find func(ctx context.Context, line profile.Frame) (alerting.Holder, error)) {
	if lines := m.state.lines.Load(); lines != nil && find != nil && lines.NameHolders(find) {
		m.AddEvidence("holders", lines.Hold)
	}
}
