package recording

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
)

const statusFormat = "loop around a file of /proc"

// statusLine is a line as /proc/PID/status, smaps_rollup and meminfo have them.
var statusLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_()]*):\s+(\S+)(?: (kB))?(?:\s.*)?$`)

// isStatus reports whether a text is a loop around a file of /proc: the date, then lines with a name, a colon and a
// number.
func isStatus(start []byte) bool {
	n, dated, sizes := 0, false, false
	for line := range bytes.Lines(start) {
		if n++; n > 8 {
			break
		}
		text := strings.TrimSpace(string(line))
		if at, rest := leadingInstant(text); !at.IsZero() && rest == "" {
			dated = true
		} else if m := statusLine.FindStringSubmatch(text); m != nil {
			_, number := scan.ParseAmount(m[2], scan.Thousands)
			sizes = sizes || number
		}
	}
	return dated && sizes
}

// readStatus makes a row of the lines up to the next date, or up to a name that was there since the last: the next
// process.
func readStatus(t *input, o Options) (*gathered, error) {
	s := newObjects(t, statusFormat)
	faults := faultLog{name: t.name}
	var (
		at   time.Time
		row  []string
		seen = map[string]bool{}
	)
	flush := func() {
		if len(seen) > 0 {
			t.put(&s.sheet, row)
		}
		row = s.cell(nil, "time", at.Format(time.RFC3339Nano))
		clear(seen)
	}
	for number, raw := range t.lines() {
		text := strings.TrimSpace(string(raw))
		if text == "" {
			continue
		}
		if stamp, rest := leadingInstant(text); !stamp.IsZero() && rest == "" {
			flush()
			at = stamp
			row = s.cell(nil, "time", at.Format(time.RFC3339Nano))
			continue
		}
		m := statusLine.FindStringSubmatch(text)
		if m == nil || at.IsZero() {
			if !slices.ContainsFunc([]string{"State", "Groups", "Cpus", "Mems"}, func(p string) bool { return strings.HasPrefix(text, p) }) {
				faults.fault(number, "%s: neither a date nor a name with a value: skipped", scan.Shown([]byte(text)))
			}
			continue
		}
		name, value := m[1], m[2]
		if seen[name] {
			flush()
		}
		if _, number := scan.ParseAmount(value, scan.Thousands); !number && name != "Name" {
			continue
		}
		if seen[name] = true; m[3] == "kB" { // of 1024 bytes
			value += " KiB"
		}
		row = s.cell(row, name, value)
	}
	flush()
	return s.finish(t, &faults, o)
}
