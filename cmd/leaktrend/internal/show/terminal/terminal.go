// Package terminal says what a writer can show, and fits text to it: width, colours, what is safe to print. It knows
// nothing of verdicts.
package terminal

import (
	"io"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Style says how text is laid out.
type Style struct {
	Color bool
	Width int  // columns
	Fit   bool // no line is wider, whatever must be cut; else names are whole
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

// Printable replaces what would move the cursor or change the terminal: names come from the programs that are watched.
func Printable(text string) string { return redact.Printable(text) }

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

// Fold breaks text at blanks into lines of a width, at most so many; a word that is longer has a line of its own.
func Fold(text string, width, maxLines int) (lines []string) {
	current := ""
	for _, word := range strings.Fields(text) {
		if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, current)
			current = ""
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	if current != "" {
		lines = append(lines, current)
	}
	if len(lines) > maxLines {
		lines = append(lines[:maxLines-1], Cut(strings.Join(lines[maxLines-1:], " "), width))
	}
	return lines
}
