// Package record samples a source into a recording until it ends, or its time does. How a recording is written down
// stands in sampler/recording; nothing is judged here.
package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// File is a recording that is being written. What was sampled a second ago is on disk.
type File struct {
	file    *os.File // nil for standard output
	writer  *recording.Writer
	flushed time.Time
	samples int
}

// Create begins a recording in a file, or on standard output with "-". It does not replace a recording unless forced
// to. A nil stdout is in use for something else.
func Create(path string, force bool, stdout io.Writer, h recording.Header) (*File, error) {
	if path == "-" && stdout == nil {
		return nil, errors.New("-o -: standard output shows the view already, name a file")
	}
	if path == "-" {
		return &File{writer: recording.NewWriter(stdout, h)}, nil
	}
	if filepath.Ext(path) == ".gz" {
		return nil, fmt.Errorf("-o %s: recordings are written as plain text, so that what was sampled is there at any time; pack it afterwards", path)
	}
	if err := output.Writable(path, force); err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &File{file: file, writer: recording.NewWriter(file, h)}, nil
}

// Write appends a sample.
func (f *File) Write(s *sampler.Sample) error {
	if err := f.writer.Write(s); err != nil {
		return err
	}
	f.samples++
	if s.Time.Sub(f.flushed) < time.Second {
		return nil
	}
	f.flushed = s.Time
	return f.writer.Flush()
}

// Close ends the recording.
func (f *File) Close() error {
	err := f.writer.Flush()
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	return err
}

// Samples returns how many samples were written.
func (f *File) Samples() int { return f.samples }
