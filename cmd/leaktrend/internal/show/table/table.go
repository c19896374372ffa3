// Package table lays out verdicts for a terminal or a plain text file.
package table

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Style says how text is laid out.
type Style struct {
	Color bool
	Width int  // columns
	Fit   bool // a line for each row, none of them wider, whatever must be cut; else only notes are
}

const plainWidth = 400 // of what is not a terminal: nothing that people read is as long

// StyleOf returns the style for a writer: colour only on a terminal that has it, and not where NO_COLOR is set.
func StyleOf(w io.Writer) Style {
	s := Style{Color: Redraws(w) && os.Getenv("NO_COLOR") == "", Width: plainWidth}
	if width, _, ok := Size(w); ok {
		s.Width = width
	}
	return s
}

// Redraws reports whether a writer is a terminal that obeys escape sequences: one on which a person sees text replaced.
func Redraws(w io.Writer) bool {
	kind := os.Getenv("TERM")
	dumb := kind == "dumb" || kind == "" && runtime.GOOS != "windows"
	f, ok := w.(*os.File)
	return ok && !dumb && term.IsTerminal(int(f.Fd()))
}

// Size returns the columns and rows of a terminal.
func Size(w io.Writer) (width, height int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return width, height, err == nil && width > 0 && height > 0
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
	Rate     string
	Note     string // the rest of the line; cut where the terminal ends, but below if it says why the row is red
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
		parts = append(parts, wording.TimeLeft(e, s.Resource, now))
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

// Columns of a row.
const (
	verdictColumn = iota
	resourceColumn
	sparkColumn
	levelsColumn
	paceColumn
	columns
)

const (
	gap     = 2  // between two columns
	minName = 12 // characters of a resource that are left of it
)

// Write lays out rows in columns, each with the indent before it.
func (s Style) Write(w io.Writer, indent string, rows []Row) error {
	cells := make([][columns]string, len(rows))
	var widths [columns]int
	used := utf8.RuneCountInString(indent)
	for i, r := range rows {
		cells[i] = [columns]string{Printable(r.Verdict), Printable(r.Resource), r.Spark, r.Levels, r.Rate}
		for c, text := range cells[i] {
			widths[c] = max(widths[c], utf8.RuneCountInString(text))
		}
	}
	for _, width := range widths {
		used += width + gap
	}
	if excess := used - s.Width; s.Fit && excess > 0 {
		minWidth := min(widths[resourceColumn], minName)
		used -= widths[resourceColumn]
		widths[resourceColumn] = max(widths[resourceColumn]-excess, minWidth)
		used += widths[resourceColumn]
	}
	for i := range rows {
		line := ""
		for c, text := range cells[i] {
			if c == resourceColumn {
				text = CutMiddle(text, widths[c])
			}
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(text))
			if c == paceColumn {
				text, pad = pad+text, ""
			}
			line += text + pad + strings.Repeat(" ", gap)
		}
		note, below := Printable(rows[i].Note), ""
		if rows[i].Tint == Red && !s.Fit && utf8.RuneCountInString(note) > s.Width-used {
			margin := indent + strings.Repeat(" ", widths[verdictColumn]+gap)
			note, below = "", margin+Cut(note, s.Width-len(margin))+"\n"
		}
		line = strings.TrimRight(indent+line+Cut(note, s.Width-used), " ")
		if s.Fit {
			line = Cut(line, s.Width)
		}
		// Only now, as a colour has no width.
		if verdict := indent + cells[i][verdictColumn]; strings.HasPrefix(line, verdict) {
			line = indent + s.Paint(cells[i][verdictColumn], rows[i].Tint) + line[len(verdict):]
		}
		if _, err := io.WriteString(w, line+"\n"+below); err != nil {
			return err
		}
	}
	return nil
}

// Printable replaces what would move the cursor or change the terminal: names come from the programs that are watched.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// Cut shortens text to a number of columns.
func Cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	if columns < 2 {
		return ""
	}
	return string([]rune(text)[:columns-1]) + "…"
}

// CutMiddle shortens a name to a number of columns. Long names differ at their ends more often than in between.
func CutMiddle(name string, columns int) string {
	runes := []rune(name)
	if len(runes) <= columns {
		return name
	}
	head := columns / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(columns-head-1):])
}
