// Package delimited reads tables whose cells are parted by a character or by blanks: what no other format recognizes.
package delimited

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Read reads a table whose cells are parted by a comma, a semicolon, a tab, a bar or blanks. Lines with # are
// notes, but the last before the first row may be the header.
func Read(t *input.Text, o input.Options) (*gathered.File, error) {
	separator, format := separatorOf(t.Head)
	s := &table.Sheet{Format: format}
	s.Notes.Name = t.Name
	if separator != '|' && (separator != ',' || bytes.IndexByte(t.Head, '"') >= 0) {
		s.Commas, s.Comma = commasOf(t.Head, separator)
	}
	var (
		notes  []string
		dates  []dateLine
		places []int // of the cells under another header than the first; nil under that
		titled bool  // the first row is a header, as far as it holds no data
		relaid []relaidAt
		short  []int // lines of another width
		widths []int
		count  = map[int]int{}
	)
	for number, line := range t.Lines() {
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 {
			continue
		}
		if trimmed[0] == '#' {
			if len(s.Rows) == 0 {
				notes = append(notes, string(bytes.TrimSpace(bytes.TrimLeft(trimmed, "#"))))
			}
			s.Notes.Read(trimmed, number, len(s.Rows))
			continue
		}
		if at, ok := dateAlone(trimmed, separator); ok {
			cells := tokens.SplitLike(nil, trimmed, separator)
			// its comma may be that of a value
			if separator != ',' || len(cells) == 1 || len(cells) == 2 && len(cells[1]) <= 2 && count[2] == 0 {
				if dates = append(dates, dateLine{row: len(s.Rows), at: at, cells: cells, line: number}); len(
					dates) >= t.Bounds.Cells/dateCells {
					t.Stop("%d dates", len(dates))
				}
				continue
			}
		}
		if separator == ',' && (bytes.HasPrefix(trimmed, []byte("sep=")) || typeperfEnd.Match(trimmed)) ||
			tokens.Ruler.Match(trimmed) {
			continue
		}
		var above []string
		if n := len(s.Rows); n > 0 {
			above = s.Rows[n-1]
		}
		cells := tokens.SplitLike(above, bytes.TrimRight(line, "\r\n"), separator)
		for i, cell := range cells { // as spreadsheets keep text
			if inner, ok := strings.CutPrefix(cell, `="`); ok {
				cells[i] = strings.TrimSuffix(inner, `"`)
			}
		}
		if titled && !tokens.HasData(cells, s.Commas) {
			if slices.Equal(cells, s.Rows[0]) {
				places = nil
				continue // the header again, as of files that were put together
			}
			if isOtherHeader(cells, s.Rows[0]) {
				before := len(s.Rows[0])
				if places = placesOf(t, s, cells); len(s.Rows[0]) > before {
					relaid = append(relaid, relaidAt{len(s.Rows), before})
				}
				continue
			}
		}
		if places != nil && len(cells) == len(places) {
			cells = placed(cells, places, len(s.Rows[0]))
		}
		if limit := t.Bounds.Columns; len(cells) > limit {
			s.Left, cells = max(s.Left, len(cells)-limit), cells[:limit]
		}
		if s.Put(t, cells); len(s.Rows) == 1 {
			titled = !tokens.HasData(cells, s.Commas)
		}
		count[len(cells)]++
	}
	if dates = dated(s, dates, count); len(s.Rows) == 0 {
		return nil, gathered.New(t, format).Empty()
	}
	if !slices.ContainsFunc(s.Rows, func(cells []string) bool { return tokens.HasData(cells, s.Commas) }) {
		if header := s.Rows[0]; len(s.Rows) == 1 && len(header) > 1 &&
			slices.ContainsFunc(header, func(name string) bool {
				return slices.Contains(naming.TimeWords, strings.ToLower(strings.TrimSpace(name)))
			}) {
			return nil, fmt.Errorf("%s: no samples: a table of %s without rows", t.Name,
				scan.Printable(strings.Join(header, ", ")))
		}
		return nil, fmt.Errorf("%s: no samples: neither a table with numbers nor in a format that leaktrend knows",
			t.Name)
	}
	width, highest := 0, 0
	for w, n := range count {
		if n > highest || n == highest && w > width {
			width, highest = w, n
		}
	}
	if len(relaid) > 0 {
		width = len(s.Rows[0])
		widen(s, relaid)
	}
	isTitle := func() bool {
		if len(s.Rows) < 2 || len(s.Rows[0]) == width || tokens.HasData(s.Rows[0], s.Commas) {
			return false
		}
		// a header may have blanks in its names
		return separator != ' ' || len(s.Rows[1]) == width && !tokens.HasData(s.Rows[1], s.Commas)
	}
	for isTitle() {
		s.Rows, s.Lines = s.Rows[1:], s.Lines[1:]
	}
	if separator == ' ' {
		width = joinStamps(s, width)
	}
	findHeader(s, notes, width, separator)
	putDates(s, dates)
	for i := len(s.Rows) - 1; i >= 0; i-- {
		if len(s.Rows[i]) != s.Width() {
			short = append(short, s.Lines[i])
			widths = append(widths, len(s.Rows[i]))
			s.Rows, s.Lines = slices.Delete(s.Rows, i, i+1), slices.Delete(s.Lines, i, i+1)
		}
	}
	if separator == ' ' && s.Header == nil {
		joinDates(s)
	}
	o.Interval = cmp.Or(o.Interval, s.Notes.Header.Interval)
	knowSysstat(s)
	knowJstat(s)
	g, err := s.Interpret(t, o)
	if g != nil && len(short) > 0 {
		g.Faults += len(short)
		g.Rows += len(short)
		for i := len(short) - 1; i >= 0; i-- {
			g.Explain(short[i], "%s where the others have %d: skipped", scan.Count(widths[i], "cell"), s.Width())
		}
	}
	return g, err
}

