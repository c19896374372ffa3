// Package promtext reads the Prometheus text format and OpenMetrics, and knows what the metrics mean here: one table
// for endpoints, recordings and fleets. Where the text comes from is for the caller.
package promtext

import (
	"slices"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Metric is the meaning of a metric of the Prometheus client libraries, or of the kubelet: a reading, the start time of
// the process in unix seconds, or a ceiling.
type Metric struct {
	Name     string
	Resource string   // that it is a reading of; "" if it is none
	Start    bool     // whether it is the start time
	Limits   []string // resources that it is the ceiling of
	Source   string   // of the ceiling
}

// Where two metrics are the same resource, the earlier row wins.
var metrics = []Metric{
	{Name: "go_goroutines", Resource: sampler.Goroutines},
	{Name: "go_gc_heap_live_bytes", Resource: sampler.HeapLiveBytes},
	{Name: "go_memstats_heap_inuse_bytes", Resource: sampler.HeapInuseBytes},
	{Name: "go_memstats_stack_inuse_bytes", Resource: sampler.StackBytes},
	{Name: "go_memstats_alloc_bytes_total", Resource: sampler.AllocBytes},
	{Name: "process_resident_memory_bytes", Resource: sampler.RSSBytes},
	{Name: "process_open_fds", Resource: sampler.OpenFDs},
	{Name: "process_threads", Resource: sampler.Threads},
	{Name: "process_num_threads", Resource: sampler.Threads},
	{Name: "go_threads", Resource: sampler.Threads},
	{Name: "process_cpu_seconds_total", Resource: sampler.CPUSeconds},
	{Name: "process_start_time_seconds", Start: true},
	{Name: "process_max_fds", Limits: []string{sampler.OpenFDs}, Source: "process_max_fds"},
	{Name: "go_gc_gomemlimit_bytes", Limits: []string{sampler.HeapLiveBytes}, Source: "GOMEMLIMIT"},
	{Name: "container_memory_working_set_bytes", Resource: "container_memory_working_set_bytes"},
	{Name: "container_spec_memory_limit_bytes",
		Limits: []string{sampler.RSSBytes, "container_memory_working_set_bytes"},
		Source: "container_spec_memory_limit_bytes"},
}

// A ceiling from here on means that there is none.
const unlimited = 1 << 62

// Metrics returns the metrics that have a meaning here. Where two are readings of the same resource, the earlier one
// wins.
func Metrics() []Metric {
	all := slices.Clone(metrics)
	for i := range all {
		all[i].Limits = slices.Clone(all[i].Limits)
	}
	return all
}

// Unlimited reports whether the value of a ceiling's metric means that there is none.
func Unlimited(value float64) bool { return !(value > 0 && value < unlimited) }
