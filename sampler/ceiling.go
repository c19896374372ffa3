package sampler

import (
	"math"
	"runtime/debug"
	"slices"
	"time"
)

// ceilingRefresh is how long ceilings are taken as unchanged, in sample time: limits are raised by hand, now and then.
const ceilingRefresh = time.Minute

// ceilingCache keeps the ceilings of one process between refreshes.
type ceilingCache struct {
	read func() []Ceiling
	list []Ceiling
	next time.Time
}

// at returns the ceilings as known at an instant: the same slice as before unless one has changed.
func (c *ceilingCache) at(now time.Time) []Ceiling {
	if now.Before(c.next) {
		return c.list
	}
	c.next = now.Add(ceilingRefresh)
	if list := c.read(); !slices.Equal(list, c.list) {
		c.list = list
	}
	return c.list
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