// findHeader makes the first row, or the last note before it, the header if it is one.
func findHeader(s *table.Sheet, notes []string, width int, separator byte) {
	first := s.Rows[0]
	if len(s.Rows) > 1 && (!tokens.HasData(first, s.Commas) || namesNumbers(s)) || !tokens.HasData(first, s.Commas) &&
		len(notes) == 0 {
		s.Header, s.Rows, s.Lines = first, s.Rows[1:], s.Lines[1:]
	} else if n := len(notes); n > 0 {
		if cells := tokens.Split([]byte(notes[n-1]), separator); len(cells) == width && width > 1 {
			s.Header = cells
		}
	}
	for i := range s.Header {
		s.Header[i] = strings.TrimSpace(s.Header[i])
	}
}

// namesNumbers reports whether the first row of a sheet is a header in which some names are numbers, as of percentiles:
// it has no time, and most of its cells are names over numbers.
func namesNumbers(s *table.Sheet) bool {
	first, second := s.Rows[0], s.Rows[1]
	if len(first) != len(second) || !tokens.HasData(second, s.Commas) {
		return false
	}
	names := 0
	for i, cell := range first {
		if _, form := scan.Instant(cell, scan.MonthFirst); form != scan.NoTime {
			return false
		}
		_, number := scan.ParseAmount(cell, s.Commas)
		if !number && !scan.Absent(cell) && tokens.HasData(second[i:i+1], s.Commas) {
			names++
		}
	}
	return names*2 > len(first)
}

// joinDates puts dates together that blanks have cut into cells, at the beginning of each row.
func joinDates(s *table.Sheet) {
	if len(s.Rows) == 0 {
		return
	}
	for n := min(7, s.Width()); n > 1; n-- {
		good := 0
		for i := range s.Rows {
			if _, form := scan.Instant(strings.Join(s.Rows[i][:n], " "), s.Dates); form == scan.Text {
				good++
			}
		}
		if good < len(s.Rows)*9/10 {
			continue
		}
		for i := range s.Rows {
			s.Rows[i] = append([]string{strings.Join(s.Rows[i][:n], " ")}, s.Rows[i][n:]...)
		}
		return
	}
}

