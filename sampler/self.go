package sampler

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"sync"
	"time"
)

// Self samples the process it runs in. It reads without stopping the world; on Linux 6.2 and later a sample takes a few
// microseconds and allocates nothing.
//
// On Linux it reads all known resources; threads are those of the operating system, also the ones that C code started.
// On other systems rss_bytes and open_fds are absent, threads are those of the Go runtime (Go 1.26 and later), and
// cpu_seconds is read on Windows and Unix.
type Self struct {
	mu       sync.Mutex
	closed   bool
	clock    *clock
	start    time.Time
	ceilings ceilingCache
	runtime  runtimeReader
	system   selfSystem
	faults   faults
}

// NewSelf returns a Source for this process. Close it to release the few descriptors that it holds on Linux. A part that
// cannot be read is no error here, but one of Sample.
func NewSelf() (*Self, error) {
	s := &Self{clock: newClock(), runtime: newRuntimeReader()}
	s.system = newSelfSystem()
	s.start = s.system.start()
	s.ceilings.read = func() []Ceiling { return withHeapCeiling(s.system.ceilings()) }
	return s, nil
}

// Sample reads this process. The error names the resources that could not be read; the others are in the sample. After
// Close the error wraps os.ErrClosed. Sample and Close may be called concurrently; the context is not used, as nothing
// here waits.
func (s *Self) Sample(_ context.Context, into *Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.now()
	into.Reset(now)
	if s.closed {
		return fmt.Errorf("sampler: sample of this process: %w", os.ErrClosed)
	}
	into.Start = s.start
	into.Ceilings = s.ceilings.at(now)
	s.faults.reset()
	s.runtime.sample(into)
	s.system.sample(into, &s.runtime, &s.faults)
	return s.faults.err()
}

// withHeapCeiling puts the ceiling of this process's own heap before the others: the runtime's memory limit, or what the
// whole process may hold if that is lower.
func withHeapCeiling(others []Ceiling) []Ceiling {
	var heap Ceiling
	if limit := debug.SetMemoryLimit(-1); limit > 0 && limit < math.MaxInt64 {
		heap = Ceiling{HeapLiveBytes, float64(limit), "GOMEMLIMIT"}
	}
	for _, c := range others {
		if c.Resource == RSSBytes && c.Level > 0 && (heap.Level == 0 || c.Level < heap.Level) {
			heap = Ceiling{HeapLiveBytes, c.Level, c.Source}
		}
	}
	if heap.Level == 0 {
		return others
	}
	return append([]Ceiling{heap}, others...)
}

// Close releases what Self holds. Closing again does nothing.
func (s *Self) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.system.close()
}

// Metrics of the Go runtime. The order is that of names in newRuntimeReader.
const (
	metricHeapLive = iota
	metricHeapObjects
	metricHeapUnused
	metricStacks
	metricGCCycles
	metricAllocs
	metricThreads
)

// runtimeReader reads what the Go runtime knows. A metric unknown to this runtime stays of kind KindBad.
type runtimeReader struct{ samples []rtmetrics.Sample }

func newRuntimeReader() runtimeReader {
	names := [...]string{
		metricHeapLive:    "/gc/heap/live:bytes",
		metricHeapObjects: "/memory/classes/heap/objects:bytes",
		metricHeapUnused:  "/memory/classes/heap/unused:bytes",
		metricStacks:      "/memory/classes/heap/stacks:bytes",
		metricGCCycles:    "/gc/cycles/total:gc-cycles",
		metricAllocs:      "/gc/heap/allocs:bytes",
		metricThreads:     "/sched/threads/total:threads",
	}
	r := runtimeReader{make([]rtmetrics.Sample, len(names))}
	for i, name := range names {
		r.samples[i].Name = name
	}
	return r
}

func (r *runtimeReader) value(metric int) (value float64, ok bool) {
	v := &r.samples[metric].Value
	if v.Kind() != rtmetrics.KindUint64 {
		return 0, false
	}
	return float64(v.Uint64()), true
}

// sample adds the readings, except for the threads.
func (r *runtimeReader) sample(s *Sample) {
	// Not /sched/goroutines:goroutines: since Go 1.26 that counts the runtime's own too, of which there are more with
	// every processor and collection.
	s.Add(Goroutines, float64(runtime.NumGoroutine()))
	rtmetrics.Read(r.samples[:metricThreads])
	if v, ok := r.value(metricHeapLive); ok && v > 0 { // 0 means that no collection has ended yet
		s.Add(HeapLiveBytes, v)
	}
	objects, ok1 := r.value(metricHeapObjects)
	unused, ok2 := r.value(metricHeapUnused)
	if ok1 && ok2 {
		s.Add(HeapInuseBytes, objects+unused) // as MemStats.HeapInuse
	}
	if v, ok := r.value(metricStacks); ok {
		s.Add(StackBytes, v)
	}
	if v, ok := r.value(metricGCCycles); ok {
		s.Add(GCCycles, v)
	}
	if v, ok := r.value(metricAllocs); ok {
		s.Add(AllocBytes, v)
	}
}

// threads returns how many threads the runtime has, which Go knows since 1.26.
func (r *runtimeReader) threads() (n float64, ok bool) {
	rtmetrics.Read(r.samples[metricThreads:])
	return r.value(metricThreads)
}
