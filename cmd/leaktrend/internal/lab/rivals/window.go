package rivals

import "math"

// window holds the readings of the last span of time, and the sums of a regression over them.
type window struct {
	s      *series
	span   int64
	lo, hi int // readings lo to hi-1

	x0     int64 // the sums are around this instant and this value: that keeps them small
	y0     float64
	stale  int // readings that left since the sums were last made afresh
	same   int // first of the equal readings at the end
	n      float64
	sx, sy float64
	sxx    float64
	sxy    float64
	syy    float64
}

// to moves the window to the readings in (at-span, at], as Prometheus takes a range.
func (w *window) to(at int64) {
	for w.hi < len(w.s.times) && w.s.times[w.hi] <= at {
		if w.hi > 0 && w.s.values[w.hi] != w.s.values[w.hi-1] {
			w.same = w.hi
		}
		w.add(w.hi, 1)
		w.hi++
	}
	for w.lo < w.hi && w.s.times[w.lo] <= at-w.span {
		w.add(w.lo, -1)
		w.lo++
		w.stale++
	}
	// What was added and subtracted leaves rounding errors behind, of 1e-16 of the largest square.
	if w.stale > w.hi-w.lo {
		w.refresh()
	}
}

func (w *window) refresh() {
	w.stale, w.n, w.sx, w.sy, w.sxx, w.sxy, w.syy = 0, 0, 0, 0, 0, 0, 0
	if w.lo == w.hi {
		return
	}
	w.x0, w.y0 = w.s.times[w.lo], w.s.values[w.lo]
	for i := w.lo; i < w.hi; i++ {
		w.add(i, 1)
	}
}

func (w *window) add(i int, sign float64) {
	if w.n == 0 {
		w.x0, w.y0 = w.s.times[i], w.s.values[i]
		w.sx, w.sy, w.sxx, w.sxy, w.syy = 0, 0, 0, 0, 0
	}
	x, y := float64(w.s.times[i]-w.x0)/1e9, w.s.values[i]-w.y0
	w.n += sign
	w.sx += sign * x
	w.sy += sign * y
	w.sxx += sign * x * x
	w.sxy += sign * x * y
	w.syy += sign * y * y
}

// covers reports whether the readings reach back for the whole span, but for a twentieth.
func (w *window) covers(at int64) bool {
	return w.hi > w.lo && at-w.s.times[w.lo] >= w.span-w.span/20
}

// line is a least-squares fit.
type line struct {
	slope float64 // per second; exactly 0 where all readings are equal
	value float64 // at the instant asked for
	r2    float64
}

// fit returns the line through the readings; ok is false with fewer than two.
func (w *window) fit(at int64) (l line, ok bool) {
	if w.n < 2 {
		return line{}, false
	}
	if w.same <= w.lo {
		return line{value: w.s.values[w.lo]}, true
	}
	return sums{w.n, w.sx, w.sy, w.sxx, w.sxy, w.syy}.fit(float64(at-w.x0)/1e9, w.y0)
}

// sums are those of a regression.
type sums struct{ n, sx, sy, sxx, sxy, syy float64 }

// fit returns the line with its value at x, above y0.
func (s sums) fit(x, y0 float64) (l line, ok bool) {
	xx, xy, yy := s.sxx-s.sx*s.sx/s.n, s.sxy-s.sx*s.sy/s.n, s.syy-s.sy*s.sy/s.n
	if !(xx > 0) {
		return line{}, false
	}
	l.slope = xy / xx
	l.value = y0 + s.sy/s.n + l.slope*(x-s.sx/s.n)
	if yy > 0 {
		l.r2 = min(1, xy*xy/(xx*yy))
	}
	return l, !math.IsNaN(l.slope) && !math.IsInf(l.slope, 0)
}
