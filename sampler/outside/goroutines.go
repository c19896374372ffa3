package outside

import (
	"context"
	"encoding/binary"
	"strings"
)

// state is that of a goroutine.
type state uint8

// States of a goroutine, as in runtime/runtime2.go: the same from Go 1.21 on, with more at the end.
const (
	runnable  state = 1
	running   state = 2
	inSyscall state = 3
	waiting   state = 4
	dead      state = 6
	copying   state = 8
	preempted state = 9
	leaked    state = 10 // since Go 1.26: waiting, and proven to do so for ever
	deadExtra state = 11
)

const (
	scanBit       = 0x1000 // of a state
	maxGoroutines = 1 << 22
	batch         = 512       // goroutines that are read, walked and read again at a time
	maxTries      = 3         // to read the list of goroutines while it grows
	maxKept       = 512 << 20 // bytes of stacks: those beyond are left out
)

// goroutine is what a descriptor of the runtime says.
type goroutine struct {
	at                      uint64
	low, high, pc, sp       uint64
	top, id, start, creator uint64
	parent                  uint64
	waitSince               int64 // of the monotonic clock, in ns; 0 where the collector has not noticed it
	state                   state
	waitReason              uint8
	runs                    uint8 // so often it has run, modulo 256
}

// decode reads a descriptor. The program counter is that of where it waits: of a system call where it is in one.
func decode(l *layout, at uint64, b []byte) goroutine {
	word := func(offset uint64) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
	g := goroutine{
		at: at, low: word(l.stackLow), high: word(l.stackHigh), pc: word(l.schedPC), sp: word(l.schedSP),
		top: word(l.stackTop),
		id:  word(l.id), start: word(l.start), creator: word(l.creator), parent: word(l.parent),
		waitSince: int64(word(l.waitSince)),
		state:     state(binary.LittleEndian.Uint32(b[l.status:]) &^ scanBit), waitReason: b[l.waitReason],
		runs: b[l.runs],
	}
	if sp := word(l.syscallSP); sp != 0 {
		g.sp, g.pc = sp, word(l.syscallPC)
	}
	return g
}

// exists reports whether there is a goroutine, rather than a descriptor for the next one.
func (g *goroutine) exists() bool {
	switch g.state {
	case runnable, running, inSyscall, waiting, copying, preempted, leaked:
		return true
	}
	return false
}

// isBlocked reports whether the goroutine does not run, so that its stack is as its descriptor says.
func (g *goroutine) isBlocked() bool {
	switch g.state {
	case runnable, inSyscall, waiting, preempted, leaked:
		return g.low < g.high && g.high-g.low <= 1<<32 && g.sp >= g.low && g.sp < g.high && g.sp%8 == 0
	}
	return false
}

