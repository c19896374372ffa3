package sampler

import (
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
