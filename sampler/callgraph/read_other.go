//go:build !linux || !(amd64 || arm64)

package callgraph

import (
	"errors"
	"fmt"
	"runtime"
)

// read returns an error that wraps errors.ErrUnsupported.
func read() (*Graph, error) {
	return nil, fmt.Errorf("callgraph: code is not read on %s/%s: %w", runtime.GOOS, runtime.GOARCH,
		errors.ErrUnsupported)
}
