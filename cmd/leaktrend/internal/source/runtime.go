package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
	"github.com/mdzesseis/leaktrend/sampler/outside"
	"github.com/mdzesseis/leaktrend/sampler/process"
)

// A program that could not be opened, as one that has hardly begun, is left alone for a time: longer each time, as most
// that cannot be read never can.
const (
	reopenAfter    = 10 * time.Second
	maxReopenDelay = time.Hour
	// youngAfter is how long one is left alone at first that began less than reopenAfter ago.
	youngAfter = time.Second
	// maxDeniedDelay is how long one is left alone that leaktrend has no right to read: to ask costs next to nothing.
	maxDeniedDelay = time.Minute
	// openWait is how long a sample waits for a program to be opened: a large one of an unknown release takes seconds,
	// of which it has the next ones read.
	openWait = 100 * time.Millisecond
)

// Process samples a process, and where it runs a Go program also what that program's runtime has: from outside, without
// its help.
type Process struct {
	*process.Source
	open func(pid int) (*outside.Process, error)

	mu         sync.Mutex
	closed     bool
	note       string                          // what is not read, and why
	denied     bool                            // whether that is for want of rights
	onNote     func(note string, missing bool) // may be nil
	inside     *outside.Process                // nil while it cannot be read
	executable string                          // that was opened
	opening    chan struct{}                   // closed when it is; nil while nobody opens it
	next       time.Time                       // when the program is opened again; zero for not at all
	pause      time.Duration                   // until then, the latest; 0 where none was
}

// OpenProcess opens a process.
func OpenProcess(pid int) (*Process, error) { return openProcess(pid, outside.Open) }

func openProcess(pid int, open func(int) (*outside.Process, error)) (*Process, error) {
	source, err := process.New(pid)
	if err != nil {
		return nil, err
	}
	p := &Process{Source: source, open: open, executable: source.Executable()}
	p.inside, err = open(pid)
	p.opened(err)
	return p, nil
}

// Note says what is not read of the process, and why; "" where that is nothing that could be.
func (p *Process) Note() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.note
}

// Denied reports whether the process may run a program of Go that the rights to read are missing for.
func (p *Process) Denied() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.denied
}

// OnNote has f called with what is not read of the process, and why, now and whenever that is another thing. When it is
// read after all, f is called with a note that says so, and nothing lacks. f must not call the process.
func (p *Process) OnNote(f func(note string, missing bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onNote = f
	if p.note != "" {
		f(p.note, true)
	}
}

// Profiles returns what takes profiles of the process, while it runs a program of Go that may be read.
func (p *Process) Profiles() *Profiles { return &Profiles{p} }

// Sample reads the process. Where it cannot read the runtime, as in the moment in which the process executes another
// program, it reads what there is without.
func (p *Process) Sample(ctx context.Context, into *sampler.Sample) error {
	if inside := p.runtime(); inside != nil && inside.Gone() {
		p.leave(inside)
	}
	err := p.Source.Sample(ctx, into)
	if len(into.Readings) == 0 {
		return err
	}
	if inside := p.runtime(); inside != nil {
		if gone := inside.Add(into); errors.Is(gone, outside.ErrGone) {
			p.leave(inside)
		}
	}
	return err
}

// Present reports whether the process runs a program of Go now that may be read.
func (p *Process) Present() bool { return p.runtime() != nil }

// GoMemory returns what the runtime of the program knows of its memory.
func (p *Process) GoMemory() (m breakdown.GoMemory, ok bool) {
	inside := p.runtime()
	if inside == nil {
		return m, false
	}
	known, ok := inside.Memory()
	return breakdown.GoMemory(known), ok
}

// runtime returns what reads the program that the process runs now; nil where that cannot be read.
func (p *Process) runtime() *outside.Process {
	inside, opening := p.current()
	if opening == nil {
		return inside
	}
	late := time.NewTimer(openWait)
	defer late.Stop()
	select {
	case <-opening:
	case <-late.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inside
}

// current is runtime without waiting. Where the program has to be opened again, it has that begin, and returns what is
// closed at its end.
func (p *Process) current() (inside *outside.Process, opening <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil
	}
	if now := p.Executable(); now != p.executable {
		p.executable = now
		p.drop()
	}
	if p.inside == nil && p.opening == nil && !p.next.IsZero() && !time.Now().Before(p.next) {
		p.next, p.opening = time.Time{}, make(chan struct{})
		go p.reopen(p.executable)
		return nil, p.opening
	}
	return p.inside, nil
}

// reopen opens the program again, which nobody waits for.
func (p *Process) reopen(executable string) {
	inside, err := p.open(p.PID())
	if err == nil && p.Alive() != nil { // it may be a later process of this id
		_ = inside.Close()
		inside = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.opening)
	p.opening = nil
	if p.closed || p.executable != executable {
		if inside != nil {
			_ = inside.Close()
		}
		return
	}
	p.inside = inside
	p.opened(err)
}

// opened notes what came of opening the program. One that could not be opened is opened again later.
func (p *Process) opened(err error) {
	before := p.note
	p.note, p.denied = "", errors.Is(err, fs.ErrPermission)
	if err != nil && !errors.Is(err, outside.ErrNotGo) {
		p.note = fmt.Sprintf("if it is a Go program, its goroutines and live heap are not read: %v", err)
		longest := maxReopenDelay
		if p.denied {
			longest = maxDeniedDelay
		}
		shortest := reopenAfter
		if age := time.Since(p.Started()); age >= 0 && age < reopenAfter {
			shortest = youngAfter
		}
		p.pause = min(max(2*p.pause, shortest), longest)
		p.next = time.Now().Add(p.pause)
	}
	switch {
	case p.onNote == nil || p.note == before:
	case p.note != "":
		p.onNote(p.note, true)
	case p.inside != nil:
		p.onNote("goroutines and live heap are read from now on", false)
	}
}

// drop leaves what reads a program that is no more, and has the next one opened.
func (p *Process) drop() {
	if p.inside != nil {
		_ = p.inside.Close()
	}
	p.inside, p.next, p.pause = nil, time.Now(), 0
}

// leave drops what reads a program that runs no more, unless somebody else has. The process has ended, or another
// program begins.
func (p *Process) leave(inside *outside.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside == inside {
		p.drop()
		p.Renew()
	}
}

// Close ends the sampling.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.inside != nil {
		err = p.inside.Close()
	}
	p.inside, p.next, p.closed = nil, time.Time{}, true
	return errors.Join(err, p.Source.Close())
}
