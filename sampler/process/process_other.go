//go:build !linux

// Package process samples other processes through /proc: it is available on Linux only.
package process

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Source samples another process through /proc. It is available on Linux only.
type Source struct{ pid int }

// New returns an error that wraps errors.ErrUnsupported: this needs Linux.
func New(int) (*Source, error) { return nil, errNotHere("sampling another process") }

// PID returns the process id.
func (p *Source) PID() int { return p.pid }

// Name returns the command name: not known here.
func (p *Source) Name() string { return "" }

// Executable returns the path of the program: not known here.
func (p *Source) Executable() string { return "" }

// Started returns when the process began: not known here.
func (p *Source) Started() time.Time { return time.Time{} }

// Arguments returns an error that wraps errors.ErrUnsupported.
func (p *Source) Arguments() ([]string, error) {
	return nil, errNotHere("the command line of another process")
}

// Alive returns an error that wraps errors.ErrUnsupported.
func (p *Source) Alive() error { return errNotHere("sampling another process") }

// String returns the process as in "pid 4242".
func (p *Source) String() string { return fmt.Sprintf("pid %d", p.pid) }

// Sample returns an error that wraps errors.ErrUnsupported.
func (p *Source) Sample(context.Context, *sampler.Sample) error {
	return errNotHere("sampling another process")
}

// Renew does nothing.
func (p *Source) Renew() {}

// Close does nothing.
func (p *Source) Close() error { return nil }

func errNotHere(what string) error {
	return fmt.Errorf("sampler: %s is not available on %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}
