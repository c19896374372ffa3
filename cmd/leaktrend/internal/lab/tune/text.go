package tune

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/sampler"
)

// textWidth is what running text and tables keep within.
const textWidth = 100

// WriteText prints the result for people to read: what to set, what that costs and how sure it is, and one table. With
// verbose, all else that was measured follows.
func (r *Result) WriteText(w io.Writer, verbose bool) error {
	p := &printer{style: terminal.StyleOf(w)}
	p.text(r.headline())
	if r.Interrupted {
		p.text(r.partial())
	}
	for _, line := range suspicions(r) {
		p.text(line)
	}
	p.answer(r)
	p.summary(r)
	if verbose {
		p.details(r)
	} else {
		p.text("More of it, by resource, setting and method, with reasons: --verbose.")
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// details writes all that was measured.
func (p *printer) details(r *Result) {
	for i := range r.Groups {
		p.group(r, &r.Groups[i])
	}
	if len(r.Months) > 0 {
		p.heading("A month of this very process")
		p.text(r.monthsSentence())
		p.table(r.monthRows())
	}
	for _, why := range r.Skipped {
		p.text("Not extended: " + why + ".")
	}
	if r.Choice != nil {
		p.heading("Recommendation")
		for _, line := range r.Advice() {
			p.text(line)
		}
	}
	if len(r.Limits) > 0 {
		p.heading("Hard limits")
		for i := range r.Limits {
			for _, line := range r.Limits[i].Advice() {
				p.text(line)
			}
		}
	}
	if len(r.Groups) > 0 {
		p.sources(&r.Groups[0])
	}
}

func (r *Result) headline() string {
	config := fmt.Sprintf("Configuration in force: %s (sensitivity %s, least_growth %s).", r.Config,
		number(r.InForce.Sensitivity), number(r.InForce.MinGrowth))
	if r.TrendOff {
		config += " Its trend detector is off; the search and the recommendation turn it on."
	}
	return fmt.Sprintf("%s of %s, from %s. %s", count(r.Recordings, "recording"), count(r.Programs, "program"), r.From,
		config)
}

func (r *Result) partial() string {
	text := fmt.Sprintf("PARTIAL: interrupted. %d of %s were measured", r.Recordings, count(r.Of, "recording"))
	if r.Recordings == r.Of {
		text += ", but the search is not complete"
	}
	return text + "; there is no recommendation."
}

// remarks say what the recordings of a group cannot tell.
func (r *Result) remarks(g *Group) []string {
	var out []string
	all := &g.Methods[0].All
	if r.Unlabelled {
		out = append(out, "Nothing is known of these recordings. They are taken as healthy, but for what looks like "+
			"a leak. Recall and "+
			"delay cannot be said.")
		if g.SoakSeconds > 0 {
			out = append(out, "A soak run has no months, so these are not extended.")
		}
		return out
	}
	if all.Leaks == 0 {
		out = append(out, "Nothing leaks in these recordings: recall, delay and precision cannot be said.")
	}
	switch {
	case all.Exposure == 0:
		out = append(out, "There is no healthy time in these recordings: false alarms cannot be said.")
	case all.Healthy == 0:
		out = append(out, fmt.Sprintf("All of these recordings leak: false alarms are counted before the leaks only, "+
			"in %s.",
			count3(all.Exposure, g.Unit)))
	}
	return out
}

// printer gathers the report.
type printer struct {
	b     strings.Builder
	style terminal.Style
}

func (p *printer) heading(text string) {
	p.b.WriteString("\n" + p.style.Paint(text, terminal.Bold) + "\n")
}

// text writes a paragraph within the width.
func (p *printer) text(text string) {
	for _, line := range wrap(text, textWidth, "") {
		p.b.WriteString(line + "\n")
	}
}

// caption writes the sentence above a table.
func (p *printer) caption(text string) {
	p.b.WriteString("\n")
	p.text(text)
}

// wrap breaks text at blanks. Lines after the first are indented.
func wrap(text string, width int, indent string) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case used == 0:
			line, used = word, n
		case used+1+n > width:
			lines = append(lines, line)
			line, used = indent+word, utf8.RuneCountInString(indent)+n
		default:
			line, used = line+" "+word, used+1+n
		}
	}
	return append(lines, line)
}

// rows are the lines of a table, the head first; the first column stands left, the others right.
type rows [][]string

