// Package plot draws what became of one resource: its samples, what was normal, the minimums, the fitted line, the
// limits and the alerts. It is the one drawing code of the reports, of the exported pictures and of the live page of an
// embedded monitor, so it needs nothing but the standard library and the resource table.
//
// A Chart is a plain description: fill in what is known, leave the rest zero. Package history keeps bins of series of
// any length. Chart.Inline gives the SVG for a page that has Style in its <style> and Script in a <script> at its end;
// Chart.WriteSVG a file that stands alone; Chart.Draw draws on any Canvas, so that another back end makes pictures of
// other formats. Spark is the small one for a table.
//
//	shape := history.NewShape(1024)
//	shape.Add(history.Observation{At: t.UnixNano(), Value: 312, Mean: 300, Deviation: 12}) // for each sample
//	chart := plot.Chart{Title: "goroutines", Resource: resource, Bins: shape.Bins()}
//	fmt.Fprintf(w, "<figure>%s</figure>", chart.Inline("goroutines")) // ids are unique in a page
//
// Inline makes an svg as wide as its container and Height units high: lines stretch, text does not. The script adds
// what is under the pointer, or under the arrow keys once the plot has the focus, and shows all times in the viewer's
// zone. Without it all that is drawn is still there.
package plot

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Size of a plot in its own units, which are CSS pixels where a page shows it at its natural size.
const (
	Width  = 720.
	Height = 256.
)

// Chart describes what one resource did. Levels are in the unit of the resource. Fields that are zero are not drawn.
type Chart struct {
	Title    string // what is plotted, in a few words
	Desc     string // what there is to see, in a sentence, for those who cannot see it
	Resource sampler.Resource
	Zone     *time.Location // of the times written; nil is UTC

	Bins     []Bin     // in order of time
	Layers   []Layer   // parts of the values, drawn as areas one on the other
	Minimums []Minimum // in order of time
	Fits     []Fit
	Limit    Level // the hard limit, beyond which an alert is given
	Ceiling  Level // what the process dies at
	// Exhaustion is when the ceiling is reached if it goes on as now.
	Exhaustion time.Time
	Marks      []Mark
	// Columns is how many parts the width is divided into, each shown by its lowest and highest value; 0 is one a unit
	// of width.
	Columns int
}

// Layer is one of the parts that a value is made of.
type Layer struct {
	Name   string // in a few words
	Ink    Ink
	Values []float64 // at the end of each bin; NaN where that is not known
}

// Minimum is the lowest value of a stretch of time.
type Minimum struct {
	From, To time.Time
	Value    float64
}

// Fit is a fitted line over the window it holds for.
type Fit struct {
	From, To       time.Time
	Value          float64 // at From
	SlopePerSecond float64
}

// Level is a level with a name.
type Level struct {
	Value float64 // 0 = none
	Name  string  // in a word or two
}

// MarkKind is what happened at a mark. Each kind has its own shape.
type MarkKind uint8

const (
	Firing   MarkKind = iota // an alert began
	Resolved                 // it ended
	Restart                  // the process is another one from here on
)

var markWords = [...]string{Firing: "alert", Resolved: "resolved", Restart: "restart"}

// String returns the word for the kind.
func (k MarkKind) String() string { return markWords[k] }

// Mark is something that happened.
type Mark struct {
	At    time.Time
	Kind  MarkKind
	Label string // a word, drawn where there is room
	Text  string // a sentence, shown when pointed at
}

// The margins around the plotted area.
const (
	marginTop    = 34. // for what is above the plot, and below it the labels of marks
	marginBottom = 22. // for the times
	marginLeft   = 58. // for the levels; a page leaves as much beside a plot
	marginWide   = 96. // for long ones
	longLabel    = 8   // characters are not
	levelGap     = 6.  // between a level and its line
	labelAbove   = 4.  // of a label over its line

	onPhone    = .45 // of its width is what a plot has there: what needs more room is minor
	markRadius = 5.
)

// frame maps the values of a chart to the plotted area.
type frame struct {
	left, top, right, bottom float64
	from, to                 int64 // unix nanoseconds
	low, high                float64
}

func (f *frame) x(at int64) float64 {
	return f.left + (f.right-f.left)*float64(at-f.from)/float64(f.to-f.from)
}

// y keeps far outside values drawable.
func (f *frame) y(v float64) float64 {
	y := f.bottom - (f.bottom-f.top)*(v-f.low)/(f.high-f.low)
	return min(max(y, f.top-1e4), f.bottom+1e4)
}

