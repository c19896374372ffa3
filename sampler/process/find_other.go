//go:build !linux

package process

// Find returns an error that wraps errors.ErrUnsupported: this needs Linux.
func Find(string) ([]int, error) { return nil, errNotHere("finding processes by name") }
