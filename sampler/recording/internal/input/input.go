// Package input is how a file comes: unpacked, decoded and line by line, within bounds, with the faults of its lines.
// What a line means is not known here.
package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Bounds on what is kept of a file that is not read as it is sampled. What is beyond them is not read, and that is
// said.
type Bounds struct {
	Cells   int // of a table
	Values  int // of series
	Series  int // of a file
	Columns int // of one recording: as many as the engine judges, and the time
	Limits  int // of one recording: levels that end the process
	Item    int // bytes of a line, or of a value of JSON that is decoded at once
}

// DefaultBounds are those of every file that a user has read.
var DefaultBounds = Bounds{Cells: 5_000_000, Values: 16_000_000, Series: 20_000,
	Columns: MaxForeign + len(sampler.Resources()) + 1,
	Limits:  1000, Item: 16 << 20}

// Options are what a text does not say itself.
type Options struct {
	By       string        // the columns, separated by commas, that distinguish processes; "" to find them
	Interval time.Duration // between two rows, samples or scrapes that have no times; 0 = not known
}

// Text is the text of a file as it comes.
type Text struct {
	Ctx     context.Context
	Name    string
	Bounds  Bounds
	Head    []byte // as much of its beginning as was peeked, whole lines where there are any
	In      *bufio.Reader
	Number  int    // of the line that was yielded last
	Longest int    // bytes of a line that is not skipped
	long    []byte // a line that is longer than the buffer
	Stopped string // the bound that was reached
	Err     error  // why there is no more; nil at the end
	FaultLog
}

// New returns the text that in yields, and reads its beginning. Errors call the file name.
func New(ctx context.Context, in *bufio.Reader, name string, b Bounds) (*Text, error) {
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	head, err := peek(in, BlockSize)
	if err != nil {
		return nil, err
	}
	if i := bytes.LastIndexByte(head, '\n'); len(head) == BlockSize && i >= 0 {
		head = head[:i+1]
	}
	return &Text{Ctx: ctx, Name: name, Bounds: b, Head: bytes.Clone(head), In: in, Longest: MaxLine,
		FaultLog: FaultLog{Name: name}}, nil
}

// Lines yields the lines with their numbers, until the end, a bound, or the end of the context. A line is valid until
// the next one.
func (t *Text) Lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for t.Stopped == "" {
			if t.Number%64 == 0 {
				if t.Err = t.Ctx.Err(); t.Err != nil {
					return
				}
			}
			line, err := t.readLine()
			if len(line) > 0 {
				t.Number++
				if len(line) > t.Longest {
					t.Fault(t.Number, "longer than %d MiB: skipped", max(t.Longest>>20, 1))
				} else if !yield(t.Number, line) {
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					t.Err = err
				}
				return
			}
		}
	}
}

// readLine reads a line with its end. Of one that is too long it keeps just enough to detect that.
func (t *Text) readLine() ([]byte, error) {
	line, err := t.In.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	t.long = append(t.long[:0], line...)
	for err == bufio.ErrBufferFull {
		if err = t.Ctx.Err(); err != nil {
			return nil, err
		}
		line, err = t.In.ReadSlice('\n')
		t.long = append(t.long, line[:min(len(line), t.Longest+1-min(len(t.long), t.Longest+1))]...)
	}
	return t.long, err
}

// Stop ends the reading at a bound.
func (t *Text) Stop(bound string, args ...any) {
	if t.Stopped == "" {
		t.Stopped = fmt.Sprintf(bound, args...)
	}
}

func peek(in *bufio.Reader, n int) ([]byte, error) {
	head, err := in.Peek(n)
	if len(head) == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	return head, nil
}

// Cause leaves out the path of a file, which the caller names.
func Cause(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends too early: %w", err)
	}
	return err
}

// Bytes: how much is read at once to recognize a file, and how long a line may be.
const (
	BlockSize = 256 << 10
	MaxLine   = 1 << 20
)

// MaxForeign bounds the columns of resources that are not in the table, of an endpoint with thousands of metrics.
const MaxForeign = 4096