// joinStamps puts dates with blanks in them together under a header that has a name for each of them, and returns the
// width of the rows then.
func joinStamps(s *table.Sheet, width int) int {
	n := width - len(s.Rows[0]) + 1
	if n < 2 || n > 7 || len(s.Rows) < 2 || tokens.HasData(s.Rows[0], s.Commas) {
		return width
	}
	for at := 0; at+n <= width; at++ {
		good, rows := 0, 0
		for _, row := range s.Rows[1:] {
			if len(row) != width {
				continue
			}
			rows++
			if _, form := scan.Instant(strings.Join(row[at:at+n], " "), s.Dates); form == scan.Text {
				good++
			} else if rows-good > len(s.Rows)/10 {
				break
			}
		}
		if good == 0 || good < rows*9/10 {
			continue
		}
		for i, row := range s.Rows {
			if i > 0 && len(row) == width {
				s.Rows[i] = slices.Concat(row[:at], []string{strings.Join(row[at:at+n], " ")}, row[at+n:])
			}
		}
		return len(s.Rows[0])
	}
	return width
}

// separatorOf finds what parts the cells: what stands in every line, as often, outside of quotes.
func separatorOf(text []byte) (separator byte, format string) {
	const maxLines = 200
	best, bestScore := byte(' '), 0.0
	for _, sep := range []byte{',', ';', '\t', '|'} {
		counts := map[int]int{}
		lines := 0
		for line := range bytes.Lines(text) {
			line = bytes.TrimSpace(line)
			if len(line) == 0 || line[0] == '#' || tokens.Ruler.Match(line) {
				continue
			}
			if lines++; lines > maxLines {
				break
			}
			counts[len(tokens.Split(line, sep))]++
		}
		for width, n := range counts {
			if width < 2 {
				continue
			}
			if score := float64(n) / float64(lines); score > bestScore+0.05 || score > bestScore-0.05 && sep != ',' &&
				best == ',' && score > 0.9 {
				best, bestScore = sep, score
			}
		}
	}
	if bestScore < 0.5 && !ragged(text, ',') {
		best = ' '
	} else if bestScore < 0.5 {
		best = ','
	}
	names := map[byte]string{',': "a CSV table", ';': "a table with semicolons", '\t': "a table with tabs",
		'|': "a table with bars", ' ': "a table with blanks"}
	return best, names[best]
}

// ragged reports whether all lines have a separator, if not equally often.
func ragged(text []byte, separator byte) bool {
	lines, with := 0, 0
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			if lines++; bytes.IndexByte(line, separator) >= 0 && !bytes.ContainsAny(line, ";\t|") {
				with++
			}
		}
	}
	return with > 0 && with >= lines*9/10
}

// commasOf finds out what the commas of a table are that is parted by something else, and whether that is sure.
func commasOf(text []byte, separator byte) (commas scan.Commas, decimal bool) {
	thousands := false
	n := 0
	for line := range bytes.Lines(text) {
		if n++; n > 2000 {
			break
		}
		for _, cell := range tokens.Split(bytes.TrimRight(line, "\r\n"), separator) {
			if scan.DecimalComma(cell) {
				return scan.Decimal, true
			}
			thousands = thousands || strings.Count(cell, ",") > 1 || strings.ContainsRune(cell, ',') &&
				strings.ContainsRune(cell, '.')
		}
	}
	if thousands || separator != ';' {
		return scan.Thousands, false
	}
	return scan.Decimal, false
}

// typeperfEnd is what typeperf says when it ends.
var typeperfEnd = regexp.MustCompile(`^Exiting, please wait|^The command completed successfully`)
