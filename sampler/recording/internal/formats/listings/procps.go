package listings

import (
	"bytes"
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

// Free is the output of free.
var Free = gathered.Format{Recognizes: isFree, Read: readFree}

// Vmstat is the output of vmstat.
var Vmstat = gathered.Format{Recognizes: isVmstat, Read: readVmstat}

// Top is the output of top -b.
var Top = gathered.Format{Recognizes: isTop, Read: readTop}

// topListing is top -b. The time in its first line has no date, so that one has to stand before it.
var topListing = listing{
	format: "listings of top",
	isHeader: func(line string) bool {
		words := strings.Fields(line)
		return slices.Contains(words, "PID") && slices.Contains(words, "RES") && slices.Contains(words, "COMMAND")
	},
	plain: func(line string) string {
		if topSummary.MatchString(line) {
			return ""
		}
		return line
	},
	cells: strings.Fields,
	bases: map[string]table.Base{"VIRT": table.KiB, "RES": table.KiB, "SHR": table.KiB,
		"SWAP": table.KiB, "DATA": table.KiB, "CODE": table.KiB},
	ignore: map[string]string{
		"TTY": "", "S": "", "PR": "a setting", "NI": "a setting", "P": "the number of a processor",
		"TIME+": "a counter", "TIME": "a counter", "USER": "", "UID": "", "RUSER": "",
	},
	wayOut: "write the date before each listing (date -Is; top -b -n 1), or say how far apart they are, as in " +
		"--interval 30s",
}

// topSummary are the lines of top above its header.
var topSummary = regexp.MustCompile(`^(?:top - |Tasks:|Threads:|%?Cpu|[KMGT]iB (?:Mem|Swap)|Mem:|Swap:)`)

func isTop(start []byte) bool {
	top := false
	for line := range bytes.Lines(start) {
		text := tokens.Plain(line)
		_, rest := tokens.LeadingInstant(text)
		top = top || strings.HasPrefix(rest, "top - ")
		if top && topListing.isHeader(rest) {
			return true
		}
	}
	return false
}

func readTop(t *input.Text, o input.Options) (*gathered.File, error) { return topListing.read(t, o) }

// vmstatListing is vmstat, whose rows have their time last with -t. What unit its sizes have depends on its options.
var vmstatListing = listing{
	format:   "output of vmstat",
	isHeader: func(line string) bool { return vmstatHeader.MatchString(line) },
	plain: func(line string) string {
		if vmstatGroups.MatchString(line) {
			return ""
		}
		if m := vmstatStamp.FindStringSubmatch(line); m != nil {
			return m[2] + " " + m[1]
		}
		return line
	},
	cells: func(line string) []string {
		cells := strings.Fields(line)
		if n := len(cells); n > 2 && zoneWord.MatchString(cells[n-1]) {
			cells = cells[:n-1]
		}
		return cells
	},
	ignore: map[string]string{"id": "idle time", "buff": "page cache", "cache": "page cache", "inact": "page cache",
		"active": "page cache"},
	wayOut: "use vmstat -t, or say how far apart its rows are, as in --interval 30s",
}

var (
	zoneWord     = regexp.MustCompile(`^[A-Z]{2,5}$`)
	vmstatHeader = regexp.MustCompile(`(?:^|\s)r\s+b\s+swpd\s+free\s`)
	vmstatGroups = regexp.MustCompile(`(?:^|\s)-*procs-*\s+-+memory-`)
	vmstatStamp  = regexp.MustCompile(`^(\d+\s.*\S)\s+(\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d)$`)
)

func isVmstat(start []byte) bool { return vmstatListing.recognizes(start) }

func readVmstat(t *input.Text, o input.Options) (*gathered.File, error) {
	return vmstatListing.read(t, o)
}

const freeFormat = "output of free"

// freeHeader is the header of free, freeLine one of its lines.
var (
	freeHeader = regexp.MustCompile(`^total\s+used\s+free\b`)
	freeLine   = regexp.MustCompile(`^(Mem|Swap|Low|High|Total|Comm|-/\+ buffers/cache):\s+(\S.*)$`)
)

func isFree(start []byte) bool {
	return tokens.OneOfFirst(4, start, func(line []byte) bool {
		_, rest := tokens.LeadingInstant(tokens.Plain(line))
		return freeHeader.MatchString(rest)
	})
}

// readFree reads a loop around free, or free -s: a row of each listing, with the date before it if there is one. What
// unit its numbers have depends on its options.
func readFree(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, freeFormat)
	faults := input.FaultLog{Name: t.Name}
	var (
		at     time.Time
		header []string
		row    []string
	)
	flush := func() {
		if len(row) > 1 {
			s.Put(t, row)
		}
		row = nil
	}
	for number, raw := range t.Lines() {
		stamp, rest := tokens.LeadingInstant(tokens.Plain(raw))
		if !stamp.IsZero() {
			flush()
			at = stamp
		}
		m := freeLine.FindStringSubmatch(rest)
		switch {
		case rest == "":
			continue
		case freeHeader.MatchString(rest):
			flush()
			header = strings.Fields(rest)
			continue
		case m == nil:
			faults.Fault(number, "%s: no line of free: skipped", scan.Shown([]byte(rest)))
			continue
		case m[1] == "Mem":
			flush()
			if !at.IsZero() {
				row = s.Set(row, "time", at.Format(time.RFC3339Nano))
			}
		}
		cells := strings.Fields(m[2])
		for i, name := range header {
			switch {
			case i >= len(cells) || name == "total":
			case m[1] == "Mem":
				row = s.Set(row, name, cells[i])
			case m[1] == "Swap" && name == "used":
				row = s.Set(row, "swap used", cells[i])
			}
		}
	}
	flush()
	return s.Finish(t, &faults, o)
}
