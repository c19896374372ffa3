package listings

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
)

// KubectlTop is a loop around kubectl top.
var KubectlTop = gathered.Format{Recognizes: kubectlListing.recognizes, Read: kubectlListing.read}

var kubectlListing = listing{
	format:   "listings of kubectl top",
	isHeader: func(line string) bool { return strings.Contains(line, "MEMORY(bytes)") },
	cells: func(line string) []string {
		cells := strings.Fields(line)
		for i, cell := range cells { // thousandths of a core
			if n, err := strconv.ParseFloat(strings.TrimSuffix(cell, "m"), 64); err == nil &&
				strings.HasSuffix(cell, "m") {
				cells[i] = strconv.FormatFloat(n/1000, 'g', -1, 64)
			}
		}
		return cells
	},
	known: [][]string{
		{"NAME", "CPU(cores)", "MEMORY(bytes)"}, {"POD", "NAME", "CPU(cores)", "MEMORY(bytes)"},
		{"NAMESPACE", "POD", "NAME", "CPU(cores)", "MEMORY(bytes)"},
	},
}

var kubectlCPU = regexp.MustCompile(`^\d+(?:\.\d+)?$`)
