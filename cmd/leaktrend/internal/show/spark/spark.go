// Package spark draws a series of any length in one line of text, in fixed memory. Plots with axes are drawn by
// detector/plot and, on a terminal, by screen.
package spark

import (
	"math"
	"slices"
	"strings"
)

const maxBins = 128 // bins kept; a power of two, so that merging in pairs loses nothing

var bars = []rune("▁▂▃▄▅▆▇█")

// Line keeps the shape of a series of any length in at most a fixed amount of memory. The zero value is empty. A copy
// shares that memory: only one of them may be added to.
type Line struct {
	means []float64 // of the bins that are full
	per   int       // values in a bin
	sum   float64
	count int
}

// Add appends a finite value.
func (l *Line) Add(value float64) {
	if l.per == 0 {
		l.per = 1
	}
	l.sum += value
	if l.count++; l.count < l.per {
		return
	}
	l.means = append(l.means, l.sum/float64(l.per))
	l.sum, l.count = 0, 0
	if len(l.means) < maxBins {
		return
	}
	for i := range maxBins / 2 {
		l.means[i] = (l.means[2*i] + l.means[2*i+1]) / 2
	}
	l.means, l.per = l.means[:maxBins/2], 2*l.per
}

// Values returns the means of equal stretches of the series, the oldest first, at most 128; the last stretch may be
// shorter.
func (l *Line) Values() []float64 {
	values := slices.Clone(l.means)
	if l.count > 0 {
		values = append(values, l.sum/float64(l.count))
	}
	return values
}

// Draw returns the series in at most width characters, from its lowest to its highest level. A series that varies by
// less than a fifth of its level is drawn flat in proportion, so that noise does not look like movement.
func (l *Line) Draw(width int) string {
	values := l.Values()
	if len(values) == 0 || width <= 0 {
		return ""
	}
	width = min(width, len(values))
	drawn := make([]float64, width)
	for i := range drawn {
		from, to := i*len(values)/width, (i+1)*len(values)/width
		var sum float64
		for _, v := range values[from:to] {
			sum += v
		}
		drawn[i] = sum / float64(to-from)
	}
	return Draw(drawn)
}

// Draw returns a character for each value, from the lowest to the highest as Line.Draw does. NaN is a blank.
func Draw(values []float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	span := max(high-low, .2*math.Abs(high), .2*math.Abs(low))
	var b strings.Builder
	for _, v := range values {
		if math.IsNaN(v) {
			b.WriteByte(' ')
			continue
		}
		level := 0
		if span > 0 {
			level = int((v - low) / span * float64(len(bars)))
		}
		b.WriteRune(bars[min(max(level, 0), len(bars)-1)])
	}
	return b.String()
}
