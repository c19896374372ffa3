package recording

import (
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
)

const (
	flushAt    = 64 << 10
	maxPending = 1 << 20
	maxTime    = 64 // bytes of a line's time
)

// Writer writes recording format v1. What it writes a Reader yields identically, except that a Start that becomes
// unknown keeps its last value and that a ceiling of level 0 is absent. Not safe for concurrent use.
//
// Write only gathers rows; Flush hands them on in one piece, so a caller that flushes once a second loses at most that
// second in a crash. After a failed write, as on a full disk, what was not taken is kept, and the next Flush goes on
// exactly there.
type Writer struct {
	w   io.Writer
	buf []byte

	columns []string
	known   int // columns[:known] are in the table of resources
	index   map[string]int
	values  []float64 // of the row being written, by column; NaN if not read
	width   int       // at least the bytes of the header line, and of any row
	headed  bool      // the header line was written

	last     time.Time
	start    time.Time
	ceilings []sampler.Ceiling // as last noted, without those of level 0
	shared   []sampler.Ceiling // the slice they were taken from
}

// NewWriter returns a Writer that begins a recording. Fields of h that are zero are not written.
func NewWriter(w io.Writer, h Header) *Writer {
	wr := &Writer{w: w, index: map[string]int{}}
	wr.buf = append(wr.buf, recordingPrefix+recordingVersion+"\n"...)
	if h.Interval > 0 {
		wr.buf = fmt.Appendf(wr.buf, "# interval: %s\n", sampler.ShortDuration(h.Interval))
	}
	if source := strings.TrimSpace(strings.Map(spaceForControl, h.Source)); source != "" {
		wr.buf = fmt.Appendf(wr.buf, "# source: %s\n", source)
	}
	if h.Soak > 0 {
		wr.buf = fmt.Appendf(wr.buf, "# soak: %s\n", sampler.ShortDuration(h.Soak))
	}
	return wr
}

func spaceForControl(c rune) rune {
	if unicode.IsControl(c) {
		return ' '
	}
	return c
}

// Write appends a sample to the recording. Samples must come in order of time, of the years 1970 to 2200, and their
// resources must have names without control characters and surrounding blanks. A sample for which Write returns an
// error is not in the recording: it broke these rules, or earlier rows could not be written and 1 MiB of them is
// waiting.
func (w *Writer) Write(s *sampler.Sample) error {
	if len(w.buf) >= flushAt {
		if err := w.Flush(); err != nil && len(w.buf) >= maxPending {
			return fmt.Errorf("sample of %s is lost: %w", s.Time.UTC().Format(time.RFC3339Nano), err)
		}
	}
	if err := w.check(s); err != nil {
		return fmt.Errorf("sample of %s cannot be recorded: %w", s.Time.UTC().Format(time.RFC3339Nano), err)
	}
	w.last = s.Time
	if !s.Start.IsZero() && !s.Start.Equal(w.start) && inRange(s.Start) {
		w.start = s.Start
		w.buf = append(w.buf, "# start: "...)
		w.buf = append(appendTime(w.buf, s.Start), '\n')
	}
	w.noteCeilings(s.Ceilings)

	grown := false
	for _, r := range s.Readings {
		if _, ok := w.index[r.Resource]; !ok {
			w.addColumn(r.Resource)
			grown = true
		}
	}
	if grown || !w.headed {
		w.headed = true
		w.buf = append(w.buf, "time"...)
		for _, name := range w.columns {
			w.buf = appendCell(append(w.buf, ','), name)
		}
		w.buf = append(w.buf, '\n')
	}
	for i := range w.values {
		w.values[i] = math.NaN()
	}
	for _, r := range s.Readings {
		if i := w.index[r.Resource]; math.IsNaN(w.values[i]) {
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
	width := w.width
	for i := range s.Readings {
		name := s.Readings[i].Resource
		if _, ok := w.index[name]; ok {
			continue
		}
		if !scan.Recordable(name) {
			return fmt.Errorf("resource name %q", name)
		}
		width += columnWidth(name)
	}
	if width > maxLine-maxTime {
		return fmt.Errorf("its resources make lines longer than %d MiB", maxLine>>20)
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

// addColumn puts a resource in its place: those of the table in its order, then the others as they come.
func (w *Writer) addColumn(name string) {
	place := len(w.columns)
	if rank := tableRank(name); rank >= 0 {
		place, _ = slices.BinarySearchFunc(w.columns[:w.known], rank, func(c string, rank int) int { return cmp.Compare(tableRank(c), rank) })
		w.known++
	}
	w.columns = slices.Insert(w.columns, place, name)
	w.values = append(w.values, 0)
	w.width += columnWidth(name)
	for i, c := range w.columns {
		w.index[c] = i
	}
}

var known = sampler.Resources()

// tableRank returns the place of a resource in the table, -1 if it is not there.
func tableRank(name string) int {
	return slices.IndexFunc(known, func(r sampler.Resource) bool { return r.Name == name })
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