// list reads where the descriptors of all goroutines are.
func (t *target) list() ([]uint64, bool) {
	for range maxTries {
		length, first, ok := t.header()
		if !ok || length > maxGoroutines {
			return nil, false
		}
		block := make([]byte, 8*length)
		parts := []part{{at: first, to: block}}
		t.reader.gather(parts)
		_, again, ok := t.header()
		if !ok || again != first || !parts[0].read {
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

func (t *target) header() (length, first uint64, ok bool) {
	var words [16]byte
	parts := []part{{at: t.places[allLength], to: words[:8]}, {at: t.places[allPointer], to: words[8:]}}
	t.reader.gather(parts)
	return binary.LittleEndian.Uint64(words[:]), binary.LittleEndian.Uint64(words[8:]), parts[0].read && parts[1].read
}

// descriptors reads some of them into a buffer of their size.
func (t *target) descriptors(at []uint64, buffer []byte, parts []part) []part {
	parts = parts[:0]
	for i, a := range at {
		parts = append(parts, part{at: a, to: buffer[uint64(i)*t.layout.g:][:t.layout.g]})
	}
	t.reader.gather(parts)
	return parts
}

// isSystem reports whether a goroutine is one of the runtime's own, which it does not count either.
func (t *target) isSystem(g *goroutine) bool {
	if system, ok := t.system[g.start]; ok {
		return system
	}
	system := false
	if f, ok := t.table.find(g.start); ok {
		name := t.table.nameOf(&f)
		system = strings.HasPrefix(name, "runtime.") && name != "runtime.main" && name != "runtime.corostart" &&
			name != "runtime.handleAsyncEvent"
	}
	if len(t.system) >= maxKnown {
		clear(t.system)
	}
	t.system[g.start] = system
	return system
}

// count counts the goroutines, without the runtime's own.
func (t *target) count() (n int, ok bool) {
	all, ok := t.list()
	if !ok {
		return 0, false
	}
	buffer := make([]byte, batch*t.layout.g)
	var parts []part
	for len(all) > 0 {
		some := all[:min(batch, len(all))]
		all = all[len(some):]
		parts = t.descriptors(some, buffer, parts)
		for i := range parts {
			if !parts[i].read {
				return 0, false
			}
			if g := decode(&t.layout, some[i], parts[i].to); g.exists() && !t.isSystem(&g) {
				n++
			}
		}
	}
	return n, n > 0
}

// stacks reads the stacks of all goroutines but the runtime's own, batch by batch, and hands on those that hold
// together. visit reports whether it understands one.
func (t *target) stacks(ctx context.Context, visit func(g *goroutine, pcs []uint64) bool) (seen Seen, err error) {
	all, ok := t.list()
	if !ok {
		return seen, errTorn
	}
	b := newBatch(t)
	for len(all) > 0 {
		if err := ctx.Err(); err != nil {
			return seen, err
		}
		some := all[:min(batch, len(all))]
		all = all[len(some):]
		b.read(some)
		for i := range b.goroutines {
			g := &b.goroutines[i]
			if !g.exists() || t.isSystem(g) {
				continue
			}
			seen.Goroutines++
			switch {
			case g.state == running:
				seen.Running++
			case b.ends[i] != walked || !visit(g, b.pcs[i]):
				seen.Torn++
			}
		}
	}
	return seen, nil
}

// reason returns what a goroutine does, in the runtime's words.
func (t *target) reason(g *goroutine) string {
	switch g.state {
	case runnable, preempted:
		return "runnable"
	case inSyscall:
		return "syscall"
	}
	if int(g.waitReason) < len(t.waits) && t.waits[g.waitReason] != "" {
		return t.waits[g.waitReason]
	}
	return "waiting"
}

// batchReader reads some goroutines at a time.
type batchReader struct {
	t             *target
	first, second []byte // descriptors, before and after the stacks
	parts         []part
	goroutines    []goroutine
	pcs           [][]uint64
	ends          []walk
	stack         []byte
}

func newBatch(t *target) *batchReader {
	return &batchReader{
		t: t, first: make([]byte, batch*t.layout.g), second: make([]byte, batch*t.layout.g),
		goroutines: make([]goroutine, 0, batch), pcs: make([][]uint64, batch), ends: make([]walk, batch),
		stack: make([]byte, batch*nearStack),
	}
}

// read reads descriptors, then the stacks, and then the descriptors again: what has run meanwhile does not count.
func (b *batchReader) read(at []uint64) {
	l := &b.t.layout
	b.goroutines = b.goroutines[:0]
	b.parts = b.t.descriptors(at, b.first, b.parts)
	for i := range b.parts {
		g := goroutine{state: dead}
		if b.parts[i].read {
			g = decode(l, at[i], b.parts[i].to)
		}
		b.goroutines = append(b.goroutines, g)
		b.ends[i], b.pcs[i] = broken, b.pcs[i][:0]
		if g.isBlocked() {
			b.ends[i] = cutOff
		}
	}
	for _, size := range []int{nearStack, farStack, maxStack} {
		b.walk(size)
	}
	b.parts = b.t.descriptors(at, b.second, b.parts)
	for i := range b.parts {
		g := &b.goroutines[i]
		if !b.parts[i].read {
			b.ends[i] = broken
			continue
		}
		again := decode(l, at[i], b.parts[i].to)
		again.waitSince = g.waitSince
		if again != *g {
			b.ends[i] = broken
		}
	}
}

// walk reads so many bytes of the stacks that have not been walked to their end, as many as fit at a time.
func (b *batchReader) walk(size int) {
	var open []int
	for i, end := range b.ends[:len(b.goroutines)] {
		if end == cutOff {
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		some := open[:min(len(open), max(1, len(b.stack)/size))]
		open = open[len(some):]
		b.parts = b.parts[:0]
		for k, i := range some {
			g := &b.goroutines[i]
			b.parts = append(b.parts, part{at: g.sp, to: b.stack[k*size:][:min(uint64(size), g.high-g.sp)]})
		}
		b.t.reader.gather(b.parts)
		for k, i := range some {
			g := &b.goroutines[i]
			if !b.parts[k].read {
				b.ends[i] = broken
				continue
			}
			b.pcs[i], b.ends[i] = b.t.table.unwind(g.pc, g.sp, g.sp, g.top, b.parts[k].to, b.t.usesLink, b.pcs[i][:0],
				nil)
			if b.ends[i] == cutOff && uint64(len(b.parts[k].to)) == g.high-g.sp {
				b.ends[i] = broken
			}
		}
	}
}

// Seen counts what was read.
type Seen struct {
	Goroutines int // that there were, without the runtime's own
	Running    int // of these: their stacks are not known
	Torn       int // goroutines, or stacks of the heap, that did not hold together
}
