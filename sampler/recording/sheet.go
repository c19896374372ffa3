package recording

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// Ways out of a refusal.
const (
	wayOutInterval = "say how far apart they are, as in --interval 30s"
	wayOutTime     = "give it a column time (RFC 3339 or unix seconds), or say how far apart its rows are, as in " +
		"--interval 30s"
)

// sheet is a table as text, whatever form it was written in.
type sheet struct {
	format string     // as in "a table with tabs"
	header []string   // nil if there is none
	rows   [][]string // each as long as the header
	lines  []int      // of the rows in the file
	commas scan.Commas
	points []bool // by column: whether a point parts thousands
	comma  bool   // whether some cell has a decimal comma
	// bases tells the factor on the values of a column and the unit that they then have, where the format and not the
	// header says so.
	bases map[string]base
	// epoch, if not zero, is what elapsed times count from.
	epoch time.Time
	// ignore are columns that are known to be no readings, and why.
	ignore  map[string]string
	dates   scan.Order
	notes   noteLog
	counted bool // whether the times are those of listings so far apart as was said
	left    int  // columns that were not read, because there are too many
}

type base struct {
	factor float64
	unit   string
}

// width is the number of columns.
func (s *sheet) width() int {
	if s.header != nil {
		return len(s.header)
	}
	if len(s.rows) == 0 {
		return 0
	}
	return len(s.rows[0])
}

// cell returns a cell; rows may be short.
func (s *sheet) cell(row, col int) string {
	if col < len(s.rows[row]) {
		return s.rows[row][col]
	}
	return ""
}

// amount reads a cell of a column as a number.
func (s *sheet) amount(col int, text string) (scan.Amount, bool) {
	if col < len(s.points) && s.points[col] {
		text = strings.ReplaceAll(text, ".", "")
	}
	return scan.ParseAmount(text, s.commas)
}

// pointed is a number with points in it where thousands may be parted.
var pointed = regexp.MustCompile(`^[-+]?[1-9]\d{0,2}((?:\.\d{3})+)(?:,\d+)?(?: ?[A-Za-z%]+)?$`)

