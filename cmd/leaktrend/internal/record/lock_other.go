//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package record

import (
	"io/fs"
	"os"
)

// lock does nothing, as locks are not known here.
func lock(*os.File) error { return nil }

// unlinked does nothing, as links are not known here.
func unlinked(fs.FileInfo) bool { return false }
