package baseline

import "slices"

const (
	startPoints = 10         // fewest values to settle on
	startSpread = 0.2        // widest range of these, over their median, that counts as settled
	startSlack  = 4          // range that always counts as settled: a handful of goroutines or descriptors
	startLatest = 5 * minute // a series that never calms down is settled by then, if it has the points
	minute      = 60e9
)

// Start is the level at which a series settled after the start of its process. Growth limits are measured from it. It is set once:
// a level that followed the series would carry the limit up with a slow leak. Until it is settled it is the median of the latest
// values, so that neither the first instants of a start-up nor a limit passed during the start-up go unseen.
type Start struct {
	values  [startPoints]float64
	n       int
	first   int64
	level   float64
	settled bool
}

// Observe adds a finite value measured at an instant in unix nanoseconds.
func (s *Start) Observe(at int64, value float64) {
	if s.settled {
		return
	}
	if s.n == 0 {
		s.first = at
	}
	s.values[s.n%startPoints] = value
	s.n++

	sorted := s.values
	seen := sorted[:min(s.n, startPoints)]
	slices.Sort(seen)
	s.level = seen[len(seen)/2]
	if s.n < startPoints {
		return
	}
	spread := seen[len(seen)-1] - seen[0]
	calm := spread <= max(startSlack, startSpread*s.level)
	s.settled = calm || at-s.first >= startLatest
}

// Level returns the starting level, provisional until settled; ok is false before the first value.
func (s *Start) Level() (level float64, settled, ok bool) { return s.level, s.settled, s.n > 0 }
