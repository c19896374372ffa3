package self

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

// reopenAfter is how long a file that could not be opened is left alone, in sample time.
const reopenAfter = time.Minute

var (
	errStatm   = errors.New("unexpected content of statm")
	errThreads = errors.New("neither the task directory nor the runtime has their number")
)

// selfSystem reads what Linux knows of this process, through files that are kept open.
type selfSystem struct {
	proc, sys string
	page      float64
	statm     heldFile
	fds       heldFile
	tasks     heldFile
	// fdsBySize: the size of the descriptor directory is the number of its entries (Linux 6.2 and later).
	fdsBySize bool
	buf       []byte
	stat      unix.Stat_t
	usage     unix.Rusage
}

// ProcDir returns the directory of this process in the proc file system.
func (s *Source) ProcDir() string { return filepath.Join(s.system.proc, "self") }

// Alive returns nil: who asks is this process.
func (s *Source) Alive() error { return nil }

func newSelfSystem() selfSystem { return newSelfSystemAt(live.ProcRoot, live.SysRoot) }

func newSelfSystemAt(proc, sys string) selfSystem {
	y := selfSystem{
		proc:  proc,
		sys:   sys,
		page:  float64(os.Getpagesize()),
		statm: heldFile{path: filepath.Join(proc, "self", "statm")},
		fds:   heldFile{path: filepath.Join(proc, "self", "fd")},
		tasks: heldFile{path: filepath.Join(proc, "self", "task")},
		buf:   make([]byte, 4096),
	}
	now := time.Time{} // a file that cannot be opened now is tried again by the first sample
	_, _ = y.statm.open(now)
	_, _ = y.tasks.open(now)
	if fd, err := y.fds.open(now); err == nil && unix.Fstat(fd, &y.stat) == nil && y.stat.Size > 0 {
		// A sandbox may show a size that means something else.
		n, err := countEntries(fd, y.buf)
		slack := 8 + n/4 // descriptors come and go between the two
		y.fdsBySize = err == nil && max(n, int(y.stat.Size))-min(n, int(y.stat.Size)) <= slack
	}
	return y
}

// start returns the zero time if it is not known.
func (y *selfSystem) start() time.Time {
	fs, err := procfs.NewFS(y.proc)
	if err != nil {
		return time.Time{}
	}
	p, err := fs.Self()
	if err != nil {
		return time.Time{}
	}
	stat, err := p.Stat()
	if err != nil {
		return time.Time{}
	}
	start, _ := live.StartTime(stat)
	return start
}

func (y *selfSystem) ceilings() []sampler.Ceiling {
	fs, err := procfs.NewFS(y.proc)
	if err != nil {
		return nil
	}
	p, err := fs.Self() // not os.Getpid: /proc may be that of another pid namespace
	if err != nil {
		return nil
	}
	return live.Ceilings(y.proc, y.sys, p.PID)
}

func (y *selfSystem) sample(s *sampler.Sample, runtime *runtimeReader, f *live.Faults) {
	if v, err := y.rss(s.Time); err == nil {
		s.Add(sampler.RSSBytes, v)
	} else {
		f.Add(sampler.RSSBytes, err)
	}
	if v, err := y.openFDs(s.Time); err == nil {
		s.Add(sampler.OpenFDs, v)
	} else {
		f.Add(sampler.OpenFDs, err)
	}
	if v, err := y.threads(s.Time); err == nil {
		s.Add(sampler.Threads, v)
	} else if v, ok := runtime.threads(); ok {
		s.Add(sampler.Threads, v)
	} else {
		f.Add(sampler.Threads, err)
	}
	if err := unix.Getrusage(unix.RUSAGE_SELF, &y.usage); err == nil {
		s.Add(sampler.CPUSeconds, seconds(y.usage.Utime)+seconds(y.usage.Stime))
	} else {
		f.Add(sampler.CPUSeconds, err)
	}
}

func (y *selfSystem) rss(now time.Time) (float64, error) {
	fd, err := y.statm.open(now)
	if err != nil {
		return 0, err
	}
	n, err := unix.Pread(fd, y.buf, 0)
	if err != nil {
		return 0, err
	}
	pages, ok := parseStatm(y.buf[:n])
	if !ok {
		return 0, errStatm
	}
	return pages * y.page, nil
}

// parseStatm returns the resident pages, the second number.
func parseStatm(data []byte) (pages float64, ok bool) {
	_, rest, ok := bytes.Cut(data, []byte(" "))
	if !ok {
		return 0, false
	}
	resident, _, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(resident), 10, 64)
	return float64(n), err == nil
}

// openFDs counts all descriptors of the process, with the three that are held here: they too count towards its limit.
func (y *selfSystem) openFDs(now time.Time) (float64, error) {
	fd, err := y.fds.open(now)
	if err != nil {
		return 0, err
	}
	if y.fdsBySize {
		err := unix.Fstat(fd, &y.stat)
		return float64(y.stat.Size), err
	}
	n, err := countEntries(fd, y.buf)
	return float64(n), err
}

// countEntries lists an open directory from its beginning, without "." and "..".
func countEntries(fd int, buf []byte) (int, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return 0, err
	}
	// The kernel's linux_dirent64: inode (8 bytes), offset (8), length of the record (2), type (1), name.
	const lengthAt, nameAt = 16, 19
	count := 0
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return 0, err
		}
		if n <= 0 {
			return count, nil
		}
		for list := buf[:n]; len(list) > nameAt; {
			if list[nameAt] != '.' {
				count++
			}
			length := int(binary.NativeEndian.Uint16(list[lengthAt:]))
			if length <= nameAt || length > len(list) {
				return 0, unix.EIO
			}
			list = list[length:]
		}
	}
}

// threads reads the links of the task directory, which has one for each thread besides its own two.
func (y *selfSystem) threads(now time.Time) (float64, error) {
	fd, err := y.tasks.open(now)
	if err != nil {
		return 0, err
	}
	if err := unix.Fstat(fd, &y.stat); err != nil {
		return 0, err
	}
	if y.stat.Nlink < 3 {
		return 0, errThreads
	}
	return float64(y.stat.Nlink - 2), nil
}

func (y *selfSystem) close() error {
	return errors.Join(y.statm.close(), y.fds.close(), y.tasks.close())
}

func seconds(t unix.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// heldFile is a file or directory that is opened once. Opening that fails is tried again now and then.
type heldFile struct {
	path string
	file *os.File
	fd   int
	err  error
	next time.Time
}

func (h *heldFile) open(now time.Time) (fd int, err error) {
	if h.file != nil {
		return h.fd, nil
	}
	if h.err != nil && now.Before(h.next) {
		return 0, h.err
	}
	h.file, h.err = os.Open(h.path)
	if h.err != nil {
		h.next = now.Add(reopenAfter)
		return 0, h.err
	}
	h.fd = int(h.file.Fd())
	return h.fd, nil
}

func (h *heldFile) close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
