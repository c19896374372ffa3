package timeseries

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
)

const framesFormat = "data frames of Grafana in JSON"

// IsFrames reports whether a JSON text is an answer of Grafana (/api/ds/query), or what its panel inspector saves.
func IsFrames(line *jsonwalk.Outline) bool {
	k := line.Keys
	frame := k["schema"] && k["data"] || k["fields"] && (line.List || k["length"] || k["refId"])
	if line.List {
		return frame
	}
	others := IsInfluxJSON(line)
	for key := range k {
		switch within := strings.HasPrefix(key, "results."); {
		case within && (strings.HasSuffix(key, ".frames") || strings.HasSuffix(key, ".error")):
			return true
		case within && strings.Count(key, ".") == 1 && !k[key+".status"]: // no name of a query
			others = true
		}
	}
	return frame || k["results"] && !others || k["frames"] || k["series"] &&
		(k["state"] || k["timeRange"] || k["request"])
}

// frame is a table by columns, of which one is the time.
type frame struct {
	Name   string       `json:"name"`
	Fields []frameField `json:"fields"`
	Schema *frame       `json:"schema"`
	Data   struct {
		Values [][]json.RawMessage `json:"values"`
		Nanos  [][]int64           `json:"nanos"`
	} `json:"data"`
}

type frameField struct {
	Name   string            `json:"name"`
	Type   string            `json:"type"`
	Labels map[string]string `json:"labels"`
	Config struct {
		Unit          string `json:"unit"`
		DisplayName   string `json:"displayName"`
		FromDS        string `json:"displayNameFromDS"`
		CustomDisplay string `json:"customDisplay"`
	} `json:"config"`
	Values []json.RawMessage `json:"values"`
}

// frameReader gathers frames: those of numbers alone as series by their labels, those with text as rows of a table.
type frameReader struct {
	*jsonwalk.Reader
	*gathered.Metrics
	table  *table.Rows
	frames int
	failed string // what an answer says instead of frames
}

// ReadFrames reads frames: those of numbers as series by their labels, those with text as a table.
func ReadFrames(t *input.Text, o input.Options) (*gathered.File, error) {
	f := &frameReader{Reader: jsonwalk.New(t), Metrics: gathered.NewMetrics(t, framesFormat),
		table: table.NewRows(t, framesFormat)}
	var err error
	if bytes.TrimLeft(t.Head, " \t\r\n")[0] == '[' {
		err = f.List(f.one)
	} else {
		err = f.Object(f.member)
	}
	if err := f.Reader.Failed(err); err != nil {
		return nil, err
	}
	switch {
	case len(f.table.Rows) > 0 && f.Rows > 0:
		return nil, f.Refuse("some of its frames have text and others have none", "save each query by itself")
	case len(f.table.Rows) > 0:
		return f.table.Finish(t, &f.FaultLog, o)
	case f.frames == 0 && f.failed != "":
		return nil, f.Refuse("the source answered with an error: "+f.failed, "run the query again")
	case f.frames == 0:
		return nil, f.Refuse("it has no frame", "save the data of a panel that shows some")
	}
	return f.File, f.Metrics.Finish()
}

func (f *frameReader) member(key string) error {
	switch key {
	case "results":
		return f.Object(func(string) error { return f.Object(f.member) })
	case "frames", "series":
		return f.List(f.one)
	case "schema", "fields": // the text is one frame: its members are decoded one by one
		return f.single(key)
	case "error":
		return f.Decode(&f.failed)
	}
	return f.Skip()
}

// single takes the rest of a text that is one frame, from the value of its first key on.
func (f *frameReader) single(key string) error {
	var one frame
	member := func(key string) error {
		switch key {
		case "schema":
			return f.Decode(&one.Schema)
		case "fields":
			return f.Decode(&one.Fields)
		case "data":
			return f.Decode(&one.Data)
		case "name":
			return f.Decode(&one.Name)
		}
		return f.Skip()
	}
	if err := member(key); err != nil {
		return err
	}
	for f.More() {
		token, err := f.Token()
		if err != nil {
			return err
		}
		next, _ := token.(string)
		if err := member(next); err != nil {
			return err
		}
	}
	f.add(&one)
	return nil
}

