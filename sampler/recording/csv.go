package recording

import (
	"bytes"
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/doubt"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
)

// csv is the state of reading a CSV file.
type csv struct {
	// names of the resources; "" for the time column and for columns that are not read; nil before the header
	columns    []string
	had        []string // names of the resources in the headers up to now
	isHad      map[string]bool
	left       bool           // whether columns were not read because there are too many
	positive   []bool         // by column: whether 0 or less is no reading
	gaps       map[string]int // how often that stood there, by column
	judged     []bool         // by column: whether placeholders are searched for
	doubts     []doubt.Placeholder
	absent     map[string]int // how often a placeholder stood there, by column
	named      bool           // whether the header names the time
	timeColumn int
	fast       bool // the rows are as the Writer makes them: time first, every other column a resource
	cells      [][]byte
	times      scan.Times

	notes comments.Notes
}

// fastRow reads the next row into s if it is plain: two common forms of time, decimal numbers, no quotes or blanks. It
// returns false and takes nothing if the row needs slowLine.
func (r *Reader) fastRow(s *sampler.Sample) bool {
	b := r.buf[:r.full]
	sec, nsec, i, ok := r.times.Plain(b, r.pos)
	at := sec*1e9 + nsec
	if !ok || at <= r.last || uint64(at-r.last) > uint64(doubt.FarAhead) {
		return false
	}
	readings := s.Readings[:0]
	for k, name := range r.columns[1:] {
		if i >= len(b) || b[i] != ',' {
			return false
		}
		i++
		v, next, ok := scan.PlainNumber(b, i)
		if !ok {
			cell := b[i:]
			cell = cell[:bytes.IndexAny(cell, ",\r\n")]
			i += len(cell)
			if len(cell) == 0 {
				continue
			}
			if v, err := scan.Finite(cell); err != nil || r.doubtful(k+1, v) {
				return false
			} else {
				readings = append(readings, sampler.Reading{Resource: name, Value: v})
			}
			continue
		}
		if r.doubtful(k+1, v) {
			return false
		}
		i = next
		readings = append(readings, sampler.Reading{Resource: name, Value: v})
	}
	if i < len(b) && b[i] == '\r' {
		i++
	}
	if i >= len(b) || b[i] != '\n' {
		return false
	}
	s.Time, s.Start, s.Readings, s.Ceilings = time.Unix(sec, nsec).UTC(), r.notes.Start, readings, r.notes.Ceilings
	s.PID, s.Version, s.Revision = r.notes.PID, r.notes.Version, r.notes.Revision
	r.pos = i + 1
	r.line++
	r.last, r.any = at, true
	return true
}

// doubtful reports whether a value of a column may be no reading, and else takes it for the latest one.
func (r *Reader) doubtful(column int, v float64) bool {
	if v <= 0 && r.positive[column] || r.judged[column] && r.doubts[column].Doubtful(v) {
		return true
	}
	r.doubts[column].Read(v)
	return false
}

// slowLine takes any line. It returns true if that made a sample.
func (r *Reader) slowLine(ctx context.Context, line []byte, s *sampler.Sample) bool {
	if len(line) > input.MaxLine {
		r.fault("longer than 1 MiB: skipped")
		return false
	}
	text := bytes.TrimSpace(line)
	if len(text) == 0 {
		return false
	}
	if text[0] == '#' {
		r.noted = true
		r.notes.Parse(text, r.any, r.fault)
		return false
	}
	if r.torn && r.notes.V1 {
		r.fault("%s: cut off: skipped", scan.Shown(line))
		return false
	}
	r.cells = tokens.SplitCSV(r.cells[:0], line)
	if r.columns == nil && !r.headless() {
		r.readHeader(true)
		return false
	}
	return r.row(ctx, s)
}

