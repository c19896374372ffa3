package logs

import (
	"bytes"
	"regexp"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Inspected is objects as console.log prints them, or Python, Ruby and Fluent Bit.
var Inspected = gathered.Format{Recognizes: isInspected, Read: readInspected}

const inspectedFormat = "objects as console.log prints them"

// An object as Node prints it, names without quotes, or Python, with single ones; on one line or a line each.
// inspectedOpen is its beginning, behind what else the line has.
var (
	inspectedOpen = regexp.MustCompile(`^([^{"]*)\{\s*$|^([^{"]*)\{(\s*(?:[A-Za-z_$][\w$]*|'[^']+'): .*)$`)
	inspectedText = regexp.MustCompile(`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`)
	inspectedPair = regexp.MustCompile(`([A-Za-z_$][\w$]*|'[^']+'): ('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,{}` +
		`\[\]]+)`)
)

// Hashes of Ruby, as in {:count=>3, "a"=>1}, and lines of Fluent Bit's standard output.
var (
	rubySymbol = regexp.MustCompile(`:([A-Za-z_]\w*)\s*=>\s*`)
	rubyText   = regexp.MustCompile(`"([^"\\]*)"\s*=>\s*`)
	fluentBit  = regexp.MustCompile(`^\[\d+\] ([^\s:]+): \[\[?(\d+\.\d+), (?:\{[^}]*\}\], )?\{`)
)

// plainHash writes a hash of Ruby as the other objects are written.
func plainHash(text string) string {
	if !strings.Contains(text, "=>") {
		return text
	}
	text = fluentBit.ReplaceAllString(text, "$2 {")
	return rubyText.ReplaceAllString(rubySymbol.ReplaceAllString(text, "$1: "), "'$1': ")
}

// isInspected reports whether the first lines of a text begin such an object, which has a number.
func isInspected(start []byte) bool {
	n, open := 0, false
	for line := range bytes.Lines(start) {
		if n++; n > 8 {
			return false
		}
		text := plainHash(tokens.Plain(line))
		if m := inspectedOpen.FindStringSubmatch(text); m != nil {
			open, text = true, m[3]
		}
		for _, m := range inspectedPair.FindAllStringSubmatch(text, -1) {
			if _, ok := scan.ParseAmount(m[2], scan.Thousands); ok && open {
				return true
			}
		}
	}
	return false
}

// beginsInspected reports whether a line begins an object beside its date.
func beginsInspected(text string) bool {
	m := inspectedOpen.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	at, _ := tokens.LeadingInstant(strings.TrimSpace(m[1]+m[2]) + " {")
	return !at.IsZero()
}

// readInspected makes a row of each object, with the date on its first line or on a line of its own before it. One that
// does not end, as where the process ended, is left out.
func readInspected(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, inspectedFormat)
	faults := input.FaultLog{Name: t.Name}
	var (
		at     time.Time
		row    []string
		deep   int
		opened int // line
	)
	leave := func() { faults.Fault(opened, "the object that begins here has no end: skipped") }
	for number, raw := range t.Lines() {
		text := plainHash(tokens.Plain(raw))
		if text == "" {
			continue
		}
		if deep > 0 && beginsInspected(text) {
			leave()
			deep = 0
		}
		if deep == 0 {
			opened = number
			m := inspectedOpen.FindStringSubmatch(text)
			before := text
			if m != nil {
				before = strings.TrimSpace(m[1] + m[2])
			}
			if stamp, _ := tokens.LeadingInstant(before + " {"); !stamp.IsZero() {
				at = stamp
			} else if m == nil {
				faults.Fault(number, "%s: neither a date nor an object: skipped", scan.Shown([]byte(text)))
			}
			if m == nil {
				continue
			}
			text = "{" + m[3]
			row = nil
			if !at.IsZero() {
				row = s.Set(nil, "time", at.Format(time.RFC3339Nano))
			}
		}
		for _, p := range inspectedPair.FindAllStringSubmatch(text, -1) {
			row = s.Set(row, strings.Trim(p[1], "'"), strings.Trim(p[2], `'"`))
		}
		braces := inspectedText.ReplaceAllString(text, "")
		if deep += strings.Count(braces, "{") - strings.Count(braces, "}"); deep <= 0 {
			deep = 0
			s.Put(t, row)
		}
	}
	if deep > 0 {
		leave()
	}
	return s.Finish(t, &faults, o)
}
