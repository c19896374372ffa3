package finding

// The constants of a tooth.
const (
	toothGrowth = .5  // of the level at its start, by which it rises at the least
	toothBottom = .15 // of its height above the lowest value, up to which its fall ends at the lowest level
	// of its height, that its mean is at the most: it rises to the end, and does not come to rest; a straight one has
	// .5
	toothMean = .65
	sawTeeth  = 2 // that make a saw

	toothReadings = 6 // at the least: what is read a few times a day falls within one reading each evening
)

// Saw counts the teeth of a series: growth for long that was gone within one reading, down to the lowest level ever.
// They are restarts that nothing tells of, as after each kill for want of memory, or a cache that is cleared. The zero
// value has seen nothing.
type Saw struct {
	seen      bool
	low, last float64
	teeth     int

	base   float64 // level at the start of the tooth
	from   int64   // when that was
	height float64 // sum of the heights above it
	n      int
}

// Observe takes the next value at an instant (unix nanoseconds) and reports whether it fell to the lowest level from
// the value before. offset is added to levels when growth is measured, in the unit of the series; shortest is how long
// a tooth lasts at the least, in nanoseconds.
func (s *Saw) Observe(at int64, value, offset float64, shortest int64) (toLowest bool) {
	if !s.seen {
		s.seen, s.low, s.last = true, value, value
		s.begin(at, value)
		return false
	}
	grown := s.last - s.base
	switch fall := s.last - value; {
	case fall > 0 && value <= s.low+toothBottom*(s.last-s.low):
		toLowest = true
		enough := s.n >= toothReadings && at-s.from >= shortest && grown >= toothGrowth*(max(s.base, 0)+offset)
		if enough && s.height/float64(s.n) <= toothMean*grown {
			s.teeth++
		}
		s.begin(at, value)
	case value < s.base || fall > grown/2:
		s.begin(at, value)
	default:
		s.height += value - s.base
		s.n++
	}
	s.low, s.last = min(s.low, value), value
	return toLowest
}

func (s *Saw) begin(at int64, value float64) { s.base, s.from, s.height, s.n = value, at, 0, 1 }

// Teeth returns how many there were; ok is false where they are too few for a saw.
func (s *Saw) Teeth() (n int, ok bool) { return s.teeth, s.teeth >= sawTeeth }
