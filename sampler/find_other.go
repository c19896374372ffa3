//go:build !linux

package sampler

// FindProcesses returns an error that wraps errors.ErrUnsupported: this needs Linux.
func FindProcesses(string) ([]int, error) { return nil, errNotHere("finding processes by name") }
