package baseline

import "slices"

const (
	startPoints = 10         // fewest values to settle on
	startSpread = 0.2        // widest range of these, over their median, that counts as settled
	startSlack  = 4          // range that always counts as settled: a handful of goroutines or descriptors
	startLatest = 5 * minute // a series that never calms down is settled by then, if it has the points
	startStep   = 0.6        // of a rise: a single step that holds more of it is the end of a start-up, not growth
	// of the range by which the mean of the later half exceeds that of the earlier one in growth; a line has 5/9
	startRise = 0.35
	minute    = 60e9
)

// Start is the level at which a series settled after the start of its process. Growth limits are measured from it. It
// is set once: a level that followed the series would carry the limit up with a slow leak. It is the lower quartile of
// ten values that lie close together and do not go on rising, or of the latest ten after five minutes. Growth from the
// first value on that was never given back is no start-up: as long as it goes on, and for good if it still does after
// five minutes, the level is the first value.
type Start struct {
	values  [startPoints]float64
	n       int
	at      int64 // of the first value
	level   float64
	settled bool

	first, last float64
	high        float64 // highest value so far
	step        float64 // largest rise from one value to the next
	fell        bool    // whether half of the rise was ever given back
}

// Observe adds a finite value measured at an instant in unix nanoseconds.
func (s *Start) Observe(at int64, value float64) {
	if s.settled {
		return
	}
	value = clamp(value)
	if s.n == 0 {
		s.at, s.first, s.last, s.high = at, value, value, value
	}
	s.step = max(s.step, value-s.last)
	s.high = max(s.high, value)
	s.fell = s.fell || value < s.first+(s.high-s.first)/2
	s.last = value
	s.values[s.n%startPoints] = value
	s.n++

	sorted := s.values
	seen := sorted[:min(s.n, startPoints)]
	slices.Sort(seen)
	s.level = seen[len(seen)/4]
	if len(seen) < 4 {
		s.level = seen[len(seen)/2] // the first instants of a start-up are no level
	}
	calm := seen[len(seen)-1]-seen[0] <= max(startSlack, startSpread*seen[len(seen)/2]) && !s.rising()
	if s.growing() && !calm {
		s.level = s.first
	}
	s.settled = s.n >= startPoints && (calm || at-s.at >= startLatest)
}

// growing reports whether the series has risen steadily since its first value: a leak from the start on, not a
// start-up.
func (s *Start) growing() bool {
	rise := s.high - s.first
	return s.n > 2 && !s.fell && rise > startSlack && s.step <= startStep*rise
}

// rising reports whether the later half of the latest values lies clearly above the earlier half.
func (s *Start) rising() bool {
	if s.n < startPoints {
		return s.growing()
	}
	var higher float64 // mean of the later half over that of the earlier one
	for i := range startPoints {
		share := s.values[(s.n+i)%startPoints] / (startPoints / 2)
		if i < startPoints/2 {
			share = -share
		}
		higher += share
	}
	spread := slices.Max(s.values[:]) - slices.Min(s.values[:])
	return spread > startSlack && higher > startRise*spread
}

// Level returns the starting level, provisional until settled; ok is false before the first value.
func (s *Start) Level() (level float64, settled, ok bool) { return s.level, s.settled, s.n > 0 }
