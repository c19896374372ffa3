package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// slept returns for how long the machine has slept since it was started.
func slept() time.Duration {
	var awake, all unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &all) != nil {
		return 0
	}
	// they are read one after the other
	return max(0, time.Duration(all.Nano()-awake.Nano())).Round(100 * time.Millisecond)
}
