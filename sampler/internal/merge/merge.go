// Package merge brings series that were gathered one after the other into one order of time.
package merge

// Point is a value at a time.
type Point struct {
	At    int64 // unix nanoseconds
	Value float64
}

// Queue yields the points of several series in order of time; at one time in the order in which the series were added.
// S is what a series is to its user. The zero value is empty.
type Queue[S any] struct {
	heap  []head[S]
	added int
}

type head[S any] struct {
	at     int64 // of the first of points
	order  int
	points []Point
	series S
}

// Add adds a series whose points are in order of time. It must not be called once points were taken.
func (q *Queue[S]) Add(series S, points []Point) {
	if len(points) == 0 {
		return
	}
	q.heap = append(q.heap, head[S]{points[0].At, q.added, points, series})
	q.added++
	for i := len(q.heap) - 1; i > 0 && q.before(i, (i-1)/2); i = (i - 1) / 2 {
		q.heap[i], q.heap[(i-1)/2] = q.heap[(i-1)/2], q.heap[i]
	}
}

// Next returns the time of the next point; ok is false when none is left.
func (q *Queue[S]) Next() (at int64, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// Pop removes and returns the next point if it is at a time.
func (q *Queue[S]) Pop(at int64) (series S, value float64, ok bool) {
	if len(q.heap) == 0 || q.heap[0].at != at {
		return series, 0, false
	}
	first := &q.heap[0]
	series, value = first.series, first.points[0].Value
	if first.points = first.points[1:]; len(first.points) > 0 {
		first.at = first.points[0].At
	} else {
		last := len(q.heap) - 1
		q.heap[0], q.heap[last] = q.heap[last], head[S]{}
		q.heap = q.heap[:last]
	}
	q.sink()
	return series, value, true
}

// sink brings the first head to its place.
func (q *Queue[S]) sink() {
	for i := 0; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.before(child, first) {
				first = child
			}
		}
		if first == i {
			return
		}
		q.heap[i], q.heap[first] = q.heap[first], q.heap[i]
		i = first
	}
}

func (q *Queue[S]) before(i, k int) bool {
	a, b := &q.heap[i], &q.heap[k]
	return a.at < b.at || a.at == b.at && a.order < b.order
}
