package detector

import (
	"fmt"
	"html"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
)

func escape(text string) string { return html.EscapeString(text) }

// look is the monitor at an instant, for the page. It shares no memory with it.
type look struct {
	statusDocument
	now      time.Time
	span     time.Duration
	statuses []Status
	charts   map[string]*plot.Chart
}

// chart describes the plot of a resource over the last stretch of time; 0 is all.
func (m *ResourceMonitor) chart(resource string, now time.Time, span time.Duration) *plot.Chart {
	var from time.Time
	if span > 0 {
		from = now.Add(-span)
	}
	points := m.Past(resource, from)
	bins := binsOf(points)
	if len(bins) == 0 {
		return nil
	}
	m.mu.Lock()
	c := m.plots.courses[m.detector.byName[resource]]
	if c == nil {
		m.mu.Unlock()
		return nil
	}
	chart := m.plots.chart(m.detector, c, bins)
	m.mu.Unlock()
	return clip(&chart)
}

// binsOf makes of what is kept what is drawn. Where the lowest and the highest value of a long stretch lay within it is not known.
func binsOf(points []Point) []plot.Bin {
	bins := make([]plot.Bin, 0, len(points))
	usual := time.Duration(math.MaxInt64)
	if n := len(points); n > 1 {
		steps := make([]time.Duration, 0, 64)
		for i := max(1, n-64); i < n; i++ {
			steps = append(steps, points[i].From.Sub(points[i-1].To))
		}
		slices.Sort(steps)
		usual = steps[len(steps)/2]
	}
	for i, p := range points {
		b := plot.Bin{
			First: p.From.UnixNano(), Last: p.To.UnixNano(), Min: p.Min, Max: p.Max, Value: p.Max, Mean: p.Baseline, Deviation: p.Deviation,
			Gap: i > 0 && p.From.Sub(points[i-1].To)/3 > usual,
		}
		b.MinAt, b.MaxAt = b.First, b.Last
		if p.Baseline == 0 && p.Deviation == 0 && p.Max != 0 {
			b.Mean = math.NaN()
		}
		bins = append(bins, b)
	}
	return bins
}

// clip drops what lies before the first sample that is drawn.
func clip(c *plot.Chart) *plot.Chart {
	from := time.Unix(0, c.Bins[0].First)
	c.Floors = slices.DeleteFunc(c.Floors, func(f plot.Floor) bool { return f.From.Before(from) })
	c.Marks = slices.DeleteFunc(c.Marks, func(m plot.Mark) bool { return m.At.Before(from) })
	c.Fits = slices.DeleteFunc(c.Fits, func(f plot.Fit) bool { return f.To.Before(from) })
	for i := range c.Fits {
		if f := &c.Fits[i]; f.From.Before(from) {
			f.Value += f.SlopePerSecond * from.Sub(f.From).Seconds()
			f.From = from
		}
	}
	return c
}

// every is how often the page asks for what is new.
func (v *look) every() time.Duration {
	return min(max(time.Duration(v.Interval*float64(time.Second)), 2*time.Second), 30*time.Second)
}

// headline says in a few words how it stands.
func (v *look) headline() string {
	var firing, suspected []string
	learning := 0
	for i := range v.statuses {
		switch s := &v.statuses[i]; s.State {
		case Firing:
			firing = append(firing, s.Resource.Name)
		case Suspected:
			suspected = append(suspected, s.Resource.Name)
		case Learning:
			learning++
		}
	}
	switch {
	case len(v.statuses) == 0:
		return "Nothing was sampled yet"
	case len(firing) == 1:
		return "Leak: " + firing[0]
	case len(firing) > 1:
		return fmt.Sprintf("%d leaks: %s", len(firing), strings.Join(firing, ", "))
	case len(suspected) > 0:
		return "No leak; suspected: " + strings.Join(suspected, ", ")
	case learning == len(v.statuses):
		return "Too early to tell"
	}
	return "No leak"
}

func (v *look) title() string {
	name := v.Process.Executable
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return v.headline() + " · " + name
}

// at writes an instant, which the script rewrites for the zone of the viewer.
func at(t time.Time, as plot.As) string {
	local := t.Local()
	text := local.Format("2006-01-02 15:04:05")
	switch as {
	case plot.AsZone:
		text = local.Format("MST")
	case plot.AsSecond:
		text = local.Format("15:04:05")
	}
	return fmt.Sprintf(`<time datetime="%s" data-at="%d" data-as="%s">%s</time>`, local.Format(time.RFC3339), t.UnixMilli(), as, escape(text))
}

