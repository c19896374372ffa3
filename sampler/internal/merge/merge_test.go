package merge

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Of any series the queue yields all points, in order of time, and at one time in the order of the series.
func TestQueue(t *testing.T) {
	type popped struct {
		at     int64
		series int
		value  float64
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var q Queue[int]
		var want []popped
		for series := range random.IntN(20) {
			var points []Point
			at := int64(random.IntN(10))
			for range random.IntN(30) {
				points = append(points, Point{at, random.Float64()})
				want = append(want, popped{at, series, points[len(points)-1].Value})
				at += 1 + int64(random.IntN(3))
			}
			q.Add(series, points)
		}
		slices.SortFunc(want, func(a, b popped) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.series, b.series))
		})
		var got []popped
		for {
			at, ok := q.Next()
			if !ok {
				break
			}
			if _, _, early := q.Pop(at - 1); early {
				t.Fatal("a point was taken at a time that it is not at")
			}
			for {
				series, value, ok := q.Pop(at)
				if !ok {
					break
				}
				got = append(got, popped{at, series, value})
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
