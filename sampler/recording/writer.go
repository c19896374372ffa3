package recording

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

const (
	flushAt    = 64 << 10
	maxPending = 1 << 20
	maxTime    = 64 // bytes of a line's time
	// columnRest rows without a value, a column goes when the next header is written: that of labels that change would
	// grow with every row.
	columnRest = 10
)

// Writer writes recording format v1. What it writes a Reader yields identically, except that a Start or PID that
// becomes unknown keeps its last value, that a ceiling of level 0 is absent, and that first samples from before 1980
// are left out where the others are of this century: the clock was not set yet. Not safe for concurrent use.
//
// Write only gathers rows; Flush hands them on in one piece, so a caller that flushes once a second loses at most that
// second in a crash. After a failed write, as on a full disk, what was not taken is kept, and the next Flush goes on
// exactly there. Samples that are lost in between leave a note in their place.
type Writer struct {
	w      io.Writer
	header Header
	buf    []byte

	columns []heading
	index   map[string]int
	values  []float64 // of the row being written, by column; NaN if not read
	width   int       // at least the bytes of the header line, and of any row
	foreign int       // columns that are not in the table of resources
	headed  bool      // the header line was written
	rows    int64
	leftOut uint64 // readings without a column

	lost     int // samples since the latest row
	last     time.Time
	start    time.Time
	pid      int
	version  string
	revision string
	ceilings []sampler.Ceiling // as last noted, without those of level 0
	shared   []sampler.Ceiling // the slice they were taken from
}

// heading is a column of the rows.
type heading struct {
	name string
	rank int   // in the table of resources; past its end if it is not there
	row  int64 // the latest with a value
}

// NewWriter returns a Writer that begins a recording. Fields of h that are zero are not written.
func NewWriter(w io.Writer, h Header) *Writer {
	wr := &Writer{w: w, header: h, index: map[string]int{}}
	wr.begin()
	return wr
}

// begin writes the head of a recording.
func (w *Writer) begin() {
	w.buf = append(w.buf, comments.Prefix+comments.Version+"\n"...)
	if w.header.Interval > 0 {
		w.buf = fmt.Appendf(w.buf, "# interval: %s\n", sampler.ShortDuration(w.header.Interval))
	}
	if source := oneLine(w.header.Source); source != "" {
		w.buf = fmt.Appendf(w.buf, "# source: %s\n", source)
	}
	if w.header.Soak > 0 {
		w.buf = fmt.Appendf(w.buf, "# soak: %s\n", sampler.ShortDuration(w.header.Soak))
	}
}

// Restart starts the recording over, in another file, and returns how many rows that were not flushed are lost: those
// that do not belong below one header.
func (w *Writer) Restart(to io.Writer) (lost int) {
	rows := bytes.Clone(w.buf)
	if lost = w.Unwritten(); lost == bytes.Count(rows, []byte("\n")) {
		lost = 0
	} else {
		rows = nil
	}
	w.lost += lost
	w.w, w.buf = to, w.buf[:0]
	w.begin()
	if !w.start.IsZero() {
		w.noteStart()
	}
	if w.pid > 0 {
		w.notePID()
	}
	w.noteBuild()
	for _, c := range w.ceilings {
		w.noteCeiling(c.Resource, c.Level)
	}
	if w.headed {
		w.writeHeader()
	}
	w.buf = append(w.buf, rows...)
	return lost
}

// Unwritten returns how many rows wait to be flushed.
func (w *Writer) Unwritten() (rows int) {
	for line := range bytes.Lines(w.buf) {
		if c := line[0]; c != '#' && c != 't' { // also of a row that was taken in part
			rows++
		}
	}
	return rows
}

// LeftOut returns how many readings had no column, as there were too many resources.
func (w *Writer) LeftOut() uint64 { return w.leftOut }

func spaceForControl(c rune) rune {
	if unicode.IsControl(c) {
		return ' '
	}
	return c
}

