package listings

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

// Ps is a loop around ps.
var Ps = gathered.Format{Recognizes: psListing.recognizes, Read: psListing.read}

const psFormat = "listings of ps"

// psColumns are those of ps aux, ps -ef and ps -l.
var psColumns = []string{"PID", "RSS", "VSZ", "%MEM", "%CPU", "NLWP", "THCNT", "PPID", "COMMAND", "CMD", "RSZ", "SIZE",
	"SZ"}

var psListing = listing{
	format: psFormat,
	isHeader: func(line string) bool {
		n := 0
		if strings.Contains(line, "\t") { // of a table
			return false
		}
		for _, word := range strings.Fields(line) {
			if slices.Contains(psColumns, word) {
				n++
			}
		}
		return n >= 2 || n == 1 && !strings.ContainsAny(line, "0123456789")
	},
	cells: strings.Fields,
	bases: map[string]table.Base{"RSS": table.KiB, "RSZ": table.KiB, "VSZ": table.KiB,
		"SIZE": table.KiB, "SZ": table.NoUnit, "PSS": table.KiB, "USS": table.KiB,
		"Swap": table.KiB},
	ignore: map[string]string{
		"TTY": "", "TT": "", "STAT": "", "S": "", "F": "", "WCHAN": "", "START": "", "STARTED": "", "STIME": "",
		"TIME": "a counter", "ELAPSED": "an age", "NI": "a setting", "PRI": "a setting",
		"C": "", "PSR": "", "ADDR": "",
	},
	known: [][]string{{"USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"}},
}