// partsThousands reports whether the points of a column part thousands: where one number has two of them, where the
// file has decimal commas, or where what is counted has no decimals.
func (s *sheet) partsThousands(col int) bool {
	one, several := 0, 0
	for i := range s.rows {
		text := s.cell(i, col)
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
	factor, unit := headerUnit(s.name(col))
	return several > 0 || one > 0 && s.comma || one >= many && s.commas == scan.Decimal && unit == "bytes" &&
		factor <= 1<<10
}

// name returns the name of a column.
func (s *sheet) name(col int) string {
	if s.header != nil && s.header[col] != "" {
		return s.header[col]
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

func (s *sheet) shapeOf(col int) shape {
	sh := shape{constant: true, whole: true}
	texts := map[string]bool{}
	first, last, begun := "", 0.0, false
	for i := range s.rows {
		text := s.cell(i, col)
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
		t, form := scan.Instant(text, s.dates)
		if sh.forms[form]++; form != scan.NoTime {
			sh.instants++
			v = float64(t.UnixNano())
		}
		if form != scan.NoTime || number {
			if begun && v == last+1 {
				sh.steps++
			}
			if begun && v > last {
				sh.rising++
			} else if begun && v < last {
				sh.falling++
			}
			last, begun = v, true
		}
	}
	sh.distinct = len(texts)
	return sh
}

// serial reports whether the column has dates as spreadsheets count them: days since 1899, with the time of day behind
// the point; here of the years 2000 to 2100.
func (sh *shape) serial(name string) bool {
	return hasWord(name, timeWords...) && !sh.whole && sh.min >= firstSerial && sh.max < lastSerial
}

// The days of spreadsheets from 2000 to 2100.
const firstSerial, lastSerial = 36_526, 73_050

// written reports whether the instants are dates, not numbers.
func (sh *shape) written() bool { return sh.forms[scan.Text]+sh.forms[scan.Day] > sh.instants/2 }

// timed reports whether the column holds instants.
func (sh *shape) timed() bool {
	return sh.filled > 0 && sh.instants >= sh.filled*9/10 && sh.instants > 0
}

// numeric reports whether the column holds numbers.
func (sh *shape) numeric() bool { return sh.numbers > 0 && sh.numbers >= sh.filled*4/5 }

// timeline is where the times of a sheet come from.
type timeline struct {
	column, second int // second is the column of the time of day beside that of the date, else -1
	what           string
	at             func(row int) (t int64, ok bool)
}

// sameTime reports whether a column says once more when each row is of, if in another zone.
func (s *sheet) sameTime(col int, times []int64) bool {
	const quarter = 15 * time.Minute // of which offsets of zones are made
	apart, rows := time.Duration(0), 0
	for i, at := range times {
		if at < 0 {
			continue
		}
		t, form := scan.Instant(s.cell(i, col), s.dates)
		d := t.Sub(time.Unix(0, at))
		if rows++; rows == 1 {
			apart = d.Round(quarter)
		}
		if form == scan.NoTime || apart.Abs() > 14*time.Hour || (d-apart).Abs() > time.Second {
			return false
		}
	}
	return rows > 1
}

// findTime finds the column of the time, or says why there is none.
func (s *sheet) findTime(g *gathered, shapes []shape, o Options) (*timeline, error) {
	best, bestScore := -1, 0
	for col := range shapes {
		sh, name := &shapes[col], s.name(col)
		if !sh.timed() || isStart(name) || sh.filled < len(s.rows)/2 {
			continue
		}
		named := s.header != nil && hasWord(name, timeWords...)
		score := 0
		switch {
		case sh.written() && named:
			score = 5
		case sh.written() && sh.distinct > 1:
			score = 4
		case named:
			score = 3
		case sh.written():
			score = 2
		case s.header == nil && (sh.falling == 0 || sh.rising == 0 || sh.distinct < sh.filled), col == 0 &&
			sh.falling == 0, col == 0 && sh.rising == 0:
			score = 1
		}
		if score > bestScore || score == bestScore && score > 0 && sh.distinct > shapes[best].distinct &&
			sh.forms[scan.Day] == 0 {
			best, bestScore = col, score
		}
	}
	if best < 0 {
		return s.countedTime(g, shapes, o)
	}
	line := &timeline{column: best, second: -1, what: s.name(best)}
	if shapes[best].forms[scan.Day] > shapes[best].filled/2 && s.header != nil {
		for col := range shapes { // the time of day may have a column of its own
			if _, ok := scan.TimeOfDay(s.firstCell(col)); ok && col != best {
				line.second = col
			}
		}
	}
	if err := s.settleOrder(g, best); err != nil {
		return nil, err
	}
	line.at = func(row int) (int64, bool) {
		t, form := scan.Instant(s.cell(row, best), s.dates)
		if form == scan.NoTime {
			return 0, false
		}
		if line.second >= 0 {
			since, ok := scan.TimeOfDay(s.cell(row, line.second))
			if !ok {
				return 0, false
			}
			t = t.Add(since)
		}
		return nanos(t)
	}
	return line, nil
}

func (s *sheet) firstCell(col int) string {
	for i := range s.rows {
		if text := s.cell(i, col); !scan.Absent(text) {
			return text
		}
	}
	return ""
}

// settleOrder finds out whether dates like 03/02/2026 begin with the month: from a number that can be no month, or from
// the order that keeps the rows together. Where both would do, the file is refused.
func (s *sheet) settleOrder(g *gathered, col int) error {
	ambiguous := false
	for i := range s.rows {
		text := s.cell(i, col)
		_, month := scan.Instant(text, scan.MonthFirst)
		if _, day := scan.Instant(text, scan.DayFirst); month == scan.NoTime && day != scan.NoTime {
			s.dates = scan.DayFirst
			return nil
		}
		ambiguous = ambiguous || scan.AmbiguousOrder(text)
	}
	if !ambiguous {
		return nil
	}
	for i := range s.rows {
		if text := s.cell(i, col); !scan.AmbiguousOrder(text) {
			a, _ := scan.Instant(text, scan.MonthFirst)
			b, form := scan.Instant(text, scan.DayFirst)
			if form == scan.NoTime || !a.Equal(b) { // a day that is no month
				s.dates = scan.MonthFirst
				return nil
			}
		}
	}
	month, day := s.span(col, scan.MonthFirst), s.span(col, scan.DayFirst)
	switch {
	case month*4 < day:
		s.dates = scan.MonthFirst
	case day*4 < month:
		s.dates = scan.DayFirst
	default:
		return g.refuse(fmt.Sprintf("its dates, as in %q, may begin with the day or with the month", s.firstCell(col)),
			"write them as 2026-03-02")
	}
	return nil
}

func (s *sheet) span(col int, order scan.Order) time.Duration {
	var first, last time.Time
	for i := range s.rows {
		if t, form := scan.Instant(s.cell(i, col), order); form != scan.NoTime {
			if first.IsZero() || t.Before(first) {
				first = t
			}
			if t.After(last) {
				last = t
			}
		}
	}
	return last.Sub(first)
}

// countedTime takes a column of elapsed times or of row numbers for the time, or the rows themselves where their
// distance was said.
func (s *sheet) countedTime(g *gathered, shapes []shape, o Options) (*timeline, error) {
	counted := -1
	for col := range shapes {
		sh, name := &shapes[col], s.name(col)
		if !sh.numeric() || sh.filled < len(s.rows)*9/10 || sh.falling > 0 && sh.rising > 0 {
			continue
		}
		if s.header == nil {
			if col == 0 && sh.whole && sh.falling == 0 && sh.rising > 0 {
				counted = 0
			}
			continue
		}
		if unit, named := elapsedUnit(name); named && unit > 0 {
			return s.elapsed(col, unit), nil
		} else if sh.serial(name) {
			g.notes = append(g.notes, fmt.Sprintf("%s counts days, as spreadsheets do", name))
			s.epoch = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
			return s.elapsed(col, 24*time.Hour), nil
		} else if named && o.Interval <= 0 {
			if strings.EqualFold(name, "time") || strings.EqualFold(name, "timestamp") {
				if !s.counted {
					g.notes = append(g.notes, countsSeconds(name))
				}
				return s.elapsed(col, time.Second), nil // unix time, as in a recording
			}
			return nil, g.refuse(fmt.Sprintf("its column %q is no date and names no unit", name),
				"call it elapsed_s, elapsed_min or elapsed_h")
		}
		if counted < 0 && sh.whole && sh.rising > 0 && (hasWord(name, rowWords...) || s.header[col] == "" ||
			name == "#") {
			counted = col
		}
	}
	if col := s.passedColumn(); col >= 0 {
		return &timeline{column: col, second: -1, what: s.name(col), at: func(row int) (int64, bool) {
			d, ok := passed(s.cell(row, col))
			return int64(d), ok
		}}, nil
	}
	switch {
	case counted >= 0 && o.Interval > 0:
		g.notes = append(g.notes, fmt.Sprintf("%s counts samples %s apart", s.name(counted),
			sampler.ShortDuration(o.Interval)))
		return s.elapsed(counted, o.Interval), nil
	case o.Interval > 0:
		g.notes = append(g.notes, "rows "+sampler.ShortDuration(o.Interval)+" apart")
		return s.rowTime(shapes, o.Interval), nil
	case counted >= 0:
		return nil, g.refuse(fmt.Sprintf("it has no time: %s counts samples", s.name(counted)),
			"say how far apart they are, as in --interval 1m")
	}
	return nil, s.noTime(g)
}

// passedColumn finds a column that says by its name that it tells what has passed, and writes it as a length of time;
// -1 if there is none.
func (s *sheet) passedColumn() int {
	for col := range s.width() {
		if _, named := elapsedUnit(s.name(col)); !named && !hasWord(s.name(col), "etime", "etimes", "uptime",
			"elapsed") || s.header == nil || strings.EqualFold(s.name(col), "time") {
			continue
		}
		good := 0
		for i := range s.rows {
			if _, ok := passed(s.cell(i, col)); ok {
				good++
			}
		}
		if good > 0 && good >= len(s.rows)*9/10 {
			return col
		}
	}
	return -1
}

// countsSeconds says what was assumed of a column of the time that has no unit and no dates.
func countsSeconds(name string) string {
	return name + " is taken for seconds: call it time_min or time_h if it counts those"
}

// noTime refuses a sheet without times, and says what stands in their place.
func (s *sheet) noTime(g *gathered) error {
	for col := range s.width() {
		text := s.firstCell(col)
		if _, ok := scan.TimeOfDay(text); ok {
			return g.refuse(fmt.Sprintf("its times, as in %q, have no date", text),
				"write them with the date, as in 2026-03-02T00:00:00")
		}
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			if _, form := scan.Instant(text[:i], s.dates); form == scan.Text {
				return g.refuse(fmt.Sprintf("the zone in %q stands for several offsets", text),
					"write the offset itself, as in +01:00, or UTC")
			}
		}
	}
	return g.refuse("it has no column of times", wayOutTime)
}

// rowTime is the timeline of rows a step apart. Where a column names processes, the rows of each are counted by
// themselves.
func (s *sheet) rowTime(shapes []shape, step time.Duration) *timeline {
	key, best := -1, unnamed
	for col := range shapes {
		sh := &shapes[col]
		if rank := keyRank(s.name(col)); s.header != nil && rank < best && !sh.constant &&
			sh.distinct <= len(s.rows)/2 && (!sh.numeric() || isIdentifier(s.name(col))) {
			key, best = col, rank
		}
	}
	counts := map[string]int64{}
	at := make([]int64, len(s.rows))
	for row := range s.rows {
		of := ""
		if key >= 0 {
			of = s.cell(row, key)
		}
		at[row] = counts[of] * int64(step)
		counts[of]++
	}
	return &timeline{column: -1, second: -1, at: func(row int) (int64, bool) { return at[row], true }}
}

// elapsed is the timeline of a column that counts units.
func (s *sheet) elapsed(col int, unit time.Duration) *timeline {
	from := int64(0)
	if !s.epoch.IsZero() {
		from = s.epoch.UnixNano()
	}
	return &timeline{column: col, second: -1, what: s.name(col), at: func(row int) (int64, bool) {
		a, ok := s.amount(col, s.cell(row, col))
		t := math.Round(a.Value*float64(unit)/1e3)*1e3 + float64(from)
		if !ok || a.Value < 0 || t < 0 || t >= scan.EndOfTime*1e9 {
			return 0, false
		}
		if from == 0 {
			return int64(a.Value * float64(unit)), true
		}
		return int64(math.Round(t/1e6)) * 1e6, true // as exact as days in a cell are
	}}
}

// put appends the line that was yielded last to a sheet, as a row.
func (t *input) put(s *sheet, row []string) {
	s.rows, s.lines = append(s.rows, row), append(s.lines, t.number)
	if len(s.rows)*(max(len(s.header), len(row))+overhead) >= t.bounds.cells {
		t.stop("%d cells of a table", t.bounds.cells)
	}
}

// overhead is how many cells a row takes beside its own.
const overhead = 3

// hasRoom reports whether the rows of a table may be so wide.
func (t *input) hasRoom(s *sheet, width int) bool {
	return width <= t.bounds.columns && len(s.rows)*(width+overhead) < t.bounds.cells
}
