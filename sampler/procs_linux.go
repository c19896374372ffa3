package sampler

import (
	"errors"
	"io/fs"
	"math"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// isGone reports whether reading failed because the process is no more. ESRCH: it went between open and read.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// startTime returns when a process started, to the kernel's tick of 10 ms, on a boot time that is known to the second.
func startTime(stat procfs.ProcStat) (time.Time, error) {
	s, err := stat.StartTime()
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(math.Round(s * 1000))).UTC(), nil
}
