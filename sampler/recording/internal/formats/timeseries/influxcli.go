package timeseries

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

var (
	influxTags  = regexp.MustCompile(`^tags: \S+=`)
	influxRuler = regexp.MustCompile(`^-{4}[- ]*$`)
)

// isInfluxCLI reports whether a text is what the shell of InfluxDB 1 prints of series with tags: for each its name, its
// tags and a table.
func isInfluxCLI(start []byte) bool {
	lines := bytes.SplitN(start, []byte("\n"), 3)
	return len(lines) == 3 && bytes.HasPrefix(lines[0], []byte("name: ")) && influxTags.Match(lines[1])
}

func readInfluxCLI(t *input.Text) (*gathered.File, error) {
	m := gathered.NewMetrics(t, "text of InfluxQL")
	var header, tags, values []string
	above := "" // the line before, which is a header where a ruler follows
	for number, raw := range t.Lines() {
		line := string(bytes.TrimRight(raw, "\r\n"))
		switch {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "name: "):
			header = nil
		case influxTags.MatchString(line):
			header, tags, values = nil, nil, nil
			for _, pair := range tokens.Equals(line) {
				tags, values = append(tags, pair[0]), append(values, pair[1])
			}
		case influxRuler.MatchString(line):
			header = strings.Fields(above)
		case header != nil:
			cells := strings.Fields(line)
			names := slices.Clone(header)
			if i := slices.Index(names, "time"); i >= 0 {
				names[i] = "_time"
			}
			kinds := slices.Repeat([]string{"double"}, len(names))
			for i, tag := range tags {
				names, kinds = append(names, tag), append(kinds, "string")
				cells = append(cells, values[i])
			}
			if len(cells) != len(names) || !addFluxRow(m, names, nil, kinds, cells) {
				m.Rows++
				m.Fault(number, "%s: not a time and a value for each column: skipped", scan.Shown([]byte(line)))
			}
		}
		above = line
	}
	return m.File, m.Finish()
}
