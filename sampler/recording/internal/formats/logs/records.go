package logs

import (
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Records is rows of a database with a line for each column.
var Records = gathered.Format{Recognizes: isRecords, Read: readRecords}

// Rows of databases with a line for each column: of psql (\x), of MySQL (\G) and of SQLite (.mode line).
var (
	recordBegins = regexp.MustCompile(`^-\[ RECORD \d+ \]|^\*+ \d+\. row \*+$`)
	recordCell   = regexp.MustCompile(`^\s*([A-Za-z_][\w .()%-]*?)\s*(?:\||:| =)\s(.*)$`)
	lineOfSQLite = regexp.MustCompile(`^\s*[A-Za-z_]\w* = \S`)
)

// isRecords reports whether a text begins with a row that has a line for each column.
func isRecords(start []byte) bool {
	first := strings.TrimRight(string(tokens.FirstLine(start)), "\r")
	if recordBegins.MatchString(first) {
		return true
	}
	if !lineOfSQLite.MatchString(first) {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimSpace(first), " ")
	again := regexp.MustCompile(`\n\r?\n\s*` + regexp.QuoteMeta(name) + ` = `)
	return again.Match(start)
}

// readRecords makes a row of the lines up to the next beginning, or up to a line without anything.
func readRecords(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, "rows of a database, a line for each column")
	faults := input.FaultLog{Name: t.Name}
	var row []string
	flush := func() {
		if len(row) > 0 {
			s.Put(t, row)
		}
		row = nil
	}
	for number, raw := range t.Lines() {
		line := strings.TrimRight(string(raw), "\r\n")
		m := recordCell.FindStringSubmatch(line)
		switch {
		case strings.TrimSpace(line) == "" || recordBegins.MatchString(line):
			flush()
		case m != nil:
			row = s.Set(row, m[1], strings.TrimSpace(m[2]))
		case tokens.Ruler.MatchString(strings.TrimSpace(line)):
		default:
			faults.Fault(number, "%s: no name with a value: skipped", scan.Shown([]byte(line)))
		}
	}
	flush()
	return s.Finish(t, &faults, o)
}
