package source

import (
	"context"
	"errors"
	"fmt"
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
	reopenAfter  = 10 * time.Second
	reopenAtMost = time.Hour
)

// Process samples a process, and where it runs a Go program also what that program's runtime has: from outside, without
// its help.
type Process struct {
	*process.Source
	note string
	open func(pid int) (*outside.Process, error)

	mu         sync.Mutex
	inside     *outside.Process // nil while it cannot be read
	executable string           // that was opened
	next       time.Time        // when the program is opened again; zero for not at all
	pause      time.Duration    // until then, the latest; 0 where none was
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
	if err != nil && !errors.Is(err, outside.ErrNotGo) {
		p.note = fmt.Sprintf("where it is a Go program, goroutines and live heap are not read: %v", err)
		p.postpone()
	}
	return p, nil
}

// Note says what is not read of the process, and why; "" where that is nothing that could be.
func (p *Process) Note() string { return p.note }

// Profiles returns what takes profiles of the process; nil where it is none of Go, or may not be read.
func (p *Process) Profiles() *Profiles {
	if p.runtime() == nil {
		return nil
	}
	return &Profiles{p}
}

// Sample reads the process. Where it cannot read the runtime, as in the moment in which the process executes another
// program, it reads what there is without.
func (p *Process) Sample(ctx context.Context, into *sampler.Sample) error {
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.Executable(); now != p.executable {
		p.executable = now
		p.drop()
	}
	if p.inside == nil && !p.next.IsZero() && !time.Now().Before(p.next) {
		inside, err := p.open(p.PID())
		if err == nil && p.Alive() != nil { // it may be a later process of this id
			_ = inside.Close()
			inside = nil
		}
		p.inside, p.next = inside, time.Time{}
		if err != nil && !errors.Is(err, outside.ErrNotGo) {
			p.postpone()
		}
	}
	return p.inside
}

// postpone has a program that could not be opened opened again later.
func (p *Process) postpone() {
	p.pause = min(max(2*p.pause, reopenAfter), reopenAtMost)
	p.next = time.Now().Add(p.pause)
}

// drop leaves what reads a program that is no more, and has the next one opened.
func (p *Process) drop() {
	if p.inside != nil {
		_ = p.inside.Close()
	}
	p.inside, p.next, p.pause = nil, time.Now(), 0
}

// leave drops what reads a program, unless somebody else has.
func (p *Process) leave(inside *outside.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside == inside {
		p.drop()
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
	p.inside, p.next = nil, time.Time{}
	return errors.Join(err, p.Source.Close())
}
