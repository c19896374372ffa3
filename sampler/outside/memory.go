package outside

import "io/fs"

// part is a place in the memory of the target, and where its bytes go.
type part struct {
	at   uint64
	to   []byte
	read bool // all of it
}

// reader reads the memory of a target: each part by itself, as some of it may be gone.
type reader interface {
	gather(parts []part)
}

type noRight struct{}

func (noRight) Error() string { return "no right to read its memory" }

func (noRight) Is(target error) bool { return target == fs.ErrPermission }

// errNoRight says that the memory of a process may not be read: it is an fs.ErrPermission.
var errNoRight error = noRight{}
