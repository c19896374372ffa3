package recording

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

const (
	rangeFormat  = "JSON of a Prometheus range query"
	exportFormat = "JSON lines of a VictoriaMetrics export"
	linesFormat  = "JSON lines"
)

func isJSON(start []byte) bool {
	if start[0] == '[' {
		rest := bytes.TrimLeft(start[1:], " \t\r\n")
		return len(rest) == 0 || bytes.IndexByte([]byte(`{["]`), rest[0]) >= 0
	}
	if start[0] != '{' {
		return false
	}
	rest := bytes.TrimLeft(start[1:], " \t\r\n")
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}') && !looksLikeMetrics(firstLine(start))
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

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

// promSeries is a series of a range query, or of an export of VictoriaMetrics, which has the times by themselves.
type promSeries struct {
	Metric     map[string]string `json:"metric"`
	Values     []promValue       `json:"values"`
	Value      *promValue        `json:"value"`
	Timestamps []json.Number     `json:"timestamps"`
}

// promValue is a pair like [1700000000.123,"42"], or a value alone. A bad one costs only itself.
type promValue struct {
	t    int64 // unix nanoseconds
	v    float64
	pair bool
	err  error
}

func (p *promValue) UnmarshalJSON(text []byte) error {
	inner, pair := bytes.CutPrefix(text, []byte("["))
	value := bytes.TrimSuffix(inner, []byte("]"))
	if p.pair = pair; pair {
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

// readJSON reads the answer of a Prometheus to a range query, as the HTTP API gives it, its data alone or the result
// alone; an export of VictoriaMetrics; and objects of names and values, one a line or in a list.
func readJSON(name string, text []byte, o Options) (*gathered, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var first json.RawMessage
	if err := dec.Decode(&first); err != nil {
		return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
	}
	if first[0] == '[' {
		var items []json.RawMessage
		if err := json.Unmarshal(first, &items); err != nil {
			return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
		}
		if len(items) > 0 && bytes.HasPrefix(items[0], []byte("[")) {
			return readPairs(name, items, o)
		}
		if len(items) > 0 && bytes.Contains(items[0], []byte(`"datapoints"`)) {
			return readGraphite(name, items)
		}
		if len(items) > 0 && !isSeries(items[0]) {
			return readObjects(name, "a JSON list of objects", items, make([]int, len(items)), o)
		}
		return readRange(name, text, first)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(first, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
	}
	if keys["timestamps"] != nil && keys["metric"] != nil {
		return readExport(name, text)
	}
	if keys["resultType"] != nil || keys["status"] != nil && (keys["data"] != nil || keys["error"] != nil || keys["errorType"] != nil) {
		return readAnswer(name, text, first)
	}
	if keys["sysstat"] != nil {
		return nil, newGathered(name, "JSON of sysstat").refuse("it is not read", "write it as text, with sadf -d")
	}
	if keys["results"] != nil || keys["frames"] != nil || keys["schema"] != nil && keys["data"] != nil {
		return nil, newGathered(name, "JSON of Grafana data frames").refuse("it is not read", "save the panel's data as CSV (Inspect, Data), or ask the source itself")
	}
	var objects []json.RawMessage
	var lines []int
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			objects, lines = append(objects, line), append(lines, number)
		}
	}
	if !json.Valid(objects[0]) { // one object over several lines
		objects, lines = []json.RawMessage{first}, []int{1}
		for dec.More() {
			var next json.RawMessage
			if err := dec.Decode(&next); err != nil {
				break
			}
			objects, lines = append(objects, next), append(lines, 1+bytes.Count(text[:dec.InputOffset()], []byte("\n")))
		}
	}
	if list := columnar(keys); list != nil && len(objects) == 1 {
		return readObjects(name, "JSON of columns", list, make([]int, len(list)), o)
	}
	return readObjects(name, linesFormat, objects, lines, o)
}

func isSeries(item json.RawMessage) bool {
	var s map[string]json.RawMessage
	return json.Unmarshal(item, &s) == nil && s["metric"] != nil && (s["values"] != nil || s["value"] != nil) || len(item) > 0 && item[0] != '{'
}

// readPairs reads a list of lists as rows of a table without a header.
func readPairs(name string, items []json.RawMessage, o Options) (*gathered, error) {
	s := &sheet{format: "a JSON list of lists"}
	for i, item := range items {
		var cells []json.RawMessage
		if err := json.Unmarshal(item, &cells); err != nil || i > 0 && len(cells) != len(s.rows[0]) {
			return nil, newGathered(name, s.format).refuse(fmt.Sprintf("item %d is not like the first", i+1), "write one object a line, as in {\"time\": ..., \"rss_bytes\": ...}")
		}
		row := make([]string, len(cells))
		for j, cell := range cells {
			row[j] = strings.Trim(string(cell), `"`)
		}
		s.rows, s.lines = append(s.rows, row), append(s.lines, 1)
	}
	return s.interpret(name, o)
}

// readGraphite reads the JSON of Graphite: targets, each with pairs of value and time.
func readGraphite(name string, items []json.RawMessage) (*gathered, error) {
	m := newMetrics(name, "JSON of Graphite")
	for _, item := range items {
		var target struct {
			Target     string        `json:"target"`
			Datapoints [][2]*float64 `json:"datapoints"`
		}
		if err := json.Unmarshal(item, &target); err != nil {
			m.fault(1, "%w", err)
			continue
		}
		line := promtext.Line{Name: []byte(target.Target)}
		for _, pair := range target.Datapoints {
			if pair[0] == nil || pair[1] == nil || *pair[1] < 0 || *pair[1] >= scan.EndOfTime {
				continue
			}
			line.Value = *pair[0]
			m.add(&line, int64(*pair[1]*1e9))
		}
	}
	return m.gathered, m.finish()
}

// columnar turns an object of lists of one length into objects of values.
func columnar(keys map[string]json.RawMessage) []json.RawMessage {
	columns := map[string][]json.RawMessage{}
	n := -1
	for key, raw := range keys {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || n >= 0 && len(list) != n {
			return nil
		}
		columns[key], n = list, len(list)
	}
	if n < 2 {
		return nil
	}
	rows := make([]json.RawMessage, n)
	for i := range rows {
		row := map[string]json.RawMessage{}
		for key, list := range columns {
			row[key] = list[i]
		}
		rows[i], _ = json.Marshal(row)
	}
	return rows
}

func readAnswer(name string, text, first []byte) (*gathered, error) {
	var answer promAnswer
	if err := json.Unmarshal(first, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
	}
	if answer.Status == "error" || answer.Error != "" {
		return nil, fmt.Errorf("%s: the Prometheus server answered with an error: %s: %s", name, answer.ErrorType, answer.Error)
	}
	if answer.Data == nil {
		answer.Data = &promData{answer.ResultType, answer.Result}
	}
	if t := answer.Data.ResultType; t != "matrix" {
		return nil, fmt.Errorf("%s: JSON with resultType %q: the answer of a range query (matrix) is needed", name, t)
	}
	return readRange(name, text, answer.Data.Result)
}

// readRange reads the series of a range query. The result is a verbatim part of the text: that tells the line of each
// series.
func readRange(name string, text []byte, result json.RawMessage) (*gathered, error) {
	m := newMetrics(name, rangeFormat)
	base := max(0, bytes.Index(text, result))
	dec := json.NewDecoder(bytes.NewReader(result))
	if open, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
	} else if open != json.Delim('[') {
		return nil, fmt.Errorf("%s: JSON whose result is not a list of series", name)
	}
	for dec.More() {
		end := base + int(dec.InputOffset())
		begin := len(text) - len(bytes.TrimLeft(text[end:], ", \t\r\n"))
		line := 1 + bytes.Count(text[:begin], []byte("\n"))
		var s promSeries
		if err := dec.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
		}
		if s.Value != nil && len(s.Values) == 0 {
			s.Values = []promValue{*s.Value}
		}
		takeSeries(m, &s, line)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, explainJSON(text, err))
	}
	return m.gathered, m.finish()
}

