package leaktest

import (
	"flag"
	"runtime"
	"sync"
)

// maxRecorded is how many allocations of a stretch are recorded: each takes a microsecond or two.
const maxRecorded = 100_000

// sampling is how the heap is sampled while checks run.
var sampling struct {
	sync.Mutex
	checks int
	before int // rate that the process had
}

// sampleEvery has the heap sampled every so many bytes or more often, until the returned function is called. Where the
// test binary is to write a memory profile, which a change would spoil, the rate stays as it is.
func sampleEvery(bytes int) (restore func()) {
	if profilesMemory() {
		return func() {}
	}
	sampling.Lock()
	defer sampling.Unlock()
	if sampling.checks == 0 {
		sampling.before = runtime.MemProfileRate
		runtime.MemProfileRate = bytes
	} else {
		runtime.MemProfileRate = min(runtime.MemProfileRate, bytes)
	}
	sampling.checks++
	return func() {
		sampling.Lock()
		defer sampling.Unlock()
		if sampling.checks--; sampling.checks == 0 {
			runtime.MemProfileRate = sampling.before
		}
	}
}

// profilesMemory reports whether go test was called with -memprofile or -memprofilerate.
func profilesMemory() bool {
	for name, without := range map[string]string{"test.memprofile": "", "test.memprofilerate": "0"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != without {
			return true
		}
	}
	return false
}

// rateFor returns every how many bytes the heap is to be sampled where so many objects of so many bytes are allocated
// in a stretch.
func rateFor(objects, bytes float64) int {
	if objects <= maxRecorded {
		return 1
	}
	return int(min(max(bytes/maxRecorded, 1), 512<<10))
}
