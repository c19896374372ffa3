package plot

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

//go:embed zoom.js
var zoomScript string

// Script is the script of a page with plots: values under the pointer and the arrow keys, a part of the time enlarged,
// and times in the viewer's zone. It handles plots that are added later too, once leaktrend.adopt(element) was called.
var Script = pageScript + zoomScript

// Style is the CSS of a page with plots: colours for light, dark and print, text, tables and the plots themselves.
func Style() string { return inkStyle() + pageStyle }

// SVG is a Canvas that writes SVG.
type SVG struct {
	stretch      bool    // x is a share of a width that the page sets
	width        float64 // to which x counts
	lines, texts strings.Builder
}

// NewSVG returns a canvas of a width. What is drawn on it is scaled as a whole.
func NewSVG(width float64) *SVG { return &SVG{width: width} }

// Line implements Canvas.
func (s *SVG) Line(ink Ink, points []Point) { s.path("l-", ink, points, false) }

// Area implements Canvas.
func (s *SVG) Area(ink Ink, outline []Point) { s.path("a-", ink, outline, true) }

func (s *SVG) path(kind string, ink Ink, points []Point, closed bool) {
	data := appendPath(nil, points, closed)
	if len(data) == 0 {
		return
	}
	effect := ""
	if s.stretch && !closed {
		effect = ` vector-effect="non-scaling-stroke"`
	}
	fmt.Fprintf(&s.lines, `<path class="%s%s"%s d="%s"/>`+"\n", kind, ink.Style().Name, effect, data)
}

// appendPath writes a path in relative steps of a tenth of a unit.
func appendPath(b []byte, points []Point, closed bool) []byte {
	var x, y int64 // in tenths
	down := false
	for _, p := range points {
		if p.Lifted() {
			down = false
			continue
		}
		px, py := int64(math.Round(10*p.X)), int64(math.Round(10*p.Y))
		switch {
		case !down:
			b = append(b, 'M')
			b = appendTenths(b, px, false)
			b = appendTenths(b, py, true)
		case px == x && py == y:
			continue
		case px == x:
			b = append(b, 'v')
			b = appendTenths(b, py-y, false)
		case py == y:
			b = append(b, 'h')
			b = appendTenths(b, px-x, false)
		default:
			b = append(b, 'l')
			b = appendTenths(b, px-x, false)
			b = appendTenths(b, py-y, true)
		}
		x, y, down = px, py, true
	}
	if closed && len(b) > 0 {
		b = append(b, 'z')
	}
	return b
}

func appendTenths(b []byte, tenths int64, apart bool) []byte {
	if apart && tenths >= 0 {
		b = append(b, ' ')
	}
	if tenths < 0 {
		b, tenths = append(b, '-'), -tenths
	}
	if whole := tenths / 10; whole > 0 || tenths == 0 {
		b = strconv.AppendInt(b, whole, 10)
	}
	if rest := tenths % 10; rest > 0 {
		b = append(b, '.', byte('0'+rest))
	}
	return b
}

// x writes a place along the width.
func (s *SVG) x(x float64) string {
	if s.stretch {
		return fmt.Sprintf("%.4g%%", 100*x/s.width)
	}
	return fmt.Sprintf("%.1f", x)
}

// Mark implements Canvas.
func (s *SVG) Mark(ink Ink, shape Shape, at Point, radius float64, title string) {
	b := &s.texts
	class := "m-" + ink.Style().Name
	if shape == Ring {
		class += " ring"
	}
	if title != "" {
		title = "<title>" + html.EscapeString(title) + "</title>"
	}
	outline := shape.Outline(Point{}, radius)
	if outline == nil {
		fmt.Fprintf(b, `<circle class="%s" cx="%s" cy="%.1f" r="%g">%s</circle>`+"\n", class, s.x(at.X), at.Y, radius,
			title)
		return
	}
	// A nested svg has a place in percent, which a path has not.
	fmt.Fprintf(b, `<svg x="%s" y="%.1f" overflow="visible"><path class="%s" d="%s">%s</path></svg>`+"\n",
		s.x(at.X), at.Y, class, appendPath(nil, outline, true), title)
}

