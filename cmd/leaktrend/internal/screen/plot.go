package screen

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// ink says what a character of a plot belongs to, for its colour.
type ink uint8

const (
	paper  ink = iota
	course     // the values
	norm       // the moving baseline
	ceiling
	axis
)

// dots are the two by four dots of a braille character, by row and column.
var dots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// canvas is a picture in characters.
type canvas struct {
	width, height int
	chars         [][]rune
	inks          [][]ink
}

func newCanvas(width, height int) *canvas {
	p := &canvas{width: width, height: height}
	for range height {
		p.chars = append(p.chars, []rune(strings.Repeat(" ", width)))
		p.inks = append(p.inks, make([]ink, width))
	}
	return p
}

// text writes from a column on; what does not fit is left out.
func (p *canvas) text(x, y int, text string, in ink) {
	for _, r := range text {
		if x >= 0 && x < p.width && y >= 0 && y < p.height {
			p.chars[y][x], p.inks[y][x] = r, in
		}
		x++
	}
}

// dot sets a dot of a braille character. The course lies above what else there is.
func (p *canvas) dot(x, y int, in ink) {
	if x < 0 || y < 0 || x/2 >= p.width || y/4 >= p.height {
		return
	}
	r, old := &p.chars[y/4][x/2], &p.inks[y/4][x/2]
	if *old != in && *r != ' ' {
		if in != course {
			return
		}
		*r = ' '
	}
	if *r == ' ' {
		*r = 0x2800
	}
	*r |= dots[y%4][x%2]
	*old = in
}

const (
	minPlotWidth  = 30
	minPlotHeight = 5
	maxTicks      = 10
)

// plotOf draws the course of a resource from one instant to another with its moving baseline, the ceiling where it is
// near, and where the finding began. It returns nil where there is no room, or nothing to draw.
func plotOf(s *detector.Status, past []detector.Point, from, to time.Time, width, height int) *canvas {
	if width < minPlotWidth || height < minPlotHeight || len(past) == 0 {
		return nil
	}
	rows := height - 2 // above the axis of time
	low, high, seen := extent(past, from)
	if !seen {
		return nil
	}
	limit := 0.0
	if e := s.Exhaustion; e != nil && e.Limit <= 2*high {
		limit = e.Limit
	}
	scale := scaleFor(s.Resource, low, max(high, limit), rows)

	gutter := 0
	for _, tick := range scale.ticks {
		gutter = max(gutter, utf8.RuneCountInString(s.Resource.Format(tick)))
	}
	gutter += 2
	p := newCanvas(width, height)
	for y := range rows {
		p.text(gutter-1, y, "│", axis)
	}
	for _, tick := range scale.ticks {
		label, y := s.Resource.Format(tick), scale.row(tick, rows*4)/4
		p.text(gutter-2-utf8.RuneCountInString(label), y, label+" ┤", axis)
	}
	area := width - gutter
	if limit > 0 {
		y := scale.row(limit, rows*4) / 4
		for x := gutter; x < width; x++ {
			p.text(x, y, "╌", ceiling)
		}
		p.text(gutter+1, y, "limit "+s.Resource.Format(limit), ceiling)
	}
	cells := cellsOf(past, from, to, 2*area)
	for x, c := range cells {
		if s.Judged && x%3 == 0 && !math.IsNaN(c.baseline) {
			p.dot(2*gutter+x, scale.row(c.baseline, rows*4), norm)
		}
	}
	last := math.NaN()
	for x, c := range cells {
		if math.IsNaN(c.min) {
			last = math.NaN()
			continue
		}
		bottom, top := c.min, c.max
		if !math.IsNaN(last) { // no hole where it is steep
			bottom, top = min(bottom, last), max(top, last)
		}
		last = (c.min + c.max) / 2
		for y := scale.row(top, rows*4); y <= scale.row(bottom, rows*4); y++ {
			p.dot(2*gutter+x, y, course)
		}
	}
	p.text(gutter-1, rows, "└"+strings.Repeat("─", area), axis)
	p.times(gutter, area, rows, from, to, s.Since)
	return p
}

// times labels the axis of time, in the zone of the viewer.
func (p *canvas) times(gutter, area, rows int, from, to, since time.Time) {
	layout := "15:04:05"
	if to.Sub(from) > 24*time.Hour {
		layout = "Jan 2 15:04"
	}
	start, end := from.Local().Format(layout), to.Local().Format(layout+" MST")
	p.text(gutter, rows+1, start, axis)
	p.text(gutter+area-utf8.RuneCountInString(end), rows+1, end, axis)
	if since.IsZero() || since.Before(from) || !since.Before(to) {
		return
	}
	x := gutter + int(float64(since.Sub(from))/float64(to.Sub(from))*float64(area))
	p.text(x, rows, "▲", course)
	label := "since " + since.Local().Format("15:04:05")
	left := x - len(label)/2
	if left > gutter+len(start) && left+len(label) < gutter+area-len(end) {
		p.text(left, rows+1, label, course)
	}
}

// extent returns the lowest and the highest of what is seen from an instant on.
func extent(past []detector.Point, from time.Time) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range past {
		if !p.To.Before(from) {
			low, high, ok = min(low, p.Min), max(high, p.Max), true
		}
	}
	return low, high, ok
}

// scale maps levels to rows.
type scale struct {
	low, high float64
	ticks     []float64
}

func (s *scale) row(level float64, rows int) int {
	share := (level - s.low) / (s.high - s.low)
	return min(max(int(math.Round((1-share)*float64(rows-1))), 0), rows-1)
}

// scaleFor chooses round levels around what is to be drawn. A series that varies by less than a fifth of its level is
// drawn flat in proportion, so that noise does not look like movement.
func scaleFor(r sampler.Resource, low, high float64, rows int) scale {
	if span := .2 * max(math.Abs(low), math.Abs(high)); high-low < span {
		middle := (low + high) / 2
		lowest := 0.0
		if low < 0 {
			lowest = math.Inf(-1)
		}
		low, high = max(middle-span/2, lowest), middle+span/2
	}
	if high <= low {
		high = low + 1
	}
	margin := (high - low) / 30
	s := scale{low: low - margin, high: high + margin}
	if low >= 0 {
		s.low = max(s.low, 0)
	}
	step := plot.RoundStep((s.high-s.low)/float64(min(max(rows/3, 2), maxTicks)),
		max(math.Abs(s.low), math.Abs(s.high)), r.Unit)
	if _, known := sampler.Lookup(r.Name); known && r.Unit == "" {
		step = max(step, 1) // a count
	}
	for i := range maxTicks + 1 {
		if tick := (math.Ceil(s.low/step) + float64(i)) * step; tick <= s.high {
			s.ticks = append(s.ticks, tick)
		}
	}
	return s
}

// caption says what the plot shows.
func caption(s *detector.Status, window string) string {
	text := fmt.Sprintf("%s: %s", terminal.Printable(s.Resource.Name), window)
	if s.Judged {
		text += "   ⠶ values   ⠂ ⠂ moving baseline"
	}
	return text
}
