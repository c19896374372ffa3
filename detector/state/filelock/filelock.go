// Package filelock reserves a file for one writer: a recording, or the state of a process. The lock is the system's
// and ends with the process that holds it, however that ends.
package filelock

import "errors"

// ErrLocked says that somebody else holds the lock on a file.
var ErrLocked = errors.New("another process holds the lock")