// Text implements Canvas.
func (s *SVG) Text(ink Ink, at Point, align Align, label Label) {
	class, anchor, instant := "t-"+ink.Style().Name, "", ""
	if label.Minor {
		class += " minor"
	}
	if label.Edge {
		class += " edge"
	}
	switch align {
	case Middle:
		anchor = ` text-anchor="middle"`
	case End:
		anchor = ` text-anchor="end"`
	}
	if label.Shift != 0 {
		anchor += fmt.Sprintf(` dx="%g"`, label.Shift)
	}
	if !label.At.IsZero() {
		instant = fmt.Sprintf(` data-at="%d" data-as="%s"`, label.At.UnixMilli(), label.As)
	}
	fmt.Fprintf(&s.texts, `<text class="%s" x="%s" y="%.1f"%s%s>%s</text>`+"\n", class, s.x(at.X), at.Y, anchor,
		instant, html.EscapeString(label.Text))
}

// Inner returns what was drawn, for an svg element whose viewBox is as wide as the canvas.
func (s *SVG) Inner() string { return s.lines.String() + s.texts.String() }

// Inline returns the chart as an svg element for a page with Style, as wide as its container. id makes the ids in it
// unique.
func (c *Chart) Inline(id string) string {
	canvas := &SVG{stretch: true, width: Width}
	c.Draw(canvas, Width, Height)
	class := "plot"
	if len(c.Bins) > 0 {
		if _, values := c.axes(Height); values.margin() > marginLeft {
			class += " wide"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="%s" id="%s" xmlns="http://www.w3.org/2000/svg" width="100%%" height="%g" role="img" `+
		`aria-labelledby="%[2]s-t" aria-describedby="%[2]s-d"%[4]s>`+"\n",
		class, html.EscapeString(id), Height, c.hover())
	c.describe(&b, id)
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" width="100%%" height="%[2]g" preserveAspectRatio="none">`+
		"\n%s</svg>\n%s</svg>\n",
		Width, Height, canvas.lines.String(), canvas.texts.String())
	return b.String()
}

func (c *Chart) describe(b *strings.Builder, id string) {
	fmt.Fprintf(b, `<title id="%s-t">%s</title><desc id="%[1]s-d">%[3]s</desc>`+"\n", html.EscapeString(id),
		html.EscapeString(c.Title), html.EscapeString(c.Desc))
}

// hover returns the attributes that the script shows values from: what each column of the plot holds. Numbers are
// integers, each but the first as the difference to the one before; values are in units of data-scale.
func (c *Chart) hover() string {
	if len(c.Bins) == 0 {
		return ""
	}
	f, _ := c.axes(Height)
	f.left, f.right = 0, Width
	columns := c.columns(&f)
	unit := int64(time.Millisecond)
	if f.to-f.from > Width*int64(time.Second) {
		unit = int64(time.Second)
	}
	scale := valueScale(columns)
	var times, low, high, mean, deviation []int64
	spread, based := false, false
	for i := range columns {
		b := &columns[i]
		times = append(times, b.Last/unit)
		low = append(low, scaled(b.Min, scale))
		high = append(high, scaled(b.Max, scale)-scaled(b.Min, scale))
		spread = spread || b.Max > b.Min
		based = based || !math.IsNaN(b.Mean)
		mean = append(mean, scaled(b.Mean, scale))
		deviation = append(deviation, scaled(2*b.Deviation, scale))
	}
	var text strings.Builder
	fmt.Fprintf(&text, ` data-from="%d" data-to="%d" data-top="%g" data-bottom="%g" data-low="%g" data-high="%g" `+
		`data-unit="%s" data-name="%s" data-scale="%g" data-ms="%d"`,
		f.from/1e6, f.to/1e6, marginTop, Height-marginBottom, f.low, f.high, html.EscapeString(c.Resource.Unit),
		html.EscapeString(c.Resource.Name), scale, unit/1e6)
	attribute := func(name string, values []int64) {
		fmt.Fprintf(&text, ` data-%s="`, name)
		last := int64(0)
		for i, v := range values {
			if i > 0 {
				text.WriteByte(' ')
			}
			text.WriteString(strconv.FormatInt(v-last, 10))
			last = v
		}
		text.WriteByte('"')
	}
	attribute("t", times)
	attribute("v", low)
	if spread {
		attribute("r", high)
	}
	if based {
		attribute("b", mean)
		attribute("d", deviation)
	}
	if len(c.Minimums) > 0 {
		var from, to, value []int64
		for _, minimum := range c.Minimums {
			from, to = append(from, minimum.From.UnixNano()/unit), append(to, minimum.To.UnixNano()/unit)
			value = append(value, scaled(minimum.Value, scale))
		}
		attribute("ff", from)
		attribute("ft", to)
		attribute("fv", value)
	}
	return text.String()
}

// valueScale is the power of ten in which values have five digits, and at least the ones of counts.
func valueScale(columns []Bin) float64 {
	largest := 0.
	for i := range columns {
		b := &columns[i]
		largest = max(largest, math.Abs(b.Min), math.Abs(b.Max))
	}
	if largest == 0 {
		return 1
	}
	exponent := int(math.Floor(math.Log10(largest))) - 4
	if integers(columns) {
		exponent = max(exponent, 0)
	}
	return math.Pow10(max(exponent, -300))
}

func scaled(v, scale float64) int64 {
	if math.IsNaN(v) {
		return 0
	}
	return int64(math.Round(min(max(v/scale, -1e15), 1e15)))
}

// The parts of a picture that stands alone.
const (
	pad        = 16.
	lineHeight = 16.
	textColumn = 118 // characters in a line of the description
)

// FileHeight returns the height of a picture of this chart that stands alone, which is Width units wide.
func (c *Chart) FileHeight() float64 {
	return pad + lineHeight*float64(1+len(wrap(c.Desc, textColumn))) + Height + lineHeight + pad
}

// DrawFile draws a picture that stands alone: title, description, plot and key.
func (c *Chart) DrawFile(on Canvas) {
	height := c.FileHeight()
	on.Area(Paper, []Point{{0, 0}, {Width, 0}, {Width, height}, {0, height}})
	y := pad + 10
	on.Text(Heading, Point{pad, y}, Start, Label{Text: c.Title})
	for _, line := range wrap(c.Desc, textColumn) {
		y += lineHeight
		on.Text(Muted, Point{pad, y}, Start, Label{Text: line})
	}
	y += 6
	margin := 0.
	if len(c.Bins) > 0 {
		_, values := c.axes(Height)
		margin = values.margin()
	}
	c.draw(on, pad+margin, y, Width-2*pad-margin, Height)
	x := pad
	for _, k := range c.Key() {
		k.draw(on, Point{x, y + Height + lineHeight - 4})
		on.Text(Muted, Point{x + keyWidth + 5, y + Height + lineHeight}, Start, Label{Text: k.Text})
		x += keyWidth + 19 + 5.5*float64(utf8.RuneCountInString(k.Text))
	}
}

// WriteSVG writes a picture that stands alone.
func (c *Chart) WriteSVG(w io.Writer) error {
	canvas := NewSVG(Width)
	c.DrawFile(canvas)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %[1]g %[2]g" `+
		`role="img" aria-labelledby="plot-t plot-d">`+"\n",
		Width, c.FileHeight())
	c.describe(&b, "plot")
	fmt.Fprintf(&b, "<style>\n%s%s</style>\n%s</svg>\n", inkStyle(), fileStyle, canvas.Inner())
	_, err := io.WriteString(w, b.String())
	return err
}

