package breakdown

import (
	"fmt"
	"math"
	"runtime/metrics"
)

// runtimeMemory is what the Go runtime of this process knows of its memory, in bytes.
type runtimeMemory struct {
	live   float64 // by the latest collection
	inUse  float64 // of the heap, with what is garbage
	free   float64 // freed, and not returned to the system
	stacks float64
	own    float64 // of the runtime itself
	gogc   float64 // in percent; negative for off
	limit  float64 // GOMEMLIMIT; 0 for none
}

const noGOGC = 1 << 63 // and above, as the runtime tells that the collector does not run by itself

func readRuntime() (r runtimeMemory) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/os-stacks:bytes"},
		{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"},
		{Name: "/memory/classes/metadata/mcache/free:bytes"}, {Name: "/memory/classes/metadata/mcache/inuse:bytes"},
		{Name: "/memory/classes/metadata/mspan/free:bytes"}, {Name: "/memory/classes/metadata/mspan/inuse:bytes"},
		{Name: "/memory/classes/metadata/other:bytes"}, {Name: "/memory/classes/other:bytes"}, {Name: "/memory/classes/profiling/buckets:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return float64(samples[i].Value.Uint64())
	}
	r = runtimeMemory{live: value(0), inUse: value(1) + value(2), free: value(3), stacks: value(4), own: value(5), gogc: value(6), limit: value(7)}
	r.live = min(r.live, r.inUse)
	for i := 8; i < len(samples); i++ {
		r.own += value(i)
	}
	if r.gogc >= noGOGC {
		r.gogc = -1
	}
	if r.limit >= math.MaxInt64 {
		r.limit = 0
	}
	return r
}

// policy says why the runtime keeps memory that was freed.
func (r *runtimeMemory) policy() string {
	gogc := "GOGC off"
	if r.gogc >= 0 {
		gogc = fmt.Sprintf("GOGC %.0f", r.gogc)
	}
	if r.limit > 0 {
		return fmt.Sprintf("%s, GOMEMLIMIT %.0f MiB: the scavenger returns it above 95 %% of that, else slowly", gogc, r.limit/(1<<20))
	}
	return gogc + ", no GOMEMLIMIT: the scavenger keeps a tenth over the heap's goal, and returns the rest slowly"
}
