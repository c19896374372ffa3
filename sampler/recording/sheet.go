package recording

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

// Ways out of a refusal.
const (
	wayOutInterval = "say how far apart they are, as in --interval 30s"
	wayOutTime     = "give it a column time (RFC 3339 or unix seconds), or say how far apart its rows are, as in --interval 30s"
)

// sheet is a table as text, whatever form it was written in.
type sheet struct {
	format string     // as in "a table with tabs"
	header []string   // nil if there is none
	rows   [][]string // each as long as the header
	lines  []int      // of the rows in the file
	commas scan.Commas
	// bases tells the factor on the values of a column and the unit that they then have, where the format and not the
	// header says so.
	bases map[string]base
	// epoch, if not zero, is what elapsed times count from.
	epoch time.Time
	// ignore are columns that are known to be no readings, and why.
	ignore map[string]string
	dates  scan.Order
	notes  noteLog
	left   int // columns that were not read, because there are too many
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
	distinct int // texts, up to manyTexts
	constant bool
	whole    bool // all numbers are whole
	max      float64
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
		a, number := scan.ParseAmount(text, s.commas)
		if number {
			sh.numbers++
			v = a.Value
			sh.whole = sh.whole && v == float64(int64(v))
			sh.max = max(sh.max, v)
		}
		t, form := scan.Instant(text, s.dates)
		if sh.forms[form]++; form != scan.NoTime {
			sh.instants++
			v = float64(t.UnixNano())
		}
		if form != scan.NoTime || number {
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

// written reports whether the instants are dates, not numbers.
func (sh *shape) written() bool { return sh.forms[scan.Text]+sh.forms[scan.Day] > sh.instants/2 }

// timed reports whether the column holds instants.
func (sh *shape) timed() bool {
	return sh.filled > 0 && sh.instants >= sh.filled*9/10 && sh.instants > 0
}

// numeric reports whether the column holds numbers.
func (sh *shape) numeric() bool { return sh.numbers > 0 && sh.numbers >= sh.filled*4/5 }

// words splits the name of a column into words in small letters, also at a change from small letters to capitals.
func words(name string) []string {
	var b strings.Builder
	before := rune(0)
	for _, c := range name {
		if unicode.IsUpper(c) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
		before = c
	}
	return strings.FieldsFunc(b.String(), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '%' && c != 'µ' })
}

func hasWord(name string, list ...string) bool {
	return slices.ContainsFunc(words(name), func(w string) bool { return slices.Contains(list, w) })
}

// Words of names of columns that hold instants, of when a process began, of row numbers, and of identifiers.
var (
	timeWords  = []string{"time", "timestamp", "ts", "date", "datetime", "at", "when", "epoch", "clock", "unixtime", "zeit", "hora", "fecha", "data", "t"}
	startWords = []string{"start", "started", "starttime", "create", "began", "begin", "boot", "since", "birth"}
	rowWords   = []string{"n", "no", "nr", "num", "number", "row", "index", "idx", "i", "id", "sample", "seq", "line", "unnamed"}
	idWords    = []string{"pid", "ppid", "tid", "tgid", "uid", "gid", "id", "pgid", "sid"}
)

// isStart reports whether a column tells when the process began.
func isStart(name string) bool {
	return hasWord(name, startWords...) && (hasWord(name, "time", "at", "seconds", "ts", "timestamp", "ms", "date") || len(words(name)) == 1) && !hasWord(name, "created")
}

// elapsedUnit returns the unit of a column of elapsed times, as its name tells it. named is false where the name is
// none of elapsed time.
func elapsedUnit(name string) (unit time.Duration, named bool) {
	rest := 0
	for _, w := range words(name) {
		switch w {
		case "ns", "nanoseconds", "nsec", "nanos":
			unit = time.Nanosecond
		case "us", "µs", "usec", "microseconds", "micros":
			unit = time.Microsecond
		case "ms", "msec", "millis", "milliseconds", "millisecond":
			unit = time.Millisecond
		case "s", "sec", "secs", "second", "seconds":
			unit = time.Second
		case "m", "min", "mins", "minute", "minutes":
			unit = time.Minute
		case "h", "hr", "hrs", "hour", "hours":
			unit = time.Hour
		case "d", "day", "days":
			unit = 24 * time.Hour
		case "week", "weeks":
			unit = 7 * 24 * time.Hour
		case "elapsed", "time", "t", "since", "start", "relative", "offset", "runtime", "run", "uptime", "age", "in", "after", "of", "test", "rel", "x", "from", "begin", "delta", "dt":
			named = true
		default:
			rest++
		}
	}
	return unit, rest == 0 && (named || unit > 0)
}

// isIdentifier reports whether a column holds identifiers: its name ends so.
func isIdentifier(name string) bool {
	list := words(name)
	return len(list) > 0 && slices.Contains(idWords, list[len(list)-1])
}

// timeline is where the times of a sheet come from.
type timeline struct {
	column, second int // second is the column of the time of day beside that of the date, else -1
	what           string
	at             func(row int) (t int64, ok bool)
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
		case s.header == nil && (sh.falling == 0 || sh.rising == 0 || sh.distinct < sh.filled), col == 0 && sh.falling == 0, col == 0 && sh.rising == 0:
			score = 1
		}
		if score > bestScore || score == bestScore && score > 0 && sh.distinct > shapes[best].distinct && sh.forms[scan.Day] == 0 {
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
		return g.refuse(fmt.Sprintf("its dates, as in %q, may begin with the day or with the month", s.firstCell(col)), "write them as 2026-03-02")
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
		} else if named && o.Interval <= 0 {
			if strings.EqualFold(name, "time") || strings.EqualFold(name, "timestamp") {
				return s.elapsed(col, time.Second), nil // unix time, as in a recording
			}
			return nil, g.refuse(fmt.Sprintf("its column %q is no date and names no unit", name), "call it elapsed_s, elapsed_min or elapsed_h")
		}
		if counted < 0 && sh.whole && sh.rising > 0 && (hasWord(name, rowWords...) || s.header[col] == "" || name == "#") {
			counted = col
		}
	}
	switch {
	case counted >= 0 && o.Interval > 0:
		g.notes = append(g.notes, fmt.Sprintf("%s counts samples %s apart", s.name(counted), sampler.ShortDuration(o.Interval)))
		return s.elapsed(counted, o.Interval), nil
	case o.Interval > 0:
		g.notes = append(g.notes, "rows "+sampler.ShortDuration(o.Interval)+" apart")
		return s.rowTime(shapes, o.Interval), nil
	case counted >= 0:
		return nil, g.refuse(fmt.Sprintf("it has no time: %s counts samples", s.name(counted)), "say how far apart they are, as in --interval 1m")
	}
	return nil, s.noTime(g)
}

// noTime refuses a sheet without times, and says what stands in their place.
func (s *sheet) noTime(g *gathered) error {
	for col := range s.width() {
		text := s.firstCell(col)
		if _, ok := scan.TimeOfDay(text); ok {
			return g.refuse(fmt.Sprintf("its times, as in %q, have no date", text), "write them with the date, as in 2026-03-02T00:00:00")
		}
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			if _, form := scan.Instant(text[:i], s.dates); form == scan.Text {
				return g.refuse(fmt.Sprintf("the zone in %q stands for several offsets", text), "write the offset itself, as in +01:00, or UTC")
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
		if rank := keyRank(s.name(col)); s.header != nil && rank < best && !sh.constant && sh.distinct <= len(s.rows)/2 && (!sh.numeric() || isIdentifier(s.name(col))) {
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
		a, ok := scan.ParseAmount(s.cell(row, col), s.commas)
		t := a.Value * float64(unit)
		if !ok || t < 0 || t >= scan.EndOfTime*1e9 {
			return 0, false
		}
		return from + int64(t), true
	}}
}
