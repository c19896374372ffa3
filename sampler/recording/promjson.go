package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

// The JSON of a range query is held in memory: more than this is refused.
const maxJSON = 1 << 30

type promAnswer struct {
	Status     string          `json:"status"`
	ErrorType  string          `json:"errorType"`
	Error      string          `json:"error"`
	Data       *promData       `json:"data"`
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
}

type promData struct {
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
}

type promSeries struct {
	Metric map[string]string `json:"metric"`
	Values []promValue       `json:"values"`
}

// promValue is a pair like [1700000000.123,"42"]. A bad one costs only itself.
type promValue struct {
	t   int64 // unix nanoseconds
	v   float64
	err error
}

func (p *promValue) UnmarshalJSON(text []byte) error {
	inner := bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("[")), []byte("]"))
	stamp, value, _ := bytes.Cut(inner, []byte(","))
	var times scan.Times
	sec, nsec, err := times.Parse(bytes.Trim(stamp, " \t\r\n\""))
	if err == nil {
		p.v, err = scan.Number(bytes.Trim(value, " \t\r\n\""))
	}
	if err != nil {
		p.err = fmt.Errorf("%s: %w", scan.Shown(text), err)
	}
	p.t = sec*1e9 + nsec
	return nil
}

// gatherJSON reads the answer of a Prometheus to a range query: as the HTTP API gives it, its data alone, or the result alone.
func gatherJSON(ctx context.Context, r *Reader) error {
	data, err := r.rest(ctx)
	if err != nil {
		return err
	}
	result := json.RawMessage(data)
	if bytes.TrimLeft(data, " \t\r\n")[0] == '{' {
		var answer promAnswer
		if err := json.Unmarshal(data, &answer); err != nil {
			return explainJSON(data, err)
		}
		if answer.Status == "error" || answer.Error != "" {
			return fmt.Errorf("the Prometheus server answered with an error: %s: %s", answer.ErrorType, answer.Error)
		}
		if answer.Data == nil {
			answer.Data = &promData{answer.ResultType, answer.Result}
		}
		if t := answer.Data.ResultType; t != "matrix" {
			return fmt.Errorf("JSON with resultType %q: the answer of a range query (matrix) is needed", t)
		}
		result = answer.Data.Result
	}
	// The result is a verbatim part of the data: that tells the line of each series.
	base := max(0, bytes.Index(data, result))
	dec := json.NewDecoder(bytes.NewReader(result))
	if open, err := dec.Token(); err != nil {
		return explainJSON(data, err)
	} else if open != json.Delim('[') {
		return errors.New("JSON whose result is not a list of series")
	}
	r.series = promtext.NewSet()
	var line promtext.Line
	for dec.More() {
		end := base + int(dec.InputOffset())
		begin := len(data) - len(bytes.TrimLeft(data[end:], ", \t\r\n"))
		r.line = 1 + bytes.Count(data[:begin], []byte("\n"))
		var s promSeries
		if err := dec.Decode(&s); err != nil {
			return explainJSON(data, err)
		}
		line.Name, line.Labels = nil, line.Labels[:0]
		for name, value := range s.Metric {
			if name == "__name__" {
				line.Name = []byte(value)
			} else {
				line.Labels = append(line.Labels, promtext.Label{Name: []byte(name), Value: []byte(value)})
			}
		}
		for i, p := range s.Values {
			line.Value = p.v
			if p.err == nil {
				p.err = r.series.Add(&line, p.t)
			}
			if p.err != nil {
				r.fault("%s: value %d: %w", promtext.AppendLabels(bytes.Clone(line.Name), line.Labels), i+1, p.err)
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return explainJSON(data, err)
	}
	r.series.Finish(map[string]bool{})
	return nil
}

// explainJSON says where a JSON text is at fault.
func explainJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	isSyntax := errors.As(err, &syntax)
	// One decoder names an end by the reader's error, another by one of its own.
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isSyntax && syntax.Error() == "unexpected end of JSON input" {
		return errors.New("JSON that ends too early")
	}
	if isSyntax && int(syntax.Offset) <= len(data) {
		return fmt.Errorf("line %d: not valid JSON: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
	}
	return fmt.Errorf("not the JSON of a Prometheus range query: %w", err)
}