// main is what is refreshed.
func (v *look) main() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<header><p class="brand">leaktrend</p>
<h1 data-title="%s">%s</h1>
`, escape(v.title()), escape(v.headline()))
	var who []string
	if v.Process.Executable != "" {
		who = append(who, escape(v.Process.Executable))
	}
	if v.Process.PID != 0 {
		who = append(who, fmt.Sprintf("pid %d", v.Process.PID))
	}
	if v.Process.Host != "" {
		who = append(who, "on "+escape(v.Process.Host))
	}
	if !v.Process.Start.IsZero() {
		who = append(who, "since "+at(v.Process.Start, plot.AsFull))
	}
	fmt.Fprintf(&b, "<p>%s</p>\n", strings.Join(who, ", "))
	fmt.Fprintf(&b, `<p class="quiet small"><span id="stale" class="stale" role="status"></span>`)
	if !v.Time.IsZero() {
		fmt.Fprintf(&b, "Sampled at %s %s, every %s", at(v.Time, plot.AsSecond), at(v.Time, plot.AsZone), sampler.FormatDuration(v.interval()))
		if v.Soak > 0 {
			fmt.Fprintf(&b, ", in soak mode of %s", sampler.FormatDuration(time.Duration(v.Soak*float64(time.Second))))
		}
		b.WriteString(". Refreshes by itself.")
	}
	b.WriteString(` <a href="status" data-id="status">As JSON</a></p>` + "\n" + `<nav class="spans" aria-label="Time shown">`)
	for _, s := range spans {
		current := ""
		if s.length == v.span {
			current = ` aria-current="true"`
		}
		text := "last " + s.name
		if s.length == 0 {
			text = "all"
		}
		fmt.Fprintf(&b, `<a href="%s" data-id="span-%s"%s>%s</a>`, escape(link(s.name)), s.name, current, text)
	}
	b.WriteString("</nav>\n</header>\n")
	v.table(&b)
	v.sites(&b)
	v.plots(&b)
	v.alerts(&b)
	v.captured(&b)
	v.costs(&b)
	return b.String()
}

func (v *look) interval() time.Duration { return time.Duration(v.Interval * float64(time.Second)) }

// tag is the word for a state and its class in the style.
func tag(s *Status) string {
	class, word := "ok", "ok"
	switch {
	case s.Trend:
		class, word = "leak", "LEAK"
	case s.Limit:
		class, word = "limit", "LIMIT"
	case s.State == Suspected:
		class, word = "suspect", "suspect"
	case s.State == Learning:
		class, word = "none", "too short"
	}
	return fmt.Sprintf(`<span class="tag %s">%s</span>`, class, word)
}

func (v *look) table(b *strings.Builder) {
	if len(v.statuses) == 0 {
		return
	}
	b.WriteString(`<div class="scroll" tabindex="0" role="region" aria-label="All resources" data-id="table">
