package tokens

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// pair is a name and a value as loggers write them: rss=12kB, msg="a text".
var pair = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.%/-]*)=("(?:[^"\\]|\\.)*"|[^\s,;]*)`)

// spaced is a name and a number as people print them: Alloc = 12 MiB, RSS: 12.5 MB.
var spaced = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)(?: = |: )(-?\d[\d.]*(?: ?[KMGTkmgt]i?[Bb]\b| ` +
	`?%)?)(?:[\s,;|)]|$)`)

// tight is a name and a number as Redis and others print them: used_memory:1234.
var tight = regexp.MustCompile(
	`(?:^|\s)([A-Za-z_][A-Za-z0-9_.-]*):(-?\d[\d.]*(?:[KMGTkmgt](?:i?[Bb])?|%)?)(?:[\s,;]|$)`)

// phrase is a number at the end of a part of a line, and the text before it.
var phrase = regexp.MustCompile(`^(?:.*[-:\]] ?)?([A-Za-z][A-Za-z _().%]*?)[\s:=]+(-?\d[\d.]*(?: ?[KMGTkmgt]i?[Bb]| ` +
	`?%)?)\.?$`)

// statement is the text before the only number of a line that states a value.
var statement = regexp.MustCompile(` (?:is|was|now|at):? -?\d`)

// statsd is a gauge as it is sent to a StatsD: api.rss:1234|g.
var statsd = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*):(-?\d[\d.]*)\|g\b`)

// Equals returns the names and values of a line with a sign between them, as in rss=12kB.
func Equals(line string) (pairs [][2]string) {
	for _, m := range pair.FindAllStringSubmatch(line, -1) {
		pairs = append(pairs, [2]string{m[1], strings.Trim(m[2], `"`)})
	}
	return pairs
}

// Values returns the names and values of a line, however they are written: as in rss=12kB, in RSS: 12 MB, in rss:12,
// or, where there are none of these, a name before each number that ends a part of the line, as in "GC heap 93.1 MB,
// handles 59".
func Values(line string) (pairs [][2]string) {
	if pairs = Equals(line); len(pairs) > 0 {
		return pairs
	}
	for _, m := range statsd.FindAllStringSubmatch(line, -1) {
		pairs = append(pairs, [2]string{m[1], m[2]})
	}
	if len(pairs) > 0 {
		return pairs
	}
	for _, m := range tight.FindAllStringSubmatch(line, -1) {
		pairs = append(pairs, [2]string{m[1], m[2]})
	}
	for _, m := range spaced.FindAllStringSubmatch(line, -1) {
		pairs = append(pairs, [2]string{m[1], m[2]})
	}
	parts := strings.FieldsFunc(line, func(c rune) bool { return c == '|' || c == ';' })
	if len(pairs) == 0 || len(pairs) < len(parts) {
		var phrases [][2]string
		for _, part := range parts {
			for _, one := range strings.Split(part, ", ") {
				if m := phrase.FindStringSubmatch(strings.TrimSpace(one)); m != nil {
					phrases = append(phrases, [2]string{lastWords(m[1]), m[2]})
				}
			}
		}
		if len(phrases) > max(len(pairs), 1) || len(phrases) == 1 && len(pairs) == 0 && statement.MatchString(line) {
			pairs = phrases
		}
	}
	return pairs
}

// lastWords returns the last words before a number, without conjunctions.
func lastWords(text string) string {
	text = strings.TrimRight(text, ":= ")
	text = text[strings.LastIndexByte(text, ':')+1:]
	list := strings.Fields(text)
	for len(list) > 1 && slices.Contains([]string{"is", "was", "now", "at"}, list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	const maxWords = 3
	return strings.Join(list[max(0, len(list)-maxWords):], " ")
}

// Amount returns the amount that a text begins with, or its first size or value with a name; "" where it has
// none.
func Amount(text string) string {
	if _, form := scan.Instant(text, scan.MonthFirst); form != scan.NoTime {
		return ""
	}
	if cells := strings.Fields(text); len(cells) > 1 && strings.ContainsAny(cells[0][:1], "0123456789~") {
		if _, ok := scan.ParseAmount(cells[0], scan.Thousands); ok && !isMonth(cells[1]) {
			return cells[0]
		}
	}
	for _, m := range pair.FindAllStringSubmatch(text, -1) {
		if _, ok := scan.ParseAmount(m[2], scan.Thousands); ok {
			return m[0]
		}
	}
	if m := spaced.FindStringSubmatch(text); m != nil {
		return m[0]
	}
	return sizeWithin.FindString(text)
}

// sizeWithin is a size within a text, as in "heap is 90 MB of 1024 MB".
var sizeWithin = regexp.MustCompile(`\b\d[\d.,]* ?(?:[KMGTkm]i?[Bb]|bytes)\b`)

// isMonth reports whether a word begins as the name of a month.
func isMonth(word string) bool {
	return len(word) >= 3 && slices.Contains([]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep",
		"oct", "nov", "dec"}, strings.ToLower(word[:3]))
}
