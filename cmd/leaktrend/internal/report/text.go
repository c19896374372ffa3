package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/table"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// WriteText prints a block a recording and a closing line.
func WriteText(w io.Writer, results []*replay.Result) error {
	if len(results) == 0 {
		return nil
	}
	style := terminal.StyleOf(w)
	out := &strings.Builder{}
	for _, r := range results {
		fmt.Fprintln(out, style.Paint(terminal.Printable(r.File), terminal.Bold)+style.Paint("  "+describe(r),
			terminal.Dim))
		if err := table.Write(out, style, "  ", rowsOf(r)); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, Summarize(results))
	_, err := io.WriteString(w, out.String())
	return err
}

// Summarize says how many recordings have which verdict, and how many were not read or judged in full, as
// replay.Result.Unsure tells.
func Summarize(results []*replay.Result) string {
	verdicts, unsure := make(map[string]int), 0
	for _, r := range results {
		verdicts[verdictOn(r)]++
		if r.Unsure() {
			unsure++
		}
	}
	text := plain.Count(len(results), "recording") + ":"
	separator := " "
	for _, verdict := range []string{withLeak, overLimit, suspects, tooEarly, withoutLeak, unjudged} {
		if n := verdicts[verdict]; n > 0 {
			text += fmt.Sprintf("%s%d %s", separator, n, verdict)
			separator = ", "
		}
	}
	switch {
	case unsure > 0 && len(results) == 1:
		text += "; it was not read or judged in full"
	case unsure > 0:
		text += fmt.Sprintf("; %d of them not read or judged in full", unsure)
	}
	return text
}

// Verdicts on a whole recording.
const (
	withLeak    = "with a leak"
	overLimit   = "beyond a hard limit"
	suspects    = "with a suspect"
	tooEarly    = "too early to tell"
	withoutLeak = "without a leak"
	unjudged    = "not judged"
)

func verdictOn(r *replay.Result) string {
	verdict := unjudged
	for i := range r.Resources {
		c := &r.Resources[i]
		if c.Leaks > 0 {
			return withLeak
		}
		of := unjudged
		switch {
		case c.LimitsPassed > 0:
			of = overLimit
		case c.Verdict == detector.Suspect:
			of = suspects
		case c.Verdict == detector.Early:
			of = tooEarly
		case c.Verdict == detector.OK:
			of = withoutLeak
		}
		verdict = graver(verdict, of)
	}
	return verdict
}

// graver returns the verdict that asks more of whoever reads it.
func graver(a, b string) string {
	order := []string{unjudged, withoutLeak, tooEarly, suspects, overLimit}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// describe says in a few words what a recording is.
func describe(r *replay.Result) string {
	parts := []string{fmt.Sprintf("%s over %s", plain.Count(r.Samples, "sample"),
		sampler.FormatDuration(r.Last.Sub(r.First)))}
	switch {
	case r.Soak != r.Header.Soak && r.Header.Soak > 0:
		parts = append(parts, "judged with "+soakText(r.Soak)+", recorded with "+soakText(r.Header.Soak))
	case r.Soak > 0:
		parts = append(parts, soakText(r.Soak))
	}
	if r.Header.Source != "" {
		parts = append(parts, terminal.Printable(r.Header.Source))
	}
	return strings.Join(parts, ", ")
}

func soakText(soak time.Duration) string {
	if soak == 0 {
		return "physical time constants"
	}
	return "soak " + sampler.FormatDuration(soak)
}

// earlyNote says of growth that may become a leak what it comes to, why it is no finding yet, and what a soak run of
// this length says where it says more.
func earlyNote(c *replay.Resource) string {
	note := table.Early(&c.Status)
	if s := c.Soaked; s.Length > 0 && s.Verdict != detector.Early && s.Verdict != detector.Unjudged {
		note += "; --soak " + inDays(s.Length) + " says " + s.Verdict.String()
	}
	return note
}

// inDays writes a length of time exactly, as flags take it: 4d3h55m.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	switch rest := d % day; {
	case d < day:
		return sampler.ShortDuration(d)
	case rest == 0:
		return fmt.Sprintf("%dd", d/day)
	default:
		return fmt.Sprintf("%dd%s", d/day, sampler.ShortDuration(rest))
	}
}

// rowsOf returns the rows of the resources that are judged, findings first.
func rowsOf(r *replay.Result) []table.Row {
	const (
		sparkWidth = 24
		grew       = 1.1 // times the first level, from which on a healthy resource is explained
	)
	var rows []table.Row
	rank := func(c *replay.Resource) int {
		switch {
		case c.Trend || c.Limit:
			return 0
		case c.Leaked():
			return 1
		}
		return 2
	}
	resources := make([]*replay.Resource, 0, len(r.Resources))
	var hidden []*detector.Status
	for i := range r.Resources {
		c := &r.Resources[i]
		switch {
		case c.Leaked() || c.Judged && table.WorthARow(&c.Status, len(r.Resources)):
			resources = append(resources, c)
		case c.Judged:
			hidden = append(hidden, &c.Status)
		}
	}
	slices.SortStableFunc(resources, func(a, b *replay.Resource) int { return cmp.Compare(rank(a), rank(b)) })
	for _, c := range resources {
		row := table.Row{
			Resource: c.Resource.Name,
			Spark:    c.Line.Draw(sparkWidth),
			Levels:   table.Levels(c.Resource, c.First, c.Value),
		}
		row.Verdict, row.Tint = table.Verdict(&c.Status)
		switch {
		case c.State == detector.Firing, c.State == detector.Suspected:
			row.Rate, row.Note = c.Resource.FormatPerHour(c.SlopePerHour), table.Finding(&c.Status, r.Last)
		case c.Leaked():
			row.Tint = terminal.Yellow
			row.Verdict, row.Note = c.Was()
		case c.Verdict == detector.Early:
			row.Rate, row.Note = table.Rate(&c.Status), earlyNote(c)
		case c.Verdict == detector.Unjudged:
			row.Note = c.Why
		case c.Value > grew*c.First:
			row.Note = c.Why
		}
		rows = append(rows, row)
	}
	return append(rows, table.Others(hidden)...)
}
