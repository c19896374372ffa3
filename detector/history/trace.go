package history

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	keptMinimums = 256 // of each width
	keptFits     = 16  // of findings that are over
	keptMarks    = 64
	// shownMinimums is how many of them a plot shows at most, unless a fitted line rests on them.
	shownMinimums = 160
	// minShown is how many widths of the buckets that a fitted line rests on a plot must span to show them.
	minShown = 8
)

// Trace keeps what was made of one resource: the minimums of its ladder, the fitted lines of findings, and what
// happened. The zero value is empty. It takes up to 20 KB, and is not safe for concurrent use.
type Trace struct {
	ladder   *trend.Ladder // whose minimums are taken
	closed   [trend.Widths]int64
	minimums [trend.Widths][]minimum
	current  trend.Growth // of the finding that holds
	fits     []plot.Fit   // of those that are over
	marks    []plot.Mark
}

// minimum is the lowest value of a bucket, by the start of that in unix nanoseconds.
type minimum struct {
	from  int64
	value float64
}

// Mark adds what happened to a resource. The latest 64 marks are kept.
func (c *Trace) Mark(m plot.Mark) { c.marks = bounded(c.marks, m, keptMarks) }

// Observe takes what was made of a sample: the minimums of the resource, nil for one that is not judged, and its
// growth.
func (c *Trace) Observe(l *trend.Ladder, g *finding.Growth) {
	if l == nil {
		return
	}
	if l != c.ladder || l.Closed(0) != c.closed[0] {
		c.addMinimums(l)
	}
	switch {
	case g.Active() && g.Measured().Fit != c.current.Fit:
		c.current = g.Measured()
	case !g.Active() && c.current.Points > 0:
		c.fits = bounded(c.fits, fitOf(&c.current), keptFits)
		c.current = trend.Growth{}
	}
}

// addMinimums takes those of the buckets that closed since the sample before.
func (c *Trace) addMinimums(l *trend.Ladder) {
	if l != c.ladder {
		if c.ladder != nil && c.ladder.Width(0) != l.Width(0) {
			c.minimums = [trend.Widths][]minimum{}
		}
		c.ladder, c.closed = l, [trend.Widths]int64{}
	}
	for w := range trend.Widths {
		width := l.Width(w)
		closed := l.Closed(w)
		for n := max(c.closed[w], closed-trend.Buckets); n < closed; n++ {
			if value, ok := l.MinimumAt(w, n); ok {
				c.minimums[w] = bounded(c.minimums[w], minimum{l.Epoch() + n*width, value}, keptMinimums)
			}
		}
		c.closed[w] = closed
	}
}

// bounded appends a value and drops the oldest beyond so many.
func bounded[T any](all []T, value T, limit int) []T {
	if len(all) >= limit {
		all = slices.Delete(all, 0, 1)
	}
	return append(all, value)
}

// fitOf returns the fitted line of growth over its window.
func fitOf(c *trend.Growth) plot.Fit {
	return plot.Fit{
		From: instant(c.Since), To: instant(c.Since + int64(c.Window)), Value: c.Fit.Intercept,
		SlopePerSecond: c.Fit.Slope,
	}
}

// Draw adds minimums, lines and marks to a chart that has its bins. Where no finding holds, the line is that of growth
// that is suspected.
func (c *Trace) Draw(chart *plot.Chart, g *finding.Growth) {
	chart.Fits = append(chart.Fits, c.fits...)
	chart.Marks = append(slices.Clone(c.marks), chart.Marks...)
	slices.SortStableFunc(chart.Marks, func(a, b plot.Mark) int { return a.At.Compare(b.At) })
	measured := c.current
	if measured.Points == 0 && g.Suspected() {
		measured = g.Nearest()
	}
	if measured.Points > 0 {
		chart.Fits = append(chart.Fits, fitOf(&measured))
	}
	chart.Minimums = c.shown(chart.Bins, measured.Width)
}

// shown returns the minimums of the width that a fitted line rests on or, where these are too many or there is no line,
// of the finest width that shows them apart.
func (c *Trace) shown(bins []plot.Bin, fitted time.Duration) (shown []plot.Minimum) {
	if c.ladder == nil || len(bins) == 0 {
		return nil
	}
	span := bins[len(bins)-1].Last - bins[0].First
	if span < minShown*int64(fitted) {
		fitted = 0 // a part of the plot, too short for the buckets that the line rests on
	}
	best := trend.Widths - 1
	for w := trend.Widths - 1; w >= 0; w-- {
		width := c.ladder.Width(w)
		if span/width <= shownMinimums && width >= int64(fitted) || width == int64(fitted) &&
			span/width < keptMinimums {
			best = w
		}
	}
	width := c.ladder.Width(best)
	for _, m := range c.minimums[best] {
		shown = append(shown, plot.Minimum{From: instant(m.from), To: instant(m.from + width), Value: m.value})
	}
	return shown
}
