package delimited

import (
	"bytes"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// dateCells is the number of cells that a date on a line of its own counts as.
const dateCells = 8

// dateLine is a date alone on a line, and before which row it stands.
type dateLine struct {
	row, line int
	at        time.Time
	cells     []string
}

// dateAlone reads a line that is a date and nothing else.
func dateAlone(line []byte, separator byte) (at time.Time, ok bool) {
	const longest = 80
	if len(line) > longest || bytes.IndexByte(line, ':') < 0 || separator != ' ' && separator != ',' &&
		bytes.IndexByte(line, separator) >= 0 {
		return at, false
	}
	at, form := scan.Instant(tokens.Undecorated(line), scan.MonthFirst)
	return at, form != scan.NoTime
}

// dated tells dates before listings from rows that are nothing else: with these the rows come back.
func dated(s *table.Sheet, dates []dateLine, count map[int]int) []dateLine {
	if len(dates) == 0 || len(s.Rows) > len(dates) {
		return dates
	}
	if len(s.Rows) > 1 && len(s.Rows) >= len(dates)-1 { // one row each
		return dates
	}
	var (
		rows  [][]string
		lines []int
		from  int
	)
	for _, d := range dates {
		rows, lines = append(append(rows, s.Rows[from:d.row]...), d.cells),
			append(append(lines, s.Lines[from:d.row]...), d.line)
		count[len(d.cells)]++
		from = d.row
	}
	s.Rows, s.Lines = append(rows, s.Rows[from:]...), append(lines, s.Lines[from:]...)
	return nil
}

// putDates gives each row the date before its listing as its time.
func putDates(s *table.Sheet, dates []dateLine) {
	if len(dates) < 2 {
		return
	}
	if s.Header != nil {
		s.Header = append([]string{"time"}, s.Header...)
	}
	next, at := 0, ""
	for i := range s.Rows {
		for ; next < len(dates) && dates[next].line < s.Lines[i]; next++ {
			at = dates[next].at.Format(time.RFC3339Nano)
		}
		s.Rows[i] = append([]string{at}, s.Rows[i]...)
	}
}
