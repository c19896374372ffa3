package listings

import (
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// DockerStats is a loop around docker stats.
var DockerStats = gathered.Format{Recognizes: dockerListing.recognizes, Read: dockerListing.read}

const dockerFormat = "listings of docker stats"

// dockerMemory is what docker calls MEM USAGE / LIMIT: the limit becomes the ceiling.
const dockerMemory = "MEM USAGE"

var dockerListing = listing{
	format: dockerFormat,
	isHeader: func(line string) bool {
		return strings.Contains(line, "MEM USAGE") || strings.HasPrefix(line, "CONTAINER")
	},
	cells:  dockerCells,
	ignore: map[string]string{"NET I/O": "a counter", "BLOCK I/O": "a counter"},
	known: [][]string{
		{"CONTAINER ID", "NAME", "CPU %", dockerMemory, "MEM %", "NET I/O", "BLOCK I/O", "PIDS"},
		{"CONTAINER", "CPU %", dockerMemory, "MEM %", "NET I/O", "BLOCK I/O", "PIDS"},
	},
}

// dockerCells parts a line of docker stats: its columns have blanks in them, so that they are parted by two, but for
// what a template writes.
func dockerCells(line string) []string {
	if strings.Contains(line, "  ") || strings.Contains(line, "\t") {
		return wideCells(line)
	}
	return tokens.JoinParts(strings.Fields(line))
}
