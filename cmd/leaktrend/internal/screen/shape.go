package screen

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/detector"
)

// cell is what a resource did in one column of a picture. One in which nothing was read has NaN levels.
type cell struct{ min, max, baseline float64 }

// cellsOf cuts the time from one instant to another into columns.
func cellsOf(past []detector.Point, from, to time.Time, columns int) []cell {
	cells := make([]cell, columns)
	for i := range cells {
		cells[i] = cell{math.NaN(), math.NaN(), math.NaN()}
	}
	span := to.Sub(from)
	column := func(at time.Time) int {
		if span <= 0 {
			return columns - 1
		}
		return min(max(int(float64(at.Sub(from))/float64(span)*float64(columns)), 0), columns-1)
	}
	widest := gapOf(past)
	for i, p := range past {
		if p.To.Before(from) {
			continue
		}
		first, last := column(p.From), column(p.To)
		// Up to the next point the value stands, unless samples are missing.
		if i+1 < len(past) && past[i+1].From.Sub(p.To) <= widest {
			last = max(first, column(past[i+1].From)-1)
		}
		for k := first; k <= last; k++ {
			c := &cells[k]
			if math.IsNaN(c.min) {
				c.min, c.max = p.Min, p.Max
			}
			c.min, c.max, c.baseline = min(c.min, p.Min), max(c.max, p.Max), p.Baseline
		}
	}
	return cells
}

// gapOf returns the longest time between two points in which nothing is missing: three times the usual.
func gapOf(past []detector.Point) time.Duration {
	var steps []time.Duration
	for i := max(1, len(past)-100); i < len(past); i++ {
		steps = append(steps, past[i].From.Sub(past[i-1].To))
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return 3 * steps[len(steps)/2]
}

// sparkOf draws the past from an instant on in one line; the zero time means all of it.
func sparkOf(past []detector.Point, from time.Time, width int) string {
	if len(past) == 0 || width <= 0 {
		return ""
	}
	if from.IsZero() {
		from = past[0].From
	}
	cells := cellsOf(past, from, past[len(past)-1].To, width)
	values := make([]float64, len(cells))
	for i, c := range cells {
		values[i] = (c.min + c.max) / 2
	}
	return spark.Draw(values)
}
