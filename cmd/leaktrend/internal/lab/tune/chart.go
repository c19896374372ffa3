package tune

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mdzesseis/leaktrend/detector/plot"
)

// A chart is drawn in a box of 400 by 300 units. On a phone it takes the whole width, so a unit there is a little less
// than a pixel.
const (
	chartWidth, chartHeight             = 400., 300.
	plotLeft, plotRight                 = 46., 388.
	plotTop, plotBottom                 = 14., 252.
	zeroLane                            = 40. // left of the logarithmic axis, for what is zero
	letterWidth, lineHeight             = 6., 12.
	plainRadius, ownRadius, labelMargin = 2.6, 4.5, 3.
)

// point is one method or setting. Its class chooses the look.
type point struct {
	x, y  float64
	label string // "" = none
	title string // shown when pointed at
	class string
}

// Classes of points.
const (
	classRule    = "rule"
	classSetting = "setting"
	classOwn     = "own"    // in force
	classChosen  = "chosen" // recommended
)

// axis maps values to a stretch of the chart.
type axis struct {
	log       bool
	low, high float64
	from, to  float64 // in the chart; from may be greater
	ticks     []tick
	title     string
}

type tick struct {
	value float64
	label string
}

func (a *axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log(low), math.Log(high), math.Log(v)
	}
	return a.from + (a.to-a.from)*(v-low)/(high-low)
}

// rateAxis is logarithmic over whole decades. Zero has a lane of its own, left of it.
func rateAxis(points []point, title string) axis {
	low, high, zero := math.Inf(1), math.Inf(-1), false
	for _, p := range points {
		if p.x > 0 {
			low, high = min(low, p.x), max(high, p.x)
		} else {
			zero = true
		}
	}
	if low > high {
		low, high = 0.01, 1
	}
	first, last := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	last = max(last, first+1)
	a := axis{log: true, low: math.Pow10(first), high: math.Pow10(last), from: plotLeft, to: plotRight, title: title}
	if zero {
		a.from += zeroLane
		a.ticks = append(a.ticks, tick{0, "0"})
	}
	for e := first; e <= last; e++ {
		a.ticks = append(a.ticks, tick{math.Pow10(e), strconv.FormatFloat(math.Pow10(e), 'f', -1, 64)})
	}
	return a
}

// x places a value on the rate axis.
func (a *axis) x(v float64) float64 {
	if v <= 0 {
		return plotLeft + zeroLane/4
	}
	return a.at(v)
}

func recallAxis() axis {
	a := axis{low: 0, high: 1, from: plotBottom, to: plotTop}
	for v := 0; v <= 100; v += 20 {
		a.ticks = append(a.ticks, tick{float64(v) / 100, strconv.Itoa(v) + " %"})
	}
	return a
}

// delayAxis is logarithmic, with round lengths of time.
func delayAxis(points []point) axis {
	steps := []tick{
		{1. / 3600, "1s"}, {10. / 3600, "10s"}, {1. / 60, "1m"}, {3. / 60, "3m"}, {.1666667, "10m"}, {.5, "30m"},
		{1, "1h"}, {3, "3h"},
		{6, "6h"}, {12, "12h"}, {24, "1d"}, {72, "3d"}, {168, "7d"}, {720, "30d"}, {2400, "100d"},
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		low, high = min(low, p.y), max(high, p.y)
	}
	first, last := 0, len(steps)-1
	for first+1 < len(steps)-1 && steps[first+1].value <= low {
		first++
	}
	for last-1 > first && steps[last-1].value >= high {
		last--
	}
	return axis{log: true, low: steps[first].value, high: steps[last].value, from: plotBottom, to: plotTop,
		ticks: steps[first : last+1]}
}

// countAxis begins at zero.
func countAxis(points []point) axis {
	high := 0.
	for _, p := range points {
		high = max(high, p.y)
	}
	if high == 0 {
		high = 1
	}
	step := plot.RoundStep(high/5, high, "")
	top := step * math.Ceil(high/step)
	a := axis{low: 0, high: top, from: plotBottom, to: plotTop}
	for v := 0.; v <= top+step/2; v += step {
		a.ticks = append(a.ticks, tick{v, number3(v)})
	}
	return a
}

// box is a part of the chart that something takes up.
type box struct{ left, top, right, bottom float64 }

func (b box) meets(o box) bool {
	return b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom
}

