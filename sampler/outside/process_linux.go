package outside

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/executable"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

const (
	// share of a core that the counts of samples may take: where they take more, some samples go without.
	share = .005
	// longest is how long a profile may take.
	longest = 10 * time.Second
	// longestSearch is how long a search for what holds memory may take.
	longestSearch = 30 * time.Second
	// longestOwn is the processor time that a process may look through its own memory.
	longestOwn = 4 * time.Second
	// longestTurn is how long a search waits for others to end.
	longestTurn = 30 * time.Second
	// A process that has just begun may have no entry point or no goroutines yet: it is tried some times.
	startTries = 10
	startPause = 20 * time.Millisecond
)

var (
	errPacked = errors.New(
		"its file is packed by UPX, so neither its lines nor its release of Go can be found in it")
	errNoEntry = errors.New("its entry point is not known")
)

// Process is a running Go program. It is safe for concurrent use.
type Process struct {
	pid     int
	memory  *procmem.Memory
	exe     *os.File
	version string
	module  string // path of the main module; "" where unknown
	text    uint64 // the address of its code

	reading sync.Mutex // what follows: a profile takes up to 10 s
	target  *goruntime.Target
	heap    heap.Profile

	mu      sync.Mutex        // what follows: samples do not wait for profiles
	sampled *goruntime.Target // the same, for them
	closed  bool
	next    time.Time // when the goroutines are counted again
}

// Open opens a process. The error wraps ErrNotGo where it does not run a Go program, and fs.ErrPermission where its
// memory may not be read; other errors say what is missing, as a known release of Go.
func Open(pid int) (*Process, error) {
	p, err := open(pid)
	switch {
	case errors.Is(err, ErrNotGo):
		return nil, err
	case errors.Is(err, procmem.ErrNoRight):
		return nil, fmt.Errorf("process %d: %w: %s", pid, procmem.ErrNoRight,
			procmem.CallerOf(live.ProcRoot, pid).Remedy(pid))
	case err != nil:
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return p, nil
}

func open(pid int) (p *Process, err error) {
	dir := filepath.Join(live.ProcRoot, strconv.Itoa(pid))
	exe, err := os.Open(filepath.Join(dir, "exe")) // also in its own container
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, procmem.ErrNoRight
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotGo // a thread of the kernel
	case err != nil:
		return nil, err
	}
	opened := &Process{pid: pid, exe: exe}
	defer func() {
		if r := recover(); r != nil { // the process is not trusted, and one that watches it watches others too
			p, err = nil, fmt.Errorf("its memory is not that of a program: %v", r)
		}
		if err != nil {
			_ = opened.Close()
		}
	}()
	info, err := executable.BuildInfo(exe)
	switch {
	case err != nil && isPacked(exe):
		return nil, errPacked
	case err != nil:
		return nil, ErrNotGo
	}
	opened.version, opened.module = info.GoVersion, info.Main.Path
	entry, err := entryOf(dir)
	for range startTries {
		if !errors.Is(err, errNoEntry) {
			break
		}
		time.Sleep(startPause)
		entry, err = entryOf(dir)
	}
	if err != nil {
		return nil, err
	}
	if opened.memory, err = procmem.Open(dir, pid); err != nil { // of the program that has that entry point
		return nil, err
	}
	if opened.target, err = goruntime.New(opened.memory, exe, entry, opened.version); err != nil {
		return nil, err
	}
	opened.heap.Target, opened.target.Table.Main, opened.text = opened.target, opened.module, opened.target.Table.Text
	for range startTries {
		if err = opened.target.Verify(); err == nil {
			opened.sampled = opened.target.Clone(opened.memory.Clone())
			return opened, nil
		}
		time.Sleep(startPause)
	}
	return nil, err
}

// isPacked reports whether a program was packed by UPX, whose mark is behind the headers.
func isPacked(file io.ReaderAt) bool {
	head := make([]byte, 1024)
	n, _ := file.ReadAt(head, 0)
	return bytes.Contains(head[:n], []byte("UPX!"))
}