func (p *printer) table(rows rows) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		var line strings.Builder
		for c, cell := range row {
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if c == 0 {
				line.WriteString("  " + cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = p.style.Paint(text, terminal.Dim)
		}
		p.b.WriteString(text + "\n")
	}
}

func (p *printer) group(r *Result, g *Group) {
	own := &g.Methods[0]
	p.heading(g.title())
	for _, remark := range r.remarks(g) {
		p.text(remark)
	}
	resources, quiet := withoutQuiet(own.Resources)

	p.caption("False alarms of this configuration on healthy time, by resource, with 95 % intervals:")
	head := []string{"resource", g.Unit + "s", "false alarms", "per " + g.Unit, "healthy with any"}
	out := rows{head}
	for _, n := range append([]Named{{Name: "all", Figures: own.All}}, resources...) {
		out = append(out, []string{n.Name, number3(n.Exposure), strconv.Itoa(n.FalseAlarms), rateText(n.Rate),
			n.alarmed()})
	}
	p.table(out)
	if quiet != "" {
		p.text("Neither a false alarm nor a leak: " + quiet + ".")
	}
	if n := own.All.BesideLeak; n > 0 {
		p.text(fmt.Sprintf("%d of the false alarms came while another resource leaked.", n))
	}
	if own.All.Leaks > 0 {
		p.leaks(g, own, resources)
	}
	p.comparison(g)
	if len(own.Families) > 0 {
		p.families(g, own)
	}
	if len(g.Trials) > 0 && !r.Unlabelled {
		p.caption(r.trialsSentence(g))
		p.table(g.trialRows())
	}
}

func (g *Group) title() string {
	if g.SoakSeconds > 0 {
		return fmt.Sprintf("Soak runs of %s: %s, %s of healthy time", sampler.FormatDuration(g.soak()),
			count(g.Methods[0].All.Recordings, "recording"), count3(g.Methods[0].All.Exposure, "run"))
	}
	return fmt.Sprintf("Physical time constants: %s, %s of healthy time",
		count(g.Methods[0].All.Recordings, "recording"),
		count3(g.Methods[0].All.Exposure, "process-day"))
}

func (p *printer) leaks(g *Group, own *Method, resources []Named) {
	p.caption("Leaks found; due are those that exhausted their limit or doubled the level within the recording:")
	out := rows{{"leaks", "n", "found", "recall", "due", "due found", "recall of due"}}
	add := func(name string, f *Figures) {
		if f.Leaks > 0 {
			out = append(out, []string{name, strconv.Itoa(f.Leaks), strconv.Itoa(f.Found), percentText(f.Recall),
				strconv.Itoa(f.Due), strconv.Itoa(f.DueFound), percentText(f.DueRecall)})
		}
	}
	add("all", &own.All)
	for i := range resources {
		add("of "+resources[i].Name, &resources[i].Figures)
	}
	for i := range own.Kinds {
		name := own.Kinds[i].Name
		if name == "" {
			name = "no kind given"
		}
		add(cut("kind: "+name), &own.Kinds[i].Figures)
	}
	p.table(out)
	p.text(fmt.Sprintf("Recordings that leak: %d; with a true alarm of any resource: %s.", own.All.Leaking,
		percentText(own.All.Noticed)))
	within := "within 30 days"
	if g.SoakSeconds > 0 {
		within = "within a run"
	}
	if own.All.Precision != nil {
		p.text(fmt.Sprintf("Precision, if %.0f %% of the processes leak %s: %s of all alarms are true.", 100*prevalence,
			within,
			percentText(own.All.Precision)))
	}
	if own.All.DelayHours == nil {
		return
	}
	p.caption("Delay of the alarms, median / 90th percentile: in time, as share of the time to exhaustion, and as " +
		"leaked amount over the level " +
		"before; lead is the time left to exhaustion, median / what nine of ten exceed:")
	out = rows{{"leaks", "found", "delay", "of exhaustion", "leaked / level", "lead"}}
	when := func(name string, f *Figures) {
		if f.DelayHours != nil {
			out = append(out, []string{name, strconv.Itoa(f.Found), hours(f.DelayHours), shares(f.DelayShare),
				shares(f.Leaked), hours(f.LeadHours)})
		}
	}
	when("all", &own.All)
	for i := range resources {
		when("of "+resources[i].Name, &resources[i].Figures)
	}
	p.table(out)
}

