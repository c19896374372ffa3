package remembered

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/webpage"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

//go:embed page.html
var pageText string

type pageProcess struct {
	*Process
	Counted, Scaled, Unmoved string
	Resources                []pageResource
}

type pageResource struct {
	ID, Name, Desc string
	Curves         template.HTML
	Rows           []pageLife
}

type pageLife struct {
	Began                                  time.Time
	Age, Version, Start, End, Rate, Ending string
}

// WriteHTML writes a page that needs nothing else: for each resource the curves of its lives over their age, and the
// table.
func WriteHTML(w io.Writer, all []*Process) error {
	summary := fmt.Sprintf("%d processes", len(all))
	if len(all) == 1 {
		summary = all[0].Name() + ": " + all[0].counted()
	}
	data := struct {
		webpage.Frame
		Processes []pageProcess
		Zone      time.Time
	}{Frame: webpage.NewFrame("leaktrend state", summary)}
	for i, p := range all {
		shown := pageProcess{Process: p, Counted: p.counted(), Scaled: p.scaled(), Unmoved: p.unmoved()}
		data.Zone = p.Written
		for k := range p.Resources {
			shown.Resources = append(shown.Resources, p.Resources[k].page(fmt.Sprintf("life-%d-%d", i+1, k+1)))
		}
		data.Processes = append(data.Processes, shown)
	}
	return webpage.Template(pageText, time.UTC).Execute(w, data)
}

func (r *Resource) page(id string) pageResource {
	shown := pageResource{ID: id, Name: r.Name, Desc: r.describe(), Curves: r.curves(id)}
	for i := range r.Lives {
		l := &r.Lives[i]
		row := pageLife{Began: began(l.Life), Age: sampler.FormatDuration(age(l.Life)), Version: build(l.Life),
			Ending: ended(l.Life)}
		if l.Count > 0 {
			row.Age, row.Ending = "", short(l.Life)
		}
		if l.Curve != nil {
			row.Start, row.End = r.Format(l.Curve.Start), r.Format(l.Curve.Last)
			if perHour, ok := l.Rate(); ok {
				row.Rate = r.FormatPerHour(perHour)
			}
		}
		shown.Rows = append(shown.Rows, row)
	}
	return shown
}

// describe says what there is to see.
func (r *Resource) describe() string {
	n, rising := 0, 0
	for i := range r.Lives {
		if perHour, ok := r.Lives[i].Rate(); ok {
			n++
			if perHour > 0 {
				rising++
			}
		}
	}
	return fmt.Sprintf("%s over the age of %d lives, of which %d ended higher than they began", r.Name, n, rising)
}

// The plotted area.
const (
	left   = 74.
	right  = plot.Width - 16
	top    = 16.
	bottom = plot.Height - 28
	ticks  = 6
)

// curves draws the lives over their age, on top of each other: the latest strong, and the first that is known dashed.
func (r *Resource) curves(id string) template.HTML {
	oldest, low, high := 0., math.Inf(1), math.Inf(-1)
	var lines [][]plot.Point // age and level
	for i := range r.Lives {
		c := r.Lives[i].Curve
		if c == nil {
			continue
		}
		var line []plot.Point
		for k := range c.Floors {
			level, ok := c.Level(k)
			if !ok {
				level = math.NaN()
			} else {
				oldest, low, high = max(oldest, c.Age(k)), min(low, level), max(high, level)
			}
			line = append(line, plot.Point{X: c.Age(k), Y: level})
		}
		lines = append(lines, line)
	}
	if oldest == 0 {
		return ""
	}
	if low = min(low, high/2); high == low { // what hardly moves is not to look like a climb
		margin := max(.5, math.Abs(high)/2)
		low, high = low-margin, high+margin
	}
	on := plot.NewSVG(plot.Width)
	x := func(age float64) float64 { return left + age/oldest*(right-left) }
	y := func(level float64) float64 { return bottom - (level-low)/(high-low)*(bottom-top) }
	perTick := plot.RoundStep((high-low)/ticks, high, r.Unit)
	for i := range ticks + 1 {
		level := (math.Ceil(low/perTick) + float64(i)) * perTick
		if level > high {
			break
		}
		on.Line(plot.Grid, []plot.Point{{X: left, Y: y(level)}, {X: right, Y: y(level)}})
		on.Text(plot.Muted, plot.Point{X: left - 6, Y: y(level) + 4}, plot.End, plot.Label{Text: r.Format(level)})
	}
	step := plot.RoundStep(oldest/ticks, oldest, "seconds")
	for age := 0.; age <= oldest; age += step {
		on.Line(plot.Grid, []plot.Point{{X: x(age), Y: bottom}, {X: x(age), Y: bottom + 4}})
		on.Text(plot.Muted, plot.Point{X: x(age), Y: bottom + 18}, plot.Middle,
			plot.Label{Text: sampler.FormatDuration(time.Duration(age * 1e9))})
	}
	for i, line := range lines {
		ink := plot.DenseLine
		switch i {
		case len(lines) - 1:
			ink = plot.FitLine
		case 0:
			ink = plot.Guide
		}
		for k := range line {
			line[k] = plot.Point{X: x(line[k].X), Y: y(line[k].Y)}
		}
		on.Line(ink, line)
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-labelledby="%s-desc" `+
		`width="100%%"><title id="%[3]s-desc">%s</title>%s</svg>`,
		plot.Width, plot.Height, id, template.HTMLEscapeString(r.describe()), on.Inner()))
}
