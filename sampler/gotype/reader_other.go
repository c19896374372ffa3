//go:build !linux || !(amd64 || arm64)

package gotype

import (
	"errors"
	"fmt"
	"runtime"
)

// Reader names types: none here.
type Reader struct{}

// New returns an error that wraps errors.ErrUnsupported.
func New() (*Reader, error) {
	return nil, fmt.Errorf("gotype: types cannot be named on %s/%s: %w", runtime.GOOS, runtime.GOARCH,
		errors.ErrUnsupported)
}

// Allocated returns "".
func (r *Reader) Allocated([]uintptr) string { return "" }
