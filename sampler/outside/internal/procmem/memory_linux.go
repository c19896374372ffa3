package procmem

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxVector = 512       // places of one system call; the kernel takes 1024
	maxGap    = 512       // bytes between two places that are read as one
	maxRun    = 128 << 10 // bytes of places that are read as one
)

// Memory is that of a running process. It is used by one goroutine at a time.
type Memory struct {
	pid  int
	file *os.File // bound to the memory, not to the process id: after an exec or the end it reads nothing
	Slow bool     // the system call is not allowed here, or a pointer has no room for its addresses

	// Kept from one call to the next.
	order  []int32
	runs   []run
	buffer []byte
	remote []unix.RemoteIovec
	only   [1]run
}

// Open opens the memory of a process, whose directory in the proc file system is dir. The error wraps ErrNoRight where
// it may not be read.
func Open(dir string, pid int) (*Memory, error) {
	file, err := os.Open(dir + "/mem")
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %w", ErrNoRight, err)
	}
	if err != nil {
		return nil, err
	}
	return &Memory{pid: pid, file: file, Slow: bits.UintSize < 64}, nil
}

// Clone returns what another goroutine may use meanwhile, until this one is closed.
func (m *Memory) Clone() *Memory { return &Memory{pid: m.pid, file: m.file, Slow: m.Slow} }

// Same reports whether the process is still the one that was opened, and runs the program that it ran then: at a place
// that it never gives back.
func (m *Memory) Same(place uint64) bool {
	var b [1]byte
	n, err := m.file.ReadAt(b[:], int64(place))
	return n == 1 && (err == nil || errors.Is(err, io.EOF))
}

// Close ends the reading, also of what Clone has returned.
func (m *Memory) Close() error { return m.file.Close() }

// Gather reads the parts by the fewest system calls: neighbours are read as one.
func (m *Memory) Gather(parts []Part) {
	if len(parts) == 1 {
		p := &parts[0]
		m.only[0] = run{at: p.At, end: p.At + uint64(len(p.To))}
		p.Read = p.At <= m.only[0].end && m.vector(p.To, m.only[:]) == len(p.To)
		return
	}
	order := m.order[:0]
	for i := range parts {
		order = append(order, int32(i))
	}
	if !slices.IsSortedFunc(parts, func(a, b Part) int { return cmp.Compare(a.At, b.At) }) {
		slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(parts[a].At, parts[b].At) })
	}
	runs := m.runs[:0]
	for i := 0; i < len(order); {
		p := &parts[order[i]]
		r := run{at: p.At, end: p.At + uint64(len(p.To)), first: i}
		for i++; i < len(order); i++ {
			next := &parts[order[i]]
			end := next.At + uint64(len(next.To))
			if next.At < r.at || next.At > r.end+maxGap || end < next.At || max(r.end, end)-r.at > maxRun {
				break
			}
			r.end = max(r.end, end)
		}
		r.count = i - r.first
		runs = append(runs, r)
	}
	m.order, m.runs = order, runs
	for len(runs) > 0 {
		n, size := 0, 0
		for n < len(runs) && n < maxVector && (n == 0 || size+runs[n].size() <= 4*maxRun) {
			size += runs[n].size()
			n++
		}
		m.readRuns(parts, order, runs[:n], size)
		runs = runs[n:]
	}
}

// run is parts that lie close together.
type run struct {
	at, end      uint64
	first, count int
}

func (r run) size() int { return int(r.end - r.at) }

// readRuns reads some runs, and hands out what could be read of them. Where a run cannot be read as one, as there is a
// hole in it, its parts are read one by one.
func (m *Memory) readRuns(parts []Part, order []int32, runs []run, size int) {
	if size > len(m.buffer) {
		m.buffer = make([]byte, size)
	}
	buffer := m.buffer[:size]
	for len(runs) > 0 {
		n := m.vector(buffer, runs)
		done := 0
		for done < len(runs) && n >= runs[done].size() {
			r := runs[done]
			for _, i := range order[r.first : r.first+r.count] {
				copy(parts[i].To, buffer[parts[i].At-r.at:])
				parts[i].Read = true
			}
			buffer = buffer[r.size():]
			n -= r.size()
			done++
		}
		if done < len(runs) { // this one is the one that failed
			r := runs[done]
			for _, i := range order[r.first : r.first+r.count] {
				parts[i].Read = m.readOne(parts[i].At, parts[i].To)
			}
			buffer = buffer[r.size():]
			done++
		}
		runs = runs[done:]
	}
}

// vector reads runs into a buffer, one after the other, and returns how many bytes it could before the first that
// cannot be read.
func (m *Memory) vector(buffer []byte, runs []run) int {
	if !m.Slow {
		remote, total := m.remote[:0], 0
		for _, r := range runs {
			remote = append(remote, unix.RemoteIovec{Base: uintptr(r.at), Len: r.size()})
			total += r.size()
		}
		m.remote = remote
		if total == 0 {
			return 0
		}
		local := []unix.Iovec{{Base: unsafe.SliceData(buffer)}}
		local[0].SetLen(total)
		n, err := unix.ProcessVMReadv(m.pid, local, remote, 0)
		switch {
		case err == nil:
			return n
		case !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM):
			return 0
		}
		m.Slow = true // a filter of system calls
	}
	n := 0
	for _, r := range runs {
		if !m.readOne(r.at, buffer[n:n+r.size()]) {
			break
		}
		n += r.size()
	}
	return n
}

func (m *Memory) readOne(at uint64, to []byte) bool {
	if at > 1<<63-1 {
		return false
	}
	n, err := m.file.ReadAt(to, int64(at))
	return n == len(to) && (err == nil || errors.Is(err, io.EOF))
}
