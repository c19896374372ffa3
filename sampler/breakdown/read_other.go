//go:build !linux

package breakdown

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Read returns an error that wraps errors.ErrUnsupported: this needs Linux.
func Read(context.Context, Process, string, int) (*Breakdown, error) {
	return nil, fmt.Errorf("a breakdown is not available on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
