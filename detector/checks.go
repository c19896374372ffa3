package detector

import (
	"sync/atomic"
	"time"
)

// CheckStats is what a monitor's checks came to, and what they cost. The counts and times are since NewMonitor.
type CheckStats struct {
	Checks     uint64        // samples asked for
	Incomplete uint64        // of these, the ones in which something could not be read or judged
	Reading    time.Duration // elapsed time spent reading the samples
	Judging    time.Duration // elapsed time spent judging them
	Interval   time.Duration // between two checks; 0 = the configuration turns them off
	Last       time.Time     // of the latest sample that was judged; zero before the first
}

// checkCounters are the parts of CheckStats that the loop counts up.
type checkCounters struct {
	checks, incomplete atomic.Uint64
	reading, judging   atomic.Int64 // nanoseconds
}

// spent adds the times of one check, which began, was read and was over at these instants.
func (c *checkCounters) spent(began, read, over time.Time) {
	c.reading.Add(int64(read.Sub(began)))
	c.judging.Add(int64(over.Sub(read)))
}

// Checks returns what the checks came to so far.
func (m *ResourceMonitor) Checks() CheckStats {
	s := CheckStats{
		Checks:     m.counters.checks.Load(),
		Incomplete: m.counters.incomplete.Load(),
		Reading:    time.Duration(m.counters.reading.Load()),
		Judging:    time.Duration(m.counters.judging.Load()),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Last = m.latest.Time
	if config := m.detector.Config(); config.Enabled {
		s.Interval = config.CheckInterval
	}
	return s
}