// readExport reads what VictoriaMetrics exports: a series a line, in as many lines as it likes.
func readExport(name string, text []byte) (*gathered, error) {
	m := newMetrics(name, exportFormat)
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var s promSeries
		if err := json.Unmarshal(line, &s); err != nil {
			m.fault(number, "%w", explainJSON(line, err))
			continue
		}
		if len(s.Timestamps) != len(s.Values) {
			m.fault(number, "%d values and %d timestamps: skipped", len(s.Values), len(s.Timestamps))
			continue
		}
		for i, stamp := range s.Timestamps {
			ms, err := strconv.ParseInt(string(stamp), 10, 64)
			if err != nil || ms < 0 || ms >= scan.EndOfTime*1000 {
				s.Values[i].err = cmp.Or(s.Values[i].err, fmt.Errorf("time %s: not between the years 1970 and 2200", stamp))
			}
			s.Values[i].t = ms * 1e6
		}
		takeSeries(m, &s, number)
	}
	return m.gathered, m.finish()
}

// takeSeries gathers one series.
func takeSeries(m *metrics, s *promSeries, lineNumber int) {
	var line promtext.Line
	for _, name := range sortedKeys(s.Metric) {
		if name == "__name__" {
			line.Name = []byte(s.Metric[name])
		} else {
			line.Labels = append(line.Labels, promtext.Label{Name: []byte(name), Value: []byte(s.Metric[name])})
		}
	}
	for i, p := range s.Values {
		line.Value = p.v
		if p.err == nil && !finite(p.v) { // how a server writes that there is no value, or a limit that is none
			m.add(&line, p.t)
			continue
		}
		if p.err != nil {
			m.rows++
			m.fault(lineNumber, "%s: value %d: %w", promtext.AppendLabels(bytes.Clone(line.Name), line.Labels), i+1, p.err)
			continue
		}
		m.add(&line, p.t)
	}
}

