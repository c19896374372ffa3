// Package timeseries reads what databases of time series write: series under names and labels, whose values have times.
package timeseries

import (
	"bytes"
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// QueryRange is what promtool query range prints.
var QueryRange = gathered.Format{Recognizes: isQueryRange, Read: readQueryRange}

const queryRangeFormat = "text of promtool query"

// isQueryRange reports whether a text is what promtool query range prints: a series and =>, then VALUE @[TIME] a line.
func isQueryRange(start []byte) bool {
	before, _, found := bytes.Cut(tokens.FirstLine(start), []byte("=>"))
	var m promtext.Line
	return found && m.Parse(seriesLine(before)) == nil
}

// seriesLine makes a line of Prometheus text of a series. One without a name, as of an expression, is called value.
func seriesLine(series []byte) []byte {
	series = bytes.TrimSpace(series)
	if len(series) > 0 && series[0] == '{' && !bytes.Contains(series, []byte("__name__=")) {
		series = slices.Concat([]byte("value"), series)
	}
	return slices.Concat(series, []byte(" 0"))
}

func readQueryRange(t *input.Text, _ input.Options) (*gathered.File, error) {
	m := gathered.NewMetrics(t, queryRangeFormat)
	var (
		line  promtext.Line
		times scan.Times
		known bool
	)
	for number, raw := range t.Lines() {
		rest := bytes.TrimSpace(raw)
		if series, value, found := bytes.Cut(rest, []byte("=>")); found {
			known = line.Parse(seriesLine(series)) == nil
			if !known {
				m.Fault(number, "%s: not a series", scan.Shown(series))
			}
			rest = bytes.TrimSpace(value)
		}
		if len(rest) == 0 || !known {
			continue
		}
		value, stamp, found := bytes.Cut(rest, []byte("@["))
		stamp, _, closed := bytes.Cut(stamp, []byte("]"))
		v, err := scan.Number(bytes.TrimSpace(value))
		var sec, nsec int64
		if err == nil {
			sec, nsec, err = times.Parse(stamp)
		}
		if err != nil || !found || !closed {
			m.Rows++
			m.Fault(number, "%s: not a value and a time", scan.Shown(rest))
			continue
		}
		line.Value = v
		m.Add(&line, sec*1e9+nsec)
	}
	return m.File, m.Finish()
}
