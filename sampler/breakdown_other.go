//go:build !linux

package sampler

import "context"

// Breakdown returns an error that wraps errors.ErrUnsupported: this needs Linux.
func (s *Self) Breakdown(context.Context, string, int) (*Breakdown, error) {
	return nil, errNotHere("a breakdown")
}

// Breakdown returns an error that wraps errors.ErrUnsupported: this needs Linux.
func (p *Process) Breakdown(context.Context, string, int) (*Breakdown, error) {
	return nil, errNotHere("a breakdown")
}