// nearLimit is how many times the highest value a limit may be for the axis to reach up to it: further off it would
// press the series flat.
const nearLimit = 1.6

// A projection adds up to this share of the recorded span on the right: enough to see it meet the ceiling if it does so
// soon, else a hint.
const (
	aheadToCeiling = .4
	aheadHint      = .12
)

// The bounds of the levels that are drawn: sums and quotients of a few are finite and above 0.
const (
	maxLevel = 1e300
	minSpan  = 1e-300
)

// span returns the times and the levels that the axes cover.
func (c *Chart) span() (f frame) {
	first, last := &c.Bins[0], &c.Bins[len(c.Bins)-1]
	f.from, f.to = first.First, last.Last
	if f.to <= f.from {
		f.from, f.to = f.from-int64(time.Second), f.to+int64(time.Second)
	}
	f.low, f.high = math.Inf(1), math.Inf(-1)
	for i := range c.Bins {
		b := &c.Bins[i]
		f.low, f.high = min(f.low, b.Min), max(f.high, b.Max)
		if !math.IsNaN(b.Mean) {
			f.low, f.high = min(f.low, b.Mean), max(f.high, b.Mean)
		}
	}
	if !c.Exhaustion.IsZero() && c.Ceiling.Value > 0 {
		span := float64(f.to - f.from)
		more := c.Exhaustion.UnixNano() - f.to
		if float64(more) > aheadToCeiling*span {
			more = int64(aheadHint * span)
		}
		if more > 0 {
			value := c.projected(f.to + more)
			f.to += more
			f.high = max(f.high, value)
		}
	}
	for _, level := range []float64{c.Limit.Value, c.Ceiling.Value} {
		if level > 0 && level <= nearLimit*f.high {
			f.high = max(f.high, level)
		}
	}
	f.low, f.high = min(max(f.low, -maxLevel), maxLevel), min(max(f.high, -maxLevel), maxLevel)
	// Counts and amounts are read against zero, unless that leaves nothing to see. Noise is not blown up to fill the
	// plot.
	if f.low >= 0 && f.low <= .6*f.high || len(c.Layers) > 0 {
		f.low = 0
	}
	if minSpread := .2 * max(math.Abs(f.low), math.Abs(f.high)); f.high-f.low < minSpread {
		middle := (f.low + f.high) / 2
		nonNegative := f.low >= 0
		f.low, f.high = middle-minSpread/2, middle+minSpread/2
		if nonNegative {
			f.low = max(0, f.low)
		}
	}
	if f.high-f.low < minSpan {
		f.high = f.low + 1
	}
	return f
}

// axes returns the times and levels that a plot of a height covers, with round levels.
func (c *Chart) axes(height float64) (frame, axis) {
	const apart = 55. // levels
	f := c.span()
	values := valueAxis(f.low, f.high, largestSample(c.Bins), c.Resource.Unit, integers(c.Bins), int(height/apart)+1)
	f.low, f.high = values.low, values.high
	return f, values
}

// margin returns the room that the levels take beside the plot.
func (a axis) margin() float64 {
	for _, t := range a.ticks {
		if len(t.label) > longLabel {
			return marginWide
		}
	}
	return marginLeft
}

// projected returns the level at an instant after the last sample, if it goes on as now.
func (c *Chart) projected(at int64) float64 {
	last := &c.Bins[len(c.Bins)-1]
	end := c.Exhaustion.UnixNano()
	if end <= last.Last {
		return c.Ceiling.Value
	}
	return last.Value + (c.Ceiling.Value-last.Value)*float64(at-last.Last)/float64(end-last.Last)
}

func (c *Chart) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Draw draws the plot into the rectangle of a canvas from (0, 0) to the size given, and its levels to the left of that.
// A chart without samples says so.
func (c *Chart) Draw(on Canvas, width, height float64) { c.draw(on, 0, 0, width, height) }

