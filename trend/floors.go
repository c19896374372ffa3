package trend

import "math"

// Epoch returns where bucket 0 of every width starts, in unix nanoseconds.
func (l *Ladder) Epoch() int64 { return l.epoch }

// Closed returns how many buckets at index w were closed since the epoch, 0 <= w < Widths.
func (l *Ladder) Closed(w int) int64 { return l.rings[w].count }

// FloorAt returns the floor of closed bucket number n at index w, which starts n widths after the epoch; ok is false where nothing, or
// too little, was read, and for a bucket that is not kept or not closed.
func (l *Ladder) FloorAt(w int, n int64) (floor float64, ok bool) {
	r := &l.rings[w]
	if n < r.oldest() || n >= r.count {
		return 0, false
	}
	floor = r.at(n).floor
	return floor, !math.IsNaN(floor)
}
