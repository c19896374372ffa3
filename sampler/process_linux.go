package sampler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/procfs"
)

// Process samples another process, of any language, through /proc: rss_bytes, open_fds, threads and cpu_seconds.
// It is available on Linux only.
type Process struct {
	proc       procfs.Proc
	pid        int
	name       string
	executable string
	ticks      uint64 // when it started: with the pid, what makes it this process and no later one
	start      time.Time

	mu       sync.Mutex
	ended    error
	closed   bool
	clock    *clock
	ceilings ceilingCache
	faults   faults
}

// NewProcess returns a Source for a process that runs now. It is an error if there is none of that pid, if it has ended
// but was not yet waited for, or if the pid is that of a thread.
func NewProcess(pid int) (*Process, error) {
	p, err := newProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("sampler: process %d: %w", pid, err)
	}
	return p, nil
}

func newProcess(pid int) (*Process, error) {
	if pid <= 0 {
		return nil, errors.New("not a process id")
	}
	proc, err := procfs.NewFS(procRoot)
	if err != nil {
		return nil, err
	}
	p, err := proc.Proc(pid)
	if err != nil {
		return nil, absent(err)
	}
	status, err := p.NewStatus()
	if err != nil {
		return nil, absent(err)
	}
	if status.TGID != pid {
		return nil, fmt.Errorf("is a thread of process %d", status.TGID)
	}
	stat, err := p.Stat()
	if err != nil {
		return nil, absent(err)
	}
	if isDead(stat) {
		return nil, errors.New("has ended already")
	}
	start, err := startTime(stat)
	if err != nil {
		return nil, err
	}
	executable, err := p.Executable()
	if err != nil {
		executable = "" // another user's, or a kernel thread
	}
	return &Process{
		proc: p, pid: pid, name: stat.Comm, executable: executable, ticks: stat.Starttime, start: start,
		clock:    newClock(),
		ceilings: ceilingCache{read: func() []Ceiling { return ceilings(procRoot, sysRoot, pid) }},
	}, nil
}

// absent makes a missing entry of /proc plain.
func absent(err error) error {
	if isGone(err) {
		return fmt.Errorf("no such process (%w)", fs.ErrNotExist)
	}
	return err
}

func isDead(stat procfs.ProcStat) bool {
	return stat.State == "Z" || stat.State == "X" || stat.State == "x"
}

// PID returns the process id.
func (p *Process) PID() int { return p.pid }

// Name returns the command name as the kernel keeps it, cut to 15 bytes.
func (p *Process) Name() string { return p.name }

// Executable returns the path of the program, or "" if that cannot be seen.
func (p *Process) Executable() string { return p.executable }

// String returns the process as in "pid 4242 redis-server".
func (p *Process) String() string { return fmt.Sprintf("pid %d %s", p.pid, p.name) }

// ProcDir returns the directory of the process in the proc file system.
func (p *Process) ProcDir() string { return filepath.Join(procRoot, strconv.Itoa(p.pid)) }

// Alive returns an error once the process has ended, also when its id has passed to another one: while the start is the same, what was read
// before is not that of a later process.
func (p *Process) Alive() error {
	stat, err := p.proc.Stat()
	if err != nil {
		return fmt.Errorf("process %d (%s): %w", p.pid, p.name, err)
	}
	if stat.Starttime != p.ticks {
		return fmt.Errorf("process %d (%s) ended", p.pid, p.name)
	}
	return nil
}

// endedError is io.EOF in words that people understand.
type endedError string

func (e endedError) Error() string { return string(e) }
func (e endedError) Unwrap() error { return io.EOF }

// Sample reads the process. The error names the resources that could not be read; the others are in the sample. Once the
// process has ended, also when its pid has passed to another one, the sample is empty and the error wraps io.EOF. After
// Close the error wraps os.ErrClosed. Sample and Close may be called concurrently; the context is not used, as nothing
// here waits.
func (p *Process) Sample(_ context.Context, into *Sample) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	into.Reset(now)
	if p.closed {
		return fmt.Errorf("sampler: process %d (%s): %w", p.pid, p.name, os.ErrClosed)
	}
	if p.ended != nil {
		return p.ended
	}

	ceilings := p.ceilings.at(now)
	fds, fdsErr := p.proc.FileDescriptorsLen()
	// Read last: while the start is still the same, nothing before was read from a later process of this pid.
	stat, err := p.proc.Stat()
	switch {
	case isGone(err) || err == nil && (stat.Starttime != p.ticks || isDead(stat)):
		p.ended = endedError(fmt.Sprintf("process %d (%s) ended", p.pid, p.name))
		return p.ended
	case err != nil:
		return fmt.Errorf("sampler: process %d (%s): %w", p.pid, p.name, err)
	}

	into.Start, into.Ceilings = p.start, ceilings
	p.faults.reset()
	into.Add(RSSBytes, float64(stat.ResidentMemory()))
	if fdsErr == nil {
		into.Add(OpenFDs, float64(fds))
	} else {
		p.faults.add(OpenFDs, p.explain(fdsErr))
	}
	into.Add(Threads, float64(stat.NumThreads))
	into.Add(CPUSeconds, stat.CPUTime())
	return p.faults.err()
}

// explain says what to do about descriptors that may not be seen.
func (p *Process) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (run as the user of process %d, or as root)", err, p.pid)
	}
	return err
}

// Close ends the sampling. Closing again does nothing.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
