package listings

import (
	"regexp"
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
			faults.Fault(number, "%s: not a line of free: skipped", scan.Shown([]byte(rest)))
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