// entryOf returns where a process has the entry point of its program. The error is errNoEntry while the kernel has not
// told it yet: it does so only when all else of the program is loaded.
func entryOf(dir string) (uint64, error) {
	const atEntry = 9 // AT_ENTRY of getauxval(3)
	data, err := os.ReadFile(filepath.Join(dir, "auxv"))
	if errors.Is(err, fs.ErrPermission) {
		return 0, procmem.ErrNoRight
	}
	if err != nil {
		return 0, err
	}
	for ; len(data) >= 16; data = data[16:] {
		switch kind := binary.LittleEndian.Uint64(data); {
		case kind == atEntry:
			return binary.LittleEndian.Uint64(data[8:]), nil
		case kind > math.MaxUint32: // a value is where only a kind can be: both have 32 bits
			return 0, objfile.ErrNotELF
		}
	}
	return 0, errNoEntry
}

// Version returns the version of Go that has built the program.
func (p *Process) Version() string { return p.version }

// Module returns the path of the program's main module; "" where that is not known.
func (p *Process) Module() string { return p.module }

// Close ends the reading.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	err := p.exe.Close()
	if p.memory != nil {
		err = errors.Join(err, p.memory.Close())
	}
	return err
}

// check returns an error where nothing that is read is of this program any more.
func (p *Process) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkLocked()
}

// checkLocked is check for who has locked it already.
func (p *Process) checkLocked() error {
	switch {
	case p.closed:
		return os.ErrClosed
	case p.memory != nil && !p.memory.Same(p.text):
		return ErrGone
	}
	return nil
}

// Add adds to a sample what is read of the runtime: goroutines, heap_live_bytes and gc_cycles, as far as they are
// known. Goroutines are left out of some samples where so many are counted that it takes more than half a percent of a
// core. The error wraps ErrGone where the process is no longer what it was; nothing is added then.
func (p *Process) Add(into *sampler.Sample) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(); err != nil {
		return err
	}
	p.sampled.Table.Image.ResetWork()
	goroutines, counted := 0, false
	if now := time.Now(); !now.Before(p.next) {
		used := threadTime(func() { goroutines, counted = p.sampled.Count() })
		p.next = now.Add(time.Duration(float64(used) / share))
	}
	marked, hasMarked := p.sampled.Marked()
	collections, hasCollections := p.sampled.Collections()
	if err := p.checkLocked(); err != nil {
		return err
	}
	if counted {
		into.Add(sampler.Goroutines, float64(goroutines))
	}
	// Before the first collection nothing is marked.
	if hasMarked && marked > 0 && marked < 1<<48 {
		into.Add(sampler.HeapLiveBytes, float64(marked))
	}
	if hasCollections {
		into.Add(sampler.GCCycles, float64(collections))
	}
	return nil
}

// Gone reports whether the process has ended, or executes another program, or this one anew.
func (p *Process) Gone() bool {
	return errors.Is(p.check(), ErrGone)
}

// Memory returns what the runtime of the program knows of its memory; ok is false where that cannot be read.
func (p *Process) Memory() (m Memory, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.checkLocked() != nil {
		return m, false
	}
	m, ok = goruntime.MemoryOf(p.sampled)
	return m, ok && p.checkLocked() == nil
}

// threadTime returns the processor time that some work has taken.
func threadTime(work func()) time.Duration {
	runtime.LockOSThread() // whose processor time is read
	defer runtime.UnlockOSThread()
	before := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	work()
	return time.Duration(clock(unix.CLOCK_THREAD_CPUTIME_ID) - before)
}

// clock returns the time of one of the kernel's clocks, in ns.
func clock(id int32) int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t) // these clocks always exist
	return t.Nano()
}

// Goroutines returns where all goroutines stand. The error wraps ErrGone where the process is no longer what it was.
func (p *Process) Goroutines(ctx context.Context) (*Profile, error) {
	var g groups
	return p.profile(ctx, func(ctx context.Context) (*Profile, error) {
		seen, err := p.target.Stacks(ctx, func(_ *goruntime.Goroutine, pcs []uint64) bool {
			return g.add(p.target.Table, pcs)
		})
		return &Profile{Stacks: g.all, Seen: seen}, err
	})
}

