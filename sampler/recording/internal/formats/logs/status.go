package logs

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Status is names and values under a date, as of a loop around /proc/PID/status.
var Status = gathered.Format{Recognizes: isStatus, Read: readStatus}

const statusFormat = "names and values under a date"

// statusLine is a line as /proc/PID/status, smaps_rollup and meminfo have them, or INFO of Redis; countLine one that is
// a number alone, as of ls | wc -l.
var (
	statusLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_()]*):\s+(\S+)(?: ` +
		`(kB))?(?:\s.*)?$|^([a-z][a-z0-9_]*):(\S*)$|^([A-Za-z][A-Za-z0-9_.]*)=(\S*)$|^([a-z][a-z0-9_]*)\.value (\S+)$`)
	countLine = regexp.MustCompile(`^\d{1,8}$`)
)

// statusPair returns the name and the value of a line, and whether it is in kB.
func statusPair(text string) (name, value string, kb, ok bool) {
	if countLine.MatchString(text) {
		return "value", text, false, true
	}
	m := statusLine.FindStringSubmatch(text)
	switch {
	case m == nil:
		return "", "", false, false
	case m[1] == "": // of Redis; of systemctl show and wmic; of munin
		return m[4] + m[6] + m[8], m[5] + m[7] + m[9], false, true
	}
	return m[1], m[2], m[3] == "kB", true
}

// isStatus reports whether a text is a loop around date and a file of /proc, INFO of Redis or a count: the date, then
// lines with a name, a colon and a number, or with a number alone.
func isStatus(start []byte) bool {
	n, dated, sizes := 0, false, false
	for line := range bytes.Lines(start) {
		if n++; n > 8 {
			break
		}
		text := strings.TrimSpace(string(line))
		if at, rest := tokens.LeadingInstant(text); !at.IsZero() && rest == "" {
			dated = true
		} else if _, value, _, ok := statusPair(text); ok {
			_, number := scan.ParseAmount(value, scan.Thousands)
			sizes = sizes || number
		}
	}
	return dated && sizes
}

// readStatus makes a row of the lines up to the next date, or up to a name that was there since the last: the next
// process.
func readStatus(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, statusFormat)
	faults := input.FaultLog{Name: t.Name}
	var (
		at   time.Time
		row  []string
		seen = map[string]bool{}
		read int
	)
	flush := func() {
		if len(seen) > 0 {
			s.Put(t, row)
		}
		row = s.Set(nil, "time", at.Format(time.RFC3339Nano))
		clear(seen)
	}
	for number, raw := range t.Lines() {
		text := strings.TrimSpace(string(raw))
		if text == "" {
			continue
		}
		if stamp, rest := tokens.LeadingInstant(text); !stamp.IsZero() && rest == "" {
			flush()
			at = stamp
			row = s.Set(nil, "time", at.Format(time.RFC3339Nano))
			continue
		}
		name, value, kb, ok := statusPair(text)
		// a heading of Redis, the end of an answer of munin, the first line of smaps_rollup
		if text[0] == '#' || text == "." || strings.HasSuffix(text, "[rollup]") {
			continue
		}
		if !ok || at.IsZero() {
			if !slices.ContainsFunc([]string{"State", "Groups", "Cpus", "Mems"}, func(p string) bool {
				return strings.HasPrefix(text, p)
			}) {
				faults.Fault(number, "%s: neither a date nor a name with a value: skipped", scan.Shown([]byte(text)))
			}
			continue
		}
		read++
		if seen[name] {
			flush()
		}
		if _, number := scan.ParseAmount(value, scan.Thousands); !number && name != "Name" {
			continue
		}
		if seen[name] = true; kb { // of 1024 bytes
			value += " KiB"
		}
		row = s.Set(row, name, value)
	}
	flush()
	if faults.Faults > read {
		return nil, fmt.Errorf("no samples: dates with lines under them in no format that leaktrend knows; the "+
			"first: %w", faults.Errs[0])
	}
	return s.Finish(t, &faults, o)
}
