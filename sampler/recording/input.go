package recording

import (
	"time"

	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Bounds on what is kept of a file that is not read as it is sampled. What is beyond them is not read, and that is
// said.
type bounds struct {
	cells   int // of a table
	values  int // of series
	series  int // of a file
	columns int // of one recording: as many as the engine judges, and the time
	limits  int // of one recording: levels that end the process
	item    int // bytes of a line, or of a value of JSON that is decoded at once
}

var defaultBounds = bounds{cells: 5_000_000, values: 16_000_000, series: 20_000,
	columns: maxForeign + len(sampler.Resources()) + 1,
	limits:  1000, item: 16 << 20}

// options say what a text does not.
type options struct {
	by       string        // the columns, parted by commas, that tell processes apart; "" to find them
	interval time.Duration // between two rows, samples or scrapes that have no times; 0 = not known
}

// input is the text of a file as it comes.
type input struct {
	ctx     context.Context
	name    string
	bounds  bounds
	head    []byte // as much of its beginning as was peeked, whole lines where there are any
	in      *bufio.Reader
	number  int    // of the line that was yielded last
	longest int    // bytes of a line that is not skipped
	long    []byte // a line that is longer than the buffer
	stopped string // the bound that was reached
	err     error  // why there is no more; nil at the end
	faultLog
}

func newInput(ctx context.Context, in *bufio.Reader, name string, b bounds) (*input, error) {
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	head, err := peek(in, blockSize)
	if err != nil {
		return nil, err
	}
	if i := bytes.LastIndexByte(head, '\n'); len(head) == blockSize && i >= 0 {
		head = head[:i+1]
	}
	return &input{ctx: ctx, name: name, bounds: b, head: bytes.Clone(head), in: in, longest: maxLine,
		faultLog: faultLog{name: name}}, nil
}

// lines yields the lines with their numbers, until the end, a bound, or the end of the context. A line is valid until
// the next one.
func (t *input) lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for t.stopped == "" {
			if t.number%64 == 0 {
				if t.err = t.ctx.Err(); t.err != nil {
					return
				}
			}
			line, err := t.readLine()
			if len(line) > 0 {
				t.number++
				if len(line) > t.longest {
					t.fault(t.number, "longer than %d MiB: skipped", max(t.longest>>20, 1))
				} else if !yield(t.number, line) {
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					t.err = err
				}
				return
			}
		}
	}
}

// readLine reads a line with its end. Of one that is too long it keeps just as much as tells that it is.
func (t *input) readLine() ([]byte, error) {
	line, err := t.in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	t.long = append(t.long[:0], line...)
	for err == bufio.ErrBufferFull {
		if err = t.ctx.Err(); err != nil {
			return nil, err
		}
		line, err = t.in.ReadSlice('\n')
		t.long = append(t.long, line[:min(len(line), t.longest+1-min(len(t.long), t.longest+1))]...)
	}
	return t.long, err
}

// stop ends the reading at a bound.
func (t *input) stop(bound string, args ...any) {
	if t.stopped == "" {
		t.stopped = fmt.Sprintf(bound, args...)
	}
}

func peek(in *bufio.Reader, n int) ([]byte, error) {
	head, err := in.Peek(n)
	if len(head) == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	return head, nil
}

// cause leaves out the path of a file, which the caller names.
func cause(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends too early: %w", err)
	}
	return err
}

const (
	blockSize = 256 << 10
	maxLine   = 1 << 20
)

// maxForeign bounds the columns of resources that are not in the table, of an endpoint with thousands of metrics.
const maxForeign = 4096
