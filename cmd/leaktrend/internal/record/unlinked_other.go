//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package record

import "io/fs"

// unlinked reports whether an open file was deleted, which Windows does not allow, and where links are not known is not
// known either.
func unlinked(fs.FileInfo) bool { return false }
