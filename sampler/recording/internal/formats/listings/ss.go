package listings

import (
	"regexp"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// SocketStatistics is the output of ss -s.
var SocketStatistics = gathered.Format{Recognizes: isSocketStatistics, Read: readSocketStatistics}

// The lines of ss -s: the sockets, those of TCP by their state, and a table by transport.
var (
	ssTotal     = regexp.MustCompile(`^Total: (\d+)`)
	ssTCP       = regexp.MustCompile(`^TCP:\s+(\d+) \((.*?)\)`)
	ssState     = regexp.MustCompile(`([a-z-]+) (\d+)`)
	ssTransport = regexp.MustCompile(`^([A-Z*]+)\s+(\d+|-)\s+(\d+|-)\s+(\d+|-)$`)
)

func isSocketStatistics(start []byte) bool {
	return tokens.OneOfFirst(6, start, func(line []byte) bool { return ssTCP.Match(line) })
}

// readSocketStatistics reads a loop around ss -s: a row of each, with the date before it.
func readSocketStatistics(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, "output of ss -s")
	faults := input.FaultLog{Name: t.Name}
	var at time.Time
	var row []string
	flush := func() {
		if len(row) > 1 {
			s.Put(t, row)
		}
		row = nil
	}
	for _, raw := range t.Lines() {
		stamp, rest := tokens.LeadingInstant(tokens.Plain(raw))
		if !stamp.IsZero() {
			flush()
			at = stamp
		}
		rest = strings.TrimSpace(rest)
		if m := ssTotal.FindStringSubmatch(rest); m != nil {
			flush()
			if !at.IsZero() {
				row = s.Set(row, "time", at.Format(time.RFC3339Nano))
			}
			row = s.Set(row, "sockets", m[1])
		} else if m := ssTCP.FindStringSubmatch(rest); m != nil {
			row = s.Set(row, "tcp", m[1])
			for _, state := range ssState.FindAllStringSubmatch(m[2], -1) {
				row = s.Set(row, "tcp "+state[1], state[2])
			}
		} else if m := ssTransport.FindStringSubmatch(rest); m != nil && m[1] != "*" && m[1] != "TCP" && m[2] != "-" {
			row = s.Set(row, strings.ToLower(m[1]), m[2])
		}
	}
	flush()
	return s.Finish(t, &faults, o)
}
