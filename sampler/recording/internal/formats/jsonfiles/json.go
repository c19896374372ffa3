// Package jsonfiles reads JSON: it tells by its outline which of many shapes a file has, and makes rows of lists, of
// columns and of objects.
package jsonfiles

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/listings"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/otlp"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/timeseries"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// JSON is any file of JSON.
var JSON = gathered.Format{Recognizes: isJSON, Read: readJSON}

const linesFormat = "JSON lines"

func isJSON(start []byte) bool {
	if start[0] == '[' {
		rest := bytes.TrimLeft(start[1:], " \t\r\n")
		return len(rest) == 0 || bytes.IndexByte([]byte(`{["]`), rest[0]) >= 0
	}
	if start[0] != '{' {
		return false
	}
	rest := bytes.TrimLeft(start[1:], " \t\r\n")
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}') &&
		!timeseries.PromText.Recognizes(tokens.FirstLine(start))
}

// readJSON reads the answer of a Prometheus to a range query, as the HTTP API gives it, its data alone or the result
// alone; what VictoriaMetrics, Graphite, Grafana and sysstat export; and objects of names and values, one a line or in
// a list, or with a list for each name.
func readJSON(t *input.Text, o input.Options) (*gathered.File, error) {
	line := jsonwalk.OutlineOf(t.Head)
	has := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return !line.Keys[key] })
	}
	switch {
	case timeseries.IsInfluxJSON(&line):
		return timeseries.ReadInfluxJSON(t)
	case otlp.Is(&line):
		return otlp.Read(t)
	case timeseries.IsFrames(&line):
		return timeseries.ReadFrames(t, o)
	case line.List && line.Item == '[':
		return readPairs(t, o)
	case line.List && has("datapoints"):
		return timeseries.ReadGraphite(t)
	case line.List && line.Item == '{' && !(has("metric") && (has("values") || has("value"))):
		return readObjects(t, "a JSON list of objects", o)
	case line.List:
		return timeseries.ReadAnswer(t, true)
	case has("metric") && (has("timestamps") || has("values")):
		return timeseries.ReadExport(t)
	case has("sysstat"):
		return listings.ReadSadf(t, o)
	case streamsOfLoki.Match(t.Head):
		return readObjects(t, linesFormat, o)
	case has("resultType"), has("data.resultType"), has("status") && (has("data") || has("error") || has("errorType")):
		return timeseries.ReadAnswer(t, false)
	case has("meta.start", "meta.step", "data"):
		return timeseries.ReadRRDJSON(t, o)
	case has("columns") && line.Split != "", has("labels") && line.Split == "data":
		return readSplit(t, line.Split, o)
	case line.Lists && len(line.Keys) > 1 && !line.Objects:
		return readColumns(t, o)
	}
	if json.Valid(tokens.FirstLine(bytes.TrimLeft(t.Head, " \t\r\n"))) {
		return readObjectLines(t, o)
	}
	return readObjects(t, linesFormat, o)
}

// streamsOfLoki is in the answer of Loki to a query for lines.
var streamsOfLoki = regexp.MustCompile(`"resultType"\s*:\s*"streams"`)

// readPairs reads a list of lists as rows of a table without a header.
func readPairs(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: "a JSON list of lists"}
	r := jsonwalk.New(t)
	var refused error
	err := r.List(func() error {
		var item json.RawMessage
		if err := r.Decode(&item); err != nil {
			return err
		}
		var cells []json.RawMessage
		if err := json.Unmarshal(item, &cells); err != nil || len(s.Rows) > 0 && len(cells) != len(s.Rows[0]) {
			refused = gathered.New(t, s.Format).Refuse(fmt.Sprintf("item %d is not like the first", len(s.Rows)+1),
				"write one object a line, as in {\"time\": ..., \"rss_bytes\": ...}")
			return jsonwalk.ErrStopped
		}
		row := make([]string, len(cells))
		for j, cell := range cells {
			row[j] = strings.Trim(string(cell), `"`)
		}
		t.Number = r.Here()
		s.Put(t, row)
		return nil
	})
	if err := r.Failed(err); err != nil || refused != nil {
		return nil, cmp.Or(err, refused)
	}
	if len(s.Rows) > 1 && !tokens.HasData(s.Rows[0], s.Commas) {
		s.Header, s.Rows, s.Lines = s.Rows[0], s.Rows[1:], s.Lines[1:]
	}
	return s.Interpret(t, o)
}

