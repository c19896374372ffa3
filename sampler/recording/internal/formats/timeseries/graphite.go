package timeseries

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
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

// ReadGraphite reads the JSON of Graphite: targets, each with pairs of value and time.
func ReadGraphite(t *input.Text) (*gathered.File, error) {
	m := gathered.NewMetrics(t, "JSON of Graphite")
	r := jsonwalk.New(t)
	err := r.List(func() error {
		var item json.RawMessage
		if err := r.Decode(&item); err != nil {
			return err
		}
		var target struct {
			Target     string        `json:"target"`
			Datapoints [][2]*float64 `json:"datapoints"`
		}
		if err := json.Unmarshal(item, &target); err != nil {
			m.Fault(r.Here(), "%w", err)
			return nil
		}
		line := promtext.Line{Name: []byte(target.Target)}
		for _, pair := range target.Datapoints {
			if pair[0] == nil || pair[1] == nil {
				continue
			}
			at := *pair[1]
			if at >= scan.EndOfTime { // in milliseconds, as Grafana's sources of JSON have them
				at /= 1000
			}
			if at < 0 || at >= scan.EndOfTime {
				continue
			}
			line.Value = *pair[0]
			m.Add(&line, int64(math.Round(at*1e3))*1e6)
		}
		return nil
	})
	if err := r.Failed(err); err != nil {
		return nil, err
	}
	return m.File, m.Finish()
}