// headless takes the first line for a row of a file without a header if it begins with a time, and names its columns.
func (r *Reader) headless() bool {
	if _, _, err := r.times.Parse(r.cells[0]); err != nil {
		return false
	}
	r.columns = []string{"", "value"}
	for i := 2; i < len(r.cells); i++ {
		r.columns = append(r.columns, "value_"+strconv.Itoa(i))
	}
	r.timeColumn, r.fast = 0, true
	r.describeColumns()
	return true
}

// row reads the current cells as a row.
func (r *Reader) row(ctx context.Context, s *sampler.Sample) bool {
	if len(r.cells) != len(r.columns) {
		if !r.readHeader(false) {
			r.fault("%s where the header has %d: skipped", scan.Count(len(r.cells), "cell"), len(r.columns))
		}
		return false
	}
	cell := r.cells[r.timeColumn]
	sec, nsec, err := r.times.Parse(cell)
	if err != nil {
		if !r.readHeader(false) {
			r.fault("time: %s: %w: skipped", scan.Shown(cell), err)
		}
		return false
	}
	at := sec*1e9 + nsec
	if at <= r.last {
		r.fault("time: %s: not after the sample before it: skipped", scan.Shown(cell))
		return false
	}
	if !r.any || at-r.last > doubt.FarAhead {
		r.keepCells() // the buffer moves
		cell = r.cells[r.timeColumn]
		unset := doubt.AnyTime
		if r.notes.V1 {
			unset = doubt.OwnUnset
		}
		if err := doubt.WrongStamp(r.any, r.last, at, r.nextTimes(ctx), unset); err != nil {
			r.fault("time: %s: %w", scan.Shown(cell), err)
			return false
		}
	}
	s.Reset(time.Unix(sec, nsec).UTC())
	s.Start, s.PID, s.Version, s.Revision, s.Ceilings = r.notes.Start, r.notes.PID, r.notes.Version, r.notes.Revision,
		r.notes.Ceilings
	bad := 0
	for i, cell := range r.cells {
		name := r.columns[i]
		if name == "" || len(cell) == 0 {
			continue
		}
		v, err := scan.Finite(cell)
		if err != nil {
			r.explain("%s: %s: %w", name, scan.Shown(cell), err)
			bad = 1
			continue
		}
		if v <= 0 && r.positive[i] {
			r.gap(name)
			continue
		}
		if r.judged[i] && r.doubts[i].Missed(v, func() []float64 { return r.nextValues(ctx, i) }) {
			r.gap(name)
			continue
		}
		if r.judged[i] && r.doubts[i].Stands(v) {
			if r.absent == nil {
				r.absent = map[string]int{}
			}
			r.absent[name]++
			continue
		}
		s.Readings = append(s.Readings, sampler.Reading{Resource: name, Value: v})
	}
	r.faults += bad
	r.yielded(at)
	return true
}

// gap counts a value of 0 or less that is no reading.
func (r *Reader) gap(name string) {
	if r.gaps == nil {
		r.gaps = map[string]int{}
	}
	r.gaps[name]++
}

// keepCells has the cells of the current row outlast a move of the buffer.
func (r *Reader) keepCells() {
	for i := range r.cells {
		r.cells[i] = bytes.Clone(r.cells[i])
	}
}

// nextValues returns the values of a column in the next rows, up to the first above 0.
func (r *Reader) nextValues(ctx context.Context, column int) (values []float64) {
	r.keepCells()
	for cells := range r.nextRows(ctx) {
		if len(cells) <= column {
			continue
		}
		if v, err := scan.Finite(cells[column]); err == nil {
			if values = append(values, v); v > 0 {
				break
			}
		}
	}
	return values
}

// nextTimes returns the times of the next rows. Slices of the buffer are not valid any more.
func (r *Reader) nextTimes(ctx context.Context) (times []int64) {
	for cells := range r.nextRows(ctx) {
		if len(cells) <= r.timeColumn {
			continue
		}
		var stamps scan.Times
		if sec, nsec, err := stamps.Parse(cells[r.timeColumn]); err == nil {
			times = append(times, sec*1e9+nsec)
		}
		if len(times) == doubt.Lookahead {
			break
		}
	}
	return times
}

