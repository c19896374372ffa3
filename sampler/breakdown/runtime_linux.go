package breakdown

import (
	"fmt"
	"math"
	"runtime/metrics"
)

const noGOGC = 1 << 63 // and above: the runtime's value for a collector that does not run by itself

// readRuntime asks the runtime of this process.
func readRuntime() (r GoMemory) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/os-stacks:bytes"},
		{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"},
		{Name: "/memory/classes/metadata/mcache/free:bytes"}, {Name: "/memory/classes/metadata/mcache/inuse:bytes"},
		{Name: "/memory/classes/metadata/mspan/free:bytes"}, {Name: "/memory/classes/metadata/mspan/inuse:bytes"},
		{Name: "/memory/classes/metadata/other:bytes"}, {Name: "/memory/classes/other:bytes"},
		{Name: "/memory/classes/profiling/buckets:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return float64(samples[i].Value.Uint64())
	}
	r = GoMemory{Live: value(0), Objects: value(1), InUse: value(1) + value(2), Free: value(3), Stacks: value(4),
		Own: value(5), GOGC: value(6), Limit: value(7)}
	r.Live = min(r.Live, r.Objects)
	for i := 8; i < len(samples); i++ {
		r.Own += value(i)
	}
	if r.GOGC >= noGOGC {
		r.GOGC = -1
	}
	if r.Limit >= math.MaxInt64 {
		r.Limit = 0
	}
	return r
}

// policy returns why the runtime keeps memory that was freed.
func (r *GoMemory) policy() string {
	gogc := "GOGC off"
	if r.GOGC >= 0 {
		gogc = fmt.Sprintf("GOGC %.0f", r.GOGC)
	}
	if r.Limit > 0 {
		return fmt.Sprintf("%s, GOMEMLIMIT %.0f MiB: the scavenger returns it above 95 %% of that, else slowly", gogc,
			r.Limit/(1<<20))
	}
	return gogc + ", no GOMEMLIMIT: the scavenger keeps a tenth over the heap's goal, and returns the rest slowly"
}
