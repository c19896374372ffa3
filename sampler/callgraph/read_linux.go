//go:build linux && (amd64 || arm64)

package callgraph

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"runtime"

	"github.com/mdzesseis/leaktrend/sampler/internal/image"
)

const (
	chunk   = 1 << 20 // bytes of code that are read at a time
	overlap = 8       // more than an instruction with its target
	perCall = 32      // bytes of code to one call, as most programs have it
)

// read finds the calls in the code of this program.
func read() (*Graph, error) {
	file, err := os.Open(image.Program)
	if err != nil {
		return nil, fmt.Errorf("callgraph: %w", err)
	}
	defer file.Close()
	text, err := textOf(file)
	if err != nil {
		return nil, fmt.Errorf("callgraph: %w", err)
	}
	c := &Graph{start: uintptr(text.Start), calls: make([]call, 0, (text.End-text.Start)/perCall)}
	for at := text.Start; at < text.End; at += chunk {
		data, ok := text.Read(file, at, min(chunk+overlap, text.End-at))
		if !ok {
			return nil, errors.New("callgraph: the program's file cannot be read")
		}
		own := int(min(chunk, text.End-at))
		eachCall(data, func(offset, length int, target int64) {
			if to := int64(at-text.Start) + target; offset < own && to >= 0 && to < int64(text.End-text.Start) &&
				c.isStart(to) {
				c.calls = append(c.calls, call{uint32(to), uint32(at-text.Start) + uint32(offset+length)})
			}
		})
	}
	c.calls = sorted(c.calls)
	return c, nil
}

// textOf returns where the code of this program is.
func textOf(file io.ReaderAt) (text image.Region, err error) {
	defer func() {
		if p := recover(); p != nil { // the file is not what it should be
			err = fmt.Errorf("the program's file cannot be read: %v", p)
		}
	}()
	regions, code, err := image.Regions(file)
	if err != nil {
		return text, err
	}
	self := uint64(reflect.ValueOf(textOf).Pointer())
	for i, r := range regions {
		if code[i] && r.Holds(self, 1) && r.End-r.Start < math.MaxUint32 {
			return r, nil
		}
	}
	return text, errors.New("the program's file does not tell where its code is")
}

// isStart reports whether a function begins at an offset.
func (c *Graph) isStart(offset int64) bool {
	pc := c.start + uintptr(offset)
	f := runtime.FuncForPC(pc)
	return f != nil && f.Entry() == pc
}
