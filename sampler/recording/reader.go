// Package recording reads and writes recordings of samples: its own format, and the files of other tools. Each
// format is recognized by its content, and either read as what it is or refused with a way out. The packages below
// it hold the formats of others. What the values mean for the process is not judged here.
package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/scan"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// Header holds what the notes of a recording say about all of it: the Interval that was wanted between two samples, the
// length of the Soak that the time constants were scaled to, and the Source, one line; zero values are unknown.
type Header = comments.Header

// Reader is a Source that yields the samples of one recording, in order of time. A line that cannot be used is skipped
// and counted, see Faults. Not safe for concurrent use.
type Reader struct {
	name   string
	src    io.Reader
	srcErr error // why src gives no more; io.EOF at its end
	opened

	buf            []byte
	pos, full, end int  // buf[pos:full] holds whole lines, buf[full:end] the beginning of one
	line           int  // number of the last line taken
	skipping       bool // the beginning of a line that is too long was dropped
	torn           bool // the last line of the input has no newline

	csv
	names     map[string]string  // in a recording of our own, where they are others; see Rename
	resources []sampler.Resource // what the values showed of its columns
	process   *gathered.Process  // all there is, where the file was read at once

	first  *sampler.Sample // what NewReader read ahead
	any    bool            // some sample was yielded
	last   int64           // time of the last sample yielded, in unix nanoseconds
	noted  bool            // whether the notes changed with the current line
	upTo   Header          // of the notes up to the last sample
	faults int
	errs   []error
	run    input.FaultRun
	seen   seen
}

// NewReader returns a Reader of the one recording in src; name stands for it in errors. See Read for what it may be,
// and for several.
func NewReader(src io.Reader, name string) (*Reader, error) {
	f, err := Read(context.Background(), src, name, Options{})
	if err != nil {
		return nil, err
	}
	return f.only()
}

// Open opens the one recording in a file; "-" is standard input. The caller closes it.
func Open(path string) (*Reader, error) {
	f, err := ReadFile(context.Background(), path, Options{})
	if err != nil {
		return nil, err
	}
	r, err := f.only()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.opened = f.opened
	return r, nil
}

// newStream returns a Reader of CSV that reads as it is sampled. It reads the first sample ahead.
func newStream(ctx context.Context, src io.Reader, name string) (*Reader, error) {
	r := &Reader{name: name, src: src, buf: make([]byte, input.BlockSize), last: math.MinInt64}
	if err := r.peek(ctx, 3); err != nil {
		return nil, r.failed(err)
	}
	if bytes.HasPrefix(r.buf[:r.end], []byte("\ufeff")) {
		r.pos, r.full = 3, 3
	}
	if i := bytes.LastIndexByte(r.buf[r.pos:r.end], '\n'); i >= 0 {
		r.full = r.pos + i + 1
	}
	var first sampler.Sample
	if err := r.next(ctx, &first); err != nil {
		if err == io.EOF {
			err = r.noSamples()
		}
		return nil, err
	}
	r.upTo = r.notes.Header
	r.first = &first
	return r, nil
}

// opened is the file of what this package opened itself. An io.Reader that was given is left open.
type opened struct{ file io.Closer }

// Close closes the file; also a second time.
func (o *opened) Close() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}

// Header returns the notes in force at the last sample returned; before the first one, those at the first.
func (r *Reader) Header() Header { return r.upTo }

// Process returns what distinguishes the process of this recording from the others in its file, as in "pid 4242"; "" if
// there are none.
func (r *Reader) Process() string {
	if r.process == nil {
		return ""
	}
	return r.process.Name
}

// Rename gives the readings and ceilings of a sample the names that they have in a recording of our own, where those
// are others: it holds bytes under rss_bytes where the file holds rss_kb.
func (r *Reader) Rename(s *sampler.Sample) {
	if r.process == nil {
		return
	}
	if r.names == nil {
		r.names = r.process.BaseNames()
	}
	for i := range s.Readings {
		if name := r.names[s.Readings[i].Resource]; name != "" {
			s.Readings[i].Resource = name
		}
	}
	s.Ceilings = slices.Clone(s.Ceilings)
	for i := range s.Ceilings {
		if name := r.names[s.Ceilings[i].Resource]; name != "" {
			s.Ceilings[i].Resource = name
		}
	}
}

// Resources describes what the recording holds beyond what the names of its resources say: by what is declared, and by
// its values.
func (r *Reader) Resources() []sampler.Resource {
	if r.process == nil {
		return r.resources
	}
	var all []sampler.Resource
	for _, c := range r.process.Columns {
		all = append(all, c.Resource)
	}
	return all
}

// resourceNames returns the names of the resources that were read.
func (r *Reader) resourceNames() (names []string) {
	if r.process == nil {
		return r.had
	}
	for _, c := range r.process.Columns {
		if len(c.Points) > 0 {
			names = append(names, c.Resource.Name)
		}
	}
	return names
}

// described returns what is known of the resources of the recording that were read, in order.
func (r *Reader) described() []sampler.Resource {
	byName := map[string]sampler.Resource{}
	for _, d := range r.Resources() {
		byName[d.Name] = d
	}
	var all []sampler.Resource
	for _, name := range r.resourceNames() {
		d, known := byName[name]
		if !known {
			d, _ = sampler.Lookup(name)
		}
		all = append(all, d)
	}
	return all
}

