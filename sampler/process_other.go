//go:build !linux

package sampler

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Process samples another process through /proc. It is available on Linux only.
type Process struct{ pid int }

// NewProcess returns an error that wraps errors.ErrUnsupported: this needs Linux.
func NewProcess(int) (*Process, error) { return nil, errNotHere("sampling another process") }

// PID returns the process id.
func (p *Process) PID() int { return p.pid }

// Name returns the command name: not known here.
func (p *Process) Name() string { return "" }

// Executable returns the path of the program: not known here.
func (p *Process) Executable() string { return "" }

// String returns the process as in "pid 4242".
func (p *Process) String() string { return fmt.Sprintf("pid %d", p.pid) }

// Sample returns an error that wraps errors.ErrUnsupported.
func (p *Process) Sample(context.Context, *Sample) error {
	return errNotHere("sampling another process")
}

// Close does nothing.
func (p *Process) Close() error { return nil }

func errNotHere(what string) error {
	return fmt.Errorf("sampler: %s is not available on %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}
