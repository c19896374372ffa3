package timeseries

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/jsonwalk"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// RRD is what rrdtool fetch and rrdtool xport write.
var RRD = gathered.Format{Recognizes: isRRD, Read: readRRD}

const rrdFormat = "output of rrdtool"

// What rrdtool fetch writes, and rrdtool xport as XML.
var (
	rrdRow   = regexp.MustCompile(`^(\d{9,10}):((?:\s+[-+]?(?:\d\S*|nan|inf))+)\s*$`)
	rrdXML   = regexp.MustCompile(`<row>\s*(?:<t>\s*(\d+)\s*</t>)?((?:\s*<v>[^<]*</v>)+)\s*</row>`)
	rrdValue = regexp.MustCompile(`<v>\s*([^<\s]*)\s*</v>`)
	rrdTag   = regexp.MustCompile(`<(entry|start|step)>\s*([^<]*?)\s*</`)
)

func isRRD(start []byte) bool {
	if bytes.HasPrefix(start, []byte("<")) {
		return bytes.Contains(start[:min(len(start), 1024)], []byte("<xport>"))
	}
	return tokens.OneOfFirst(4, start, func(line []byte) bool { return rrdRow.Match(bytes.TrimSpace(line)) })
}

// readRRD reads the text of rrdtool fetch, and the XML of rrdtool xport.
func readRRD(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: rrdFormat}
	header := []string{"time"}
	at, step := int64(0), int64(0)
	for _, raw := range t.Lines() {
		line := strings.TrimSpace(string(raw))
		if m := rrdRow.FindStringSubmatch(line); m != nil {
			s.Put(t, rrdCells(m[1], strings.Fields(m[2])))
			continue
		}
		for _, tag := range rrdTag.FindAllStringSubmatch(line, -1) {
			n, err := strconv.ParseInt(tag[2], 10, 64)
			switch {
			case tag[1] == "entry":
				header = append(header, tag[2])
			case err != nil:
			case tag[1] == "start":
				at = n
			default:
				step = n
			}
		}
		for _, m := range rrdXML.FindAllStringSubmatch(line, -1) {
			if at += step; m[1] == "" {
				m[1] = strconv.FormatInt(at, 10)
			}
			var cells []string
			for _, v := range rrdValue.FindAllStringSubmatch(m[2], -1) {
				cells = append(cells, v[1])
			}
			s.Put(t, rrdCells(m[1], cells))
		}
		if len(s.Rows) == 0 && len(header) == 1 && !strings.HasPrefix(line, "<") {
			header = append(header, strings.Fields(line)...)
		}
	}
	return rrdTable(s, t, header, o)
}

// rrdTable interprets rows of rrdtool under the names of its sources, which may be fewer.
func rrdTable(s *table.Sheet, t *input.Text, header []string, o input.Options) (*gathered.File, error) {
	for _, row := range s.Rows {
		for len(header) < len(row) {
			header = append(header, "value "+strconv.Itoa(len(header)))
		}
	}
	s.Header = header
	return s.Interpret(t, o)
}

// rrdCells are a row, in which what is not known is empty.
func rrdCells(at string, values []string) []string {
	row := []string{at}
	for _, v := range values {
		if strings.HasSuffix(strings.ToLower(v), "nan") {
			v = ""
		}
		row = append(row, v)
	}
	return row
}

// ReadRRDJSON reads the JSON of rrdtool xport: rows without times, from a start on in steps.
func ReadRRDJSON(t *input.Text, o input.Options) (*gathered.File, error) {
	s := &table.Sheet{Format: rrdFormat}
	r := jsonwalk.New(t)
	var meta struct {
		Start, Step int64
		Legend      []json.RawMessage
	}
	err := r.Object(func(key string) error {
		switch key {
		case "meta":
			return r.Decode(&meta)
		case "data":
			return r.List(func() error {
				row, err := r.Cells()
				if err != nil {
					return err
				}
				t.Number = r.Here()
				s.Put(t, append([]string{""}, row...))
				return nil
			})
		}
		return r.Skip()
	})
	if err := r.Failed(err); err != nil {
		return nil, err
	}
	if meta.Step <= 0 || meta.Start <= 0 || meta.Step > scan.EndOfTime || meta.Start > scan.EndOfTime {
		return nil, gathered.New(t, rrdFormat).Refuse(fmt.Sprintf("its meta has start %d and step %d", meta.Start,
			meta.Step), "write it anew with rrdtool xport --json")
	}
	header := []string{"time"}
	for _, name := range meta.Legend {
		header = append(header, jsonwalk.Cell(name))
	}
	for i := range s.Rows {
		s.Rows[i][0] = strconv.FormatInt(meta.Start+int64(i+1)*meta.Step, 10)
	}
	return rrdTable(s, t, header, o)
}
