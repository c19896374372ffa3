//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package record

import (
	"io/fs"
	"syscall"
)

// unlinked reports whether an open file was deleted.
func unlinked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
