package timeseries

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// GraphiteRaw is what Graphite renders with format=raw.
var GraphiteRaw = gathered.Format{Recognizes: isGraphiteRaw, Read: readGraphiteRaw}

// graphiteRaw is a series as Graphite renders it with format=raw: its name, start, end and step, then all values.
var graphiteRaw = regexp.MustCompile(`^([^|]+),(\d{9,10}),(\d{9,10}),(\d{1,9})\|((?:[-+\d.eE]+|None)(?:,|$))`)

func isGraphiteRaw(start []byte) bool { return graphiteRaw.Match(tokens.FirstLine(start)) }

func readGraphiteRaw(t *input.Text, _ input.Options) (*gathered.File, error) {
	m := gathered.NewMetrics(t, "text of Graphite (raw)")
	t.Longest = t.Bounds.Item
	for number, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		head := graphiteRaw.FindStringSubmatch(line)
		if line == "" {
			continue
		}
		if head == nil {
			m.Fault(number, "%s: no series: skipped", scan.Shown([]byte(line)))
			continue
		}
		at, _ := strconv.ParseInt(head[2], 10, 64)
		step, _ := strconv.ParseInt(head[4], 10, 64)
		series := promtext.Line{Name: []byte(head[1])}
		for _, cell := range strings.Split(line[strings.IndexByte(line, '|')+1:], ",") {
			if v, err := scan.Finite([]byte(cell)); err == nil && at < scan.EndOfTime {
				series.Value = v
				m.Add(&series, at*1e9)
			}
			at += step
		}
	}
	return m.File, m.Finish()
}
