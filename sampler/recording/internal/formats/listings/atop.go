package listings

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Atop is the output of atop -P.
var Atop = gathered.Format{Recognizes: isAtop, Read: readAtop}

const atopFormat = "output of atop -P"

// Lines of atop -P: any, that of a process, and that of the machine's memory.
var (
	atopLine   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{2,3} \S+ \d{9,10} \d{4}/\d\d/\d\d \d\d:\d\d:\d\d \d+ `)
	atopMemory = regexp.MustCompile(`^PRM \S+ (\d+) \S+ \S+ \d+ (\d+) \((.*)\) \S \d+ (\d+) (\d+)\b`)
	atopMEM    = regexp.MustCompile(`^MEM \S+ (\d+) \S+ \S+ \d+ (\d+) (\d+) (\d+) (\d+) (\d+)\b`)
)

func isAtop(start []byte) bool { return tokens.OneOfFirst(4, start, atopLine.Match) }

// readAtop reads the memory of each process, and where there is none that of the machine.
func readAtop(t *input.Text, o input.Options) (*gathered.File, error) {
	processes := &table.Sheet{Format: atopFormat, Header: []string{"time", "PID", "name", "VSIZE_kb", "RSIZE_kb"}}
	machine := &table.Sheet{Format: atopFormat, Header: []string{"time", "used_bytes"}}
	for _, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		if m := atopMemory.FindStringSubmatch(line); m != nil {
			processes.Put(t, m[1:])
		} else if m := atopMEM.FindStringSubmatch(line); m != nil {
			machine.Put(t, []string{m[1], usedPages(m[2:])})
		}
	}
	switch {
	case len(processes.Rows) > 0:
		return processes.Interpret(t, o)
	case len(machine.Rows) > 0:
		return machine.Interpret(t, o)
	}
	return nil, gathered.New(t, atopFormat).Refuse("it has no memory",
		"write that of the processes: atop -r FILE -P PRM")
}

// usedPages returns what is neither free nor cache of a machine's memory, in bytes, from the size of a page and the
// pages in all, free, of the cache and of buffers.
func usedPages(pages []string) string {
	var n [5]float64
	for i := range n {
		n[i], _ = strconv.ParseFloat(pages[i], 64)
	}
	return strconv.FormatFloat(n[0]*(n[1]-n[2]-n[3]-n[4]), 'f', -1, 64)
}
