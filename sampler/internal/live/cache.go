package live

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// ceilingRefresh is how long ceilings are taken as unchanged, in sample time: limits are raised by hand, now and then.
const CeilingRefresh = time.Minute

// CeilingCache keeps the ceilings of one process between refreshes.
type CeilingCache struct {
	Read func() []sampler.Ceiling
	list []sampler.Ceiling
	next time.Time
}

// At returns the ceilings as known at an instant: the same slice as before unless one has changed.
func (c *CeilingCache) At(now time.Time) []sampler.Ceiling {
	if now.Before(c.next) {
		return c.list
	}
	c.next = now.Add(CeilingRefresh)
	if list := c.Read(); !slices.Equal(list, c.list) {
		c.list = list
	}
	return c.list
}