// Write appends a sample to the recording. Samples must come in order of time, of the years 1970 to 2200, and their
// resources must have names without control characters and surrounding blanks. A sample for which Write returns an
// error is not in the recording: it broke these rules, or earlier rows could not be written and 1 MiB of them is
// waiting. Of more than 4,096 resources that are not in the table those are recorded that came first and are read
// still.
func (w *Writer) Write(s *sampler.Sample) error {
	if len(w.buf) >= flushAt {
		if err := w.Flush(); err != nil && len(w.buf) >= maxPending {
			w.lost++
			return fmt.Errorf("sample of %s is lost: %w", s.Time.UTC().Format(time.RFC3339Nano), err)
		}
	}
	if err := w.check(s); err != nil {
		return fmt.Errorf("sample of %s cannot be recorded: %w", s.Time.UTC().Format(time.RFC3339Nano), err)
	}
	w.last = s.Time
	if !s.Start.IsZero() && !s.Start.Equal(w.start) && inRange(s.Start) {
		w.start, w.version, w.revision = s.Start, "", ""
		w.noteStart()
	}
	if s.PID > 0 && s.PID != w.pid {
		w.pid, w.version, w.revision = s.PID, "", ""
		w.notePID()
	}
	if s.Version != w.version || s.Revision != w.revision {
		w.version, w.revision = s.Version, s.Revision
		w.noteBuild()
	}
	w.noteCeilings(s.Ceilings)

	if w.place(s.Readings) || !w.headed {
		w.headed = true
		w.writeHeader()
	}
	if w.lost > 0 {
		w.buf = fmt.Appendf(w.buf, "# lost: %d samples\n", w.lost)
		w.lost = 0
	}
	for i := range w.values {
		w.values[i] = math.NaN()
	}
	for _, r := range s.Readings {
		if i, ok := w.index[r.Resource]; ok && math.IsNaN(w.values[i]) {
			w.values[i] = r.Value
		}
	}
	w.buf = appendTime(w.buf, s.Time)
	for _, v := range w.values {
		w.buf = append(w.buf, ',')
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			w.buf = appendValue(w.buf, v)
		}
	}
	w.buf = append(w.buf, '\n')
	return nil
}

// Flush hands all rows on in one write.
func (w *Writer) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.w.Write(w.buf)
	n = max(0, min(n, len(w.buf)))
	if n > 0 {
		w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	}
	if err == nil && len(w.buf) > 0 {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing the recording: %w", err)
	}
	return nil
}

var errWriterOrder = errors.New("its time is not after that of the sample before it")

func (w *Writer) check(s *sampler.Sample) error {
	if !inRange(s.Time) {
		return scan.ErrTimeRange
	}
	if !w.last.IsZero() && !s.Time.After(w.last) {
		return errWriterOrder
	}
	for i := range s.Readings {
		name := s.Readings[i].Resource
		if _, ok := w.index[name]; !ok && !scan.Recordable(name) {
			return fmt.Errorf("resource name %q", name)
		}
	}
	for _, c := range s.Ceilings {
		if !scan.Recordable(c.Resource) || math.IsNaN(c.Level) || math.IsInf(c.Level, 0) || c.Level < 0 {
			return fmt.Errorf("ceiling %g of %q", c.Level, c.Resource)
		}
	}
	return nil
}

func inRange(t time.Time) bool { return t.Unix() >= 0 && t.Unix() < scan.EndOfTime }

// columnWidth bounds what a column takes of a line: its name if each byte were a quote, or the longest number.
func columnWidth(name string) int { return max(2*len(name), 32) + 3 }

func (w *Writer) noteStart() {
	w.buf = append(w.buf, "# start: "...)
	w.buf = append(appendTime(w.buf, w.start), '\n')
}

func (w *Writer) notePID() { w.buf = fmt.Appendf(w.buf, "# pid: %d\n", w.pid) }

// noteBuild notes what the process runs. One that becomes unknown without a restart stays noted.
func (w *Writer) noteBuild() {
	for _, note := range []struct{ key, text string }{{"version", w.version}, {"revision", w.revision}} {
		if text := oneLine(note.text); text != "" {
			w.buf = fmt.Appendf(w.buf, "# %s: %s\n", note.key, text[:min(len(text), comments.MaxBuild)])
		}
	}
}

// oneLine returns a text without what would end its line, and without surrounding blanks.
func oneLine(text string) string { return strings.TrimSpace(strings.Map(spaceForControl, text)) }

func (w *Writer) writeHeader() {
	w.buf = append(w.buf, "time"...)
	for _, c := range w.columns {
		w.buf = appendCell(append(w.buf, ','), c.name)
	}
	w.buf = append(w.buf, '\n')
}

