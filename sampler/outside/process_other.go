//go:build !linux

package outside

import (
	"context"
	"fmt"
	"runtime"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Process is a running Go program. It is available on Linux only.
type Process struct{}

// Open returns an error that wraps ErrNotGo: this needs Linux.
func Open(int) (*Process, error) {
	return nil, fmt.Errorf("sampler: reading another process is not available on %s: %w", runtime.GOOS, ErrNotGo)
}

// Version returns "".
func (p *Process) Version() string { return "" }

// Module returns "".
func (p *Process) Module() string { return "" }

// Close does nothing.
func (p *Process) Close() error { return nil }

// Add returns ErrGone.
func (p *Process) Add(*sampler.Sample) error { return ErrGone }

// Gone returns true.
func (p *Process) Gone() bool { return true }

// Memory returns nothing.
func (p *Process) Memory() (Memory, bool) { return Memory{}, false }

// Goroutines returns ErrGone.
func (p *Process) Goroutines(context.Context) (*Profile, error) { return nil, ErrGone }

// List returns ErrGone.
func (p *Process) List(context.Context) ([]Goroutine, error) { return nil, ErrGone }

// Heap returns ErrGone.
func (p *Process) Heap(context.Context) (*Profile, error) { return nil, ErrGone }

// Holder returns ErrGone.
func (p *Process) Holder(context.Context, func([]Frame) bool, func([]Frame) (Frame, bool)) (*Holder, error) {
	return nil, ErrGone
}

// OwnHolder returns ErrNotGo.
func OwnHolder(context.Context, func([]Frame) bool, func([]Frame) (Frame, bool)) (*Holder, error) {
	return nil, ErrNotGo
}

// FinalizedHolder returns ErrGone.
func (p *Process) FinalizedHolder(context.Context, func([]Frame) (Frame, bool), ...string) (*Holder, error) {
	return nil, ErrGone
}

// OwnFinalizedHolder returns ErrNotGo.
func OwnFinalizedHolder(context.Context, func([]Frame) (Frame, bool), ...string) (*Holder, error) {
	return nil, ErrNotGo
}