const fileStyle = `text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica ` +
	`Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;` +
	"paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}\npath{stroke-linejoin:round}\n"

// wrap breaks text into lines of at most so many characters where there are spaces.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// KeyEntry explains one ink of a plot.
type KeyEntry struct {
	Ink  Ink
	Text string
}

const (
	keyWidth  = 22.
	keyHeight = 12.
)

// Key explains what is drawn in the chart, in the order of weight.
func (c *Chart) Key() []KeyEntry {
	if len(c.Bins) == 0 {
		return nil
	}
	all := []KeyEntry{{SampleLine, "samples"}}
	for i := range c.Bins {
		if !math.IsNaN(c.Bins[i].Mean) {
			all = append(all, KeyEntry{BaselineLine, "moving baseline ± 2 deviations"})
			break
		}
	}
	add := func(there bool, ink Ink, text string) {
		if there {
			all = append(all, KeyEntry{ink, text})
		}
	}
	for _, l := range c.Layers {
		add(true, l.Ink, l.Name)
	}
	add(len(c.Minimums) > 0, MinimumLine, "minimums")
	add(len(c.Fits) > 0, FitLine, "fitted line")
	add(!c.Exhaustion.IsZero() && c.Ceiling.Value > 0, Projection, "if it goes on")
	_, values := c.axes(Height)
	add(c.Limit.Value > 0 && c.Limit.Value <= values.high, LimitLine, "alert level")
	add(c.Ceiling.Value > 0 && c.Ceiling.Value <= values.high, CeilingLine, "limit")
	for _, kind := range []struct {
		MarkKind
		ink Ink
	}{{Firing, AlertMark}, {Resolved, ResolvedMark}, {Restart, RestartMark}} {
		for _, m := range c.Marks {
			if m.Kind == kind.MarkKind {
				all = append(all, KeyEntry{kind.ink, kind.MarkKind.String()})
				break
			}
		}
	}
	return all
}