// Faults returns how many lines, or values of a range query, were skipped or repaired up to now, and what was wrong
// with the first 20, as in "a.csv:7: open_fds: "x": not a number".
func (r *Reader) Faults() (n int, first []error) { return r.faults, slices.Clone(r.errs) }

// Sample yields the next sample. Its error is io.EOF after the last one, ctx's, or what kept the rest of the recording
// from being read, which is returned once, after the good samples.
func (r *Reader) Sample(ctx context.Context, s *sampler.Sample) error {
	if r.first != nil {
		readings := append(s.Readings[:0], r.first.Readings...)
		*s = *r.first
		s.Readings = readings
		r.first = nil
		r.seen.samples++
		r.seen.begin(s)
		return nil
	}
	if err := r.next(ctx, s); err != nil {
		s.Reset(time.Unix(0, r.last).UTC())
		return err
	}
	if r.noted {
		r.upTo, r.noted = r.notes.Header, false
	}
	if r.seen.samples++; r.seen.samples <= len(r.seen.steps)+1 {
		r.seen.begin(s)
	}
	return nil
}

func (r *Reader) next(ctx context.Context, s *sampler.Sample) error {
	if r.process != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !r.process.Sample(s) {
			return r.failed(r.srcErr)
		}
		r.yielded(s.Time.UnixNano())
		return nil
	}
	for {
		if r.pos == r.full {
			if err := r.fill(ctx); err != nil {
				return r.failed(err)
			}
			continue
		}
		if r.fast && r.fastRow(s) {
			return nil
		}
		if r.slowLine(ctx, r.nextLine(), s) {
			return nil
		}
	}
}

func (r *Reader) yielded(at int64) { r.last, r.any = at, true }

// failed names the recording in err. It drops what is left after a failure of the source, so that EOF follows.
func (r *Reader) failed(err error) error {
	cancelled := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err == io.EOF || cancelled && r.srcErr == nil {
		return err
	}
	r.srcErr, r.pos, r.full, r.end = io.EOF, 0, 0, 0
	var pathErr *os.PathError
	if errors.As(err, &pathErr) { // it names the file, too
		err = pathErr.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the file ends too early: %w", r.name, err)
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

func (r *Reader) noSamples() error {
	switch {
	case r.faults > 0:
		return fmt.Errorf("%s: no samples; %s, the first: %w", r.name, scan.Count(r.faults, "fault"), r.errs[0])
	}
	return fmt.Errorf("%s: no samples", r.name)
}

// fault counts the current line and records what is wrong with it.
func (r *Reader) fault(format string, args ...any) {
	r.faults++
	r.explain(format, args...)
}

func (r *Reader) explain(format string, args ...any) {
	r.errs = r.run.Add(r.errs, input.KindOf(format, args), r.line, func() error {
		return fmt.Errorf("%s:%d: %w", r.name, r.line, fmt.Errorf(format, args...))
	})
}

// peek reads until the buffer holds n unread bytes, or all there is.
func (r *Reader) peek(ctx context.Context, n int) error {
	for r.end-r.pos < n && r.srcErr == nil {
		if err := r.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read appends to the buffer what the source has, once.
func (r *Reader) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end : len(r.buf)-1]) // one byte stays free, for a missing last newline
		r.end += n
		r.srcErr = err
		if n > 0 || err != nil {
			return nil
		}
	}
	r.srcErr = io.ErrNoProgress
	return nil
}

// fill reads until the buffer holds a whole line. Its error is the source's once nothing is left.
func (r *Reader) fill(ctx context.Context) error {
	for r.pos == r.full {
		if r.srcErr != nil {
			if r.srcErr != io.EOF || r.full == r.end {
				return r.srcErr
			}
			r.buf[r.end] = '\n'
			r.end++
			r.full = r.end
			r.torn = true
			r.fast = r.fast && !r.notes.V1
			return nil
		}
		r.end = copy(r.buf, r.buf[r.full:r.end])
		r.pos, r.full = 0, 0
		if r.end > input.MaxLine {
			r.skipping, r.end = true, 0
		}
		if r.end == len(r.buf)-1 {
			larger := make([]byte, min(2*len(r.buf), input.MaxLine+input.BlockSize))
			copy(larger, r.buf[:r.end])
			r.buf = larger
		}
		from := r.end
		if err := r.read(ctx); err != nil {
			return err
		}
		if r.skipping {
			i := bytes.IndexByte(r.buf[:r.end], '\n')
			if i < 0 && r.srcErr == nil {
				r.end = 0
				continue
			}
			r.line++
			r.fault("longer than 1 MiB: skipped")
			r.skipping = false
			if i < 0 {
				r.end = 0
				continue
			}
			r.pos, r.full, from = i+1, i+1, i+1
		}
		if i := bytes.LastIndexByte(r.buf[from:r.end], '\n'); i >= 0 {
			r.full = from + i + 1
		}
	}
	return nil
}

// nextLine returns the next whole line of the buffer, without its end.
func (r *Reader) nextLine() []byte {
	line := r.buf[r.pos:r.full]
	i := bytes.IndexByte(line, '\n')
	r.pos += i + 1
	r.line++
	return bytes.TrimSuffix(line[:i], []byte("\r"))
}
