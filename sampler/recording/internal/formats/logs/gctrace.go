package logs

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// GCTrace is the log of Go's and of Node's garbage collections.
var GCTrace = gathered.Format{Recognizes: isGCTrace, Read: readGCTrace}

// Lines of collections as Go writes them with GODEBUG=gctrace=1, and Node with --trace-gc. Of Node's only the full ones
// tell what is live.
var (
	goTrace   = regexp.MustCompile(`\bgc (\d+) @(\d+\.\d+)s \d+%: .*? (\d+)->(\d+)->(\d+) MB, `)
	nodeTrace = regexp.MustCompile(`\[\d+:0x[0-9a-f]+\](?: in main thread)?\s+(\d+) ms: ` +
		`(?:Mark-[Cc]ompact|Mark-sweep)[^0-9]*[\d.]+ \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB`)
)

func isGCTrace(start []byte) bool {
	return tokens.OneOfFirst(200, start, func(line []byte) bool { return goTrace.Match(line) || nodeTrace.Match(line) })
}

// readGCTrace makes a row of each collection: the heap that it left. The time is that before the line, else what has
// passed since the process began; where that falls another process has begun. Other lines are not counted: a log says
// much besides.
func readGCTrace(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: "log of Go's garbage collections (gctrace)",
		Header: []string{"time", "heap_after_gc_bytes",
			"uptime_s"}}
	dated, bare := 0, 0
	for _, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		var row []string
		if m := goTrace.FindStringSubmatch(line); m != nil {
			row = []string{"", m[5] + " MiB", m[2]}
		} else if m := nodeTrace.FindStringSubmatch(line); m != nil {
			s.Format = "log of Node's garbage collections (--trace-gc)"
			row = []string{"", m[2] + " MiB", secondsOf(m[1])}
		} else {
			continue
		}
		at, _, ok := tokens.StampBefore(line)
		if row[0] = at; ok {
			dated++
		} else {
			bare++
		}
		s.Put(t, row)
	}
	if dated <= bare {
		s.Header = []string{"elapsed_s", "heap_after_gc_bytes"}
		for i, row := range s.Rows {
			s.Rows[i] = []string{row[2], row[1]}
		}
		if err := oneProcess(s, t); err != nil {
			return nil, err
		}
	}
	return s.Interpret(t, o)
}

// oneProcess refuses collections of several processes that only have the time elapsed since each of them started.
func oneProcess(s *table.Sheet, t *input.Text) error {
	last := 0.0
	for i := range s.Rows {
		a, ok := scan.ParseAmount(s.Rows[i][0], scan.Thousands)
		if ok && a.Value < last {
			return gathered.New(t, s.Format).Refuse(fmt.Sprintf("its times start over at line %d, with another process",
				s.Lines[i]), "give each process a file of its own, or write the date before each line (ts of "+
				"moreutils)")
		}
		last = a.Value
	}
	return nil
}

func secondsOf(millis string) string {
	a, _ := scan.ParseAmount(millis+" ms", scan.Thousands)
	return fmt.Sprint(a.Value)
}
