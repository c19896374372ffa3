package timeseries

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
)

const exportFormat = "JSON lines of a VictoriaMetrics export"

// ReadExport reads what VictoriaMetrics exports: a series a line, in as many lines as it likes.
func ReadExport(t *input.Text) (*gathered.File, error) {
	m := gathered.NewMetrics(t, exportFormat)
	t.Longest = t.Bounds.Item
	for number, raw := range t.Lines() {
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		line := &promtext.Line{}
		var values []float64
		var times []int64
		faults := map[int]error{}
		one := &input.Text{Ctx: t.Ctx, Name: t.Name, Bounds: t.Bounds, In: bufio.NewReader(bytes.NewReader(raw))}
		r := jsonwalk.New(one)
		err := r.Object(func(key string) error {
			switch key {
			case "metric":
				var labels map[string]string
				if err := r.Decode(&labels); err != nil {
					return err
				}
				line = lineOf(labels)
				return nil
			case "values":
				return r.List(func() error {
					var p promValue
					err := r.Decode(&p)
					if p.err != nil && len(faults) < input.MaxFaults {
						faults[len(values)] = p.err
					}
					values = append(values, p.v)
					return err
				})
			case "timestamps":
				return r.List(func() error {
					var stamp json.Number
					err := r.Decode(&stamp)
					ms, bad := stamp.Int64()
					if bad != nil || ms < 0 || ms >= scan.EndOfTime*1000 {
						if len(faults) < input.MaxFaults {
							faults[len(times)] = fmt.Errorf("time %s: not between the years 1970 and 2200", stamp)
						}
						ms = -1
					}
					times = append(times, ms)
					return err
				})
			}
			return r.Skip()
		})
		switch {
		case err != nil:
			m.Fault(number, "%w", jsonwalk.Explain(raw, err))
			continue
		case len(times) != len(values):
			m.Fault(number, "%s and %s: skipped", scan.Count(len(values), "value"), scan.Count(len(times), "timestamp"))
			continue
		}
		for i, v := range values {
			addValue(m, line, promValue{times[i] * 1e6, v, faults[i]}, i+1, number)
		}
	}
	return m.File, m.Finish()
}
