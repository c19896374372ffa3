package listings

import (
	"regexp"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
)

// Vmstat is the output of vmstat.
var Vmstat = gathered.Format{Recognizes: vmstatListing.recognizes, Read: vmstatListing.read}

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

var zoneWord = regexp.MustCompile(`^[A-Z]{2,5}$`)

var (
	vmstatHeader = regexp.MustCompile(`(?:^|\s)r\s+b\s+swpd\s+free\s`)
	vmstatGroups = regexp.MustCompile(`(?:^|\s)-*procs-*\s+-+memory-`)
	vmstatStamp  = regexp.MustCompile(`^(\d+\s.*\S)\s+(\d{4}-\d\d-\d\d\s+\d\d:\d\d:\d\d)$`)
)
