package recording

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/comments"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/naming"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/table"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/tokens"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/unjudged"
)

// Options are what a file does not say itself.
type Options struct {
	// By names the columns, parted by commas, that distinguish processes in a table of several; "" to find them.
	By string
	// Interval is the time between two rows, samples or scrapes that have no times; 0 = not known.
	Interval time.Duration

	bounds input.Bounds // the default ones where all are 0
}

// File is what a file holds: one recording of each process.
type File struct {
	Name       string    // as in errors
	Recordings []*Reader // at least one
	// Format names the format that was recognized; "" for a recording of our own and a plain CSV file.
	Format string

	by  string         // what it was to be split by, and was not, as it is of one process
	all *gathered.File // nil where the one recording is read as it goes
	opened
}

// maxText is how much of a recording is read to find out what its columns are.
const maxText = 32 << 20

// Read recognizes the format of src and returns the recordings in it; name stands for it in errors. Recordings of our
// own and plain CSV files are read as they are sampled, all else at once. The error says that nothing could be read: it
// names the format seen, what is missing, and the way out.
func Read(ctx context.Context, src io.Reader, name string, o Options) (*File, error) {
	in, below, head, err := input.Unpack(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	own := isOwn(head)
	if own && oddColumn(head) {
		return readTwice(ctx, in, name, o.By)
	}
	if own || o.By == "" && o.Interval <= 0 && streams(head) {
		ahead, err := in.Peek(in.Buffered())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		// past the buffer: it would copy all once more
		r, err := newStream(ctx, io.MultiReader(bytes.NewReader(ahead), below), name)
		if err != nil {
			return nil, err
		}
		return &File{Name: name, Recordings: []*Reader{r}, by: o.By}, nil
	}
	t, err := input.New(ctx, in, name, cmp.Or(o.bounds, input.DefaultBounds))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, input.Cause(err))
	}
	g, err := formats.Read(t, input.Options{By: o.By, Interval: o.Interval})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.Err != nil && t.Number == 0:
		return nil, fmt.Errorf("%s: %w", name, input.Cause(t.Err))
	case err != nil:
		return nil, err
	}
	g.Bounded(t)
	f := &File{Name: name, Format: g.Format, all: g}
	for i, p := range g.Processes {
		r := &Reader{name: name, process: p, last: math.MinInt64, srcErr: io.EOF, upTo: g.Header}
		if i == 0 {
			r.faults, r.errs = g.Faults, g.Errs
		}
		// the error that kept the rest from being read comes after the good samples
		if t.Err != nil && i == len(g.Processes)-1 {
			r.srcErr = t.Err
		}
		f.Recordings = append(f.Recordings, r)
	}
	return f, nil
}

// isOwn reports whether a note before the first row says that a file is a recording of our own.
func isOwn(head []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\ufeff"))) {
		if bytes.HasPrefix(line, []byte(comments.Prefix)) {
			return true
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return false
}

// readTwice reads a recording of our own in which some columns are only known by their values: its beginning first for
// what they are, then all of it for the samples.
func readTwice(ctx context.Context, in io.Reader, name, by string) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxText))
	rest := io.MultiReader(bytes.NewReader(text), in)
	if err != nil {
		rest = io.MultiReader(bytes.NewReader(text), failing{err})
	}
	first, openErr := newStream(ctx, bytes.NewReader(text), name)
	if openErr != nil {
		return nil, openErr
	}
	columns := map[string]*gathered.Column{}
	var s sampler.Sample
	for first.Sample(ctx, &s) == nil {
		for _, reading := range s.Readings {
			c := columns[reading.Resource]
			if c == nil {
				c = &gathered.Column{Sorted: true}
				c.Resource, _ = sampler.Lookup(reading.Resource)
				columns[reading.Resource] = c
			}
			if c.Resource.Unjudged != "" {
				c.Add(s.Time.UnixNano(), reading.Value)
			}
		}
	}
	r, err := newStream(ctx, rest, name)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		c := columns[name]
		c.JudgeKind()
		r.resources = append(r.resources, c.Resource)
	}
	return &File{Name: name, Recordings: []*Reader{r}, by: by}, nil
}

// failing is a Reader of what failed before.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// only returns the recording of a file that has no other.
func (f *File) only() (*Reader, error) {
	if n := len(f.Recordings); n > 1 {
		return nil, fmt.Errorf("%s: %d recordings by %s, where one is wanted: leaktrend convert writes each to a "+
			"file of its own", f.Name, n, f.all.By)
	}
	return f.Recordings[0], nil
}

// ReadFile reads a file; "-" is standard input. The caller closes it.
func ReadFile(ctx context.Context, path string, o Options) (*File, error) {
	if path == "-" {
		return Read(ctx, os.Stdin, "standard input", o)
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := Read(ctx, in, path, o)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	f.file = in
	return f, nil
}

// streams reports whether a file, by its beginning, is a recording of our own or a CSV file as plain: times first and
// in order, each once, then numbers, under names that say what they are.
func streams(head []byte) bool {
	r, err := newStream(context.Background(), bytes.NewReader(wholeLines(head)), "")
	if err != nil || r.columns == nil || !r.fast || r.faults > 0 {
		return false
	}
	if oddColumns(r.columns) || slices.ContainsFunc(r.columns, countsRows) ||
		slices.ContainsFunc(r.columns, naming.NumbersProcesses) ||
		slices.ContainsFunc(r.columns, unjudged.IsCache) || slices.ContainsFunc(r.columns, unjudged.IsRemainder) ||
		slices.ContainsFunc(r.columns, unjudged.IsCounter) || r.columns[0] != "" {
		return false
	}
	whole := len(head) < input.BlockSize
	var s sampler.Sample
	n := 0
	for r.Sample(context.Background(), &s) == nil {
		for _, reading := range s.Readings {
			if whole && reading.Value <= 0 { // looks like a failed reading: the ones after it decide
				return false
			}
		}
		if n++; s.Time.Unix() < 1e8 && (!r.named || isSerialDay(&s)) {
			return false
		}
		if len(s.Readings) == 0 && n == 1 {
			return false
		}
	}
	return n > 0 && r.faults == 0
}

// countsRows reports whether a column may hold the numbers of rows, by its name.
func countsRows(name string) bool {
	list := naming.Words(name)
	return len(list) == 1 && slices.Contains(naming.RowWords, list[0])
}

// isSerialDay reports whether the time of a sample, taken for seconds, looks like a day of a spreadsheet.
func isSerialDay(s *sampler.Sample) bool {
	days := float64(s.Time.UnixNano()) / 1e9
	return table.SerialDay(days) && s.Time.Nanosecond() != 0
}

func wholeLines(head []byte) []byte {
	if len(head) < input.BlockSize {
		return head
	}
	return head[:bytes.LastIndexByte(head, '\n')+1]
}

// oddColumn reports whether the header of a recording has an odd column.
func oddColumn(head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var names []string
		for _, cell := range tokens.SplitCSV(nil, line) {
			names = append(names, string(cell))
		}
		return len(names) > 1 && oddColumns(names[1:])
	}
	return false
}

// oddColumns reports whether only the values show what a column is, or its name has a unit of its own.
func oddColumns(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if name == "" {
			return false
		}
		r, known := sampler.Lookup(name)
		if words, _ := sampler.Lookup(strings.Join(naming.Words(name), " ")); r.Unjudged == "" {
			r.Unjudged = words.Unjudged
		}
		factor, _ := naming.Unit(name)
		_, metric := gathered.ResourceOf(name)
		return !known && (r.Unjudged != "" || factor != 1 || metric || naming.IsStart(name))
	})
}
