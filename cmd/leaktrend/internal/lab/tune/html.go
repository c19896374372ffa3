package tune

import (
	"fmt"
	"html"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/webpage"
	"github.com/mdzesseis/leaktrend/detector/plot"
)

// writePage writes the page of a result.
func writePage(w io.Writer, r *Result) error {
	var b strings.Builder
	paragraph(&b, r.headline())
	if r.Interrupted {
		fmt.Fprintf(&b, "<p class=\"warn\">%s</p>\n", html.EscapeString(r.partial()))
	}
	for _, line := range suspicions(r) {
		paragraph(&b, line)
	}
	if r.Choice != nil {
		b.WriteString("<section class=\"card\"><h2>Recommendation</h2>\n")
		for _, line := range r.Advice() {
			paragraph(&b, line)
		}
		b.WriteString("</section>\n")
	}
	if len(r.Limits) > 0 {
		b.WriteString("<section class=\"card\"><h2>Hard limits</h2>\n")
		for i := range r.Limits {
			for _, line := range r.Limits[i].Advice() {
				paragraph(&b, line)
			}
		}
		b.WriteString("</section>\n")
	}
	if len(r.Months) > 0 {
		monthsPage(&b, r)
	}
	for i := range r.Groups {
		groupPage(&b, r, &r.Groups[i])
	}
	if len(r.Groups) > 0 {
		b.WriteString("<h2>Sources of the rules</h2>\n<ul>\n")
		for _, m := range r.Groups[0].Methods {
			if m.Source != "" {
				fmt.Fprintf(&b, "<li><b>%s</b>: %s</li>\n", html.EscapeString(m.Name), html.EscapeString(m.Source))
			}
		}
		b.WriteString("</ul>\n")
	}
	frame := webpage.NewFrame("leaktrend tune", "False alarms against leaks found")
	frame.Script = "" // nothing in these charts moves
	return webpage.Template(`{{template "head" .}}</header>
{{.Body}}{{template "foot" .}}`, time.UTC).Execute(w, struct {
		webpage.Frame
		Body template.HTML
	}{frame, template.HTML(b.String())})
}

func paragraph(b *strings.Builder, text string) {
	fmt.Fprintf(b, "<p>%s</p>\n", html.EscapeString(text))
}

func monthsPage(b *strings.Builder, r *Result) {
	b.WriteString("<section><h2>A month of this very process</h2>\n")
	paragraph(b, r.monthsSentence())
	var points []point
	for i := range r.Months {
		m := &r.Months[i]
		p := point{x: m.Sensitivity, y: m.Alarms.Value, class: classSetting}
		p.title = fmt.Sprintf("sensitivity %s: %s false alarms a month", number(m.Sensitivity), rateText(m.Alarms))
		p.dress(m.InForce, m.Chosen)
		points = append(points, p)
	}
	x := rateAxis(points, "sensitivity")
	x.ticks = nil
	for i := range r.Months {
		x.ticks = append(x.ticks, tick{r.Months[i].Sensitivity, number(r.Months[i].Sensitivity)})
	}
	x.low, x.high = points[0].x/1.1, points[len(points)-1].x*1.1
	panels(b,
		panel{"False alarms a month", drawChart(x, countAxis(points), points, points, 0,
			"expected false alarms a month by sensitivity")})
	htmlTable(b, "False alarms a month by sensitivity", r.monthRows())
	b.WriteString("</section>\n")
}

// dress gives the point of a setting its class and label.
func (p *point) dress(inForce, chosen bool) {
	switch {
	case chosen && inForce:
		p.class, p.label = classChosen, "in force, recommended"
	case chosen:
		p.class, p.label = classChosen, "recommended"
	case inForce:
		p.class, p.label = classOwn, "in force"
	}
}

func groupPage(b *strings.Builder, r *Result, g *Group) {
	fmt.Fprintf(b, "<section><h2>%s</h2>\n", html.EscapeString(g.title()))
	for _, remark := range r.remarks(g) {
		paragraph(b, remark)
	}
	if g.Methods[0].All.Leaks > 0 {
		curves(b, r, g)
	}
	fmt.Fprintf(b, "<h3>Methods on the same recordings</h3>\n")
	htmlTable(b, "Methods on the same recordings of "+g.title(), g.comparisonRows(g.Methods))
	if len(g.Trials) > 0 && !r.Unlabelled {
		fmt.Fprintf(b, "<h3>%s</h3>\n", html.EscapeString(strings.TrimSuffix(r.trialsSentence(g), ":")))
		htmlTable(b, "Settings on the recordings of "+g.title(), g.trialRows())
	}
	b.WriteString("</section>\n")
}

