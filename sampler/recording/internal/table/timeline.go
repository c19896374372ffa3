package table

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
)

// timeline is where the times of a sheet come from.
type timeline struct {
	column, second int // second is the column of the time of day beside that of the date, else -1
	what           string
	at             func(row int) (t int64, ok bool)
}

// sameTime reports whether a column repeats the time of each row, possibly in another zone.
func sameTime(s *Sheet, col int, times []int64) bool {
	const quarter = 15 * time.Minute // of which offsets of zones are made
	apart, rows := time.Duration(0), 0
	for i, at := range times {
		if at < 0 {
			continue
		}
		t, form := scan.Instant(s.Cell(i, col), s.Dates)
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

// findTime finds the column of the time, or returns why there is none.
func findTime(s *Sheet, g *gathered.File, shapes []shape, o input.Options) (*timeline, error) {
	best, bestScore := -1, 0
	for col := range shapes {
		sh, name := &shapes[col], s.name(col)
		if !sh.timed() || naming.IsStart(name) || sh.filled < len(s.Rows)/2 {
			continue
		}
		named := s.Header != nil && naming.HasWord(name, naming.TimeWords...)
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
		case s.Header == nil && (sh.falling == 0 || sh.rising == 0 || sh.distinct < sh.filled), col == 0 &&
			sh.falling == 0, col == 0 && sh.rising == 0:
			score = 1
		}
		if score > bestScore || score == bestScore && score > 0 && sh.distinct > shapes[best].distinct &&
			sh.forms[scan.Day] == 0 {
			best, bestScore = col, score
		}
	}
	if best < 0 {
		return countedTime(s, g, shapes, o)
	}
	line := &timeline{column: best, second: -1, what: s.name(best)}
	if shapes[best].forms[scan.Day] > shapes[best].filled/2 && s.Header != nil {
		for col := range shapes { // the time of day may have a column of its own
			if _, ok := scan.TimeOfDay(s.firstCell(col)); ok && col != best {
				line.second = col
			}
		}
	}
	if err := settleOrder(s, g, best); err != nil {
		return nil, err
	}
	line.at = func(row int) (int64, bool) {
		t, form := scan.Instant(s.Cell(row, best), s.Dates)
		if form == scan.NoTime {
			return 0, false
		}
		if line.second >= 0 {
			since, ok := scan.TimeOfDay(s.Cell(row, line.second))
			if !ok {
				return 0, false
			}
			t = t.Add(since)
		}
		return gathered.Nanos(t)
	}
	return line, nil
}

// settleOrder finds out whether dates like 03/02/2026 begin with the month: from a number that can be no month, or from
// the order that keeps the rows together. Where both would do, the file is refused.
func settleOrder(s *Sheet, g *gathered.File, col int) error {
	// typeperf and dotnet-counters write the month first wherever they are
	if strings.HasPrefix(s.name(col), "(PDH-CSV ") || slices.Contains(s.Header, "Counter Type") {
		s.Dates = scan.MonthFirst
		return nil
	}
	ambiguous := false
	for i := range s.Rows {
		text := s.Cell(i, col)
		_, month := scan.Instant(text, scan.MonthFirst)
		if _, day := scan.Instant(text, scan.DayFirst); month == scan.NoTime && day != scan.NoTime {
			s.Dates = scan.DayFirst
			return nil
		}
		ambiguous = ambiguous || scan.AmbiguousOrder(text)
	}
	if !ambiguous {
		return nil
	}
	for i := range s.Rows {
		if text := s.Cell(i, col); !scan.AmbiguousOrder(text) {
			a, _ := scan.Instant(text, scan.MonthFirst)
			b, form := scan.Instant(text, scan.DayFirst)
			if form == scan.NoTime || !a.Equal(b) { // a day that is no month
				s.Dates = scan.MonthFirst
				return nil
			}
		}
	}
	month, day := spanOfDates(s, col, scan.MonthFirst), spanOfDates(s, col, scan.DayFirst)
	switch {
	case month*4 < day:
		s.Dates = scan.MonthFirst
	case day*4 < month:
		s.Dates = scan.DayFirst
	default:
		return g.Refuse(fmt.Sprintf("its dates, as in %q, may begin with the day or with the month", s.firstCell(col)),
			"write them as 2026-03-02")
	}
	return nil
}

func spanOfDates(s *Sheet, col int, order scan.Order) time.Duration {
	var first, last time.Time
	for i := range s.Rows {
		if t, form := scan.Instant(s.Cell(i, col), order); form != scan.NoTime {
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
func countedTime(s *Sheet, g *gathered.File, shapes []shape, o input.Options) (*timeline, error) {
	counted := -1
	for col := range shapes {
		sh, name := &shapes[col], s.name(col)
		if !sh.numeric() || sh.filled < len(s.Rows)*9/10 || sh.falling > 0 && sh.rising > 0 {
			continue
		}
		if s.Header == nil {
			if col == 0 && sh.whole && sh.falling == 0 && sh.rising > 0 {
				counted = 0
			}
			continue
		}
		unit, named := naming.ElapsedUnit(name)
		if named = named && (col == 0 || len(name) > 1); named && unit > 0 { // M is Metaspace, of jstat
			return elapsed(s, col, unit), nil
		} else if sh.serial(name) {
			g.Notes = append(g.Notes, fmt.Sprintf("%s counts days, as spreadsheets do", name))
			s.epoch = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
			return elapsed(s, col, 24*time.Hour), nil
		} else if named && o.Interval <= 0 {
			if strings.EqualFold(name, "time") || strings.EqualFold(name, "timestamp") {
				if !s.Counted {
					g.Notes = append(g.Notes, CountsSeconds(name))
				}
				return elapsed(s, col, time.Second), nil // unix time, as in a recording
			}
			return nil, g.Refuse(fmt.Sprintf("its column %q is not a date and names no unit", name),
				"call it elapsed_s, elapsed_min or elapsed_h")
		}
		if counted < 0 && sh.whole && sh.rising > 0 && (naming.HasWord(name, naming.RowWords...) ||
			s.Header[col] == "" ||
			name == "#") {
			counted = col
		}
	}
	if col := passedColumn(s); col >= 0 {
		return &timeline{column: col, second: -1, what: s.name(col), at: func(row int) (int64, bool) {
			d, ok := passed(s.Cell(row, col))
			return int64(d), ok
		}}, nil
	}
	switch {
	case counted >= 0 && o.Interval > 0:
		g.Notes = append(g.Notes, fmt.Sprintf("%s counts samples %s apart", s.name(counted),
			sampler.ShortDuration(o.Interval)))
		return elapsed(s, counted, o.Interval), nil
	case o.Interval > 0:
		g.Notes = append(g.Notes, "rows "+sampler.ShortDuration(o.Interval)+" apart")
		return rowTime(s, shapes, o.Interval), nil
	case counted >= 0:
		return nil, g.Refuse(fmt.Sprintf("it has no time: %s counts samples", s.name(counted)),
			"say how far apart they are, as in --interval 1m")
	}
	return nil, noTime(s, g)
}

// passedColumn finds a column that says by its name that it tells what has passed, and writes it as a length of time;
// -1 if there is none.
func passedColumn(s *Sheet) int {
	for col := range s.Width() {
		if _, named := naming.ElapsedUnit(s.name(col)); !named && !naming.HasWord(s.name(col), "etime", "etimes",
			"uptime",
			"elapsed") || s.Header == nil || strings.EqualFold(s.name(col), "time") {
			continue
		}
		good := 0
		for i := range s.Rows {
			if _, ok := passed(s.Cell(i, col)); ok {
				good++
			}
		}
		if good > 0 && good >= len(s.Rows)*9/10 {
			return col
		}
	}
	return -1
}

// noTime refuses a sheet without times, and reports what it has in their place.
func noTime(s *Sheet, g *gathered.File) error {
	for col := range s.Width() {
		text := s.firstCell(col)
		if _, ok := scan.TimeOfDay(text); ok {
			return g.Refuse(fmt.Sprintf("its times, as in %q, have no date", text),
				"write them with the date, as in 2026-03-02T00:00:00")
		}
		if zone := zoneIn.FindStringIndex(text); zone != nil {
			if _, form := scan.Instant(text[:zone[0]]+text[zone[1]:], s.Dates); form == scan.Text {
				return g.Refuse(fmt.Sprintf("the zone in %q stands for several offsets", text),
					"write the offset itself, as in +01:00, or UTC")
			}
		}
	}
	return g.Refuse("it has no column of times", wayOutTime)
}

// zoneIn is the name of a zone in a time.
var zoneIn = regexp.MustCompile(` [A-Z][A-Za-z]{1,4}\b( |$)`)

// rowTime is the timeline of rows a step apart. Where a column names processes, the rows of each are counted by
// themselves.
func rowTime(s *Sheet, shapes []shape, step time.Duration) *timeline {
	key, best := -1, naming.Unnamed
	for col := range shapes {
		sh := &shapes[col]
		if rank := naming.KeyRank(s.name(col)); s.Header != nil && rank < best && !sh.constant &&
			sh.distinct <= len(s.Rows)/2 && (!sh.numeric() || naming.IsIdentifier(s.name(col))) {
			key, best = col, rank
		}
	}
	counts := map[string]int64{}
	at := make([]int64, len(s.Rows))
	for row := range s.Rows {
		of := ""
		if key >= 0 {
			of = s.Cell(row, key)
		}
		at[row] = counts[of] * int64(step)
		counts[of]++
	}
	return &timeline{column: -1, second: -1, at: func(row int) (int64, bool) { return at[row], true }}
}

// elapsed is the timeline of a column that counts units.
func elapsed(s *Sheet, col int, unit time.Duration) *timeline {
	from := int64(0)
	if !s.epoch.IsZero() {
		from = s.epoch.UnixNano()
	}
	return &timeline{column: col, second: -1, what: s.name(col), at: func(row int) (int64, bool) {
		a, ok := s.amount(col, s.Cell(row, col))
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

// CountsSeconds records what was assumed of a column of the time that has no unit and no dates.
func CountsSeconds(name string) string {
	return name + " is taken for seconds: call it time_min or time_h if it counts those"
}

// Ways out of a refusal.
const (
	WayOutInterval = "say how far apart they are, as in --interval 30s"
	wayOutTime     = "give it a column time (RFC 3339 or unix seconds), or say how far apart its rows are, as in " +
		"--interval 30s"
)

// passed reads a length of time as tools write what has passed: 26:03:04, 1-02:03:04, 1 day 2:03:04, or as Go does.
func passed(text string) (since time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '-' {
		return 0, false
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	m := passedForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		n, err := strconv.ParseUint(m[i+1], 10, 20)
		if err != nil && m[i+1] != "" {
			return 0, false
		}
		since += time.Duration(n) * unit
	}
	seconds, err := strconv.ParseFloat(m[4], 64)
	if err != nil {
		return 0, false
	}
	return since + time.Duration(seconds*1e9), true
}

var passedForm = regexp.MustCompile(`^(?:(\d+)(?:-| ?d(?:ays?)?,? ))?(?:(\d+):)?(\d{1,2}):(\d{2}(?:\.\d+)?)$`)
