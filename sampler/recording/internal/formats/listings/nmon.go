package listings

import (
	"bytes"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// Nmon is a recording of nmon.
var Nmon = gathered.Format{Recognizes: isNmon, Read: readNmon}

const nmonFormat = "recording of nmon"

func isNmon(start []byte) bool {
	return bytes.HasPrefix(start, []byte("AAA,")) && bytes.Contains(start, []byte("nmon"))
}

// readNmon reads the processes of a recording of nmon, and where there are none the memory of the machine. The times
// stand on lines of their own, with a number for each.
func readNmon(t *input.Text, o input.Options) (*gathered.File, error) {
	processes := &table.Sheet{Format: nmonFormat, Bases: map[string]table.Base{"Size": table.KiB,
		"ResSet": table.KiB, "ResText": table.KiB,
		"ResData": table.KiB, "ShdLib": table.KiB}}
	machine := &table.Sheet{Format: nmonFormat}
	at := map[string]string{}
	for _, raw := range t.Lines() {
		cells := strings.Split(strings.TrimSpace(string(raw)), ",")
		if len(cells) < 3 {
			continue
		}
		switch snapshot := strings.HasPrefix(cells[1], "T") && strings.Trim(cells[1][1:], "0123456789") == ""; {
		case cells[0] == "ZZZZ" && len(cells) >= 4:
			at[cells[1]] = cells[3] + " " + cells[2]
		case cells[0] == "MEM" && !snapshot:
			machine.Header = append([]string{"time"}, cells[2:]...)
		case cells[0] == "MEM" && at[cells[1]] != "":
			machine.Put(t, append([]string{at[cells[1]]}, cells[2:]...))
		case cells[0] == "TOP" && cells[1] == "+PID" && cells[2] == "Time":
			processes.Header = append([]string{"time", "PID"}, cells[3:]...)
		case cells[0] == "TOP" && at[cells[2]] != "":
			processes.Put(t, append([]string{at[cells[2]], cells[1]}, cells[3:]...))
		}
	}
	switch {
	case len(processes.Rows) > 0 && processes.Header != nil:
		return processes.Interpret(t, o)
	case len(machine.Rows) > 0 && machine.Header != nil:
		machine.Ignore = map[string]string{"memtotal": "a limit", "cached": "page cache", "buffers": "page cache"}
		return machine.Interpret(t, o)
	}
	return nil, gathered.New(t, nmonFormat).Refuse("it has neither processes nor memory with times",
		"record with nmon -f -t")
}
