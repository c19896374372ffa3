// Package table lays out verdicts for a terminal or a plain text file.
package table

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Style says how text is laid out.
type Style struct {
	Color bool
	Width int // columns, at least 40
}

const (
	plainWidth = 132 // of what is not a terminal
	leastWidth = 40
)

// StyleOf returns the style for a writer: colour only on a terminal, and not where NO_COLOR is set.
func StyleOf(w io.Writer) Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return Style{Width: plainWidth}
	}
	s := Style{Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", Width: plainWidth}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.Width = max(width, leastWidth)
	}
	return s
}

// IsTerminal reports whether a person watches what is written.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Tint is a colour that stresses what a word says already.
type Tint string

const (
	Plain  Tint = ""
	Red    Tint = "31;1"
	Yellow Tint = "33"
	Green  Tint = "32"
	Dim    Tint = "2"
	Bold   Tint = "1"
)

// Paint returns text in a colour, if the style has colours.
func (s Style) Paint(text string, t Tint) string {
	if !s.Color || t == Plain {
		return text
	}
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

// Row is one resource.
type Row struct {
	Verdict  string
	Tint     Tint
	Resource string
	Spark    string
	Levels   string
	Pace     string
	Note     string // the rest of the line; cut where the terminal ends
}

// Verdict is the word for a state.
func Verdict(s *detector.Status) (word string, tint Tint) {
	switch {
	case s.Trend:
		return "LEAK", Red
	case s.Limit:
		return "LIMIT", Red
	case s.State == detector.Suspected:
		return "suspect", Yellow
	case s.State == detector.Learning:
		return "too short", Dim
	}
	return "ok", Green
}

// few is how many resources a table shows whatever they are. An endpoint may have hundreds of metrics.
const few = 12

// WorthARow reports whether a resource has a row of its own, among so many: those that leaktrend knows do, others when there is
// something to say.
func WorthARow(s *detector.Status, among int) bool {
	_, known := sampler.Lookup(s.Resource.Name)
	return known || among <= few || s.State == detector.Suspected || s.State == detector.Firing
}

// Others is the row that stands for resources without one.
func Others(n int) Row {
	return Row{Verdict: "ok", Tint: Green, Resource: fmt.Sprintf("%d other metrics", n)}
}

// Levels writes the way from one level to another.
func Levels(r sampler.Resource, from, to float64) string {
	return r.Format(from) + " → " + r.Format(to)
}

// Finding says since when a finding holds and how long there is left.
func Finding(s *detector.Status, now time.Time) string {
	var parts []string
	if !s.Since.IsZero() {
		parts = append(parts, fmt.Sprintf("since %s (%s)", clock(s.Since, now), sampler.FormatDuration(now.Sub(s.Since))))
	}
	if e := s.Exhaustion; e != nil {
		parts = append(parts, fmt.Sprintf("%s to the limit of %s", sampler.FormatDuration(e.At.Sub(now)), s.Resource.Format(e.Limit)))
	}
	if s.Limit {
		parts = append(parts, "hard limit passed")
	}
	if s.State == detector.Suspected {
		parts = append(parts, s.Why)
	}
	return strings.Join(parts, ", ")
}

// clock writes an instant with its date only where that is not today's.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// Write lays out rows in columns, each with the indent before it.
func (s Style) Write(w io.Writer, indent string, rows []Row) error {
	var widths [5]int
	cells := func(r *Row) [5]string { return [5]string{r.Verdict, r.Resource, r.Spark, r.Levels, r.Pace} }
	for i := range rows {
		for c, text := range cells(&rows[i]) {
			widths[c] = max(widths[c], utf8.RuneCountInString(text))
		}
	}
	for i := range rows {
		line, used := indent, utf8.RuneCountInString(indent)
		for c, text := range cells(&rows[i]) {
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(text))
			if c == 0 {
				text = s.Paint(text, rows[i].Tint)
			}
			if c == 4 {
				text, pad = pad+text, ""
			}
			line += text + pad + "  "
			used += widths[c] + 2
		}
		line += cut(rows[i].Note, s.Width-used)
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// cut shortens text to a number of columns.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	if columns < 2 {
		return ""
	}
	return string([]rune(text)[:columns-1]) + "…"
}
