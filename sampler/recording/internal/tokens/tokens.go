// Package tokens knows what a line of text is made of, whatever its format: cells, the date before them, names with
// their values.
package tokens

import (
	"bytes"
	"regexp"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// FirstLine returns the first line of a text, without its end.
func FirstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// OneOfFirst reports whether one of the first n lines is as wanted.
func OneOfFirst(n int, start []byte, wanted func(line []byte) bool) bool {
	for line := range bytes.Lines(start) {
		if n--; n < 0 {
			return false
		}
		if wanted(line) {
			return true
		}
	}
	return false
}

// Plain returns a line without the codes that move the cursor, and without blanks around it.
func Plain(line []byte) string {
	return strings.TrimSpace(escapes.ReplaceAllString(string(line), ""))
}

// escapes are the codes with which docker stats and watch move the cursor.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// Undecorated returns a line without what people put around a date that is alone on it.
func Undecorated(line []byte) string { return strings.Trim(string(line), "-=#[]*: \r\n") }

// LeadingInstant takes an instant off the beginning of a line. What decorates a line that is nothing else is left out.
func LeadingInstant(line string) (at time.Time, rest string) {
	if whole, form := scan.Instant(Undecorated([]byte(line)), scan.MonthFirst); form != scan.NoTime {
		return whole, ""
	}
	words := strings.Fields(line)
	for n := min(7, len(words)-1); n > 0; n-- {
		if t, form := scan.Instant(strings.Trim(strings.Join(words[:n], " "), "[]|:,"),
			scan.MonthFirst); form != scan.NoTime && form != scan.Day {
			rest = line
			for _, word := range words[:n] {
				rest = strings.TrimLeft(rest, " \t")[len(word):]
			}
			return t, strings.TrimLeft(rest, " \t|,:")
		}
	}
	return at, line
}

// StampBefore returns the instant at the beginning of a line, and what follows it; ok is false where there is none.
func StampBefore(line string) (at, rest string, ok bool) {
	if t, rest := LeadingInstant(line); !t.IsZero() && rest != "" {
		at = strings.TrimSpace(strings.TrimSuffix(line, rest))
		return strings.Trim(at, "[]|:, "), rest, true
	}
	return "", line, false
}

// Ruler is a line that belongs to no row: rules between header and rows, and how many rows a database has shown.
var Ruler = regexp.MustCompile(`^[-+=|: ]+$|^\(?\d+ rows?\b`)

// HasData reports whether a row has a number or an instant in it.
func HasData(cells []string, commas scan.Commas) bool {
	for _, cell := range cells {
		if _, ok := scan.ParseAmount(cell, commas); ok {
			return true
		}
		if _, form := scan.Instant(cell, scan.MonthFirst); form != scan.NoTime {
			return true
		}
	}
	return false
}
