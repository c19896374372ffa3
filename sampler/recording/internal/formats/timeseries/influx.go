package timeseries

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// LineProtocol is the line protocol of InfluxDB.
var LineProtocol = gathered.Format{Recognizes: isLineProtocol, Read: readLineProtocol}

// FluxCSV is the annotated CSV of InfluxDB, or the tables that its shell prints.
var FluxCSV = gathered.Format{Recognizes: isFluxCSV, Read: readFluxCSV}

const (
	lineProtocolFormat = "line protocol of InfluxDB"
	fluxFormat         = "annotated CSV of InfluxDB"
)

// isLineProtocol reports whether the first line of a text is a point in the line protocol of InfluxDB.
func isLineProtocol(start []byte) bool {
	for line := range bytes.Lines(start) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !isDDL(line) {
			p, err := parsePoint(line)
			// else a log of names and values
			return err == nil && len(p.fields)+p.texts > 0 && !strings.Contains(p.measurement, "=")
		}
	}
	return false
}

// isDDL reports whether a line is a statement before the points of an export.
func isDDL(line []byte) bool { return bytes.HasPrefix(line, []byte("CREATE DATABASE ")) }

// readLineProtocol reads the line protocol of InfluxDB. Times are in nanoseconds, or in what their magnitude says.
func readLineProtocol(t *input.Text, _ input.Options) (*gathered.File, error) {
	m := gathered.NewMetrics(t, lineProtocolFormat)
	measurements := map[string]bool{}
	var points []influxPoint
	untimed := 0
	for number, raw := range t.Lines() {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 || raw[0] == '#' || isDDL(raw) {
			continue
		}
		p, err := parsePoint(raw)
		switch {
		case err != nil:
			m.Rows++
			m.Fault(number, "%s: %w", scan.Shown(raw), err)
		case p.at.IsZero():
			m.Rows++
			untimed++
		default:
			measurements[p.measurement] = true
			points = append(points, p)
		}
	}
	if len(points) == 0 && untimed > 0 {
		return nil, m.Refuse("its points have no timestamps", "export them with their times")
	}
	if untimed > 0 {
		m.Faults += untimed
		m.Errs = append(m.Errs, fmt.Errorf("%s: %s without a timestamp: skipped", t.Name, scan.Count(untimed, "point")))
	}
	for _, p := range points {
		t, ok := gathered.Nanos(p.at)
		for _, field := range p.fields {
			full := field.name
			if len(measurements) > 1 {
				full = p.measurement + "_" + field.name
			}
			if line := (promtext.Line{Name: []byte(full), Labels: p.tags, Value: field.value}); ok {
				m.Add(&line, t)
			}
		}
	}
	return m.File, m.Finish()
}

// influxPoint is one line.
type influxPoint struct {
	measurement string
	tags        []promtext.Label
	fields      []influxField // numbers
	texts       int           // fields that are none
	at          time.Time     // zero if there is none
}

type influxField struct {
	name  string
	value float64
}

func parsePoint(line []byte) (p influxPoint, err error) {
	dec := lineprotocol.NewDecoderWithBytes(line)
	if !dec.Next() {
		return p, errNoPoint
	}
	measurement, err := dec.Measurement()
	if err != nil {
		return p, errNoPoint
	}
	p.measurement = string(measurement)
	for {
		key, value, err := dec.NextTag()
		if err != nil {
			return p, errNoPoint
		}
		if key == nil {
			break
		}
		p.tags = append(p.tags, promtext.Label{Name: bytes.Clone(key), Value: bytes.Clone(value)})
	}
	for {
		key, value, err := dec.NextField()
		if err != nil {
			return p, errNoPoint
		}
		if key == nil {
			break
		}
		v := math.NaN()
		switch value.Kind() {
		case lineprotocol.Int:
			v = float64(value.IntV())
		case lineprotocol.Uint:
			v = float64(value.UintV())
		case lineprotocol.Float:
			v = value.FloatV()
		}
		if p.texts++; gathered.Finite(v) {
			p.texts--
			p.fields = append(p.fields, influxField{string(key), v})
		}
	}
	// Seconds and milliseconds are written too: the magnitude distinguishes them.
	stamp, err := dec.TimeBytes()
	if err != nil {
		return p, errNoPoint
	}
	if len(stamp) > 0 {
		at, form := scan.Instant(string(stamp), scan.MonthFirst)
		if form == scan.NoTime {
			return p, errNoPoint
		}
		p.at = at
	}
	return p, nil
}

var errNoPoint = errors.New("not a point of the line protocol")

// isFluxCSV reports whether a text is CSV as InfluxDB answers a Flux query.
func isFluxCSV(start []byte) bool {
	if isInfluxCLI(start) {
		return true
	}
	for _, prefix := range []string{"#group,", "#datatype,", "#default,"} {
		if bytes.HasPrefix(start, []byte(prefix)) {
			return true
		}
	}
	first := tokens.FirstLine(start)
	return bytes.HasPrefix(first, []byte(",result,table,")) && bytes.Contains(first, []byte("_time"))
}

