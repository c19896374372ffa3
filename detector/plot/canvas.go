package plot

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Canvas is what charts are drawn on. Lengths are in units of the chart, y counts down. A back end draws an ink by its
// style.
type Canvas interface {
	// Line draws a line through points; at one that is not a number the pen is lifted.
	Line(ink Ink, points []Point)
	// Area fills an outline.
	Area(ink Ink, outline []Point)
	// Mark draws a shape around a point. The title is shown when it is pointed at, where that can be.
	Mark(ink Ink, shape Shape, at Point, radius float64, title string)
	// Text writes a label with its baseline at a point.
	Text(ink Ink, at Point, align Align, label Label)
}

// Point is a place on a canvas.
type Point struct{ X, Y float64 }

// lifted is where a line is interrupted.
var lifted = Point{math.NaN(), math.NaN()}

// Lifted reports whether the pen is lifted here.
func (p Point) Lifted() bool { return math.IsNaN(p.X) || math.IsNaN(p.Y) }

// Align says which part of a text lies at its point.
type Align uint8

const (
	Start Align = iota
	Middle
	End
)

// Label is a text. One that names an instant is rewritten for the zone of the viewer, where that can be.
type Label struct {
	Text  string
	At    time.Time // zero: no instant
	As    As
	Minor bool    // may be left out where the canvas is narrow
	Shift float64 // to the right, which is not stretched with the canvas
	Edge  bool    // stands at the edge of the plot, whatever part of the time is shown
}

// As is how an instant is written.
type As string

const (
	AsDay    As = "day"    // Nov 24
	AsMinute As = "minute" // 15:04
	AsSecond As = "second" // 15:04:05
	AsFull   As = "full"   // 2026-11-24 15:04:05
	AsZone   As = "zone"   // the name of the zone then
)

// Shape is the form of a mark. What a mark means is shown by its shape as well as by its colour.
type Shape uint8

const (
	Dot Shape = iota
	Ring
	Triangle
	Diamond
	Bar
)

// Outline returns the corners of a shape; none for those that are round.
func (s Shape) Outline(at Point, r float64) []Point {
	switch s {
	case Triangle:
		return []Point{{at.X, at.Y + r}, {at.X - 1.1*r, at.Y - .8*r}, {at.X + 1.1*r, at.Y - .8*r}}
	case Diamond:
		return []Point{{at.X, at.Y - r}, {at.X + r, at.Y}, {at.X, at.Y + r}, {at.X - r, at.Y}}
	case Bar:
		return []Point{{at.X - .5*r, at.Y - r}, {at.X + .5*r, at.Y - r}, {at.X + .5*r, at.Y + r},
			{at.X - .5*r, at.Y + r}}
	}
	return nil
}

// Ink is what something is drawn with, by what it means.
type Ink uint8

const (
	Paper Ink = iota // the background
	Text
	Heading
	Muted // text that steps back
	Grid
	Guide // leads the eye to something
	SampleLine
	DenseLine // samples that fill the plot
	Band      // what is normal
	BaselineLine
	MinimumLine
	FitLine
	Projection
	LimitLine
	CeilingLine
	AlertMark
	ResolvedMark
	RestartMark
	Own    // a setting of leaktrend
	Chosen // the one recommended
	Other  // another method

	LiveLayer // parts that are stacked: of memory that is resident
	NewerLayer
	FreedLayer
	StackLayer
	RestLayer
	inkCount
)

// InkStyle is how an ink is drawn.
type InkStyle struct {
	Name        string // of its CSS classes and property
	Light, Dark string // colour, #rrggbb
	Width       float64
	Dash        []float64
	Opacity     float64 // of areas and lines; 0 is opaque
	Size        float64 // of text; 0 is the usual
	Bold        bool
}

// Sizes of text.
const (
	TextSize    = 11.
	headingSize = 15.
)

