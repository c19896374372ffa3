//go:build !linux

package profile

import "time"

// threadTime returns the processor time that the calling thread has used; ok is false where that is unknown.
func threadTime() (used time.Duration, ok bool) { return 0, false }
