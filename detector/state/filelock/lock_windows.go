package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Lock keeps others from locking a file, for as long as it is open: then theirs is ErrLocked. A lock keeps others from
// reading too, so it is on a byte that no file reaches.
func Lock(file *os.File) error {
	far := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, far)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return nil
}
