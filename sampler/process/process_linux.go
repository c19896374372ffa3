// Package process samples other processes, of any language, through /proc, and finds them by name. It is available only
// on Linux. It reads totals; package breakdown breaks down descriptors and threads.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/clock"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Source samples another process, of any language, through /proc: rss_bytes, open_fds, threads and cpu_seconds.
// It is available on Linux only.
type Source struct {
	proc  procfs.Proc
	pid   int
	ticks uint64 // when it started: with the pid, what makes it this process and no later one

	mu       sync.Mutex
	program  program
	start    time.Time // of the program
	ended    error
	closed   bool
	clock    *clock.Clock
	ceilings live.CeilingCache
	faults   live.Faults
}

// program is what a process runs. It may exec another.
type program struct {
	comm string // as the kernel keeps it
	path string // "" if it cannot be seen
	// What it was built from, where that can be seen.
	version, revision string
}

// New returns a Source for a process that runs now. It is an error if there is none of that pid, if it has ended
// but was not yet waited for, or if the pid is that of a thread.
func New(pid int) (*Source, error) {
	p, err := open(pid)
	if err != nil {
		return nil, fmt.Errorf("sampler: process %d: %w", pid, err)
	}
	return p, nil
}

func open(pid int) (*Source, error) {
	if pid <= 0 {
		return nil, errors.New("not a process id")
	}
	proc, err := procfs.NewFS(live.ProcRoot)
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
	start, err := live.StartTime(stat)
	if err != nil {
		return nil, err
	}
	return &Source{
		proc: p, pid: pid, program: programOf(p, stat.Comm), ticks: stat.Starttime, start: start,
		clock: clock.New(),
		ceilings: live.CeilingCache{Read: func() []sampler.Ceiling {
			return live.Ceilings(live.ProcRoot, live.SysRoot, pid)
		}},
	}, nil
}

func programOf(p procfs.Proc, comm string) program {
	version, revision := buildOf(filepath.Join(live.ProcRoot, strconv.Itoa(p.PID)))
	return program{comm, pathOf(p), version, revision}
}

// pathOf returns where the program of a process is: the same when the file there was replaced by that of the next
// release.
func pathOf(p procfs.Proc) string {
	path, err := p.Executable()
	if err != nil {
		return "" // another user's, or a kernel thread
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// absent makes a missing entry of /proc plain.
func absent(err error) error {
	if live.IsGone(err) {
		return fmt.Errorf("no such process (%w)", fs.ErrNotExist)
	}
	return err
}

func isDead(stat procfs.ProcStat) bool {
	return stat.State == "Z" || stat.State == "X" || stat.State == "x"
}

// PID returns the process id.
func (p *Source) PID() int { return p.pid }

// Name returns the command name as the kernel keeps it, cut to 15 bytes, made printable.
func (p *Source) Name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name()
}

func (p *Source) name() string { return redact.Printable(p.program.comm) }

// Executable returns the path of the program, made printable, or "" if that cannot be seen.
func (p *Source) Executable() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return redact.Printable(p.program.path)
}

// Started returns when the process began to run its program.
func (p *Source) Started() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start
}

// Arguments returns the command line, which may hold secrets.
func (p *Source) Arguments() ([]string, error) { return p.proc.CmdLine() }

// String returns the process as in "pid 4242 redis-server".
func (p *Source) String() string { return fmt.Sprintf("pid %d %s", p.pid, p.Name()) }

// ProcDir returns the directory of the process in the proc file system.
func (p *Source) ProcDir() string { return filepath.Join(live.ProcRoot, strconv.Itoa(p.pid)) }

// Alive returns an error once the process has ended, also when its id has passed to another one: while the start is the
// same, what was read before is not that of a later process.
func (p *Source) Alive() error {
	stat, err := p.proc.Stat()
	if err != nil {
		return fmt.Errorf("process %d (%s): %w", p.pid, p.Name(), err)
	}
	if stat.Starttime != p.ticks || isDead(stat) {
		return fmt.Errorf("process %d (%s) ended", p.pid, p.Name())
	}
	return nil
}

// endedError is io.EOF in words that people understand.
type endedError string

func (e endedError) Error() string { return string(e) }
func (e endedError) Unwrap() error { return io.EOF }

// Sample reads the process. The error names the resources that could not be read; the others are in the sample. Once
// the process has ended, also when its pid has passed to another one, the sample is empty and the error wraps io.EOF. A
// process that executes another program starts over with it. After Close the error wraps os.ErrClosed. Sample and Close
// may be called concurrently; the context is not used, as nothing here waits.
func (p *Source) Sample(_ context.Context, into *sampler.Sample) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	into.Reset(now)
	if p.closed {
		return fmt.Errorf("sampler: process %d (%s): %w", p.pid, p.name(), os.ErrClosed)
	}
	if p.ended != nil {
		return p.ended
	}

	ceilings := p.ceilings.At(now)
	fds, fdsErr := p.proc.FileDescriptorsLen()
	// Read last: while the start is still the same, nothing before was read from a later process of this pid.
	stat, err := p.proc.Stat()
	switch {
	case live.IsGone(err) && isOver(p.pid, live.ProcRoot) || err == nil && (stat.Starttime != p.ticks || isDead(stat)):
		p.ended = endedError(fmt.Sprintf("process %d (%s) ended", p.pid, p.name()))
		return p.ended
	case err != nil:
		return fmt.Errorf("sampler: process %d (%s): %w", p.pid, p.name(), err)
	}

	p.follow(stat.Comm, now)
	into.Start, into.PID, into.Ceilings = p.start, p.pid, ceilings
	into.Version, into.Revision = p.program.version, p.program.revision
	p.faults.Reset()
	// Between fork and exec, and after its memory is gone, a process has none yet, or none any more: that is no
	// reading.
	if rss := stat.ResidentMemory(); rss > 0 {
		into.Add(sampler.RSSBytes, float64(rss))
	}
	if fdsErr == nil {
		into.Add(sampler.OpenFDs, float64(fds))
	} else {
		p.faults.Add(sampler.OpenFDs, p.explain(fdsErr))
	}
	into.Add(sampler.Threads, float64(stat.NumThreads))
	into.Add(sampler.CPUSeconds, stat.CPUTime())
	return p.faults.Err()
}

// isOver reports whether a process is no more, of which the proc file system that is mounted at a root shows nothing:
// it may be the file system that is gone.
func isOver(pid int, root string) bool {
	_, err := os.Stat(filepath.Join(root, "self"))
	return err == nil || errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// follow notes that the process runs another program, which may have the same name: its start is when that was seen. A
// process may also change its name alone.
func (p *Source) follow(comm string, now time.Time) {
	if path := pathOf(p.proc); comm == p.program.comm && (path == "" || path == p.program.path) {
		return
	}
	next := programOf(p.proc, comm)
	if next.path != p.program.path && next.path != "" && p.program.path != "" {
		p.start = now
	}
	p.program = next
}

// Renew has the process start over, as one that was seen to execute a program at the place of the one before. Nothing
// happens where it runs none any more.
func (p *Source) Renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next := programOf(p.proc, p.program.comm); next.path != "" && p.ended == nil {
		p.program, p.start = next, p.clock.Now()
	}
}

// explain adds what to do about descriptors that may not be seen.
func (p *Source) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (run as the user of process %d, or as root)", err, p.pid)
	}
	return err
}

// Close ends the sampling. Closing again does nothing.
func (p *Source) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
