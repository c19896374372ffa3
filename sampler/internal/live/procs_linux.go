package live

import (
	"errors"
	"io/fs"
	"math"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Where Linux mounts the file systems of processes and control groups.
const (
	ProcRoot = procfs.DefaultMountPoint
	SysRoot  = "/sys"
)

// IsGone reports whether reading failed because the process is no more. ESRCH: it went between open and read.
func IsGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// StartTime returns when a process started, to the kernel's tick of 10 ms, on a boot time that is known to the second.
func StartTime(stat procfs.ProcStat) (time.Time, error) {
	s, err := stat.StartTime()
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(math.Round(s * 1000))).UTC(), nil
}