func sortedKeys(of map[string]string) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// readObjects reads objects of names and values as rows of a table.
func readObjects(name, format string, objects []json.RawMessage, lines []int, o Options) (*gathered, error) {
	s := &sheet{format: format, header: []string{}}
	index := map[string]int{}
	var faults faultLog
	faults.name = name
	for i, raw := range objects {
		line := max(lines[i], 1)
		row := make([]string, len(s.header))
		put := func(key, value string) {
			col, known := index[key]
			if !known {
				col = len(s.header)
				index[key] = col
				s.header = append(s.header, key)
			}
			for len(row) <= col {
				row = append(row, "")
			}
			row[col] = value
		}
		if err := flatten("", raw, put); err != nil {
			faults.fault(line, "%w", explainJSON(raw, err))
			continue
		}
		s.rows, s.lines = append(s.rows, row), append(s.lines, line)
	}
	if len(s.rows) == 0 {
		g := newGathered(name, format)
		g.faultLog = faults
		return nil, g.empty()
	}
	g, err := s.interpret(name, o)
	if g != nil && faults.faults > 0 {
		g.rows += faults.faults
		g.faults += faults.faults
		g.errs = append(faults.errs, g.errs...)
	}
	return g, err
}

// flatten puts the values of an object, and of those in it, under their names joined by points.
func flatten(prefix string, raw json.RawMessage, put func(key, value string)) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return errors.New("no object of names and values")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		name := prefix + fmt.Sprint(key)
		switch value[0] {
		case '{':
			if err := flatten(name+".", value, put); err != nil {
				return err
			}
		case '"':
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return err
			}
			put(name, strings.TrimSpace(text))
		case '[', 'n', 't', 'f':
			put(name, "")
		default:
			put(name, string(value))
		}
	}
	_, err = dec.Token()
	return err
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