func (p *printer) comparison(g *Group) {
	text := "The same recordings under other methods, the rules of the field as published (sources below)"
	if g.Methods[0].All.Leaks > 0 {
		text += "; delay as median and as share of the time to exhaustion"
	}
	if g.SoakSeconds > 0 {
		text += ". Most soak runs are too short for the windows of the rules"
	}
	speak, quiet := silent(g.Methods)
	p.caption(text + ":")
	p.table(g.comparisonRows(speak))
	if len(quiet) > 0 {
		p.text("Neither a false alarm nor a leak found: " + strings.Join(quiet, ", ") + ".")
	}
}

func (g *Group) comparisonRows(methods []Method) rows {
	out := rows{{"method", "false per " + g.Unit, "with any", "recall", "due", "delay", "share"}}
	for i := range methods {
		m := &methods[i]
		out = append(out, []string{m.Name, rateText(m.All.Rate), percent(m.All.Alarmed), percentText(m.All.Recall),
			percent(m.All.DueRecall),
			hour(m.All.DelayHours), share(m.All.DelayShare)})
	}
	return out.withLeaks(g, 3)
}

// withLeaks drops the columns about leaks, four from one on, where there are none.
func (r rows) withLeaks(g *Group, from int) rows {
	if g.Methods[0].All.Leaks > 0 {
		return r
	}
	for i := range r {
		r[i] = slices.Delete(r[i], from, from+4)
	}
	return r
}

// sources names where the rules of the field come from.
func (p *printer) sources(g *Group) {
	p.caption("Sources of the rules:")
	for i := range g.Methods {
		if m := &g.Methods[i]; m.Source != "" {
			for _, line := range wrap(m.Name+": "+m.Source, textWidth-2, "    ") {
				p.b.WriteString(p.style.Paint("  "+line, terminal.Dim) + "\n")
			}
		}
	}
}

func (p *printer) families(g *Group, own *Method) {
	p.caption("This configuration by family of generated recordings (*: its first day looks like a leak):")
	out := rows{{"family", "recordings", "false alarms", "per " + g.Unit, "recall", "due", "delay", "share"}}
	add := func(name string, f *Figures) {
		out = append(out, []string{name, strconv.Itoa(f.Recordings), strconv.Itoa(f.FalseAlarms), rateText(f.Rate),
			percent(f.Recall),
			percent(f.DueRecall), hour(f.DelayHours), share(f.DelayShare)})
	}
	for i := range own.Families {
		f := &own.Families[i]
		if f.Ambiguous {
			add(f.Name+" *", &f.Figures)
		} else {
			add(f.Name, &f.Figures)
		}
	}
	if own.Plain != nil {
		add("all without *", own.Plain)
	}
	p.table(out)
}

// trialsSentence says what the table of settings shows.
func (r *Result) trialsSentence(g *Group) string {
	on := ""
	switch {
	case r.Searched:
		on = " on the recordings searched"
	case r.HeldOut:
		on = " on recordings that the search did not see"
	}
	if g.Methods[0].All.Leaks == 0 {
		return "False alarms by sensitivity" + on + ":"
	}
	return "The trade-off" + on + ": settings for which no other is as good in false alarms, leaks found and delay:"
}

func (g *Group) trialRows() rows {
	out := rows{{"sensitivity", "least_growth", "false per " + g.Unit, "recall", "due", "delay", "p90", ""}}
	listed := fold(g.listed())
	for i := range listed {
		t := &listed[i]
		p90 := unknown
		if t.DelayHours != nil {
			p90 = duration(t.DelayHours.P90)
		}
		out = append(out, []string{t.sensitivity(), number(t.MinGrowth), rateText(t.Rate), percent(t.Recall),
			percent(t.DueRecall),
			hour(t.DelayHours), p90, t.mark()})
	}
	return out.withLeaks(g, 3)
}

func (r *Result) monthsSentence() string {
	return fmt.Sprintf("Expected false alarms in 30 days at each sensitivity, if the process is healthy: the "+
		"recordings (%s) extended by a block "+
		"bootstrap. The interval is that of the simulation; nothing slower than the recordings is in it.", r.Extension)
}