<table class="stack">
<thead><tr><th>Verdict</th><th>Resource</th><th>Course</th><th class="n">Now</th><th class="n">Baseline</th><th class="n">Pace</th><th>Since</th><th class="n">Time left</th></tr></thead>
<tbody>
`)
	for i := range v.statuses {
		s := &v.statuses[i]
		var spark, pace, since, left string
		if c := v.charts[s.Resource.Name]; c != nil {
			spark = plot.Spark(c.Bins)
		}
		if s.State >= Suspected {
			pace = s.Resource.FormatPerHour(s.SlopePerHour)
			if !s.Since.IsZero() {
				since = at(s.Since, plot.AsFull)
			}
		}
		if s.Exhaustion != nil {
			left = sampler.FormatDuration(max(s.Exhaustion.At.Sub(v.Time), 0))
		}
		fmt.Fprintf(b, `<tr><td class="verdict">%s</td><td class="what"><a href="#%s" data-id="to-%[2]s">%s</a></td><td class="course">%s</td><td class="n">%s</td>`+
			`<td class="n" data-label="baseline">%s</td><td class="n">%s</td><td data-label="since">%s</td><td class="n" data-label="left">%s</td></tr>`+"\n",
			tag(s), escape(anchor(s)), escape(s.Resource.Name), spark, s.Resource.Format(s.Value), s.Resource.Format(s.Baseline), pace, since, left)
	}
	b.WriteString("</tbody>\n</table>\n</div>\n")
}

func anchor(s *Status) string { return "plot-" + s.Resource.Name }

// mostPlots bounds the page of an endpoint with many metrics: findings come first.
const mostPlots = 40

func (v *look) plots(b *strings.Builder) {
	pairs := false
	for i := range v.statuses {
		s := &v.statuses[i]
		c := v.charts[s.Resource.Name]
		if i == mostPlots {
			break
		}
		if s.State < Suspected && !pairs {
			b.WriteString("<div class=\"pairs\">\n")
			pairs = true
		}
		fmt.Fprintf(b, `<article class="block" id="%s"><h2>%s %s</h2>`+"\n", escape(anchor(s)), tag(s), escape(s.Resource.Name))
		if s.State >= Suspected {
			v.facts(b, s)
		}
		sentence := s.Why
		if sentence != "" {
			sentence = strings.ToUpper(sentence[:1]) + sentence[1:] + "."
		}
		fmt.Fprintf(b, `<p class="small">%s <span class="quiet">%s</span></p>`+"\n", escape(sentence), escape(capital(s.Resource.Sentence)))
		if c != nil {
			c.Title, c.Desc, c.Zone = s.Resource.Name, sentence, time.Local
			if pairs {
				c.Columns = plot.Width / 2
			}
			b.WriteString("<figure>\n" + c.Inline("chart-"+s.Resource.Name) + "</figure>\n<ul class=\"key\" aria-label=\"Key\">")
			for _, k := range c.Key() {
				fmt.Fprintf(b, "<li>%s%s</li>", k.Swatch(), escape(k.Text))
			}
			b.WriteString("</ul>\n")
		}
		b.WriteString("</article>\n")
	}
	if pairs {
		b.WriteString("</div>\n")
	}
}

// capital makes a sentence of what counts something.
func capital(text string) string {
	if text == "" || strings.ContainsAny(text, "_{") {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (v *look) facts(b *strings.Builder, s *Status) {
	fact := func(name, value string) { fmt.Fprintf(b, "<div><dt>%s</dt><dd>%s</dd></div>", name, value) }
	b.WriteString(`<dl class="facts">`)
	fact("Pace", s.Resource.FormatPerHour(s.SlopePerHour))
	fact("Level", s.Resource.Format(s.Baseline)+" → "+s.Resource.Format(s.Value))
	if !s.Since.IsZero() {
		fact("Growing for", sampler.FormatDuration(v.Time.Sub(s.Since)))
	}
	if e := s.Exhaustion; e != nil {
		fact("Time left", fmt.Sprintf("%s <span class=\"quiet small\">to %s (%s)</span>",
			sampler.FormatDuration(max(e.At.Sub(v.Time), 0)), s.Resource.Format(e.Limit), escape(e.Source)))
	}
	b.WriteString("</dl>\n")
}

// mostSites are listed on the page; all are in the JSON.
const mostSites = 25

// sites lists the lines of code that are followed, what is proven or leaks before the rest.
func (v *look) sites(b *strings.Builder) {
	if len(v.Sites) == 0 {
		return
	}
	all := slices.Clone(v.Sites)
	rank := func(s *sites.Status) int {
		switch {
		case s.Proven:
			return 0
		case s.Leaks:
			return 1
		case s.Suspected:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(all, func(a, b sites.Status) int { return rank(&a) - rank(&b) })
	b.WriteString(`<section><h2>Lines of code</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Lines of code" data-id="sites">