// List returns the goroutines one by one, the latest of the runtime's list last: as many as have room in 64 MB.
func (p *Process) List(ctx context.Context) (all []Goroutine, err error) {
	var g groups
	now := clock(unix.CLOCK_MONOTONIC) // as the runtime takes it
	_, err = p.profile(ctx, func(ctx context.Context) (*Profile, error) {
		seen, err := p.target.Stacks(ctx, func(d *goruntime.Goroutine, pcs []uint64) bool {
			if !g.addOne(p.target.Table, pcs) {
				return false
			}
			one := Goroutine{ID: d.ID, Parent: d.Parent, Reason: p.target.Reason(d), Frames: g.latest.Frames}
			if d.State == goruntime.Waiting && d.WaitSince > 0 && d.WaitSince < now {
				one.Waited = time.Duration(now - d.WaitSince)
			}
			if creator, ok := p.target.Table.At(d.Creator - 1); ok && len(creator) > 0 {
				one.Creator = creator[0]
			}
			all = append(all, one)
			return true
		})
		return &Profile{Seen: seen}, err
	})
	return all, err
}

// Heap returns where the memory is from that was live after the latest completed collection. The error wraps
// ErrNoHeapProfile where the process does not sample it, and ErrGone where it is no longer what it was.
func (p *Process) Heap(ctx context.Context) (*Profile, error) {
	return p.profile(ctx, func(ctx context.Context) (*Profile, error) {
		rate, ok := p.target.Rate()
		if !ok || p.target.Places[goruntime.BucketSymbol] == 0 || rate == 0 || rate > 1<<40 {
			return nil, ErrNoHeapProfile
		}
		if !p.heap.AddBuckets(ctx) {
			return nil, goruntime.ErrTorn
		}
		r := &Profile{Rate: float64(rate)}
		r.Collections, _ = p.target.Collections()
		r.Seen.Torn = p.heap.Allocations(func(stack []Frame, count, size float64) {
			r.Stacks = append(r.Stacks, Stack{stack, count, size})
		})
		return r, nil
	})
}

// Holder returns what keeps the memory alive that comes from some stacks of the heap's profile, by the shortest way
// from there to its sampled objects. It is nil where that is not found, or the objects have different ones: then
// nothing is known. It goes through the whole heap a few times, without blocking samples meanwhile. One search is made
// at a time; the others wait for 30 s at most, and end with an error then. choose picks the function of a goroutine's
// stack that is reported, and says whether it is one of the application: a goroutine without any comes behind other
// holders.
func (p *Process) Holder(ctx context.Context, from func(stack []Frame) bool,
	choose func(stack []Frame) (chosen Frame, application bool)) (*Holder, error) {
	return p.search(ctx, func(opened *Process) (search.Wanted, error) { return opened.buckets(ctx, from, choose) })
}

// FinalizedHolder returns what keeps the objects of some types alive that have a finalizer, as all of types *os.file
// and *net.netFD that are open. It looks as Holder does, but from all of them.
func (p *Process) FinalizedHolder(ctx context.Context, choose func(stack []Frame) (chosen Frame, application bool),
	types ...string) (*Holder, error) {
	return p.search(ctx, func(*Process) (search.Wanted, error) {
		return search.Wanted{Types: types, Choose: choose}, nil
	})
}

// searching allows one search at a time: debug information takes memory, and many processes of one program may leak at
// the same time.
var searching = make(chan struct{}, 1)

// elsewhere is the error of who was not the next one in time: another time it is.
type elsewhere struct{ cause error }

func (elsewhere) Error() string   { return "another search for what keeps memory alive is under way" }
func (e elsewhere) Unwrap() error { return e.cause }

// Passes marks the error as one that comes and goes.
func (elsewhere) Passes() {}