func (k KeyEntry) draw(on Canvas, at Point) {
	middle := Point{at.X + keyWidth/2, at.Y}
	line := []Point{at, {at.X + keyWidth, at.Y}}
	switch k.Ink {
	case BaselineLine:
		on.Area(Band, []Point{{at.X, at.Y - 5}, {at.X + keyWidth, at.Y - 5}, {at.X + keyWidth, at.Y + 5},
			{at.X, at.Y + 5}})
		on.Line(k.Ink, line)
	case LiveLayer, NewerLayer, FreedLayer, StackLayer, RestLayer:
		on.Area(k.Ink, []Point{{at.X, at.Y - 5}, {at.X + keyWidth, at.Y - 5}, {at.X + keyWidth, at.Y + 5},
			{at.X, at.Y + 5}})
	case AlertMark:
		on.Mark(k.Ink, Triangle, middle, markRadius, "")
	case ResolvedMark:
		on.Mark(k.Ink, Ring, middle, markRadius, "")
	case RestartMark:
		on.Mark(k.Ink, Bar, middle, markRadius, "")
	default:
		on.Line(k.Ink, line)
	}
}

// Swatch returns the sign of an entry as a small svg element.
func (k KeyEntry) Swatch() string {
	canvas := NewSVG(keyWidth)
	k.draw(canvas, Point{0, keyHeight / 2})
	return fmt.Sprintf(`<svg class="swatch" width="%g" height="%g" viewBox="0 0 %[1]g %[2]g" `+
		`aria-hidden="true">%[3]s</svg>`, keyWidth, keyHeight, canvas.Inner())
}

// Size of a spark line.
const (
	sparkWidth  = 120.
	sparkHeight = 26.

	sparkColumns = 60 // a table has many spark lines
)

// Spark returns the shape of a series as a small svg element for a table with Style: from its lowest to its highest
// value in each column. A series that varies by less than a fifth of its level is drawn flat in proportion, so that
// noise does not look like movement.
func Spark(bins []Bin) string {
	if len(bins) == 0 {
		return ""
	}
	c := Chart{Bins: bins}
	f := c.span()
	f.left, f.right, f.top, f.bottom = 1, sparkWidth-3, 3, sparkHeight-3
	canvas := NewSVG(sparkWidth)
	columns := columnsOf(bins, &f, sparkColumns)
	drawSamples(canvas, columns, &f)
	last := &bins[len(bins)-1]
	canvas.Mark(SampleLine, Dot, Point{f.x(last.Last), f.y(last.Value)}, 2.2, "")
	return fmt.Sprintf(`<svg class="spark" width="%g" height="%g" viewBox="0 0 %[1]g %[2]g" `+
		`aria-hidden="true">%[3]s</svg>`, sparkWidth, sparkHeight, canvas.Inner())
}