// readColumns reads an object with a list for each name: the columns of a table.
func readColumns(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: "JSON of columns"}
	r := jsonwalk.New(t)
	var columns [][]string
	cells := 0
	err := r.Object(func(key string) error {
		var column []string
		err := r.List(func() error {
			var value json.RawMessage
			err := r.Decode(&value)
			if cells++; cells > t.Bounds.Cells {
				t.Stop("%d cells of a table", t.Bounds.Cells)
			}
			column = append(column, jsonwalk.Cell(value))
			return err
		})
		s.Header, columns = append(s.Header, key), append(columns, column)
		return err
	})
	if err := r.Failed(err); err != nil {
		return nil, err
	}
	for i, column := range columns {
		if len(column) != len(columns[0]) {
			return nil, gathered.New(t, s.Format).Refuse(
				fmt.Sprintf("%q has %d values and %q has %d", s.Header[i], len(column), s.Header[0], len(columns[0])),
				"give all lists one length")
		}
	}
	for row := range columns[0] {
		cells := make([]string, len(columns))
		for i := range columns {
			cells[i] = columns[i][row]
		}
		t.Number = 1
		s.Put(t, cells)
	}
	return s.Interpret(t, o)
}

// readSplit reads an object in which the rows of a table stand under one name and the names of its columns under
// another.
func readSplit(t *input.Text, under string, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: "JSON of rows and columns"}
	r := jsonwalk.New(t)
	var index []json.RawMessage // of pandas
	err := r.Object(func(key string) error {
		switch key {
		case "columns", "labels": // the latter of Netdata
			var names []json.RawMessage
			if err := r.Decode(&names); err != nil {
				return err
			}
			for _, name := range names {
				s.Header = append(s.Header, jsonwalk.Cell(name))
			}
			return nil
		case "index":
			return r.Decode(&index)
		case under:
			return r.List(func() error {
				row, err := r.Cells()
				if err != nil {
					return err
				}
				t.Number = r.Here()
				s.Put(t, row)
				return nil
			})
		}
		return r.Skip()
	})
	if err := r.Failed(err); err != nil {
		return nil, err
	}
	if len(index) == len(s.Rows) && len(index) > 0 {
		if _, form := scan.Instant(jsonwalk.Cell(index[0]), s.Dates); form != scan.NoTime { // else row numbers
			s.Header = append([]string{"time"}, s.Header...)
			for i := range s.Rows {
				s.Rows[i] = append([]string{jsonwalk.Cell(index[i])}, s.Rows[i]...)
			}
		}
	}
	for _, row := range s.Rows {
		if len(row) != len(s.Header) {
			return nil, gathered.New(t, s.Format).Refuse(fmt.Sprintf("a row has %d values and there are %d columns",
				len(row), len(s.Header)), "give each row as many")
		}
	}
	return s.Interpret(t, o)
}

// readObjectLines reads an object a line.
func readObjectLines(t *input.Text, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, linesFormat)
	faults := input.FaultLog{Name: t.Name}
	t.Longest = t.Bounds.Item
	for number, line := range t.Lines() {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := addObject(s, t, line); err != nil {
			faults.Fault(number, "%w", explainObject(line, err))
		}
	}
	return s.Finish(t, &faults, o)
}

// readObjects reads objects in a list, or one after the other.
func readObjects(t *input.Text, format string, o input.Options) (*gathered.File, error) {
	s := table.NewRows(t, format)
	faults := input.FaultLog{Name: t.Name}
	r := jsonwalk.New(t)
	one := func() error {
		var raw json.RawMessage
		if err := r.Decode(&raw); err != nil {
			return err
		}
		t.Number = r.Here()
		if err := addObject(s, t, raw); err != nil {
			faults.Fault(t.Number, "%w", explainObject(raw, err))
		}
		return nil
	}
	var err error
	if format == linesFormat {
		for err == nil && t.Stopped == "" && r.More() {
			err = one()
		}
	} else {
		err = r.List(one)
	}
	if err := r.Failed(err); err != nil && (len(s.Rows) == 0 || t.Ctx.Err() != nil) {
		return nil, err
	} else if err != nil {
		faults.Fault(r.Here(), "%w", err)
	}
	return s.Finish(t, &faults, o)
}
