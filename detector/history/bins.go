package history

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

// Bins makes of what a Record keeps what is drawn. Where the lowest and the highest value of a long stretch lay within
// it is not known.
func Bins(points []Point) []plot.Bin {
	bins := make([]plot.Bin, 0, len(points))
	var steps rhythm
	for i, p := range points {
		b := plot.Bin{
			First: p.From.UnixNano(), Last: p.To.UnixNano(), Min: p.Min, Max: p.Max, Value: p.Max, Mean: p.Baseline,
			Deviation: p.Deviation,
			Gap:       i > 0 && steps.gap(p.From.Sub(points[i-1].To).Nanoseconds()),
		}
		b.MinAt, b.MaxAt = b.First, b.Last
		if p.Baseline == 0 && p.Deviation == 0 && p.Max != 0 {
			b.Mean = math.NaN()
		}
		bins = append(bins, b)
	}
	return bins
}

// Clip drops what lies before the first sample that is drawn.
func Clip(c *plot.Chart) {
	from := time.Unix(0, c.Bins[0].First)
	c.Minimums = slices.DeleteFunc(c.Minimums, func(f plot.Minimum) bool { return f.From.Before(from) })
	c.Marks = slices.DeleteFunc(c.Marks, func(m plot.Mark) bool { return m.At.Before(from) })
	c.Fits = slices.DeleteFunc(c.Fits, func(f plot.Fit) bool { return f.To.Before(from) })
	for i := range c.Fits {
		if f := &c.Fits[i]; f.From.Before(from) {
			f.Value += f.SlopePerSecond * from.Sub(f.From).Seconds()
			f.From = from
		}
	}
}
