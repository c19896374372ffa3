package listings

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// Top is the output of top -b.
var Top = gathered.Format{Recognizes: isTop, Read: topListing.read}

// topListing is top -b. The time in its first line has no date, so one has to come before it.
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