// nextRows gives the cells of the next rows that are at hand, each until the next one. But for the first row it reads
// on where little is, and moves that to the beginning of the buffer: slices of it are not valid any more.
func (r *Reader) nextRows(ctx context.Context) iter.Seq[[][]byte] {
	const enough = 64 << 10
	if r.any && r.end-r.pos < enough {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.full, r.pos = r.full-r.pos, 0
		for r.end < min(enough, len(r.buf)-1) && r.srcErr == nil {
			if r.read(ctx) != nil {
				break
			}
		}
	}
	if i := bytes.LastIndexByte(r.buf[r.pos:r.end], '\n'); i >= 0 {
		r.full = r.pos + i + 1
	}
	return func(yield func([][]byte) bool) {
		var cells [][]byte
		for line := range bytes.Lines(r.buf[r.pos:r.full]) {
			if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 || line[0] == '#' {
				continue
			}
			if cells = tokens.SplitCSV(cells[:0], line); !yield(cells) {
				return
			}
		}
	}
}

// readHeader reads the current cells as a header if one of them names the time. The first header may do without: then
// the first column is the time, unless the line has numbers in it.
func (r *Reader) readHeader(first bool) bool {
	column := -1
	for i, cell := range r.cells {
		if name := string(cell); strings.EqualFold(name, "time") || strings.EqualFold(name, "timestamp") {
			column = i
			break
		}
	}
	named := column >= 0
	if !named {
		if !first {
			return false
		}
		names := 0
		for _, cell := range r.cells[1:] {
			if _, err := scan.Number(cell); err == nil {
				r.fault("time: %s: %w: skipped", scan.Shown(r.cells[0]), scan.ErrTime)
				return false
			}
			if len(cell) > 0 {
				names++
			}
		}
		if names == 0 {
			r.fault("%s: neither a header nor a sample: skipped", scan.Shown(r.cells[0]))
			return false
		}
		column = 0
	}
	r.timeColumn, r.fast, r.named = column, column == 0, named
	r.columns = make([]string, len(r.cells))
	used := map[string]bool{}
	for i, cell := range r.cells {
		if i == column {
			continue
		}
		name := string(cell)
		if used[name] {
			r.fault("column %d: %s appears twice in the header: not read", i+1, scan.Shown(cell))
			name = ""
		}
		used[name] = name != ""
		if name != "" {
			r.columns[i] = naming.Recordable(name)
		}
		r.fast = r.fast && name != ""
	}
	r.describeColumns()
	return true
}

// describeColumns finds which columns have values that are not readings.
func (r *Reader) describeColumns() {
	r.positive, r.judged, r.doubts = make([]bool, len(r.columns)), make([]bool, len(r.columns)),
		make([]doubt.Placeholder, len(r.columns))
	if r.isHad == nil {
		r.isHad = map[string]bool{}
	}
	left := 0
	for i, name := range r.columns {
		known, _ := sampler.Lookup(name)
		r.positive[i], r.judged[i] = known.Positive, known.Unjudged == ""
		r.doubts[i].AsRead, r.doubts[i].Size = r.notes.V1, doubt.HoldsMemory(name, known.Unit)
		if name == "" || i <= input.DefaultBounds.Columns && r.isHad[name] {
			continue
		}
		if i > input.DefaultBounds.Columns || len(r.had) >= input.DefaultBounds.Series {
			r.columns[i], r.fast = "", false
			left++
			continue
		}
		r.had, r.isHad[name] = append(r.had, name), true
	}
	if left > 0 && !r.left {
		r.left = true
		r.fault("%d columns beyond the first %d of a row, or %d of a recording, are not read; split the file", left,
			input.DefaultBounds.Columns, input.DefaultBounds.Series)
	}
}
