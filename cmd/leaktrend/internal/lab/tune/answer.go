package tune

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/sampler"
)

// answer writes what the run was made for: what to set, what it costs, how sure that is, and what is missing.
func (p *printer) answer(r *Result) {
	c := r.Choice
	if c == nil {
		return
	}
	p.b.WriteString("\n")
	p.labelled("set", settingsOf(r))
	p.labelled("costs", costsOf(r))
	p.labelled("confidence", c.confidence())
	if c.Missing > 0 {
		p.labelled("missing", fmt.Sprintf("%s without a false alarm, to be 95 %% sure",
			count(int(math.Ceil(c.Missing)), "more healthy process-day")))
	}
	if c.Judged.Leaks > 0 {
		text := fmt.Sprintf("%s of the leaks, %s of those that were due", percentText(c.Judged.Recall),
			percentText(c.Judged.DueRecall))
		if d := c.Judged.DelayHours; d != nil {
			text += fmt.Sprintf(", half of them within %s", duration(d.Median))
		}
		p.labelled("finds", text)
	}
}

// labelled writes a paragraph beside its label.
func (p *printer) labelled(label, text string) {
	const width = 12
	indent := strings.Repeat(" ", width)
	for i, line := range wrap(text, textWidth-width, "") {
		head := indent
		if i == 0 {
			head = p.style.Paint(fmt.Sprintf("%-*s", width, label), terminal.Bold)
		}
		p.b.WriteString(head + line + "\n")
	}
}

// settingsOf says what differs from the settings in force, and what stays.
func settingsOf(r *Result) string {
	c := r.Choice
	text := fmt.Sprintf("sensitivity %s, least_growth %s", number(c.Setting.Sensitivity), number(c.Setting.MinGrowth))
	if c.Setting == r.InForce {
		text += " (both as they are)"
	}
	if r.TrendOff {
		text += ", adaptive.enabled true"
	}
	for i := range r.Limits {
		if l := &r.Limits[i]; l.Proposed != l.InForce {
			text += fmt.Sprintf(", %s %s", l.Key, strings.TrimSuffix(l.setting(l.Proposed), " MB"))
		}
	}
	return text
}

// costsOf says how many false alarms a month the chosen setting gives.
func costsOf(r *Result) string {
	c := r.Choice
	if c.Basis == withoutBasis {
		return "not known: there is no healthy time under physical time constants"
	}
	recorded := fmt.Sprintf("%d in %s", c.Judged.FalseAlarms, count3(c.Judged.Exposure, "healthy process-day"))
	for i := range r.Months {
		if m := &r.Months[i]; m.Chosen && m.Alarms != nil {
			return fmt.Sprintf("%s, by the recordings extended; recorded: %s", falseAlarms(m.Alarms), recorded)
		}
	}
	return fmt.Sprintf("%s; recorded: %s", falseAlarms(scaled(c.Judged.Rate, month.Hours()/24)), recorded)
}

func falseAlarms(i *Interval) string {
	if i == nil {
		return "an unknown number of false alarms"
	}
	return fmt.Sprintf("%s false alarms a month of a process (%s to %s, with 95 %% confidence)", number2(i.Value),
		number2(i.Low), number2(i.High))
}

func scaled(i *Interval, times float64) *Interval {
	if i == nil {
		return nil
	}
	return &Interval{times * i.Value, times * i.Low, times * i.High}
}

// confidence says how surely the budget is kept.
func (c *Choice) confidence() string {
	switch {
	case c.Basis == withoutBasis:
		return fmt.Sprintf("none: nothing shows that the budget of %s is kept", c.Budget)
	case !c.Kept:
		return fmt.Sprintf("none: that is above the budget of %s, and no setting was found that surely keeps it",
			c.Budget)
	}
	return fmt.Sprintf("%s that the budget of %s is kept", confidence(c.Confidence), c.Budget)
}

// summary writes the one table that a person reads: what the configuration in force did on what there is.
func (p *printer) summary(r *Result) {
	if len(r.Groups) == 0 {
		return
	}
	leaks := false
	for i := range r.Groups {
		leaks = leaks || r.Groups[i].Methods[0].All.Leaks > 0
	}
	p.caption("This configuration on the recordings:")
	out := rows{{"", "healthy", "false alarms", "a month, or a run", "leaks found", "after"}}
	quiet := 0
	for i := range r.Groups {
		g := &r.Groups[i]
		add := func(name string, f *Figures) {
			found := unknown
			if f.Leaks > 0 {
				found = fmt.Sprintf("%d of %d", f.Found, f.Leaks)
			}
			out = append(out, []string{name, count3(f.Exposure, shortUnit(g)), strconv.Itoa(f.FalseAlarms),
				perMonth(g, f.Rate), found, hour(f.DelayHours)})
		}
		own := &g.Methods[0]
		add(nameOf(g), &own.All)
		for k := range own.Resources {
			f := &own.Resources[k]
			if f.FalseAlarms == 0 && f.Leaks == 0 {
				quiet++
				continue
			}
			add("  "+f.Name, &f.Figures)
		}
	}
	if !leaks {
		for i := range out {
			out[i] = out[i][:4]
		}
	}
	p.table(out)
	if quiet > 0 {
		p.text(fmt.Sprintf("Neither a false alarm nor a leak: %s.", count(quiet, "other resource")))
	}
}

// nameOf says in which time constants the recordings of a group are judged.
func nameOf(g *Group) string {
	if g.SoakSeconds > 0 {
		return "soak runs of " + sampler.FormatDuration(g.soak())
	}
	return "physical time constants"
}

// shortUnit is the unit of the exposure as a table has it.
func shortUnit(g *Group) string {
	if g.SoakSeconds > 0 {
		return "run"
	}
	return "day"
}

// perMonth writes a rate by the month, or by the run.
func perMonth(g *Group, rate *Interval) string {
	if g.SoakSeconds > 0 {
		return rateText(rate)
	}
	return rateText(scaled(rate, month.Hours()/24))
}

// suspicions tell of what looks like a leak in recordings of which nothing is known.
func suspicions(r *Result) []string {
	var lines []string
	for _, s := range r.Suspects {
		lines = append(lines, fmt.Sprintf("%s: %s looks like a leak since %s: label it, or leave it out. No alarm on "+
			"it counts as false from then on.",
			s.Recording, s.Resource, sampler.FormatInstant(s.Since, "2006-01-02 15:04 MST")))
	}
	return lines
}
