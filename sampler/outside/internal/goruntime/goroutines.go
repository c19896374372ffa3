package goruntime

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// State is that of a goroutine.
type State uint8

// States of a goroutine, as in runtime/runtime2.go: the same from Go 1.21 on, with more at the end.
const (
	runnable  State = 1
	running   State = 2
	InSyscall State = 3
	Waiting   State = 4
	dead      State = 6
	copying   State = 8
	preempted State = 9
	leaked    State = 10 // since Go 1.26: waiting, and proven to do so for ever
	deadExtra State = 11
)

const (
	scanBit       = 0x1000   // of a state
	nearStack     = 1 << 10  // bytes of a stack that are read at first: those of most that wait
	farStack      = 16 << 10 // then
	maxGoroutines = 1 << 22
	BatchSize     = 512       // goroutines that are read, walked and read again at a time
	maxTries      = 3         // to read the list of goroutines while it grows
	MaxKept       = 512 << 20 // bytes of stacks: those beyond are left out
)

// Goroutine is what a descriptor of the runtime says.
type Goroutine struct {
	At                      uint64
	low, High, PC, SP       uint64
	Top, ID, start, Creator uint64
	Parent                  uint64
	WaitSince               int64 // of the monotonic clock, in ns; 0 where the collector has not noticed it
	State                   State
	waitReason              uint8
	runs                    uint8 // so often it has run, modulo 256
}

// decode reads a descriptor. The program counter is that of where it waits: of a system call where it is in one.
func decode(l *releases.Layout, at uint64, b []byte) Goroutine {
	word := func(offset uint64) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	g := Goroutine{
		At: at, low: word(l.StackLow), High: word(l.StackHigh), PC: word(l.SchedPC), SP: word(l.SchedSP),
		Top: word(l.StackTop),
		ID:  word(l.ID), start: word(l.Start), Creator: word(l.Creator), Parent: word(l.Parent),
		WaitSince: int64(word(l.WaitSince)),
		State:     State(binary.LittleEndian.Uint32(b[l.Status:]) &^ scanBit), waitReason: b[l.WaitReason],
		runs: b[l.Runs],
	}
	if sp := word(l.SyscallSP); sp != 0 {
		g.SP, g.PC = sp, word(l.SyscallPC)
	}
	return g
}

// exists reports whether there is a goroutine, rather than a descriptor for the next one.
func (g *Goroutine) exists() bool {
	switch g.State {
	case runnable, running, InSyscall, Waiting, copying, preempted, leaked:
		return true
	}
	return false
}

// isBlocked reports whether the goroutine does not run, so that its stack is as its descriptor says.
func (g *Goroutine) isBlocked() bool {
	switch g.State {
	case runnable, InSyscall, Waiting, preempted, leaked:
		return g.low < g.High && g.High-g.low <= 1<<32 && g.SP >= g.low && g.SP < g.High && g.SP%8 == 0
	}
	return false
}

// List reads where the descriptors of all goroutines are.
func (t *Target) List() ([]uint64, bool) {
	for range maxTries {
		length, first, ok := t.header()
		if !ok || length > maxGoroutines {
			return nil, false
		}
		block := make([]byte, 8*length)
		parts := []procmem.Part{{At: first, To: block}}
		t.Reader.Gather(parts)
		_, again, ok := t.header()
		if !ok || again != first || !parts[0].Read {
			continue // it has moved
		}
		all := make([]uint64, 0, length)
		for ; len(block) >= 8; block = block[8:] {
			if at := binary.LittleEndian.Uint64(block); at != 0 && at%8 == 0 {
				all = append(all, at)
			}
		}
		return all, true
	}
	return nil, false
}

func (t *Target) header() (length, first uint64, ok bool) {
	var words [16]byte
	parts := []procmem.Part{{At: t.Places[allLength], To: words[:8]}, {At: t.Places[allPointer], To: words[8:]}}
	t.Reader.Gather(parts)
	return binary.LittleEndian.Uint64(words[:]), binary.LittleEndian.Uint64(words[8:]), parts[0].Read && parts[1].Read
}

// descriptors reads some of them into a buffer of their size.
func (t *Target) descriptors(at []uint64, buffer []byte, parts []procmem.Part) []procmem.Part {
	parts = parts[:0]
	for i, a := range at {
		parts = append(parts, procmem.Part{At: a, To: buffer[uint64(i)*t.Layout.G:][:t.Layout.G]})
	}
	t.Reader.Gather(parts)
	return parts
}

// IsSystem reports whether a goroutine is one of the runtime's own, which it does not count either.
func (t *Target) IsSystem(g *Goroutine) bool {
	if system, ok := t.system[g.start]; ok {
		return system
	}
	system := false
	if f, ok := t.Table.Find(g.start); ok {
		name := t.Table.NameOf(&f)
		system = strings.HasPrefix(name, "runtime.") && name != "runtime.main" && name != "runtime.corostart" &&
			name != "runtime.handleAsyncEvent"
	}
	if len(t.system) >= linetable.MaxKnown {
		clear(t.system)
	}
	t.system[g.start] = system
	return system
}

