package detector

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/detector/page"
)

// CheckStats counts a monitor's checks, and what they cost. The counts and times are since NewMonitor.
type CheckStats struct {
	Checks     uint64        // samples requested
	Incomplete uint64        // of these, the ones in which something could not be read or judged
	LeftOut    uint64        // readings that were not judged, as there were too many resources
	Panics     uint64        // of the source, of OnSample and OnLeakDetection, and of evidence
	Reading    time.Duration // elapsed time spent reading the samples
	Judging    time.Duration // elapsed time spent judging them
	Interval   time.Duration // between two checks; 0 = the configuration turns them off
	Last       time.Time     // of the latest sample that was judged; zero before the first
}

// Cost is what the checks of a monitor have cost.
type Cost = page.Cost

// checkCounters are what the loop counts up. They are safe for concurrent use.
type checkCounters struct {
	checks, incomplete, panics atomic.Uint64
	reading, judging           atomic.Int64 // nanoseconds

	mu   sync.Mutex
	cost Cost // without the history
}

// spent adds the times of one check, which began, was read and was over at these instants.
func (c *checkCounters) spent(began, read, over time.Time) {
	c.reading.Add(int64(read.Sub(began)))
	c.judging.Add(int64(over.Sub(read)))
}

// account adds what one check cost, with all that it called.
func (c *checkCounters) account(elapsed time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cost.Checks++
	c.cost.Elapsed += elapsed
	c.cost.Longest = max(c.cost.Longest, elapsed)
}

// spentSoFar returns what the checks cost.
func (c *checkCounters) spentSoFar() Cost {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cost
}