func (f *frameReader) one() error {
	var one frame
	if err := f.Decode(&one); err != nil {
		var kind *json.UnmarshalTypeError
		if !errors.As(err, &kind) {
			return err
		}
		f.Fault(f.Here(), "a frame in which %s has another kind of value: skipped", cmp.Or(kind.Field, "a value"))
		return nil
	}
	f.add(&one)
	return nil
}

// add gathers a frame.
func (f *frameReader) add(of *frame) {
	if of.Schema != nil {
		of.Fields, of.Name = of.Schema.Fields, of.Schema.Name
		for i := range of.Fields {
			if i < len(of.Data.Values) {
				of.Fields[i].Values = of.Data.Values[i]
			}
		}
	}
	f.frames++
	text := slices.ContainsFunc(of.Fields, func(c frameField) bool { return c.Type == "string" })
	at := slices.IndexFunc(of.Fields, func(c frameField) bool { return c.Type == "time" })
	if text || at < 0 {
		f.rowsOf(of)
		return
	}
	times := of.Fields[at].Values
	fraction := func(i int) int64 {
		if at < len(of.Data.Nanos) && i < len(of.Data.Nanos[at]) {
			return of.Data.Nanos[at][i]
		}
		return 0
	}
	for col := range of.Fields {
		c := &of.Fields[col]
		if col == at || c.Type != "number" && c.Type != "" {
			if col != at {
				f.SetAside(scan.Printable(c.Name), scan.Printable(c.Type))
			}
			continue
		}
		line := c.line(of)
		for i, value := range c.Values[:min(len(c.Values), len(times))] {
			stamp, form := scan.Instant(jsonwalk.Cell(times[i]), scan.MonthFirst)
			t, ok := gathered.Nanos(stamp)
			if form == scan.NoTime || !ok {
				f.Rows++
				f.Fault(f.Here(), "%s: no time that can be read: skipped", scan.Shown(times[i]))
				continue
			}
			v, err := scan.Finite(value)
			if err != nil { // null: no reading
				continue
			}
			line.Value = v * c.factor()
			f.Add(line, t+fraction(i))
		}
	}
}

// line names the series of a field: by its labels, else by what the panel calls it.
func (c *frameField) line(of *frame) *promtext.Line {
	line := lineOf(c.Labels)
	if len(line.Name) > 0 {
		return line
	}
	name := c.Name
	if generic := strings.EqualFold(name, "value") || name == ""; generic {
		name = cmp.Or(c.Config.DisplayName, c.Config.FromDS, of.Name, name)
		if len(c.Labels) > 0 && strings.Contains(name, "=") { // the labels again
			name = cmp.Or(c.Name, "value")
		}
	}
	if line.Name = []byte(name); c.unit() == "bytes" && !strings.HasSuffix(strings.ToLower(name), "bytes") {
		line.Name = append(line.Name, "_bytes"...)
	}
	return line
}

// unit returns the unit that the panel shows, and factor what makes it the base one.
func (c *frameField) unit() string {
	if _, size := frameUnits[c.Config.Unit]; size {
		return "bytes"
	}
	return ""
}

func (c *frameField) factor() float64 {
	if factor, size := frameUnits[c.Config.Unit]; size {
		return factor
	}
	return 1
}

// frameUnits are the ids that Grafana gives to sizes.
var frameUnits = map[string]float64{
	"bytes": 1, "decbytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20, "gbytes": 1 << 30, "deckbytes": 1e3,
	"decmbytes": 1e6, "decgbytes": 1e9,
}

// rowsOf takes a frame with text as rows of a table.
func (f *frameReader) rowsOf(of *frame) {
	n := 0
	for i := range of.Fields {
		n = max(n, len(of.Fields[i].Values))
	}
	for i := range n {
		row := make([]string, len(f.table.Header))
		for k := range of.Fields {
			c := &of.Fields[k]
			if i >= len(c.Values) {
				continue
			}
			cell := jsonwalk.Cell(c.Values[i])
			if v, err := strconv.ParseFloat(cell, 64); err == nil && c.factor() != 1 {
				cell = strconv.FormatFloat(v*c.factor(), 'g', -1, 64)
			}
			row = f.table.Set(row, c.Name, cell)
			for _, label := range slices.Sorted(maps.Keys(c.Labels)) {
				row = f.table.Set(row, label, c.Labels[label])
			}
		}
		f.In.Number = f.Here()
		f.table.Put(f.In, row)
	}
}
