package sampler

import (
	"slices"
	"strings"
)

// Kind says how the values of a resource behave over time.
type Kind uint8

const (
	// Gauge goes up and down: a count or an amount at one instant.
	Gauge Kind = iota
	// Counter only rises while its process lives; its rate is what carries meaning.
	Counter
)

// Names of the resources that leaktrend knows. Any other name is a resource too: a gauge of unknown unit.
const (
	Goroutines     = "goroutines"
	HeapLiveBytes  = "heap_live_bytes"
	HeapInuseBytes = "heap_inuse_bytes"
	StackBytes     = "stack_bytes"
	GCCycles       = "gc_cycles"
	AllocBytes     = "alloc_bytes"
	RSSBytes       = "rss_bytes"
	OpenFDs        = "open_fds"
	Threads        = "threads"
	CPUSeconds     = "cpu_seconds"
)

// Resource describes one measured quantity. The table of all of them feeds the help text, the reports and the verdicts.
type Resource struct {
	Name string // as in a recording's header
	Unit string // "" for counts, else "bytes" or "seconds"
	Kind Kind
	// Context resources are recorded and shown but never judged by their own trend.
	Context bool
	// StandsInFor names the resource that makes this one mere context wherever both are read.
	StandsInFor string
	Sentence    string // what it counts, for people
}

var resources = []Resource{
	{Name: Goroutines, Sentence: "goroutines that exist"},
	{Name: HeapLiveBytes, Unit: "bytes", Sentence: "heap memory that was live after the last garbage collection"},
	{Name: HeapInuseBytes, Unit: "bytes", StandsInFor: HeapLiveBytes, Sentence: "heap memory in spans that are in use"},
	{Name: StackBytes, Unit: "bytes", Context: true, Sentence: "memory of goroutine stacks"},
	{Name: GCCycles, Kind: Counter, Sentence: "garbage collections completed"},
	{Name: AllocBytes, Unit: "bytes", Kind: Counter, Sentence: "heap memory allocated since the start"},
	{Name: RSSBytes, Unit: "bytes", Sentence: "resident memory of the process"},
	{Name: OpenFDs, Sentence: "open file descriptors"},
	{Name: Threads, Sentence: "operating system threads"},
	{Name: CPUSeconds, Unit: "seconds", Kind: Counter, Sentence: "processor time used since the start"},
}

// Resources returns the table of known resources, in the order in which reports show them.
func Resources() []Resource { return append([]Resource(nil), resources...) }

// positions are words of metric names that tell where something is, or how it is set, not how much of it there is: such a value may
// rise for ever in good health.
var positions = []string{
	"age", "capacity", "duration", "epoch", "generation", "id", "info", "limit", "max", "offset", "position", "segment", "seq", "sequence",
	"threshold", "time", "timestamp", "uptime", "version", "watermark",
}

// Lookup returns the description of a resource. For an unknown name ok is false and the description is what the name tells: a gauge
// in bytes or seconds where it ends so, a counter where it ends in _total, as Prometheus names them, and context where one of its words
// says that it is no amount, as in uptime.
func Lookup(name string) (r Resource, ok bool) {
	for _, r := range resources {
		if r.Name == name {
			return r, true
		}
	}
	return guessed(name), false
}

// guessed is what the name of an unknown resource tells.
func guessed(name string) Resource {
	r := Resource{Name: name, Sentence: name}
	metric, _, _ := strings.Cut(name, "{")
	if stem, counter := strings.CutSuffix(metric, "_total"); counter {
		metric, r.Kind = stem, Counter
	}
	switch {
	case strings.HasSuffix(metric, "_bytes"):
		r.Unit = "bytes"
	case strings.HasSuffix(metric, "_seconds"):
		r.Unit = "seconds"
	}
	for word := range strings.SplitSeq(metric, "_") {
		r.Context = r.Context || slices.Contains(positions, word)
	}
	return r
}