func (c *Chart) draw(on Canvas, left, top, width, height float64) {
	if len(c.Bins) == 0 {
		on.Text(Muted, Point{left + width/2, top + height/2}, Middle, Label{Text: "nothing was read"})
		return
	}
	f, values := c.axes(height)
	f.left, f.right = left, left+width
	f.top, f.bottom = top+marginTop, top+height-marginBottom

	c.drawGrid(on, &f, values)
	columns := c.columns(&f)
	c.drawLayers(on, &f)
	drawBand(on, columns, &f)
	drawSamples(on, columns, &f)
	drawBaseline(on, columns, &f)
	c.drawMinimums(on, &f)
	for _, fit := range c.Fits {
		from, to := max(fit.From.UnixNano(), f.from), min(fit.To.UnixNano(), f.to)
		if from < to {
			value := func(at int64) float64 {
				return fit.Value + fit.SlopePerSecond*float64(at-fit.From.UnixNano())/1e9
			}
			on.Line(FitLine, f.clip(from, value(from), to, value(to)))
		}
	}
	c.drawLimits(on, &f)
	c.drawMarks(on, &f)
	for _, tick := range values.ticks {
		if y := f.y(tick.value); y > f.top-1 {
			on.Text(Muted, Point{f.left, y + TextSize/3}, End, Label{Text: tick.label, Shift: -levelGap, Edge: true})
		}
	}
}

func (c *Chart) drawGrid(on Canvas, f *frame, values axis) {
	for _, tick := range values.ticks {
		y := f.y(tick.value)
		on.Line(Grid, []Point{{f.left, y}, {f.right, y}})
	}
	zone := c.zone()
	elapsed := sampler.FormatInstant(time.Unix(0, f.to), "") != "" // no dates, and in no zone
	if elapsed {
		zone = time.UTC
	}
	ticks := timeAxis(f.from, f.to, zone, 8)
	name := zoneName(f.to, zone)
	if elapsed {
		for i, tick := range ticks {
			ticks[i] = timeTick{at: tick.at, label: sampler.FormatInstant(tick.at, ""), as: ""}
		}
		name = ""
	}
	const letter = 6.2
	reserved := f.right - letter*float64(len(name)) - 8
	for i, tick := range ticks {
		x := f.x(tick.at.UnixNano())
		on.Line(Grid, []Point{{x, f.bottom}, {x, f.bottom + 4}})
		half := letter * float64(len(tick.label)) / 2
		align, edge := Middle, x+half
		if x-half < f.left {
			align, edge = Start, x+2*half
		}
		if edge < reserved {
			label := Label{Text: tick.label, At: tick.at, As: tick.as, Minor: i%2 == 1 ||
				(f.right-x)*onPhone-(edge-x) < f.right-reserved}
			if elapsed {
				label.At = time.Time{}
			}
			on.Text(Muted, Point{x, f.bottom + 16}, align, label)
		}
	}
	if !elapsed {
		on.Text(Muted, Point{f.right, f.bottom + 16}, End, Label{Text: name, At: time.Unix(0, f.to), As: AsZone,
			Edge: true})
	}
}

// drawLayers draws the parts of the values, the first of them at the bottom.
func (c *Chart) drawLayers(on Canvas, f *frame) {
	below := make([]float64, len(c.Bins))
	for _, l := range c.Layers {
		if len(l.Values) != len(c.Bins) {
			continue
		}
		for i := 0; i < len(c.Bins); {
			end := i
			for end < len(c.Bins) && !math.IsNaN(l.Values[end]) && (end == i || !c.Bins[end].Gap) {
				end++
			}
			var upper, lower []Point
			for k := i; k < end; k++ {
				x := f.x(c.Bins[k].Last)
				upper = append(upper, Point{x, f.clamped(below[k] + l.Values[k])})
				lower = append(lower, Point{x, f.clamped(below[k])})
			}
			if len(upper) > 1 {
				lower = thin(lower)
				slices.Reverse(lower)
				on.Area(l.Ink, append(thin(upper), lower...))
			}
			i = max(end, i+1)
		}
		for i, v := range l.Values {
			if !math.IsNaN(v) {
				below[i] += v
			}
		}
	}
}

// drawMinimums draws each minimum over its stretch of time. Neighbours are joined, so that the staircase shows.
func (c *Chart) drawMinimums(on Canvas, f *frame) {
	var line []Point
	last := int64(math.MinInt64)
	for _, minimum := range c.Minimums {
		from, to := max(minimum.From.UnixNano(), f.from), min(minimum.To.UnixNano(), f.to)
		if from >= to {
			continue
		}
		if from > last && len(line) > 0 {
			line = append(line, lifted)
		}
		line = append(line, Point{f.x(from), f.y(minimum.Value)}, Point{f.x(to), f.y(minimum.Value)})
		last = to
	}
	if len(line) > 0 {
		on.Line(MinimumLine, line)
	}
}