var inkStyles = [inkCount]InkStyle{
	Paper:        {Name: "paper", Light: "#ffffff", Dark: "#14171c"},
	Text:         {Name: "text", Light: "#1a1e24", Dark: "#e6e9ee"},
	Heading:      {Name: "heading", Light: "#1a1e24", Dark: "#e6e9ee", Size: headingSize, Bold: true},
	Muted:        {Name: "muted", Light: "#5a626d", Dark: "#9ba4b0"},
	Grid:         {Name: "grid", Light: "#e3e6ea", Dark: "#2b3038", Width: 1},
	Guide:        {Name: "guide", Light: "#5a626d", Dark: "#9ba4b0", Width: .8, Dash: []float64{4, 3}},
	SampleLine:   {Name: "sample", Light: "#2a6fbb", Dark: "#6cabf0", Width: 1.2},
	DenseLine:    {Name: "dense", Light: "#2a6fbb", Dark: "#6cabf0", Width: 1.2, Opacity: .45},
	Band:         {Name: "band", Light: "#6b7684", Dark: "#8d98a7", Opacity: .16},
	BaselineLine: {Name: "baseline", Light: "#6b7684", Dark: "#8d98a7", Width: 1.4},
	MinimumLine:  {Name: "floor", Light: "#0b7d6c", Dark: "#3fc4ac", Width: 2.2},
	FitLine:      {Name: "fit", Light: "#c4321c", Dark: "#ff8069", Width: 2},
	Projection:   {Name: "projection", Light: "#c4321c", Dark: "#ff8069", Width: 1.6, Dash: []float64{2, 4}},
	LimitLine:    {Name: "limit", Light: "#8f5a00", Dark: "#e2ab4a", Width: 1.3, Dash: []float64{7, 4}},
	CeilingLine:  {Name: "ceiling", Light: "#1a1e24", Dark: "#e6e9ee", Width: 1.3, Dash: []float64{12, 3, 2, 3}},
	AlertMark:    {Name: "alert", Light: "#c4321c", Dark: "#ff8069", Width: 1, Dash: []float64{1, 3}, Bold: true},
	ResolvedMark: {Name: "resolved", Light: "#1f7a3d", Dark: "#5fcf86", Width: 1, Dash: []float64{1, 3}, Bold: true},
	RestartMark:  {Name: "restart", Light: "#5a626d", Dark: "#9ba4b0", Width: 1, Dash: []float64{1, 3}},
	Own:          {Name: "own", Light: "#2a6fbb", Dark: "#6cabf0", Width: 1.6, Bold: true},
	Chosen:       {Name: "chosen", Light: "#1f7a3d", Dark: "#5fcf86", Width: 1.6, Bold: true},
	Other:        {Name: "other", Light: "#a04a1a", Dark: "#f0a070", Width: 1},
	LiveLayer:    {Name: "live", Light: "#2f7d4f", Dark: "#4fae77", Opacity: .55},
	NewerLayer:   {Name: "newer", Light: "#b58a1e", Dark: "#c9a449", Opacity: .5},
	FreedLayer:   {Name: "freed", Light: "#8a63b8", Dark: "#ab8bd6", Opacity: .5},
	StackLayer:   {Name: "stacks", Light: "#c25a7c", Dark: "#dd86a3", Opacity: .5},
	RestLayer:    {Name: "rest", Light: "#6b7684", Dark: "#8d98a7", Opacity: .3},
}

// Style returns how the ink is drawn.
func (i Ink) Style() InkStyle { return inkStyles[i] }

// inkStyle is the CSS of all inks: a custom property for each colour, and the classes of lines (l), areas (a), marks
// (m) and text (t).
func inkStyle() string {
	var b strings.Builder
	properties := func(dark bool) {
		for _, l := range inkStyles {
			color := l.Light
			if dark {
				color = l.Dark
			}
			fmt.Fprintf(&b, "--%s:%s;", l.Name, color)
		}
	}
	b.WriteString(":root{color-scheme:light dark;")
	properties(false)
	b.WriteString("}\n@media (prefers-color-scheme:dark){:root:not(.light){")
	properties(true)
	b.WriteString("}}\n")
	// What is printed is on white paper.
	b.WriteString("@media print{:root{")
	properties(false)
	b.WriteString("}}\n")
	for _, l := range inkStyles {
		opacity := ""
		if l.Opacity > 0 {
			opacity = fmt.Sprintf(";opacity:%g", l.Opacity)
		}
		if l.Width > 0 {
			fmt.Fprintf(&b, ".l-%s{fill:none;stroke:var(--%[1]s);stroke-width:%g%s", l.Name, l.Width, opacity)
			if len(l.Dash) > 0 {
				b.WriteString(";stroke-dasharray:" + strings.Trim(fmt.Sprint(l.Dash), "[]"))
			}
			b.WriteString("}\n")
		}
		fmt.Fprintf(&b, ".a-%s{fill:var(--%[1]s)%s}\n", l.Name, opacity)
		fmt.Fprintf(&b, ".m-%s{fill:var(--%[1]s);stroke:var(--paper);stroke-width:1}.m-%[1]s.ring{fill:var(--paper);"+
			"stroke:var(--%[1]s);stroke-width:2}\n", l.Name)
		size, weight := l.Size, ""
		if size == 0 {
			size = TextSize
		}
		if l.Bold {
			weight = ";font-weight:600"
		}
		fmt.Fprintf(&b, "text.t-%s{fill:var(--%[1]s);font-size:%gpx%s}\n", l.Name, size, weight)
	}
	return b.String()
}
