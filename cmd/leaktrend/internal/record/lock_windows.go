package record

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lock keeps others from recording into a file, for as long as it is open. A lock keeps others from reading too, so it
// is on a byte that no recording reaches.
func lock(file *os.File) error {
	far := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, far)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return nil
}

// unlinked reports whether an open file was deleted, which Windows does not allow.
func unlinked(fs.FileInfo) bool { return false }
