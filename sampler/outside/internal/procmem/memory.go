// Package procmem reads the memory of a process, many places by one system call, and says what gives the right to read
// it.
package procmem

import "io/fs"

// Part is a place in the memory of the target, and where its bytes go.
type Part struct {
	At   uint64
	To   []byte
	Read bool // all of it
}

// Reader reads the memory of a target: each part by itself, as some of it may be gone.
type Reader interface {
	Gather(parts []Part)
}

type noRight struct{}

func (noRight) Error() string { return "no right to read its memory" }

func (noRight) Is(target error) bool { return target == fs.ErrPermission }

// ErrNoRight says that the memory of a process may not be read: it is an fs.ErrPermission.
var ErrNoRight error = noRight{}
