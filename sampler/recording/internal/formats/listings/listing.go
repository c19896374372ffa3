// Package listings reads what tools print of processes and machines again and again: a file for each tool or family, in
// which each listing becomes rows of a table.
package listings

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// listing is a loop around a command that lists processes or containers: each listing with its header or without, with
// the date before it or before each of its lines.
type listing struct {
	format   string
	isHeader func(line string) bool
	cells    func(line string) []string
	bases    map[string]table.Base
	ignore   map[string]string
	known    [][]string // headers of rows without one, distinguished by their number of cells
	// plain makes a line of the listing of one that is written otherwise, "" of one that is no part of it; may be nil.
	plain  func(line string) string
	wayOut string // where there are no times; "" for the usual one
}

func (l *listing) recognizes(start []byte) bool {
	return tokens.OneOfFirst(4, start, func(line []byte) bool {
		text := l.line(line)
		if strings.ContainsAny(text, ",;|") && !strings.Contains(text, "/") {
			return false
		}
		_, rest := tokens.LeadingInstant(text)
		return l.isHeader(rest) && strings.ContainsAny(rest, " \t") || l.headerless(rest) != nil
	})
}

// headerless returns the header of a row without one, nil if it is not known.
func (l *listing) headerless(line string) []string {
	cells := l.cells(line)
	for _, header := range l.known {
		if len(cells) < len(header) || len(cells) > len(header) && header[len(header)-1] != "COMMAND" {
			continue
		}
		fits := true
		for i, column := range header {
			a, number := scan.ParseAmount(cells[i], scan.Thousands)
			switch column {
			case "TIME":
				fits = fits && strings.ContainsRune(cells[i], ':')
			case "CPU(cores)":
				fits = fits && kubectlCPU.MatchString(cells[i])
			case "MEMORY(bytes)":
				fits = fits && number && a.Unit == "bytes"
			case "PID", "%CPU", "%MEM", "VSZ", "RSS", "PIDS":
				fits = fits && number
			case "CPU %", "MEM %":
				fits = fits && number && a.Unit == "percent"
			case dockerMemory:
				fits = fits && number && a.Of > 0
			}
		}
		if fits {
			return header
		}
	}
	return nil
}

// line returns a line without escapes, as the listing has it.
func (l *listing) line(raw []byte) string {
	text := tokens.Plain(raw)
	if l.plain == nil {
		return text
	}
	stamp, rest := tokens.LeadingInstant(text)
	if plain := l.plain(rest); stamp.IsZero() || plain == rest {
		return text[:len(text)-len(rest)] + plain
	}
	return stamp.Format(time.RFC3339Nano) + " " + l.plain(rest)
}

func (l *listing) read(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: l.format, Header: []string{"time"}, Bases: l.bases, Ignore: l.ignore}
	index := map[string]int{}
	faults := input.FaultLog{Name: t.Name}
	var (
		header   []string
		at       time.Time
		listings int
		untimed  bool
	)
	if decimalComma.Match(t.Head) {
		s.Commas, s.Comma = scan.Decimal, true
	}
	for number, raw := range t.Lines() {
		line := l.line(raw)
		if line == "" {
			continue
		}
		stamp, rest := tokens.LeadingInstant(line)
		if !stamp.IsZero() {
			at = stamp
		}
		if rest == "" {
			continue
		}
		if l.isHeader(rest) {
			header = l.cells(strings.Replace(rest, "MEM USAGE / LIMIT", dockerMemory, 1))
			listings++
			if stamp.IsZero() && listings > 1 && untimed {
				at = time.Time{}
			}
			continue
		}
		columns := header
		if columns == nil {
			columns = l.headerless(rest)
		}
		cells := l.cells(rest)
		if len(columns) == 0 || len(cells) < len(columns) {
			faults.Fault(number, "%s: neither a header nor a row: skipped", scan.Shown([]byte(line)))
			continue
		}
		cells = fitCells(cells, columns)
		row := []string{at.Format(time.RFC3339Nano)}
		if at.IsZero() {
			untimed = true
			row[0] = strconv.FormatInt(int64(listings)*int64(o.Interval)/1e9, 10)
		}
		for i, column := range columns {
			col, known := index[column]
			if !known {
				s.Header = append(s.Header, column)
				col = len(s.Header) - 1
				index[column] = col
			}
			for len(row) <= col {
				row = append(row, "")
			}
			row[col] = cells[i]
		}
		s.Put(t, row)
	}
	if untimed && (o.Interval <= 0 || listings < 2) {
		return nil, gathered.New(t, l.format).Refuse("it has no times",
			cmp.Or(l.wayOut, "write the date before each listing (date -Is), or say how far apart they are, as in "+
				"--interval 30s"))
	}
	o.Interval, s.Counted = 0, untimed
	return s.InterpretAfter(&faults, t, o)
}

// fitCells brings the cells of a row to the number of its columns: a number and its unit become one, then the words of
// a command do, wherever it stands.
func fitCells(cells, columns []string) []string {
	surplus := len(cells) - len(columns)
	fitted := make([]string, 0, len(cells))
	for i := 0; i < len(cells); i++ {
		cell := cells[i]
		if surplus > 0 && i+1 < len(cells) && sizeUnit.MatchString(cells[i+1]) {
			if _, number := scan.ParseAmount(cell, scan.Thousands); number {
				i++
				cell += " " + cells[i]
				surplus--
			}
		}
		fitted = append(fitted, cell)
	}
	at := slices.IndexFunc(columns, func(column string) bool {
		return slices.Contains([]string{"COMMAND", "CMD", "COMM", "ARGS", "NAME"}, strings.ToUpper(column))
	})
	if surplus > 0 {
		if at < 0 {
			at = len(columns) - 1
		}
		fitted = slices.Concat(fitted[:at], []string{strings.Join(fitted[at:at+surplus+1], " ")}, fitted[at+surplus+1:])
	}
	return fitted
}

var sizeUnit = regexp.MustCompile(`^[KMGTkmgt]i?[Bb]$`)

// wideCells parts a line at runs of two blanks or more, and at tabs.
func wideCells(line string) []string {
	var cells []string
	for part := range strings.SplitSeq(strings.ReplaceAll(line, "\t", "  "), "  ") {
		if part = strings.TrimSpace(part); part != "" {
			cells = append(cells, part)
		}
	}
	return cells
}

// decimalComma is a number as locales with decimal commas write it.
var decimalComma = regexp.MustCompile(`\s\d+,\d{1,2}\s`)