// drawLimits draws the limit, the ceiling, and the way there. What is above the plot is named at its upper edge.
func (c *Chart) drawLimits(on Canvas, f *frame) {
	above := ""
	for _, l := range []struct {
		Level
		ink Ink
	}{{c.Limit, LimitLine}, {c.Ceiling, CeilingLine}} {
		if l.Value <= 0 {
			continue
		}
		text := l.Name + " " + c.Resource.Format(l.Value)
		if l.ink == CeilingLine && !c.Exhaustion.IsZero() {
			text += " in " + sampler.FormatDuration(max(0, c.Exhaustion.Sub(time.Unix(0, c.Bins[len(c.Bins)-1].Last))))
		}
		if l.Value > f.high || l.Value < f.low {
			if above != "" {
				above += ", "
			}
			above += text
			continue
		}
		y := f.y(l.Value)
		on.Line(l.ink, []Point{{f.left, y}, {f.right, y}})
		on.Text(l.ink, Point{f.right, y - labelAbove}, End, Label{Text: text, Edge: true})
	}
	if above != "" {
		on.Text(Muted, Point{f.right, f.top - marginTop + 10}, End, Label{Text: "↑ " + above, Edge: true})
	}
	if c.Exhaustion.IsZero() || c.Ceiling.Value <= 0 {
		return
	}
	last := &c.Bins[len(c.Bins)-1]
	to := min(f.to, c.Exhaustion.UnixNano())
	if to <= last.Last {
		return
	}
	on.Line(Projection, f.clip(last.Last, last.Value, to, c.projected(to)))
	if to == c.Exhaustion.UnixNano() && c.Ceiling.Value <= f.high {
		on.Mark(Projection, Ring, Point{f.x(to), f.y(c.Ceiling.Value)}, markRadius-1,
			"reaches "+c.Resource.Format(c.Ceiling.Value))
	}
}

// clip returns a line between two instants, cut at the upper and lower edge of the plot.
func (f *frame) clip(from int64, a float64, to int64, b float64) []Point {
	p, q := Point{f.x(from), f.y(a)}, Point{f.x(to), f.y(b)}
	cut := func(p, q Point, edge float64) Point {
		return Point{p.X + (q.X-p.X)*(edge-p.Y)/(q.Y-p.Y), edge}
	}
	for _, edge := range []float64{f.top, f.bottom} {
		outside := func(p Point) bool { return edge == f.top && p.Y < edge || edge == f.bottom && p.Y > edge }
		switch {
		case outside(p) && outside(q):
			return nil
		case outside(p):
			p = cut(p, q, edge)
		case outside(q):
			q = cut(q, p, edge)
		}
	}
	return []Point{p, q}
}

// drawMarks draws what happened above the plot, with a line down to the time axis.
func (c *Chart) drawMarks(on Canvas, f *frame) {
	const room = 74. // for a label
	free, before := math.Inf(-1), math.Inf(-1)
	for i, m := range c.Marks {
		x := f.x(m.At.UnixNano())
		if x < f.left-.5 || x > f.right+.5 {
			continue
		}
		ink, shape := AlertMark, Triangle
		switch m.Kind {
		case Resolved:
			ink, shape = ResolvedMark, Ring
		case Restart:
			ink, shape = RestartMark, Bar
		}
		on.Line(ink, []Point{{x, f.top - 2}, {x, f.bottom}})
		// What happened at once, as a restart and the end of a finding, stands side by side.
		if x < before+2*markRadius {
			x = before + 2*markRadius + 2
		}
		before = x
		on.Mark(ink, shape, Point{x, f.top - 8}, markRadius, m.Text)
		next := math.Inf(1)
		if i+1 < len(c.Marks) {
			next = f.x(c.Marks[i+1].At.UnixNano())
		}
		if m.Label == "" || x < free {
			continue
		}
		switch right, left := min(next, f.right)-x, x-max(free, f.left); {
		case right > room:
			on.Text(ink, Point{x, f.top - 4}, Start, Label{Text: m.Label, Shift: markRadius + 3,
				Minor: right*onPhone < room})
			free = x + room
		case left > room:
			on.Text(ink, Point{x, f.top - 4},
				End, Label{Text: m.Label, Shift: -markRadius - 3, Minor: left*onPhone < room})
			free = x + markRadius
		}
	}
}

// columns returns the bins merged into the columns of the plot.
func (c *Chart) columns(f *frame) []Bin {
	limit := c.Columns
	if limit <= 0 {
		limit = int(f.right - f.left)
	}
	return columnsOf(c.Bins, f, limit)
}
