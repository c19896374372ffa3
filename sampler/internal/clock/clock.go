// Package clock stamps the samples of a live source: the one place where the time of a sample comes from. Recordings
// bring their own.
package clock

import "time"

// Clock stamps the samples of one live source: UTC, to the millisecond, strictly increasing. It follows the wall clock
// forward. When the wall clock is found behind the last stamp, it goes on from there by monotonic time, so that a
// correction of the host's clock neither reorders samples nor stretches the time between them. Not safe for concurrent
// use.
type Clock struct {
	Wall func() time.Time     // without a monotonic reading
	Mono func() time.Duration // since any fixed instant

	exact  time.Time     // of the last stamp, before it was rounded
	monoAt time.Duration // at the last stamp
	stamp  time.Time
	offset time.Duration
}

// New returns a clock that reads the system's.
func New() *Clock {
	base := time.Now()
	return &Clock{
		Wall: func() time.Time { return time.Now().Round(0) },
		Mono: func() time.Duration { return time.Since(base) },
	}
}

// Now returns the next stamp: at least a millisecond after the one before.
func (c *Clock) Now() time.Time {
	wall, mono := c.Wall(), c.Mono()
	exact := wall
	if wall.Before(c.exact) {
		exact = c.exact.Add(max(0, mono-c.monoAt))
	}
	c.exact, c.monoAt = exact, mono
	stamp := exact.UTC().Truncate(time.Millisecond)
	if !stamp.After(c.stamp) {
		stamp = c.stamp.Add(time.Millisecond)
	}
	c.stamp = stamp
	c.offset = max(0, stamp.Sub(wall))
	return stamp
}

// Ahead returns how far the last stamp was ahead of the wall clock: 0 unless the wall clock was set back, or samples
// were taken faster than one a millisecond.
func (c *Clock) Ahead() time.Duration { return c.offset }
