package recording

import (
	"bytes"
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

// phrase is a number at the end of a part of a line, and what stands before it.
var phrase = regexp.MustCompile(`^(?:.*[-:\]] ?)?([A-Za-z][A-Za-z _().%]*?)[\s:=]+(-?\d[\d.]*(?: ?[KMGTkmgt]i?[Bb]| ` +
	`?%)?)\.?$`)

// says is what stands before the only number of a line that says what something is.
var says = regexp.MustCompile(` (?:is|was|now|at):? -?\d`)

// stampWithin is an instant that stands behind something else, as the priority of syslog, a level or the name of a pod.
var stampWithin = regexp.MustCompile(`^(?:.{1,60}?[\s:|\[])?(\d{4}-\d\d-\d\d[T ` +
	`]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)[\s:|\]]`)

// origin is whose line it is, as kubectl logs --prefix and docker compose logs write it before the line.
var origin = regexp.MustCompile(`^\[pod/([^\]\s]+)\] |^(\S+)\s+\| `)

// statsd is a gauge as it is sent to a StatsD: api.rss:1234|g.
var statsd = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*):(-?\d[\d.]*)\|g\b`)

// isPairs reports whether the first lines of a log have numbers by name in them, and a time.
func isPairs(start []byte) bool {
	n := 0
	for line := range bytes.Lines(start) {
		if n++; n > 3 {
			return false
		}
		at, pairs := pairsOf(string(bytes.TrimSpace(line)))
		numbers := 0
		timed := at != ""
		for _, p := range pairs {
			if _, ok := scan.ParseAmount(p[1], scan.Thousands); ok {
				numbers++
			}
			_, form := scan.Instant(p[1], scan.MonthFirst)
			timed = timed || form != scan.NoTime && hasWord(p[0], timeWords...)
		}
		if timed && numbers > 0 {
			return true
		}
	}
	return false
}

// pairsOf returns the instant at the beginning of a line, "" if there is none, and its names and values.
func pairsOf(line string) (at string, pairs [][2]string) {
	var sources [][2]string
	at, rest, ok := stampBefore(line)
	if !ok {
		if m := stampWithin.FindStringSubmatchIndex(line); m != nil {
			at, rest = line[m[2]:m[3]], line[m[3]:]
			if by := origin.FindStringSubmatch(line[:m[2]]); by != nil {
				sources = [][2]string{{"container", by[1] + by[2]}}
			}
		}
	}
	if at == "" {
		return "", equalsIn(line)
	}
	return at, append(sources, valuesIn(rest)...)
}

// stampBefore returns the instant at the beginning of a line, and what follows it; ok is false where there is none.
func stampBefore(line string) (at, rest string, ok bool) {
	if t, rest := leadingInstant(line); !t.IsZero() && rest != "" {
		at = strings.TrimSpace(strings.TrimSuffix(line, rest))
		return strings.Trim(at, "[]|:, "), rest, true
	}
	return "", line, false
}

// equalsIn returns the names and values of a line with a sign between them, as in rss=12kB.
func equalsIn(line string) (pairs [][2]string) {
	for _, m := range pair.FindAllStringSubmatch(line, -1) {
		pairs = append(pairs, [2]string{m[1], strings.Trim(m[2], `"`)})
	}
	return pairs
}

// valuesIn returns the names and values of a line, however they are written: as in rss=12kB, in RSS: 12 MB, in rss:12,
// or, where there are none of these, a name before each number that ends a part of the line, as in "GC heap 93.1 MB,
// handles 59".
func valuesIn(line string) (pairs [][2]string) {
	if pairs = equalsIn(line); len(pairs) > 0 {
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
		if len(phrases) > max(len(pairs), 1) || len(phrases) == 1 && len(pairs) == 0 && says.MatchString(line) {
			pairs = phrases
		}
	}
	return pairs
}

// lastWords returns the last words of what stands before a number, without what only binds them.
func lastWords(text string) string {
	text = strings.TrimRight(text, ":= ")
	text = text[strings.LastIndexByte(text, ':')+1:]
	list := strings.Fields(text)
	for len(list) > 1 && slices.Contains([]string{"is", "was", "now", "at"}, list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	const most = 3
	return strings.Join(list[max(0, len(list)-most):], " ")
}

// joinPairs adds a row to the one before it where both are of one time and have no other name in common.
func joinPairs(before [][]string, row []string, at int) bool {
	to := before[0]
	if at >= min(len(to), len(row)) || to[at] == "" || to[at] != row[at] {
		return false
	}
	for i := range min(len(to), len(row)) {
		if i != at && to[i] != "" && row[i] != "" {
			return false
		}
	}
	for i, cell := range row {
		if i >= len(to) {
			to = append(to, cell)
		} else if cell != "" {
			to[i] = cell
		}
	}
	before[0] = to
	return true
}

// readKeyValues reads a log in which each line has names and values: logfmt, or text with pairs in it.
func readKeyValues(t *input, o Options) (*gathered, error) {
	s := &sheet{format: "a log of names and values"}
	index := map[string]int{}
	faults := faultLog{name: t.name}
	for number, line := range t.lines() {
		at, pairs := pairsOf(string(bytes.TrimSpace(line)))
		if at != "" {
			pairs = append([][2]string{{"time", at}}, pairs...)
		}
		if len(pairs) == 0 {
			if len(bytes.TrimSpace(line)) > 0 {
				faults.fault(number, "%s: no names and values: skipped", scan.Shown(bytes.TrimSpace(line)))
			}
			continue
		}
		row := make([]string, len(s.header))
		for _, p := range pairs {
			col, known := index[p[0]]
			if !known && len(s.header) >= t.bounds.columns {
				s.left++
				continue
			}
			if !known {
				col = len(s.header)
				index[p[0]] = col
				s.header = append(s.header, p[0])
			}
			for len(row) <= col {
				row = append(row, "")
			}
			row[col] = p[1]
		}
		if n := len(s.rows); n == 0 || !joinPairs(s.rows[n-1:], row, index["time"]) {
			t.put(s, row)
		}
	}
	g, err := s.interpret(t, o)
	if g != nil {
		g.faults += faults.faults
		g.rows += faults.faults
		g.errs = append(faults.errs, g.errs...)
	}
	return g, err
}
