package recording

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// jsonFile is any file of JSON.
var jsonFile = gathered.Format{Recognizes: isJSON, Read: readJSON}

const (
	linesFormat = "JSON lines"
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
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}') && !promTextFile.Recognizes(tokens.FirstLine(start))
}

// readJSON reads the answer of a Prometheus to a range query, as the HTTP API gives it, its data alone or the result
// alone; what VictoriaMetrics, Graphite, Grafana and sysstat export; and objects of names and values, one a line or in
// a list, or with a list for each name.
func readJSON(t *input.Text, o input.Options) (*gathered.File, error) {
	line := outlineOf(t.Head)
	has := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return !line.keys[key] })
	}
	switch {
	case isInfluxJSON(&line):
		return readInfluxJSON(t)
	case isFrames(&line):
		return readFrames(t, o)
	case line.list && line.item == '[':
		return readPairs(t, o)
	case line.list && has("datapoints"):
		return readGraphite(t)
	case line.list && line.item == '{' && !(has("metric") && (has("values") || has("value"))):
		return readObjects(t, "a JSON list of objects", o)
	case line.list:
		return readAnswer(t, true)
	case has("metric") && (has("timestamps") || has("values")):
		return readExport(t)
	case has("sysstat"):
		return readSadf(t, o)
	case streamsOfLoki.Match(t.Head):
		return readObjects(t, linesFormat, o)
	case has("resultType"), has("data.resultType"), has("status") && (has("data") || has("error") || has("errorType")):
		return readAnswer(t, false)
	case has("meta.start", "meta.step", "data"):
		return readRRDJSON(t, o)
	case has("columns") && line.split != "", has("labels") && line.split == "data":
		return readSplit(t, line.split, o)
	case line.lists && len(line.keys) > 1 && !line.objects:
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
	s := &sheet{format: "a JSON list of lists"}
	r := newJSONReader(t)
	var refused error
	err := r.list(func() error {
		var item json.RawMessage
		if err := r.Decode(&item); err != nil {
			return err
		}
		var cells []json.RawMessage
		if err := json.Unmarshal(item, &cells); err != nil || len(s.rows) > 0 && len(cells) != len(s.rows[0]) {
			refused = gathered.New(t, s.format).Refuse(fmt.Sprintf("item %d is not like the first", len(s.rows)+1),
				"write one object a line, as in {\"time\": ..., \"rss_bytes\": ...}")
			return errStopped
		}
		row := make([]string, len(cells))
		for j, cell := range cells {
			row[j] = strings.Trim(string(cell), `"`)
		}
		t.Number = r.here()
		s.put(t, row)
		return nil
	})
	if err := r.failed(err); err != nil || refused != nil {
		return nil, cmp.Or(err, refused)
	}
	if len(s.rows) > 1 && !tokens.HasData(s.rows[0], s.commas) {
		s.header, s.rows, s.lines = s.rows[0], s.rows[1:], s.lines[1:]
	}
	return s.interpret(t, o)
}

// readColumns reads an object with a list for each name: the columns of a table.
func readColumns(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &sheet{format: "JSON of columns"}
	r := newJSONReader(t)
	var columns [][]string
	cells := 0
	err := r.object(func(key string) error {
		var column []string
		err := r.list(func() error {
			var value json.RawMessage
			err := r.Decode(&value)
			if cells++; cells > t.Bounds.Cells {
				t.Stop("%d cells of a table", t.Bounds.Cells)
			}
			column = append(column, cellOf(value))
			return err
		})
		s.header, columns = append(s.header, key), append(columns, column)
		return err
	})
	if err := r.failed(err); err != nil {
		return nil, err
	}
	for i, column := range columns {
		if len(column) != len(columns[0]) {
			return nil, gathered.New(t, s.format).Refuse(
				fmt.Sprintf("%q has %d values and %q has %d", s.header[i], len(column), s.header[0], len(columns[0])),
				"give all lists one length")
		}
	}
	for row := range columns[0] {
		cells := make([]string, len(columns))
		for i := range columns {
			cells[i] = columns[i][row]
		}
		t.Number = 1
		s.put(t, cells)
	}
	return s.interpret(t, o)
}

// readSplit reads an object in which the rows of a table stand under one name and the names of its columns under
// another.
func readSplit(t *input.Text, under string, o input.Options) (*gathered.File, error) {
	s := &sheet{format: "JSON of rows and columns"}
	r := newJSONReader(t)
	var index []json.RawMessage // of pandas
	err := r.object(func(key string) error {
		switch key {
		case "columns", "labels": // the latter of Netdata
			var names []json.RawMessage
			if err := r.Decode(&names); err != nil {
				return err
			}
			for _, name := range names {
				s.header = append(s.header, cellOf(name))
			}
			return nil
		case "index":
			return r.Decode(&index)
		case under:
			return r.list(func() error {
				row, err := r.cells()
				if err != nil {
					return err
				}
				t.Number = r.here()
				s.put(t, row)
				return nil
			})
		}
		return r.skip()
	})
	if err := r.failed(err); err != nil {
		return nil, err
	}
	if len(index) == len(s.rows) && len(index) > 0 {
		if _, form := scan.Instant(cellOf(index[0]), s.dates); form != scan.NoTime { // else row numbers
			s.header = append([]string{"time"}, s.header...)
			for i := range s.rows {
				s.rows[i] = append([]string{cellOf(index[i])}, s.rows[i]...)
			}
		}
	}
	for _, row := range s.rows {
		if len(row) != len(s.header) {
			return nil, gathered.New(t, s.format).Refuse(fmt.Sprintf("a row has %d values and there are %d columns",
				len(row), len(s.header)), "give each row as many")
		}
	}
	return s.interpret(t, o)
}

// readObjectLines reads an object a line.
func readObjectLines(t *input.Text, o input.Options) (*gathered.File, error) {
	s := newRows(t, linesFormat)
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
	return s.finish(t, &faults, o)
}

// readObjects reads objects in a list, or one after the other.
func readObjects(t *input.Text, format string, o input.Options) (*gathered.File, error) {
	s := newRows(t, format)
	faults := input.FaultLog{Name: t.Name}
	r := newJSONReader(t)
	one := func() error {
		var raw json.RawMessage
		if err := r.Decode(&raw); err != nil {
			return err
		}
		t.Number = r.here()
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
		err = r.list(one)
	}
	if err := r.failed(err); err != nil && (len(s.rows) == 0 || t.Ctx.Err() != nil) {
		return nil, err
	} else if err != nil {
		faults.Fault(r.here(), "%w", err)
	}
	return s.finish(t, &faults, o)
}
