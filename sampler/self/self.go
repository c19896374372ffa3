// Package self samples the process that it runs in, from the Go runtime and, on Linux, from /proc, without stopping
// the world and without allocating. Other processes are sampled by process and endpoint.
package self

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

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/clock"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// Source samples the process it runs in. It reads without stopping the world; on Linux 6.2 and later a sample takes a
// few microseconds and allocates nothing.
//
// On Linux it reads all known resources; threads are those of the operating system, also the ones that C code started.
// On other systems rss_bytes and open_fds are absent, threads are those of the Go runtime (Go 1.26 and later), and
// cpu_seconds is read on Windows and Unix.
type Source struct {
	mu       sync.Mutex
	closed   bool
	clock    *clock.Clock
	start    time.Time
	version  string
	revision string
	ceilings live.CeilingCache
	runtime  runtimeReader
	system   selfSystem
	faults   live.Faults
}

// New returns a Source for this process. Close it to release the few descriptors that it holds on Linux. A part
// that cannot be read is no error here, but one of Sample.
func New() (*Source, error) {
	s := &Source{clock: clock.New(), runtime: newRuntimeReader()}
	s.system = newSelfSystem()
	s.start = s.system.start()
	if info, ok := debug.ReadBuildInfo(); ok {
		s.version, s.revision = live.Build(info)
	}
	s.ceilings.Read = func() []sampler.Ceiling { return withHeapCeiling(s.system.ceilings()) }
	return s, nil
}

// Sample reads this process. The error names the resources that could not be read; the others are in the sample. After
// Close the error wraps os.ErrClosed. Sample and Close may be called concurrently; the context is not used, as nothing
// here waits.
func (s *Source) Sample(_ context.Context, into *sampler.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	into.Reset(now)
	if s.closed {
		return fmt.Errorf("sampler: sample of this process: %w", os.ErrClosed)
	}
	into.Start, into.PID, into.Version, into.Revision = s.start, os.Getpid(), s.version, s.revision
	into.Ceilings = s.ceilings.At(now)
	s.faults.Reset()
	s.runtime.sample(into)
	s.system.sample(into, &s.runtime, &s.faults)
	return s.faults.Err()
}

// withHeapCeiling puts the ceiling of this process's own heap before the others: the runtime's memory limit, or what
// the whole process may hold if that is lower.
func withHeapCeiling(others []sampler.Ceiling) []sampler.Ceiling {
	var heap sampler.Ceiling
	if limit := debug.SetMemoryLimit(-1); limit > 0 && limit < math.MaxInt64 {
		heap = sampler.Ceiling{Resource: sampler.HeapLiveBytes, Level: float64(limit), Source: "GOMEMLIMIT"}
	}
	for _, c := range others {
		if c.Resource == sampler.RSSBytes && c.Level > 0 && (heap.Level == 0 || c.Level < heap.Level) {
			heap = sampler.Ceiling{Resource: sampler.HeapLiveBytes, Level: c.Level, Source: c.Source}
		}
	}
	if heap.Level == 0 {
		return others
	}
	return append([]sampler.Ceiling{heap}, others...)
}

// Close releases what Self holds. Closing again does nothing.
func (s *Source) Close() error {
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
	metricHeapFree
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
		metricHeapFree:    "/memory/classes/heap/free:bytes",
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
func (r *runtimeReader) sample(s *sampler.Sample) {
	// Not /sched/goroutines:goroutines: since Go 1.26 that counts the runtime's own too, of which there are more with
	// every processor and collection.
	s.Add(sampler.Goroutines, float64(runtime.NumGoroutine()))
	rtmetrics.Read(r.samples[:metricThreads])
	if v, ok := r.value(metricHeapLive); ok && v > 0 { // 0 means that no collection has ended yet
		s.Add(sampler.HeapLiveBytes, v)
	}
	objects, ok1 := r.value(metricHeapObjects)
	unused, ok2 := r.value(metricHeapUnused)
	if ok1 && ok2 {
		s.Add(sampler.HeapInuseBytes, objects+unused) // as MemStats.HeapInuse
	}
	if v, ok := r.value(metricHeapFree); ok {
		s.Add(sampler.HeapFreeBytes, v)
	}
	if v, ok := r.value(metricStacks); ok {
		s.Add(sampler.StackBytes, v)
	}
	if v, ok := r.value(metricGCCycles); ok {
		s.Add(sampler.GCCycles, v)
	}
	if v, ok := r.value(metricAllocs); ok {
		s.Add(sampler.AllocBytes, v)
	}
}

// threads returns how many threads the runtime has, which Go knows since 1.26.
func (r *runtimeReader) threads() (n float64, ok bool) {
	rtmetrics.Read(r.samples[metricThreads:])
	return r.value(metricThreads)
}
