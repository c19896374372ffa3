// Package logs reads lines of logs that have numbers in them, and blocks of lines: each line or block becomes a row of
// a table.
package logs

import (
	"bytes"
	"regexp"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// KeyValues is a log of names and values.
var KeyValues = gathered.Format{Recognizes: isPairs, Read: readKeyValues}

// stampWithin is an instant behind something else, as the priority of syslog, a level or the name of a pod.
var stampWithin = regexp.MustCompile(`^(?:.{1,60}?[\s:|\[])?(\d{4}-\d\d-\d\d[T ` +
	`]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)[\s:|\]]`)

// monotonic is the reading of its second clock that Go writes behind a time.
var monotonic = regexp.MustCompile(` m=[+-]\d+\.\d+\b`)

// origin is whose line it is, as kubectl logs --prefix and docker compose logs write it before the line.
var origin = regexp.MustCompile(`^\[pod/([^\]\s]+)\] |^(\S+)\s+\| `)

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
			timed = timed || form != scan.NoTime && naming.HasWord(p[0], naming.TimeWords...)
		}
		if timed && numbers > 0 {
			return true
		}
	}
	return false
}

// pairsOf returns the instant at the beginning of a line, "" if there is none, and its names and values.
func pairsOf(line string) (at string, pairs [][2]string) {
	line = monotonic.ReplaceAllString(line, "")
	var sources [][2]string
	at, rest, ok := tokens.StampBefore(line)
	if !ok {
		if m := stampWithin.FindStringSubmatchIndex(line); m != nil {
			at, rest = line[m[2]:m[3]], line[m[3]:]
			if by := origin.FindStringSubmatch(line[:m[2]]); by != nil {
				sources = [][2]string{{"container", by[1] + by[2]}}
			}
		}
	}
	if at == "" {
		return "", tokens.Equals(line)
	}
	return at, append(sources, tokens.Values(rest)...)
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
func readKeyValues(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: "a log of names and values"}
	index := map[string]int{}
	faults := input.FaultLog{Name: t.Name}
	for number, line := range t.Lines() {
		at, pairs := pairsOf(string(bytes.TrimSpace(line)))
		if at != "" {
			pairs = append([][2]string{{"time", at}}, pairs...)
		}
		if len(pairs) == 0 {
			if len(bytes.TrimSpace(line)) > 0 {
				faults.Fault(number, "%s: no names and values: skipped", scan.Shown(bytes.TrimSpace(line)))
			}
			continue
		}
		row := make([]string, len(s.Header))
		for _, p := range pairs {
			col, known := index[p[0]]
			if !known && len(s.Header) >= t.Bounds.Columns {
				s.Left++
				continue
			}
			if !known {
				col = len(s.Header)
				index[p[0]] = col
				s.Header = append(s.Header, p[0])
			}
			for len(row) <= col {
				row = append(row, "")
			}
			row[col] = p[1]
		}
		if n := len(s.Rows); n == 0 || !joinPairs(s.Rows[n-1:], row, index["time"]) {
			s.Put(t, row)
		}
	}
	return s.InterpretAfter(&faults, t, o)
}