// acquireTurn waits until no other search runs; end lets the next one start.
func acquireTurn(ctx context.Context) (end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
	select {
	case searching <- struct{}{}:
		return func() { <-searching }, nil
	case <-ctx.Done():
		return nil, elsewhere{ctx.Err()}
	}
}

func (p *Process) search(ctx context.Context, of func(*Process) (search.Wanted, error)) (*Holder, error) {
	end, err := acquireTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, longestSearch)
	defer cancel()
	held, err := holderIn(ctx, p.pid, of, nil)
	if gone := p.check(); gone != nil {
		return nil, gone
	}
	return held, err
}

// buckets returns those of the heap's profile that have some stacks.
func (p *Process) buckets(ctx context.Context, from func([]Frame) bool, choose search.Chooser) (search.Wanted, error) {
	if p.target.Places[goruntime.BucketSymbol] == 0 || !p.heap.AddBuckets(ctx) {
		return search.Wanted{}, goruntime.ErrTorn
	}
	of := make(map[uint64]bool)
	for _, b := range p.heap.Buckets {
		if len(b.Stack) > 0 && from(b.Stack) {
			of[b.At] = true
		}
	}
	return search.Wanted{Buckets: of, Choose: choose}, nil
}

// holderIn looks for a holder in a process that is opened for it.
func holderIn(ctx context.Context, pid int, of func(*Process) (search.Wanted, error), pause func()) (*Holder, error) {
	process, err := open(pid)
	if err != nil {
		return nil, err
	}
	defer process.Close()
	if pid == os.Getpid() {
		process.target.Table.Image.Room = objfile.MaxOwnSections
	}
	what, err := of(process)
	if err != nil {
		return nil, err
	}
	h, ok := search.Find(ctx, process.target, what, pause)
	if !ok {
		return nil, ctx.Err()
	}
	return &h, nil
}

// OwnHolder is Holder for the process that calls it: nothing is stopped, and after each megabyte others have their
// turn. It ends with an error after 4 s of processor time, or 30 s.
func OwnHolder(ctx context.Context, from func(stack []Frame) bool,
	choose func(stack []Frame) (chosen Frame, application bool)) (*Holder, error) {
	return searchOwn(ctx, func(opened *Process) (search.Wanted, error) { return opened.buckets(ctx, from, choose) })
}

// OwnFinalizedHolder is FinalizedHolder for the process that calls it, within the bounds of OwnHolder.
func OwnFinalizedHolder(ctx context.Context, choose func(stack []Frame) (chosen Frame, application bool),
	types ...string) (*Holder, error) {
	return searchOwn(ctx, func(*Process) (search.Wanted, error) {
		return search.Wanted{Types: types, Choose: choose}, nil
	})
}

func searchOwn(ctx context.Context, of func(*Process) (search.Wanted, error)) (*Holder, error) {
	end, err := acquireTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, longestSearch)
	defer cancel()
	left, spent := longestOwn, false
	// The thread is kept for one chunk of the memory at a time, whose processor time counts: to give up the processor
	// with a thread that is kept takes longer than the chunk.
	runtime.LockOSThread()
	began := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	held, err := holderIn(ctx, os.Getpid(), of, func() {
		left -= time.Duration(clock(unix.CLOCK_THREAD_CPUTIME_ID) - began)
		runtime.UnlockOSThread()
		runtime.Gosched()
		runtime.LockOSThread()
		began = clock(unix.CLOCK_THREAD_CPUTIME_ID)
		if left < 0 {
			spent = true
			cancel()
		}
	})
	runtime.UnlockOSThread()
	if spent && held == nil {
		return nil, fmt.Errorf("searching the memory of this process takes more than %s of processor time", longestOwn)
	}
	return held, err
}

// profile reads a profile and measures what that costs.
func (p *Process) profile(ctx context.Context, read func(context.Context) (*Profile, error)) (r *Profile, err error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if err := p.check(); err != nil {
		return nil, err
	}
	p.target.Table.Image.ResetWork()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	used := threadTime(func() { r, err = read(ctx) })
	if gone := p.check(); gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	r.CPU = used
	return r, nil
}

var _ io.Closer = (*Process)(nil)
