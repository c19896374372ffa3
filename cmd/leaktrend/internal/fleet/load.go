package fleet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

const (
	loadBin = time.Hour // values are compared with the load by their lowest, load by its mean, in bins of this width

	minLoadBins = 12 // with both, to say anything

	// proportion is the least share of the relative growth of a value that the load must show too: a value with a part
	// that does not depend on the load grows less than the load, not more.
	proportion = .8
	// swing is how much a load must vary about its own trend, as a share of its mean, for a value that follows it to be
	// told from one that only grows at the same time.
	swing = .1
	// maxLeft is the share of the growth that may remain with the load held constant.
	maxLeft = .5
)

// goesWithLoad reports whether the growth of a value between two instants is that of a load which is known to drive it:
// the load grew in proportion, and nothing tells that the value would have grown at constant load too. That shows in
// the regression of the value on time and load, but only where the load varies by more than its trend; else the two
// cannot be told apart, and the load has the benefit of the doubt.
func goesWithLoad(values, load []float64, g prom.Grid, from, to time.Time) bool {
	width := max(int(loadBin/g.Step), 1)
	var x, y, z []float64 // time in bins, value, load
	for begin := 0; begin < g.N; begin += width {
		low, sum, n := math.Inf(1), 0., 0
		for i := begin; i < min(begin+width, g.N); i++ {
			if at := g.At(i); at.Before(from) || at.After(to) || math.IsNaN(values[i]) || math.IsNaN(load[i]) {
				continue
			}
			low, sum, n = min(low, values[i]), sum+load[i], n+1
		}
		if n > 0 {
			x, y, z = append(x, float64(begin/width)), append(y, low), append(z, sum/float64(n))
		}
	}
	n := len(x)
	if n < minLoadBins {
		return false
	}
	growth := func(v []float64) float64 { return stat.Mean(v[n-n/4:], nil)/stat.Mean(v[:n/4], nil) - 1 }
	if !(growth(z) >= proportion*growth(y)) { // false for NaN
		return false
	}
	// The value and the load less their own trends in time; what is left of the load explains a part of what is left of
	// the value.
	valueSlope, valueRest := detrend(x, y)
	loadSlope, loadRest := detrend(x, z)
	squares, products := floats.Dot(loadRest, loadRest), floats.Dot(loadRest, valueRest)
	if math.Sqrt(squares/float64(n)) < swing*stat.Mean(z, nil) {
		return true
	}
	return valueSlope-products/squares*loadSlope < maxLeft*valueSlope
}

// detrend returns the slope of the least squares line of y over x, and what the line leaves of y.
func detrend(x, y []float64) (slope float64, rest []float64) {
	start, slope := stat.LinearRegression(x, y, nil, false)
	for i := range x {
		rest = append(rest, y[i]-start-slope*x[i])
	}
	return slope, rest
}

// readLoad reads the load of the targets of a batch as a rate. Two steps, as a rate needs two values.
func (g *gathering) readLoad(ctx context.Context) error {
	s, b := g.scan, g.batch
	window := model.Duration(2 * s.Grid.Step).String()
	selected := selector{equals(model.MetricNameLabel, s.Load)}.with(equals(b.source.outer, b.outer),
		isOneOf(b.source.inner, b.inner))
	query := fmt.Sprintf("sum by (%s,%s) (rate(%s[%s]))", b.source.outer, b.source.inner, selected, window)
	series, err := s.server.Range(ctx, query, s.Grid, true)
	if err == nil {
		g.addLoad(series)
	}
	return err
}
