// Package clock stamps the samples of a live source: the one place where the time of a sample comes from. Recordings
// bring their own.
package clock

import "time"

const (
	// smallStep forward of the wall clock is followed at once: a correction.
	smallStep = time.Minute
	// heldFor is how long a larger one must last until it is followed.
	heldFor = 10 * time.Minute
)

// Clock stamps the samples of one live source: UTC, to the millisecond, strictly increasing. It follows the wall clock
// forward, but a leap of more than a minute only once that has lasted for ten: a clock that is a year ahead for a
// moment would leave all stamps a year ahead, as they never go back. Time for which the machine slept is no leap. When
// the wall clock is found behind the last stamp, or too far ahead, it goes on from there by monotonic time, so that a
// correction of the host's clock neither reorders samples nor stretches the time between them. Not safe for concurrent
// use.
type Clock struct {
	Wall  func() time.Time     // without a monotonic reading
	Mono  func() time.Duration // since any fixed instant, without the time for which the machine slept
	Slept func() time.Duration // for which the machine slept since any fixed instant; 0 where that is not known

	began   bool
	exact   time.Time     // of the last stamp, before it was rounded
	monoAt  time.Duration // at the last stamp
	sleptAt time.Duration
	leapAt  time.Duration // when the wall clock was first found to have leapt, by Mono
	leapBy  time.Duration // by how much; 0 while it has not
	stamp   time.Time
	offset  time.Duration
}

// New returns a clock that reads the system's.
func New() *Clock {
	base := time.Now()
	return &Clock{
		Wall:  func() time.Time { return time.Now().Round(0) },
		Mono:  func() time.Duration { return time.Since(base) },
		Slept: slept,
	}
}

// Now returns the next stamp: at least a millisecond after the one before.
func (c *Clock) Now() time.Time {
	wall, mono, asleep := c.Wall(), c.Mono(), c.Slept()
	if !c.began {
		c.began, c.exact, c.monoAt, c.sleptAt = true, wall, mono, asleep
	}
	exact := c.exact.Add(max(0, mono-c.monoAt) + max(0, asleep-c.sleptAt)) // without the wall clock
	switch leap := wall.Sub(exact); {
	case wall.Before(c.exact):
		c.leapBy = 0
	case leap <= smallStep, c.lasts(leap, mono):
		exact, c.leapBy = wall, 0
	}
	c.exact, c.monoAt, c.sleptAt = exact, mono, asleep
	stamp := exact.UTC().Truncate(time.Millisecond)
	if !stamp.After(c.stamp) {
		stamp = c.stamp.Add(time.Millisecond)
	}
	c.stamp = stamp
	c.offset = max(0, stamp.Sub(wall))
	return stamp
}

// lasts reports whether a leap of the wall clock has lasted for so long that it is the stamps that are wrong.
func (c *Clock) lasts(leap, mono time.Duration) bool {
	if c.leapBy == 0 || (leap-c.leapBy).Abs() > smallStep {
		c.leapBy, c.leapAt = leap, mono
	}
	return mono-c.leapAt >= heldFor
}

// Ahead returns how far the last stamp was ahead of the wall clock: 0 unless the wall clock was set back, or samples
// were taken faster than one a millisecond.
func (c *Clock) Ahead() time.Duration { return c.offset }