// place gives the readings columns: those of the table in its order, then the others as they come. changed says that
// there are others than before.
func (w *Writer) place(readings []sampler.Reading) (changed bool) {
	w.rows++
	fresh := 0
	for _, r := range readings {
		if i, ok := w.index[r.Resource]; ok {
			w.columns[i].row = w.rows
		} else {
			fresh++
		}
	}
	if fresh == 0 {
		return false
	}
	columns := len(w.columns)
	w.dropResting()
	changed = len(w.columns) < columns
	columns = len(w.columns)
	for _, r := range readings {
		if _, ok := w.index[r.Resource]; !ok && !w.add(r.Resource) {
			w.leftOut++
		}
	}
	if len(w.columns) == columns && !changed {
		return false
	}
	slices.SortStableFunc(w.columns, func(a, b heading) int { return cmp.Compare(a.rank, b.rank) })
	for i, c := range w.columns {
		w.index[c.name] = i
	}
	w.values = slices.Grow(w.values[:0], len(w.columns))[:len(w.columns)]
	return true
}

// dropResting drops the columns that had no value for long.
func (w *Writer) dropResting() {
	w.columns = slices.DeleteFunc(w.columns, func(c heading) bool {
		if w.rows-c.row <= columnRest {
			return false
		}
		delete(w.index, c.name)
		w.width -= columnWidth(c.name)
		if c.rank == len(known) {
			w.foreign--
		}
		return true
	})
}

// add makes a column for a resource, unless there are too many or their line would be too long.
func (w *Writer) add(name string) bool {
	c := heading{name, tableRank(name), w.rows}
	width := columnWidth(name)
	if c.rank == len(known) && w.foreign == input.MaxForeign || w.width+width > input.MaxLine-maxTime {
		return false
	}
	if c.rank == len(known) {
		w.foreign++
	}
	w.width += width
	w.index[name] = len(w.columns) // until all have their places
	w.columns = append(w.columns, c)
	return true
}

var known = sampler.Resources()

// tableRank returns the place of a resource in the table, its end where it is not there.
func tableRank(name string) int {
	if i := slices.IndexFunc(known, func(r sampler.Resource) bool { return r.Name == name }); i >= 0 {
		return i
	}
	return len(known)
}

// noteCeilings writes what changed. Where a resource has several ceilings the lowest counts.
func (w *Writer) noteCeilings(now []sampler.Ceiling) {
	// A Source never writes to the slice that it shares: the same slice says the same.
	if len(now) == len(w.shared) && (len(now) == 0 || &now[0] == &w.shared[0]) {
		return
	}
	w.shared = now
	var next []sampler.Ceiling
	for _, c := range now {
		if c.Level == 0 {
			continue
		}
		if i := findCeiling(next, c.Resource); i < 0 {
			next = append(next, c)
		} else {
			next[i].Level = min(next[i].Level, c.Level)
		}
	}
	for _, c := range next {
		if i := findCeiling(w.ceilings, c.Resource); i < 0 || w.ceilings[i].Level != c.Level {
			w.noteCeiling(c.Resource, c.Level)
		}
	}
	for _, c := range w.ceilings {
		if findCeiling(next, c.Resource) < 0 {
			w.noteCeiling(c.Resource, 0)
		}
	}
	w.ceilings = next
}

func findCeiling(in []sampler.Ceiling, resource string) int {
	return slices.IndexFunc(in, func(c sampler.Ceiling) bool { return c.Resource == resource })
}

func (w *Writer) noteCeiling(resource string, level float64) {
	w.buf = append(w.buf, "# ceiling: "...)
	w.buf = append(append(w.buf, resource...), ' ')
	w.buf = append(appendValue(w.buf, level), '\n')
}

// appendTime writes RFC 3339 in UTC with as many digits of the second as it has.
func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, time.RFC3339Nano) }

// appendValue writes the shortest decimal that reads back identically, without an exponent where people would not use
// one.
func appendValue(b []byte, v float64) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendCell quotes a name where CSV needs it.
func appendCell(b []byte, name string) []byte {
	if !strings.ContainsAny(name, `",`) {
		return append(b, name...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(name, `"`, `""`)...)
	return append(b, '"')
}