// readFluxCSV reads tables of which each has its own header: a value a row under _value, or fields side by side.
func readFluxCSV(t *input.Text, _ input.Options) (*gathered.File, error) {
	if isInfluxCLI(bytes.TrimLeft(t.Head, " \t\r\n")) {
		return readInfluxCLI(t)
	}
	m := gathered.NewMetrics(t, fluxFormat)
	var header, group, types []string
	for number, raw := range t.Lines() {
		raw = bytes.TrimRight(raw, "\r\n")
		if len(bytes.TrimSpace(raw)) == 0 {
			header, group, types = nil, nil, nil
			continue
		}
		cells := tokens.Split(raw, ',')
		switch cells[0] {
		case "#group":
			header, group = nil, cells
			continue
		case "#datatype":
			header, types = nil, cells
			continue
		case "#default":
			continue
		}
		if header == nil {
			header = cells
			continue
		}
		if !addFluxRow(m, header, group, types, cells) {
			m.Rows++
			m.Fault(number, "%s: no time that can be read: skipped", scan.Shown(raw))
		}
	}
	return m.File, m.Finish()
}

// addFluxRow takes a row. It returns false if its time cannot be read.
func addFluxRow(m *gathered.Metrics, header, group, types, cells []string) bool {
	var (
		t         int64
		timed     bool
		field     string
		tags      []promtext.Label
		values    []influxField
		annotated = len(group) > 0
	)
	for i, name := range header {
		if i >= len(cells) || name == "" {
			continue
		}
		cell := cells[i]
		switch name {
		case "result", "table", "_start", "_stop":
		case "_measurement":
			field = cmp.Or(field, cell)
		case "_time":
			at, form := scan.Instant(cell, scan.MonthFirst)
			if t, timed = gathered.Nanos(at); form == scan.NoTime || !timed {
				return false
			}
		case "_field":
			field = cell
		default:
			number := i >= len(types) || strings.HasSuffix(types[i], "long") || types[i] == "double"
			tag := annotated && i < len(group) && group[i] == "true"
			v, err := scan.Finite([]byte(cell))
			switch {
			case name != "_value" && (tag || !number || err != nil) && cell != "":
				tags = append(tags, promtext.Label{Name: []byte(name), Value: []byte(cell)})
			case err == nil && number:
				values = append(values, influxField{name, v})
			}
		}
	}
	if !timed {
		return false
	}
	for _, v := range values {
		line := promtext.Line{Name: []byte(v.name), Labels: tags, Value: v.value}
		if v.name == "_value" {
			line.Name = []byte(cmp.Or(field, "value"))
		}
		m.Add(&line, t)
	}
	return true
}

// IsInfluxJSON reports whether a JSON text is the answer of InfluxDB to a query in InfluxQL.
func IsInfluxJSON(line *jsonwalk.Outline) bool {
	return !line.List && (line.Keys["results.statement_id"] || line.Keys["results.series"])
}

// ReadInfluxJSON reads results, of which each has series: tags, the names of the columns, and rows of values.
func ReadInfluxJSON(t *input.Text) (*gathered.File, error) {
	m := gathered.NewMetrics(t, "JSON of InfluxDB")
	r := jsonwalk.New(t)
	fault := ""
	var member func(key string) error
	member = func(key string) error {
		switch key {
		case "results":
			return r.List(func() error { return r.Object(member) })
		case "series":
			return r.List(func() error { return addInfluxSeries(m, r) })
		case "error":
			return r.Decode(&fault)
		}
		return r.Skip()
	}
	if err := r.Failed(r.Object(member)); err != nil {
		return nil, err
	}
	if fault != "" && m.Rows == 0 {
		return nil, m.Refuse("the server answered with an error: "+fault, "run the query again")
	}
	return m.File, m.Finish()
}

func addInfluxSeries(m *gathered.Metrics, r *jsonwalk.Reader) error {
	var (
		tags    map[string]string
		columns []string
		types   []string
	)
	return r.Object(func(key string) error {
		switch key {
		case "tags":
			return r.Decode(&tags)
		case "columns":
			err := r.Decode(&columns)
			types = make([]string, len(columns))
			return err
		case "values":
			return r.List(func() error {
				var row []json.RawMessage
				if err := r.Decode(&row); err != nil {
					return err
				}
				header, cells := slices.Clone(columns), make([]string, 0, len(columns)+len(tags))
				for i := range header {
					if header[i] == "time" {
						header[i] = "_time"
					}
					cell := ""
					if i < len(row) {
						cell = jsonwalk.Cell(row[i])
						if types[i] = "double"; bytes.HasPrefix(row[i], []byte(`"`)) {
							types[i] = "string"
						}
					}
					cells = append(cells, cell)
				}
				kinds := slices.Clone(types)
				for _, tag := range slices.Sorted(maps.Keys(tags)) {
					header, cells, kinds = append(header, tag), append(cells, tags[tag]), append(kinds, "string")
				}
				if !addFluxRow(m, header, nil, kinds, cells) {
					m.Rows++
					m.Fault(r.Here(), "%s: no time that can be read: skipped",
						scan.Shown([]byte(strings.Join(cells, ","))))
				}
				return nil
			})
		}
		return r.Skip()
	})
}