func (r *Result) monthRows() rows {
	var trials []Trial
	months := make(map[float64]*Month)
	for i := range r.Months {
		m := &r.Months[i]
		trials = append(trials, Trial{Setting: m.Setting, InForce: m.InForce, Chosen: m.Chosen, Figures: m.Figures})
		months[m.Sensitivity] = m
	}
	out := rows{{"sensitivity", "least_growth", "false alarms a month", "in months", ""}}
	listed := fold(trials)
	for i := range listed {
		t := &listed[i]
		out = append(out, []string{t.sensitivity(), number(t.MinGrowth), rateText(months[t.Sensitivity].Alarms),
			number3(t.Exposure / 30), t.mark()})
	}
	return out
}

// Advice says in sentences what is recommended and how far it is supported.
func (r *Result) Advice() []string {
	c := r.Choice
	setting := fmt.Sprintf("sensitivity %s and least_growth %s", number(c.Setting.Sensitivity),
		number(c.Setting.MinGrowth))
	if c.Setting == r.InForce {
		setting += " can stay as they are"
	} else {
		setting = "set " + setting
	}
	lines := []string{fmt.Sprintf("For a budget of %s (%s false alarms per process-day): %s.", c.Budget,
		number3(c.PerDay), setting)}
	if c.Allowed != nil {
		lines = append(lines, fmt.Sprintf("The extended recordings would allow sensitivity %s, but the recorded time "+
			"is too short to go beyond the one in force.",
			number(c.Allowed.Sensitivity)))
	}
	if c.Basis == withoutBasis {
		return append(lines, fmt.Sprintf("There is no healthy time under physical time constants to judge it on: %s "+
			"without a false alarm are needed to "+
			"support the budget with 95 %% confidence.", count(int(math.Ceil(c.Missing)), "healthy process-day")))
	}
	lines = append(lines, c.measured())
	if c.Missing > 0 {
		more := count(int(math.Ceil(c.Missing)), "more healthy process-day")
		if c.Kept {
			lines = append(lines, fmt.Sprintf("That supports the budget with %s confidence; for 95 %% it takes %s "+
				"without a false alarm.",
				confidence(c.Confidence), more))
		} else {
			lines = append(lines, fmt.Sprintf("That is above the budget; no setting was found that surely keeps it. "+
				"For 95 %% confidence that this one "+
				"does, it takes %s without a false alarm.", more))
		}
	} else {
		lines = append(lines, fmt.Sprintf("That supports the budget with %s confidence.", confidence(c.Confidence)))
	}
	if c.Basis == byItself {
		lines = append(lines, "With one program there is none to leave out: these are the recordings that the search "+
			"saw, so the figures err on the good side.")
	}
	return lines
}

// measured says what the chosen setting did where it was judged.
func (c *Choice) measured() string {
	where := map[string]string{
		byFolds:     fmt.Sprintf("Judged on programs left out of the search (%d-fold cross-validation)", c.Folds),
		byReport:    "Judged on recordings that the search did not see",
		byItself:    "On the recordings searched",
		byExtension: "In the recorded time itself",
	}[c.Basis]
	text := fmt.Sprintf("%s: %s in %s, %s per process-day", where, count(c.Judged.FalseAlarms, "false alarm"),
		count3(c.Judged.Exposure, "healthy process-day"), rateText(c.Judged.Rate))
	if c.Judged.Leaks > 0 {
		text += fmt.Sprintf("; recall %s, of the leaks that were due %s", percentText(c.Judged.Recall),
			percentText(c.Judged.DueRecall))
		if d := c.Judged.DelayHours; d != nil {
			text += ", delay " + hours(d)
		}
	}
	return text + "."
}

// listed returns the settings that tables and curves show: the best ones, the one in force and the chosen one, fewest
// false alarms first. Where nothing leaks there is no best, and all sensitivities are shown.
func (g *Group) listed() []Trial {
	var out []Trial
	current := slices.IndexFunc(g.Trials, func(t Trial) bool { return t.InForce })
	leaks := g.Methods[0].All.Leaks > 0
	for _, t := range g.Trials {
		onLine := !leaks && t.MinGrowth == g.Trials[current].MinGrowth
		if leaks && t.Pareto || onLine || t.InForce || t.Chosen {
			out = append(out, t)
		}
	}
	if leaks {
		sortTrials(out)
	}
	return out
}