// Count counts the goroutines, without the runtime's own.
func (t *Target) Count() (n int, ok bool) {
	all, ok := t.List()
	if !ok {
		return 0, false
	}
	buffer := make([]byte, BatchSize*t.Layout.G)
	var parts []procmem.Part
	for len(all) > 0 {
		some := all[:min(BatchSize, len(all))]
		all = all[len(some):]
		parts = t.descriptors(some, buffer, parts)
		for i := range parts {
			if !parts[i].Read {
				return 0, false
			}
			if g := decode(&t.Layout, some[i], parts[i].To); g.exists() && !t.IsSystem(&g) {
				n++
			}
		}
	}
	return n, n > 0
}

// Stacks reads the stacks of all goroutines but the runtime's own, batch by batch, and calls visit for those that are
// consistent. visit reports whether it understands one.
func (t *Target) Stacks(ctx context.Context, visit func(g *Goroutine, pcs []uint64) bool) (seen Seen, err error) {
	all, ok := t.List()
	if !ok {
		return seen, ErrTorn
	}
	b := NewBatch(t)
	for len(all) > 0 {
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		some := all[:min(BatchSize, len(all))]
		all = all[len(some):]
		b.Read(some)
		for i := range b.Goroutines {
			g := &b.Goroutines[i]
			if !g.exists() || t.IsSystem(g) {
				continue
			}
			seen.Goroutines++
			switch {
			case g.State == running:
				seen.Running++
			case b.Ends[i] != linetable.Walked || !visit(g, b.PCs[i]):
				seen.Torn++
			}
		}
	}
	return seen, nil
}

// Reason returns what a goroutine does, in the runtime's words.
func (t *Target) Reason(g *Goroutine) string {
	switch g.State {
	case runnable, preempted:
		return "runnable"
	case InSyscall:
		return "syscall"
	}
	if int(g.waitReason) < len(t.waits) && t.waits[g.waitReason] != "" {
		return t.waits[g.waitReason]
	}
	return "waiting"
}

// Batch reads some goroutines at a time.
type Batch struct {
	t             *Target
	first, second []byte // descriptors, before and after the stacks
	parts         []procmem.Part
	Goroutines    []Goroutine
	PCs           [][]uint64
	Ends          []linetable.Walk
	stack         []byte
}

// NewBatch returns what reads BatchSize goroutines of a target at a time.
func NewBatch(t *Target) *Batch {
	return &Batch{
		t: t, first: make([]byte, BatchSize*t.Layout.G), second: make([]byte, BatchSize*t.Layout.G),
		Goroutines: make([]Goroutine, 0, BatchSize), PCs: make([][]uint64, BatchSize),
		Ends:  make([]linetable.Walk, BatchSize),
		stack: make([]byte, BatchSize*nearStack),
	}
}

// Read reads descriptors, then the stacks, and then the descriptors again: goroutines that have run meanwhile do not
// count.
func (b *Batch) Read(at []uint64) {
	l := &b.t.Layout
	b.Goroutines = b.Goroutines[:0]
	b.parts = b.t.descriptors(at, b.first, b.parts)
	for i := range b.parts {
		g := Goroutine{State: dead}
		if b.parts[i].Read {
			g = decode(l, at[i], b.parts[i].To)
		}
		b.Goroutines = append(b.Goroutines, g)
		b.Ends[i], b.PCs[i] = linetable.Broken, b.PCs[i][:0]
		if g.isBlocked() {
			b.Ends[i] = linetable.CutOff
		}
	}
	for _, size := range []int{nearStack, farStack, linetable.MaxStack} {
		b.walk(size)
	}
	b.parts = b.t.descriptors(at, b.second, b.parts)
	for i := range b.parts {
		g := &b.Goroutines[i]
		if !b.parts[i].Read {
			b.Ends[i] = linetable.Broken
			continue
		}
		again := decode(l, at[i], b.parts[i].To)
		again.WaitSince = g.WaitSince
		if again != *g {
			b.Ends[i] = linetable.Broken
		}
	}
}

// walk reads size bytes of each stack that has not been walked to its end, as many stacks at a time as fit.
func (b *Batch) walk(size int) {
	var open []int
	for i, end := range b.Ends[:len(b.Goroutines)] {
		if end == linetable.CutOff {
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		some := open[:min(len(open), max(1, len(b.stack)/size))]
		open = open[len(some):]
		b.parts = b.parts[:0]
		for k, i := range some {
			g := &b.Goroutines[i]
			b.parts = append(b.parts, procmem.Part{At: g.SP, To: b.stack[k*size:][:min(uint64(size), g.High-g.SP)]})
		}
		b.t.Reader.Gather(b.parts)
		for k, i := range some {
			g := &b.Goroutines[i]
			if !b.parts[k].Read {
				b.Ends[i] = linetable.Broken
				continue
			}
			b.PCs[i], b.Ends[i] = b.t.Table.Unwind(g.PC, g.SP, g.SP, g.Top, b.parts[k].To, b.t.UsesLink, b.PCs[i][:0],
				nil)
			if b.Ends[i] == linetable.CutOff && uint64(len(b.parts[k].To)) == g.High-g.SP {
				b.Ends[i] = linetable.Broken
			}
		}
	}
}

// Seen counts the goroutines and stacks that were read.
type Seen struct {
	Goroutines int // that there were, without the runtime's own
	Running    int // of these: their stacks are not known
	Torn       int // goroutines, or stacks of the heap, that were inconsistent
}