// curves draws false alarms against recall, and against delay.
func curves(b *strings.Builder, r *Result, g *Group) {
	recallOf := func(f *Figures) (float64, bool) {
		if f.DueRecall != nil {
			return f.DueRecall.Value, true
		}
		return 0, false
	}
	recallTitle := "Leaks found, of those that were due"
	if g.Methods[0].All.Due == 0 {
		recallTitle = "Leaks found"
		recallOf = func(f *Figures) (float64, bool) {
			if f.Recall == nil {
				return 0, false
			}
			return f.Recall.Value, true
		}
	}
	delayOf := func(f *Figures) (float64, bool) {
		if f.DelayHours == nil || f.DelayHours.Median <= 0 {
			return 0, false
		}
		return f.DelayHours.Median, true
	}
	axisTitle := "false alarms per " + g.Unit + " (logarithmic)"
	budget := 0.
	if r.Choice != nil && g.SoakSeconds == 0 {
		budget = r.Choice.PerDay
	}
	var shown []panel
	recall := pointsOf(g, recallOf)
	if len(recall) > 0 {
		x := rateAxis(recall, axisTitle)
		line := envelope(recall, func(a, b float64) bool { return a > b })
		shown = append(shown,
			panel{recallTitle, drawChart(x, recallAxis(), recall, line, budget, recallTitle+" against false alarms")})
	}
	if delay := pointsOf(g, delayOf); len(delay) > 0 {
		x := rateAxis(recall, axisTitle)
		line := envelope(delay, func(a, b float64) bool { return a < b })
		const title = "Median delay of those found"
		shown = append(shown,
			panel{title, drawChart(x, delayAxis(delay), delay, line, budget, title+" against false alarms")})
	}
	if len(shown) == 0 {
		return
	}
	b.WriteString(`<ul class="key" aria-label="Key">`)
	for _, k := range []struct {
		point
		text string
	}{
		{point{class: classSetting}, "settings of leaktrend, and the best of them as a line"},
		{point{class: classOwn}, "in force"},
		{point{class: classChosen}, "recommended"}, {point{class: classRule}, "other methods"},
	} {
		swatch := plot.NewSVG(swatchSize)
		swatch.Mark(k.ink(), k.shape(), plot.Point{X: swatchSize / 2, Y: swatchSize / 2}, radius(k.point), "")
		fmt.Fprintf(b, `<li><svg width="%d" height="%[1]d" viewBox="0 0 %[1]d %[1]d" `+
			`aria-hidden="true">%s</svg>%s</li>`, swatchSize, swatch.Inner(), k.text)
	}
	b.WriteString("</ul>\n")
	panels(b, shown...)
}

// pointsOf returns the settings and the other methods that have a figure.
func pointsOf(g *Group, figure func(*Figures) (float64, bool)) []point {
	var points []point
	add := func(f *Figures, p point, name string) {
		y, ok := figure(f)
		if !ok || f.Rate == nil {
			return
		}
		p.x, p.y = f.Rate.Value, y
		p.title = fmt.Sprintf("%s: %s false alarms per %s, recall %s, of due leaks %s, delay %s", name,
			rateText(f.Rate), g.Unit, percentText(f.Recall),
			percentText(f.DueRecall), hours(f.DelayHours))
		points = append(points, p)
	}
	listed := g.listed()
	for i := range listed {
		t := &listed[i]
		p := point{class: classSetting}
		p.dress(t.InForce, t.Chosen)
		add(&t.Figures, p, fmt.Sprintf("sensitivity %s, least_growth %s", number(t.Sensitivity), number(t.MinGrowth)))
	}
	for i := range g.Methods {
		m := &g.Methods[i]
		switch {
		case m.Name == thisConfig && len(listed) == 0:
			add(&m.All, point{class: classOwn, label: "in force"}, m.Name)
		case m.Name != thisConfig && m.Name != trendAlone:
			add(&m.All, point{class: classRule, label: m.Name}, m.Name)
		}
	}
	return points
}

// envelope returns the settings that no other with as few false alarms is better than, in order.
func envelope(points []point, better func(a, b float64) bool) []point {
	var own []point
	for _, p := range points {
		if p.class != classRule {
			own = append(own, p)
		}
	}
	slices.SortStableFunc(own, func(a, b point) int {
		switch {
		case a.x != b.x && a.x < b.x, a.x == b.x && better(a.y, b.y):
			return -1
		case a.x == b.x && a.y == b.y:
			return 0
		}
		return 1
	})
	var line []point
	for _, p := range own {
		if len(line) == 0 || better(p.y, line[len(line)-1].y) {
			line = append(line, p)
		}
	}
	return line
}

const swatchSize = 12

// panel is one chart.
type panel struct{ title, svg string }

func panels(b *strings.Builder, all ...panel) {
	b.WriteString("<div class=\"pairs\">\n")
	for _, p := range all {
		fmt.Fprintf(b, "<figure><figcaption>%s</figcaption>\n%s</figure>\n", html.EscapeString(p.title), p.svg)
	}
	b.WriteString("</div>\n")
}

func htmlTable(b *strings.Builder, caption string, rows rows) {
	fmt.Fprintf(b, "<div class=\"scroll\" tabindex=\"0\"><table>\n<caption class=\"hidden\">%s</caption>\n",
		html.EscapeString(caption))
	for i, row := range rows {
		b.WriteString("<tr>")
		for k, cell := range row {
			tag, attributes := "td", ` class="n"`
			switch {
			case i == 0 && cell != "":
				tag, attributes = "th", ` scope="col"`+attributes
			case i > 0 && k == 0:
				tag, attributes = "th", ` scope="row"`
			}
			if i == 0 && k == 0 {
				attributes = strings.TrimSuffix(attributes, ` class="n"`)
			}
			fmt.Fprintf(b, "<%s%s>%s</%s>", tag, attributes, html.EscapeString(cell), tag)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table></div>\n")
}
