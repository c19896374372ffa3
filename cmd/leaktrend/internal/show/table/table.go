// Package table lays out verdicts for a terminal or a plain text file: the words, columns and colours that all
// commands share. What the verdict is, and its reason, come with the status.
package table

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Row is one resource.
type Row struct {
	Verdict  string
	Tint     terminal.Tint
	Resource string
	Spark    string
	Levels   string
	Rate     string
	Note     string // the rest of the line; below it where that is too short
}

// Verdict is the word for a state.
func Verdict(s *detector.Status) (word string, tint terminal.Tint) {
	switch {
	case s.Trend:
		return "LEAK", terminal.Red
	case s.Limit:
		return "LIMIT", terminal.Red
	case s.State == detector.Suspected:
		return "suspect", terminal.Yellow
	case s.Verdict == detector.Early:
		return "early", terminal.Yellow
	case s.Verdict == detector.Unjudged:
		return "unjudged", terminal.Dim
	}
	return "ok", terminal.Green
}

// few is how many resources a table shows whatever they are. An endpoint may have hundreds of metrics.
const few = 12

// WorthARow reports whether a resource has a row of its own, among so many: those that leaktrend knows do, others when
// there is something to say.
func WorthARow(s *detector.Status, among int) bool {
	_, known := sampler.Lookup(s.Resource.Name)
	return known || among <= few || s.State >= detector.Suspected || s.Verdict == detector.Early &&
		s.State == detector.Healthy
}

// Others returns the rows that stand for resources without one: a row for each verdict.
func Others(hidden []*detector.Status) []Row {
	var rows []Row
	counts := make(map[string]int)
	for _, s := range hidden {
		word, tint := Verdict(s)
		if counts[word]++; counts[word] == 1 {
			rows = append(rows, Row{Verdict: word, Tint: tint})
		}
	}
	for i := range rows {
		n := counts[rows[i].Verdict]
		rows[i].Resource = fmt.Sprintf("%d other metrics", n)
		if n == 1 {
			rows[i].Resource = "1 other metric"
		}
	}
	return rows
}

// Levels writes the way from one level to another.
func Levels(r sampler.Resource, from, to float64) string {
	return r.Format(from) + " → " + r.Format(to)
}

// Finding says since when a finding holds and how long there is left.
func Finding(s *detector.Status, now time.Time) string {
	var parts []string
	if !s.Since.IsZero() {
		parts = append(parts, fmt.Sprintf("since %s (%s)", clock(s.Since, now),
			sampler.FormatDuration(now.Sub(s.Since))))
	}
	if e := s.Exhaustion; e != nil {
		parts = append(parts, wording.TimeLeft(e, s.Resource, now))
	}
	if s.Limit {
		parts = append(parts, "hard limit passed")
	}
	if s.State == detector.Suspected || !s.Fell.IsZero() { // what holds is no growth that is seen now
		parts = append(parts, s.Why)
	}
	return strings.Join(parts, ", ")
}

// Early says of growth that may become a leak what it comes to, and why it is no finding yet.
func Early(s *detector.Status) string {
	if reached := wording.IfItGoesOn(s); reached != "" {
		return reached + "; " + s.Why
	}
	return s.Why
}

// Rate returns the rate of growth that is a finding or may become one; "" for a step, which has none, where it is not
// known, and for what does not leak, of which it would be that of its swings.
func Rate(s *detector.Status) string {
	found := s.State == detector.Firing || s.State == detector.Suspected
	if s.SlopePerHour == 0 || !found && (s.Verdict != detector.Early || s.Callable.IsZero()) {
		return ""
	}
	return s.Resource.FormatPerHour(s.SlopePerHour)
}

// clock writes an instant with its date only where that is not today's.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return sampler.FormatInstant(t, "15:04:05")
	}
	return sampler.FormatInstant(t, "2006-01-02 15:04")
}

// Columns of a row.
const (
	verdictColumn = iota
	resourceColumn
	sparkColumn
	levelsColumn
	rateColumn
	columns
)

const (
	gap      = 2  // between two columns
	minName  = 12 // characters of a resource that are left of it
	minNote  = 20 // columns that a note takes below its row; where there are fewer it is cut
	maxBelow = 10 // lines
)

// Write lays out rows in columns, in a style, each with the indent before it.
func Write(w io.Writer, s terminal.Style, indent string, rows []Row) error {
	cells := make([][columns]string, len(rows))
	var widths [columns]int
	used := utf8.RuneCountInString(indent)
	for i, r := range rows {
		cells[i] = [columns]string{terminal.Printable(r.Verdict), terminal.Printable(r.Resource), r.Spark, r.Levels,
			r.Rate}
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
				text = terminal.CutMiddle(text, widths[c])
			}
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(text))
			if c == rateColumn {
				text, pad = pad+text, ""
			}
			line += text + pad + strings.Repeat(" ", gap)
		}
		note, below := terminal.Printable(rows[i].Note), ""
		margin := indent + strings.Repeat(" ", widths[verdictColumn]+gap)
		if left := s.Width - len(margin); utf8.RuneCountInString(note) > s.Width-used && left >= minNote {
			for _, part := range terminal.Fold(note, left, maxBelow) {
				below += margin + terminal.Cut(part, left) + "\n"
			}
			note = ""
		}
		line = strings.TrimRight(indent+line+terminal.Cut(note, s.Width-used), " ")
		if s.Fit {
			line = terminal.Cut(line, s.Width)
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