// drawChart draws points, a line through some of them, and the budget if it is above 0 and on the axis. It returns an
// svg element.
func drawChart(x, y axis, points, line []point, budget float64, describe string) string {
	on := plot.NewSVG(chartWidth)
	for _, t := range y.ticks {
		at := y.at(t.value)
		on.Line(plot.Grid, []plot.Point{{X: plotLeft, Y: at}, {X: plotRight, Y: at}})
		on.Text(plot.Muted, plot.Point{X: plotLeft - 5, Y: at + 3.5}, plot.End, plot.Label{Text: t.label})
	}
	for _, t := range x.ticks {
		at := x.x(t.value)
		on.Line(plot.Grid, []plot.Point{{X: at, Y: plotTop}, {X: at, Y: plotBottom}})
		on.Text(plot.Muted, plot.Point{X: at, Y: plotBottom + 14}, plot.Middle, plot.Label{Text: t.label})
	}
	on.Text(plot.Muted, plot.Point{X: (plotLeft + plotRight) / 2, Y: plotBottom + 32}, plot.Middle,
		plot.Label{Text: x.title})
	if budget > x.low && budget < x.high {
		at := x.x(budget)
		on.Line(plot.Guide, []plot.Point{{X: at, Y: plotTop}, {X: at, Y: plotBottom}})
		on.Text(plot.Muted, plot.Point{X: at + 3, Y: plotBottom - 4}, plot.Start, plot.Label{Text: "budget"})
	}
	var curve []plot.Point
	for _, p := range line {
		curve = append(curve, plot.Point{X: x.x(p.x), Y: y.at(p.y)})
	}
	if len(curve) > 1 {
		on.Line(plot.Own, curve)
	}
	marks := joined(points, x, y)
	var occupied []box
	for _, p := range marks {
		occupied = append(occupied, markBox(p, x, y))
	}
	for _, p := range marks {
		on.Mark(p.ink(), p.shape(), plot.Point{X: x.x(p.x), Y: y.at(p.y)}, radius(p), p.title)
	}
	// What matters most chooses its place first.
	slices.SortStableFunc(marks, func(a, b point) int { return rank(a) - rank(b) })
	for _, p := range marks {
		if p.label != "" {
			occupied = append(occupied, placeLabel(on, p, x.x(p.x), y.at(p.y), occupied))
		}
	}
	return fmt.Sprintf("<svg class=\"scaled\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n%s</svg>\n",
		chartWidth, chartHeight, html.EscapeString(describe), on.Inner())
}

// ink and shape tell the classes of points apart, by colour and by form.
func (p point) ink() plot.Ink {
	switch p.class {
	case classRule:
		return plot.Other
	case classChosen:
		return plot.Chosen
	}
	return plot.Own
}

func (p point) shape() plot.Shape {
	switch p.class {
	case classRule:
		return plot.Diamond
	case classOwn:
		return plot.Ring
	}
	return plot.Dot
}

func rank(p point) int {
	return slices.Index([]string{classChosen, classOwn, classRule, classSetting}, p.class)
}

func radius(p point) float64 {
	if p.class == classSetting {
		return plainRadius
	}
	return ownRadius
}

func markBox(p point, x, y axis) box {
	at, up, r := x.x(p.x), y.at(p.y), radius(p)
	return box{at - r, up - r, at + r, up + r}
}

// joined puts rules that fall on one place under one mark.
func joined(points []point, x, y axis) []point {
	const near = 2
	type cluster struct {
		point
		names []string
	}
	var all []cluster
	for _, p := range points {
		i := -1
		if p.class == classRule {
			i = slices.IndexFunc(all, func(c cluster) bool {
				return c.class == classRule && math.Hypot(x.x(c.x)-x.x(p.x), y.at(c.y)-y.at(p.y)) < near
			})
		}
		if i < 0 {
			all = append(all, cluster{p, []string{p.label}})
			continue
		}
		c := &all[i]
		c.names = append(c.names, p.label)
		c.title += "\n" + p.title
		c.label = fmt.Sprintf("%s and %d more", c.names[0], len(c.names)-1)
		if len(c.names) == 2 {
			c.label = strings.Join(c.names, ", ")
		}
	}
	var out []point
	for _, c := range all {
		out = append(out, c.point)
	}
	return out
}

// widthOf estimates how wide the label of a mark is.
func widthOf(p point) float64 {
	width := 0.
	for _, c := range p.label {
		if unicode.IsUpper(c) {
			width += 1.3 * letterWidth
		} else {
			width += letterWidth
		}
	}
	if p.class == classOwn || p.class == classChosen { // bold
		width *= 1.12
	}
	return width
}

// placeLabel writes the label of a mark where it meets nothing else, and returns what it takes up.
func placeLabel(on plot.Canvas, p point, at, up float64, occupied []box) box {
	width := widthOf(p)
	r := radius(p) + labelMargin
	var best box
	minOverlap := math.Inf(1)
	for _, distance := range []float64{0, 10, 20, 32, 46} {
		d := r + distance
		for _, c := range [][2]float64{
			{at + d, up - lineHeight/2}, {at - d - width, up - lineHeight/2}, {at - width/2, up - d - lineHeight},
			{at - width/2, up + d},
			{at + d, up - d - lineHeight/2}, {at + d, up + d - lineHeight/2}, {at - d - width, up - d - lineHeight/2},
			{at - d - width, up + d - lineHeight/2},
		} {
			try := box{c[0], c[1], c[0] + width, c[1] + lineHeight}
			if try.left < plotLeft || try.right > chartWidth-2 || try.top < 1 || try.bottom > plotBottom {
				continue
			}
			meets := distance / 100
			for _, o := range occupied {
				if try.meets(o) {
					meets++
				}
			}
			if meets < minOverlap {
				best, minOverlap = try, meets
			}
		}
	}
	if math.IsInf(minOverlap, 1) {
		best = box{at, up, at + width, up + lineHeight}
	}
	middle := [2]float64{(best.left + best.right) / 2, (best.top + best.bottom) / 2}
	if math.Abs(middle[1]-up) > lineHeight || math.Abs(middle[0]-at) > width/2+2*r {
		end := [2]float64{min(max(at, best.left), best.right), min(max(up, best.top), best.bottom)}
		on.Line(plot.Guide, []plot.Point{{X: at, Y: up}, {X: end[0], Y: end[1]}})
	}
	on.Text(p.ink(), plot.Point{X: best.left, Y: best.bottom - 3}, plot.Start, plot.Label{Text: p.label})
	return best
}
