package timeseries

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
)

// promValue is a pair like [1700000000.123,"42"], or a value alone. A bad one costs only itself.
type promValue struct {
	t   int64 // unix nanoseconds
	v   float64
	err error
}

func (p *promValue) UnmarshalJSON(text []byte) error {
	*p = promValue{}
	inner, pair := bytes.CutPrefix(text, []byte("["))
	value := bytes.TrimSuffix(inner, []byte("]"))
	if pair {
		stamp, rest, _ := bytes.Cut(value, []byte(","))
		var times scan.Times
		var sec, nsec int64
		sec, nsec, p.err = times.Parse(bytes.Trim(stamp, " \t\r\n\""))
		p.t, value = sec*1e9+nsec, rest
	}
	if p.err == nil {
		p.v, p.err = scan.Number(bytes.Trim(value, " \t\r\n\""))
	}
	if p.err != nil {
		p.err = fmt.Errorf("%s: %w", scan.Shown(text), p.err)
	}
	return nil
}

// promAnswer walks the answer of a Prometheus to a range query, its data alone, or the list of its series.
type promAnswer struct {
	*gathered.Metrics
	*jsonwalk.Reader
	kind, status, fault, faultType string
	others                         bool // whether an item of the result is no series
}

// ReadAnswer reads the answer of a Prometheus to a range query, or its data; of a list it takes the items for series.
func ReadAnswer(t *input.Text, list bool) (*gathered.File, error) {
	a := &promAnswer{Metrics: gathered.NewMetrics(t, rangeFormat), Reader: jsonwalk.New(t)}
	var err error
	if list {
		a.kind, err = "matrix", a.result()
	} else {
		err = a.Object(a.member)
	}
	if err := a.Reader.Failed(err); err != nil {
		return nil, err
	}
	switch {
	case a.status == "error", a.fault != "":
		return nil, fmt.Errorf("%s: the Prometheus server answered with an error: %s", t.Name,
			scan.Printable(strings.TrimPrefix(a.faultType+": "+a.fault, ": ")))
	case a.kind != "matrix":
		return nil, fmt.Errorf("%s: JSON with resultType %q: the answer of a range query (matrix) is needed", t.Name,
			a.kind)
	case a.others && a.Rows == 0:
		return nil, fmt.Errorf("%s: %w", t.Name, errNoSeries)
	}
	return a.File, a.Metrics.Finish()
}

var errNoSeries = errors.New("JSON whose result is not a list of series")

func (a *promAnswer) member(key string) error {
	switch key {
	case "status":
		return a.Decode(&a.status)
	case "error":
		return a.Decode(&a.fault)
	case "errorType":
		return a.Decode(&a.faultType)
	case "resultType":
		return a.Decode(&a.kind)
	case "data":
		return a.Object(a.member)
	case "result":
		return a.result()
	}
	return a.Skip()
}

func (a *promAnswer) result() error {
	if err := a.Open('['); err == jsonwalk.ErrShape {
		return errNoSeries
	} else if err != nil {
		return err
	}
	return a.Items(func() error {
		token, err := a.Token()
		switch {
		case err != nil:
			return err
		case token == json.Delim('{'):
			return a.oneSeries()
		}
		a.others = true
		if token != json.Delim('[') {
			return nil
		}
		for a.More() {
			if err := a.Skip(); err != nil {
				return err
			}
		}
		_, err = a.Token()
		return err
	})
}

// oneSeries takes what follows the brace of a series.
func (a *promAnswer) oneSeries() error {
	var line *promtext.Line
	var waiting []promValue // values that come before what they are of
	number, n := a.Here(), 0
	take := func(p promValue) {
		if line == nil {
			waiting = append(waiting, p)
			return
		}
		n++
		takeValue(a.Metrics, line, p, n, number)
	}
	err := a.Members(func(key string) error {
		switch key {
		case "metric":
			var labels map[string]string
			if err := a.Decode(&labels); err != nil {
				return err
			}
			line = lineOf(labels)
			for _, p := range waiting {
				take(p)
			}
			waiting = nil
			return nil
		case "values":
			return a.List(func() error {
				var p promValue
				if err := a.Decode(&p); err != nil {
					return err
				}
				if take(p); len(waiting) > a.Bounds.Values/8 {
					return errors.New("values stand before the series that they are of")
				}
				return nil
			})
		case "value":
			var p promValue
			if err := a.Decode(&p); err != nil {
				return err
			}
			take(p)
			return nil
		}
		return a.Skip()
	})
	if line == nil && len(waiting) > 0 {
		line = &promtext.Line{}
		for _, p := range waiting {
			take(p)
		}
	}
	return err
}

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
			takeValue(m, line, promValue{times[i] * 1e6, v, faults[i]}, i+1, number)
		}
	}
	return m.File, m.Finish()
}

// lineOf returns the series that labels name.
func lineOf(labels map[string]string) *promtext.Line {
	line := &promtext.Line{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name == "__name__" {
			line.Name = []byte(labels[name])
		} else {
			line.Labels = append(line.Labels, promtext.Label{Name: []byte(name), Value: []byte(labels[name])})
		}
	}
	return line
}

// takeValue gathers value number n of a series.
func takeValue(m *gathered.Metrics, line *promtext.Line, p promValue, n, lineNumber int) {
	if p.err != nil || p.t < 0 {
		m.Rows++
		m.Fault(lineNumber, "%s: value %d: %w", promtext.AppendLabels(bytes.Clone(line.Name), line.Labels), n, p.err)
		return
	}
	// What is not finite is how a server writes that there is no value, or a limit that is none.
	line.Value = p.v
	m.Add(line, p.t)
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

const rangeFormat = "JSON of a Prometheus range query"

const exportFormat = "JSON lines of a VictoriaMetrics export"
