package sampler

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/figure"
)

// Kind is how the values of a resource behave over time.
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
	HeapFreeBytes  = "heap_free_bytes"
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
	// Unjudged is why the trend of a counter or of context is not judged, as in "a counter" or "a maximum"; "" for the
	// others.
	Unjudged string
	// Positive means that a living process always has some of it: a value of 0 or less is no reading.
	Positive bool
	// StandsInFor names the resource that this one replaces: where both are read, this one is only context.
	StandsInFor string
	Sentence    string // what it counts, for people
}

var resources = []Resource{
	{Name: Goroutines, Positive: true, Sentence: "goroutines that exist"},
	{Name: HeapLiveBytes, Unit: "bytes", Sentence: "heap memory that was live after the last garbage collection"},
	{Name: HeapInuseBytes, Unit: "bytes", StandsInFor: HeapLiveBytes, Sentence: "heap memory in spans that are in use"},
	{Name: HeapFreeBytes, Unit: "bytes", Context: true, Unjudged: isContext, Sentence: "heap memory that was freed " +
		"and not returned to the system"},
	{Name: StackBytes, Unit: "bytes", Context: true, Unjudged: isContext, Sentence: "memory of goroutine stacks"},
	{Name: GCCycles, Kind: Counter, Unjudged: isCounter, Sentence: "garbage collections completed"},
	{Name: AllocBytes, Unit: "bytes", Kind: Counter, Unjudged: isCounter,
		Sentence: "heap memory allocated since the start"},
	{Name: RSSBytes, Unit: "bytes", Positive: true, Sentence: "resident memory of the process"},
	{Name: OpenFDs, Positive: true, Sentence: "open file descriptors"},
	{Name: Threads, Positive: true, Sentence: "operating system threads"},
	{Name: CPUSeconds, Unit: "seconds", Kind: Counter, Unjudged: isCounter,
		Sentence: "processor time used since the start"},
}

// Resources returns the table of known resources, in the order in which reports show them.
func Resources() []Resource { return append([]Resource(nil), resources...) }

// Reasons why a trend is not judged.
const (
	isCounter    = "a counter"
	isContext    = "context"
	isIdentifier = "an identifier"
)

// positions are words of metric names that mean where something is, or how it is set, not how much of it there is, and
// what such a value is: it may rise for ever in good health.
var positions = map[string]string{
	"age": "an age", "capacity": "a limit", "duration": "a duration", "elapsed": "an age",
	"epoch": "a position", "etime": "an age",
	"generation": "a position", "id": isIdentifier,
	"info": "not an amount", "lsn": "a position", "revision": "not an amount", "limit": "a limit", "max": "a maximum",
	"offset": "a position", "pid": isIdentifier,
	"position": "a position", "ppid": isIdentifier,
	"segment": "a position", "seq": "a position", "sequence": "a position", "threshold": "a limit", "tid": isIdentifier,
	"time":      "a time",
	"timestamp": "a time", "uid": isIdentifier, "uptime": "an age", "etimes": "an age", "version": "not an amount",
	"watermark": "a position",
}

// Words of the names of what a process that lives always has, and words that may stand beside them.
var (
	vital = []string{"descriptor", "descriptors", "fd", "fds", "goroutines", "handle", "handles", "nlwp", "resident",
		"rss", "threads", "vmrss", "working"}
	beside = []string{
		"anon", "bytes", "container", "count", "current", "fd", "fds", "file", "gb", "gib", "go", "jvm", "kb", "kib",
		"live", "mb", "mem", "memory", "mib", "node", "nodejs", "nr", "num",
		"number", "of", "open", "os", "pod", "proc", "process", "program", "set", "size", "total", "usage", "used",
	}
)

// pageCache are metrics of memory that the kernel takes back when it is needed. Where it counts in, the working set is
// judged in its place.
const (
	pageCache  = "container_memory_cache"
	withCache  = "container_memory_usage_bytes"
	workingSet = "container_memory_working_set_bytes"
)

// Lookup returns the description of a resource. For an unknown name ok is false and the description follows from the
// name: a gauge in bytes or seconds where it ends so, a counter where it ends in _total, as Prometheus names them, and
// context where one of its words shows that it is not an amount, as in uptime.
func Lookup(name string) (r Resource, ok bool) {
	for _, r := range resources {
		if r.Name == name {
			return r, true
		}
	}
	return guessed(name), false
}

// guessed is what the name of an unknown resource suggests.
func guessed(name string) Resource {
	r := Resource{Name: name, Sentence: name, Unit: figure.UnitOf(name)}
	metric, labels, _ := strings.Cut(name, "{")
	if stem, counts := strings.CutSuffix(metric, "_total"); counts {
		metric, r.Kind, r.Unjudged = stem, Counter, isCounter
	}
	lives, other := false, false
	last := ""
	for word := range strings.FieldsFuncSeq(strings.ToLower(metric), func(c rune) bool {
		return strings.ContainsRune("_ -.()[]/", c)
	}) {
		if what := positions[word]; what != "" && what != isIdentifier && !r.Context {
			r.Context, r.Unjudged = true, what
		}
		last = word
		lives = lives || slices.Contains(vital, word)
		other = other || !slices.Contains(vital, word) && !slices.Contains(beside, word)
	}
	if positions[last] == isIdentifier {
		r.Context, r.Unjudged = true, isIdentifier
	}
	r.Positive = lives && !other
	switch metric {
	case pageCache:
		r.Context, r.Unjudged, r.Unit = true, "page cache", "bytes"
	case withCache:
		if r.StandsInFor = workingSet; labels != "" {
			r.StandsInFor += "{" + labels
		}
	}
	return r
}
