package timeseries

import (
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
	if value = bytes.Trim(value, " \t\r\n\""); p.err == nil && string(value) == "null" { // no value, of VictoriaMetrics
		p.v = math.NaN()
	} else if p.err == nil {
		p.v, p.err = scan.Number(value)
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
	add := func(p promValue) {
		if line == nil {
			waiting = append(waiting, p)
			return
		}
		n++
		addValue(a.Metrics, line, p, n, number)
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
				add(p)
			}
			waiting = nil
			return nil
		case "values":
			return a.List(func() error {
				var p promValue
				if err := a.Decode(&p); err != nil {
					return err
				}
				if add(p); len(waiting) > a.Bounds.Values/8 {
					return errors.New("values come before the series that they belong to")
				}
				return nil
			})
		case "value":
			var p promValue
			if err := a.Decode(&p); err != nil {
				return err
			}
			add(p)
			return nil
		}
		return a.Skip()
	})
	if line == nil && len(waiting) > 0 {
		line = &promtext.Line{}
		for _, p := range waiting {
			add(p)
		}
	}
	return err
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

// addValue gathers value number n of a series.
func addValue(m *gathered.Metrics, line *promtext.Line, p promValue, n, lineNumber int) {
	if p.err != nil || p.t < 0 {
		m.Rows++
		m.Fault(lineNumber, "%s: value %d: %w", promtext.AppendLabels(bytes.Clone(line.Name), line.Labels), n, p.err)
		return
	}
	// What is not finite is how a server writes that there is no value, or a limit that is none.
	line.Value = p.v
	m.Add(line, p.t)
}

const rangeFormat = "JSON of a Prometheus range query"