<table class="stack">
<thead><tr><th>Verdict</th><th>Line</th><th class="n">Now</th><th class="n">Pace</th><th>Waits for</th></tr></thead>
<tbody>
`)
	for i := range all[:min(len(all), mostSites)] {
		s := &all[i]
		mark := [...]string{`<span class="tag leak">PROVEN</span>`, `<span class="tag leak">LEAK</span>`, `<span class="tag suspect">suspect</span>`, `<span class="tag ok">ok</span>`}[rank(s)]
		r, _ := sampler.Lookup(s.Resource)
		now, pace := s.Count, ""
		if r.Unit == "bytes" {
			now = s.Bytes
		}
		if s.GrowthPerHour != 0 {
			pace = r.FormatPerHour(s.GrowthPerHour)
		}
		what := "goroutines"
		if r.Unit == "bytes" {
			what = "live"
		}
		file := s.File
		if at := strings.LastIndexByte(file, '/'); at >= 0 {
			file = file[at+1:]
		}
		fmt.Fprintf(b, `<tr><td class="verdict">%s</td><td class="what"><code title="%s">%s</code><span class="file">%s:%d</span></td><td class="n">%s %s</td>`+
			`<td class="n">%s</td><td>%s</td></tr>`+"\n",
			mark, escape(s.File), escape(s.Function), escape(file), s.Line, r.Format(now), what, pace, escape(s.WaitReason))
	}
	b.WriteString("</tbody>\n</table>\n</div>\n")
	if more := len(all) - mostSites; more > 0 {
		fmt.Fprintf(b, "<p class=\"quiet small\">And %d more in the JSON.</p>\n", more)
	}
	b.WriteString("</section>\n")
}

// captured lists the files that were written as evidence, the latest first.
func (v *look) captured(b *strings.Builder) {
	if len(v.Captures) == 0 {
		return
	}
	b.WriteString("<section><h2>Captures</h2>\n<p class=\"quiet small\">For go tool pprof.</p>\n<ul>\n")
	for _, c := range slices.Backward(v.Captures) {
		name := filepath.Base(c.Path)
		fmt.Fprintf(b, `<li><a href="captures/%s" data-id="%s" download>%s</a> <span class="quiet small">%s of %s, %s, %s</span></li>`+"\n",
			escape(url.PathEscape(name)), escape(name), escape(name), escape(c.Kind), escape(c.Resource), at(c.Time, plot.AsFull),
			sampler.Resource{Unit: "bytes"}.Format(float64(c.Bytes)))
	}
	b.WriteString("</ul></section>\n")
}

func (v *look) alerts(b *strings.Builder) {
	b.WriteString(`<section><h2>Alerts</h2>` + "\n")
	if len(v.Alerts) == 0 {
		b.WriteString("<p class=\"quiet\">None.</p></section>\n")
		return
	}
	b.WriteString("<ul class=\"events\">\n")
	for _, a := range slices.Backward(v.Alerts) {
		ink, word := plot.AlertMark, a.Severity.String()
		if a.Status == alerting.Resolved {
			ink, word = plot.ResolvedMark, "resolved"
		}
		fmt.Fprintf(b, "<li>%s%s <b>%s</b> %s</li>\n", plot.KeyEntry{Ink: ink}.Swatch(), at(a.Time, plot.AsFull), word, escape(a.Summary))
	}
	b.WriteString("</ul></section>\n")
}

func (v *look) costs(b *strings.Builder) {
	c := v.Cost
	fact := func(name, value string) { fmt.Fprintf(b, "<div><dt>%s</dt><dd>%s</dd></div>", name, value) }
	b.WriteString("<section><h2>What the monitor costs</h2>\n<dl class=\"facts\">")
	if c.Checks > 0 {
		fact("Checks", sampler.Resource{}.Format(float64(c.Checks)))
		fact("A check", shortTime(c.Elapsed/time.Duration(c.Checks)))
		fact("The longest", shortTime(c.Longest))
		if lasted := v.now.Sub(v.Started); !v.Started.IsZero() && lasted > 0 {
			fact("Of one core", fmt.Sprintf("%.2g %%", 100*c.Elapsed.Seconds()/lasted.Seconds()))
		}
	}
	fact("Memory of the plots", sampler.Resource{Unit: "bytes"}.Format(float64(c.HistoryBytes)))
	if e := v.Evidence; e.Profiles > 0 {
		fact("Profiles", fmt.Sprintf("%d", e.Profiles))
		fact("They took", fmt.Sprintf("%.2g %% of a core", 100*e.Share))
		fact("Longest pause", shortTime(e.LongestPause))
	}
	b.WriteString("</dl>\n")
	if v.Evidence.Note != "" {
		fmt.Fprintf(b, "<p class=\"small\">%s</p>\n", escape(v.Evidence.Note))
	}
	for _, d := range v.Delivery {
		if d.Failed+d.Dropped == 0 && !d.Failing && !d.Stuck {
			continue
		}
		fmt.Fprintf(b, `<p class="small"><span class="warn">Delivery by %s:</span> %d sent, %d failed, %d dropped, %d waiting.`,
			escape(d.Name), d.Sent, d.Failed, d.Dropped, d.Queued)
		if d.LastError != "" {
			fmt.Fprintf(b, " %s at %s.", escape(d.LastError), at(d.LastErrorAt, plot.AsFull))
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("</section>\n")
}

// shortTime writes a time below a second with two digits or more: 3.8 µs, 210 ms.
func shortTime(d time.Duration) string {
	if d >= time.Second {
		return sampler.FormatDuration(d)
	}
	value, unit := float64(d)/float64(time.Microsecond), "µs"
	if d >= time.Millisecond {
		value, unit = float64(d)/float64(time.Millisecond), "ms"
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}
