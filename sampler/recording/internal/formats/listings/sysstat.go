package listings

import (
	"bytes"
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

// Sysstat is the output of pidstat and sar.
var Sysstat = gathered.Format{Recognizes: isSysstat, Read: readSysstat}

const sysstatFormat = "output of sysstat (pidstat or sar)"

// isSysstat reports whether a text begins with the banner of sysstat, or with a header as pidstat -h writes it.
func isSysstat(start []byte) bool {
	_, banner := bannerDate(string(tokens.FirstLine(start)), scan.MonthFirst)
	return banner || bytes.HasPrefix(start, []byte("# Time ")) && bytes.Contains(tokens.FirstLine(start), []byte("PID"))
}

// bannerDate reads the date of a line like "Linux 6.1.0 (host1) 	03/02/2026 	_x86_64_	(4 CPU)".
func bannerDate(line string, order scan.Order) (date time.Time, ok bool) {
	rest, found := strings.CutPrefix(line, "Linux ")
	if !found || !strings.Contains(rest, "CPU)") {
		return date, false
	}
	for _, word := range strings.Fields(rest) {
		if len(word) == 8 && strings.Count(word, "/") == 2 { // a year of two digits
			word = word[:6] + "20" + word[6:]
		}
		if at, form := scan.Instant(word, order); form == scan.Day {
			return at, true
		}
	}
	return date, true
}

// averages is the line that ends a table, in any language.
var averages = regexp.MustCompile(`^\pL[\pL. ]*:\s`)

// sizes of pidstat and sar are in kilobytes, of 1024 bytes.
var sysstatBases = map[string]table.Base{"VSZ": table.KiB, "RSS": table.KiB, "StkSize": table.KiB,
	"StkRef": table.KiB}

// readSysstat reads pidstat, with -h or without, and sar. Tables of several activities are put together by time and
// process.
func readSysstat(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: sysstatFormat, Header: []string{"time"}, Bases: map[string]table.Base{},
		Ignore: map[string]string{}}
	for column, b := range sysstatBases {
		s.Bases[column] = b
	}
	order := scan.MonthFirst
	if decimalComma.Match(t.Head) { // no locale that writes the month first has decimal commas
		order, s.Commas, s.Comma = scan.DayFirst, scan.Decimal, true
	}
	// clock is how far the tables of an activity have come: sar -A writes one activity after the other, each from
	// midnight.
	type clock struct {
		date   time.Time
		before time.Duration
	}
	var (
		header []string
		banner time.Time
		dated  bool
		clocks = map[string]*clock{}
		index  = map[string]int{"time": 0}
		rowOf  = map[string]int{}
		faults = input.FaultLog{Name: t.Name}
	)
	for number, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		if line == "" || averages.MatchString(line) {
			continue
		}
		if at, ok := bannerDate(line, order); ok {
			banner, dated, header = at, !at.IsZero(), nil
			clear(clocks)
			continue
		}
		f := strings.Fields(strings.TrimPrefix(line, "#"))
		if len(f) == 0 {
			continue
		}
		stamp, n, isTime := sysstatTime(f)
		if !isTime && strings.EqualFold(f[0], "Time") {
			header = f[1:]
			continue
		}
		if !isTime || n >= len(f) {
			if !strings.Contains(line, "RESTART") {
				faults.Fault(number, "%s: neither a header nor a row: skipped", scan.Shown([]byte(line)))
			}
			continue
		}
		cells := f[n:]
		if len(header) == 0 || isSysstatHeader(cells) {
			header = cells
			continue
		}
		at, form := scan.Instant(stamp, scan.MonthFirst)
		if form == scan.NoTime {
			if !dated {
				return nil, gathered.New(t, sysstatFormat).Refuse("its times have no date, and no banner has it",
					"keep the first line of the output, or use pidstat -H")
			}
			since, _ := scan.TimeOfDay(stamp)
			activity := strings.Join(header, " ")
			if clocks[activity] == nil {
				clocks[activity] = &clock{date: banner}
			}
			c := clocks[activity]
			if since < c.before-time.Hour {
				c.date = c.date.AddDate(0, 0, 1)
			}
			c.before = since
			at = c.date.Add(since)
		}
		if len(cells) < len(header) {
			faults.Fault(number, "%s where the header has %d: skipped", scan.Count(len(cells), "cell"), len(header))
			continue
		}
		if extra := len(cells) - len(header); extra > 0 { // a command with its arguments
			last := len(header) - 1
			cells = append(cells[:last:last], strings.Join(cells[last:], " "))
		}
		key := at.Format(time.RFC3339Nano)
		row := []string{key}
		for i, column := range header {
			if _, known := index[column]; !known {
				index[column] = len(s.Header)
				s.Header = append(s.Header, column)
				if strings.HasPrefix(column, "kb") {
					s.Bases[column] = table.KiB
				}
			}
			switch column {
			case "PID", "TGID", "TID", "DEV", "IFACE":
				key += "\x00" + cells[i]
			case "CPU": // of a process it is where that ran last
				if !slices.Contains(header, "PID") {
					key += "\x00" + cells[i]
				}
			}
		}
		at2, known := rowOf[key]
		if !known {
			at2 = len(s.Rows)
			rowOf[key] = at2
			s.Put(t, row)
		}
		for i, column := range header {
			for len(s.Rows[at2]) <= index[column] {
				s.Rows[at2] = append(s.Rows[at2], "")
			}
			s.Rows[at2][index[column]] = cells[i]
		}
	}
	s.Ignore["CPU"] = "the number of a processor"
	if index["PID"] == 0 {
		delete(s.Ignore, "CPU")
	}
	return s.InterpretAfter(&faults, t, o)
}

// sysstatTime returns the time at the beginning of a line, and how many words it takes.
func sysstatTime(f []string) (stamp string, n int, ok bool) {
	if len(f) > 1 && (f[1] == "AM" || f[1] == "PM") {
		if _, ok := scan.TimeOfDay(f[0] + " " + f[1]); ok {
			return f[0] + " " + f[1], 2, true
		}
	}
	if _, ok := scan.TimeOfDay(f[0]); ok {
		return f[0], 1, true
	}
	if _, form := scan.Instant(f[0], scan.MonthFirst); form != scan.NoTime {
		return f[0], 1, true
	}
	return "", 0, false
}

// isSysstatHeader reports whether the words behind a time are names of columns.
func isSysstatHeader(cells []string) bool {
	numbers := 0
	for _, cell := range cells {
		if _, err := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 64); err == nil {
			numbers++
		}
	}
	return numbers == 0
}
