// Package table makes series of a table, whatever form it was written in: it finds the time, separates processes, and
// gives each column its unit.
package table

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// Sheet is a table as text, whatever form it was written in.
type Sheet struct {
	Format string     // as in "a table with tabs"
	Header []string   // nil if there is none
	Rows   [][]string // each as long as the header
	Lines  []int      // of the rows in the file
	Commas scan.Commas
	points []bool // by column: whether a point parts thousands
	Comma  bool   // whether some cell has a decimal comma
	// Bases returns the factor on the values of a column and the unit that they then have, where these come from the
	// format, not the header.
	Bases map[string]Base
	// epoch, if not zero, is what elapsed times count from.
	epoch time.Time
	// Ignore are columns that are known to be no readings, and why.
	Ignore  map[string]string
	Dates   scan.Order
	Notes   noteLog
	Counted bool // whether the times are those of listings at the given interval
	Left    int  // columns that were not read, because there are too many
}

// Base is what makes base units of the values of a column.
type Base struct {
	factor float64
	unit   string
}

// Bases of columns: sizes in kilobytes, which are of 1024 bytes wherever a tool and not its header says so, sizes in
// bytes, and numbers that are no sizes though their name says so.
var (
	KiB    = Base{1 << 10, "bytes"}
	Bytes  = Base{1, "bytes"}
	NoUnit = Base{1, ""}
)

// Width is the number of columns.
func (s *Sheet) Width() int {
	if s.Header != nil {
		return len(s.Header)
	}
	if len(s.Rows) == 0 {
		return 0
	}
	return len(s.Rows[0])
}

// Cell returns a cell; rows may be short.
func (s *Sheet) Cell(row, col int) string {
	if col < len(s.Rows[row]) {
		return s.Rows[row][col]
	}
	return ""
}

// amount reads a cell of a column as a number.
func (s *Sheet) amount(col int, text string) (scan.Amount, bool) {
	if col < len(s.points) && s.points[col] {
		text = strings.ReplaceAll(text, ".", "")
	}
	return scan.ParseAmount(text, s.Commas)
}

// pointed is a number with points in it where thousands may be parted.
var pointed = regexp.MustCompile(`^[-+]?[1-9]\d{0,2}((?:\.\d{3})+)(?:,\d+)?(?: ?[A-Za-z%]+)?$`)

// partsThousands reports whether the points of a column part thousands: where one number has two of them, where the
// file has decimal commas, or where what is counted has no decimals.
func (s *Sheet) partsThousands(col int) bool {
	one, several := 0, 0
	for i := range s.Rows {
		text := s.Cell(i, col)
		if !strings.Contains(text, ".") {
			continue
		}
		switch m := pointed.FindStringSubmatch(text); {
		case m == nil:
			return false
		case len(m[1]) > len(".000"):
			several++
		default:
			one++
		}
	}
	const many = 20
	factor, unit := naming.Unit(s.name(col))
	return several > 0 || one > 0 && s.Comma || one >= many && s.Commas == scan.Decimal && unit == "bytes" &&
		factor <= 1<<10
}

// name returns the name of a column.
func (s *Sheet) name(col int) string {
	if s.Header != nil && s.Header[col] != "" {
		return s.Header[col]
	}
	return "column " + strconv.Itoa(col+1)
}

// shape is what the cells of a column look like.
type shape struct {
	filled   int // cells that are not absent
	numbers  int
	instants int
	forms    [scan.Nanos + 1]int
	rising   int // steps to a higher number or a later time
	falling  int
	steps    int // to the next higher number
	distinct int // texts, up to manyTexts
	constant bool
	whole    bool // all numbers are whole
	min, max float64
}

const manyTexts = 10000

func (s *Sheet) shapeOf(col int) shape {
	sh := shape{constant: true, whole: true}
	texts := map[string]bool{}
	first, last, started := "", 0.0, false
	for i := range s.Rows {
		text := s.Cell(i, col)
		if scan.Absent(text) {
			continue
		}
		if sh.filled++; sh.filled == 1 {
			first = text
		}
		sh.constant = sh.constant && text == first
		if len(texts) < manyTexts {
			texts[text] = true
		}
		v := 0.0
		a, number := s.amount(col, text)
		if number {
			sh.numbers++
			v = a.Value
			sh.whole = sh.whole && v == float64(int64(v))
			sh.max = max(sh.max, v)
			if sh.min = min(sh.min, v); sh.numbers == 1 {
				sh.min = v
			}
		}
		t, form := scan.Instant(text, s.Dates)
		if sh.forms[form]++; form != scan.NoTime {
			sh.instants++
			v = float64(t.UnixNano())
		}
		if form != scan.NoTime || number {
			if started && v == last+1 {
				sh.steps++
			}
			if started && v > last {
				sh.rising++
			} else if started && v < last {
				sh.falling++
			}
			last, started = v, true
		}
	}
	sh.distinct = len(texts)
	return sh
}

// serial reports whether the column has dates as spreadsheets count them: days since 1899, with the time of day behind
// the point; here of the years 2000 to 2100.
func (sh *shape) serial(name string) bool {
	return naming.HasWord(name, naming.TimeWords...) && !sh.whole && sh.min >= firstSerial && sh.max < lastSerial
}

// The days of spreadsheets from 2000 to 2100.
const firstSerial, lastSerial = 36_526, 73_050

// SerialDay reports whether a number is a day of the years 2000 to 2100 as spreadsheets count days.
func SerialDay(days float64) bool { return days >= firstSerial && days < lastSerial }

// written reports whether the instants are dates, not numbers.
func (sh *shape) written() bool { return sh.forms[scan.Text]+sh.forms[scan.Day] > sh.instants/2 }

// timed reports whether the column holds instants.
func (sh *shape) timed() bool {
	return sh.filled > 0 && sh.instants >= sh.filled*9/10 && sh.instants > 0
}

// numeric reports whether the column holds numbers.
func (sh *shape) numeric() bool { return sh.numbers > 0 && sh.numbers >= sh.filled*4/5 }

func (s *Sheet) firstCell(col int) string {
	for i := range s.Rows {
		if text := s.Cell(i, col); !scan.Absent(text) {
			return text
		}
	}
	return ""
}

// Put appends a row: the line of the file that was read last.
func (s *Sheet) Put(t *input.Text, row []string) {
	s.Rows, s.Lines = append(s.Rows, row), append(s.Lines, t.Number)
	if len(s.Rows)*(max(len(s.Header), len(row))+overhead) >= t.Bounds.Cells {
		t.Stop("%d cells of a table", t.Bounds.Cells)
	}
}

// overhead is how many cells a row takes beside its own.
const overhead = 3

// HasRoom reports whether the rows of the table may be so wide.
func (s *Sheet) HasRoom(t *input.Text, width int) bool {
	return width <= t.Bounds.Columns && len(s.Rows)*(width+overhead) < t.Bounds.Cells
}

// ignore leaves a column out, and records why where a reason is given.
func (s *Sheet) ignore(name, why string) {
	if s.Ignore == nil {
		s.Ignore = map[string]string{}
	}
	s.Ignore[name] = why
}
