package timeseries

import (
	"bytes"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Mprof is what mprof (memory_profiler) writes.
var Mprof = gathered.Format{Recognizes: isMprof, Read: readMprof}

const mprofFormat = "mprof (memory_profiler)"

// isMprof reports whether a text is what mprof writes.
func isMprof(start []byte) bool {
	return bytes.HasPrefix(start, []byte("CMDLINE ")) || bytes.HasPrefix(start, []byte("MEM ")) &&
		len(bytes.Fields(tokens.FirstLine(start))) == 3
}

// readMprof reads MEM VALUE TIME, in MiB, and CHLD NUMBER VALUE TIME of the children, which are processes of their own.
func readMprof(t *input.Text, _ input.Options) (*gathered.File, error) {
	g := gathered.New(t, mprofFormat)
	g.By = "child"
	for number, raw := range t.Lines() {
		f := strings.Fields(string(raw))
		if len(f) == 0 {
			continue
		}
		of := ""
		switch {
		case f[0] == "CHLD" && len(f) == 4:
			of = "child " + f[1]
			f = f[1:]
		case f[0] == "CHLD" && len(f) == 3:
			of = "child"
		case f[0] == "MEM" && len(f) == 3:
		case f[0] == "CMDLINE" || f[0] == "FUNC":
			continue
		default:
			g.Fault(number, "%s: neither MEM nor CHLD: skipped", scan.Shown(raw))
			continue
		}
		g.Rows++
		v, err := scan.Finite([]byte(f[1]))
		at, form := scan.Instant(f[2], scan.MonthFirst)
		ns, ok := gathered.Nanos(at)
		if err != nil || form == scan.NoTime || !ok {
			g.Fault(number, "%s: not a value and a time", scan.Shown(bytes.TrimSpace(raw)))
			continue
		}
		c := g.Column(g.Process(of), "MEM", "")
		if c == nil {
			continue
		}
		c.Resource.Name, c.Resource.Unit, c.Rank = "rss_bytes", "bytes", gathered.Unranked
		if g.Add(t, c, ns, v*(1<<20)) {
			g.Used++
		}
	}
	if len(g.Processes) > 1 && g.ByName[""] != nil {
		g.ByName[""].Name = "main process"
	}
	return g, g.Finish()
}
