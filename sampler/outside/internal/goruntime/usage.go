package goruntime

import (
	"encoding/binary"
	"math"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

const (
	arenaSize   = 64 << 20 // of the heap of the runtime on 64-bit systems
	arenaOffset = 1 << 47  // below zero: the address of arena 0 on amd64
	maxArenas   = 1 << 16
	maxRanges   = 1 << 10 // in which they lie
	statsCopies = 3       // of the counts of the heap: their sum is what there is
)

// Memory is what the runtime of a program knows of its memory, in bytes.
type Memory struct {
	Live float64 // by the latest collection
	// Objects are the bytes live after the latest collection and those allocated since, live or garbage; 0 where
	// unknown.
	Objects float64
	InUse   float64 // spans of the heap, with what is free in them
	Free    float64 // freed, and not returned to the system
	Stacks  float64 // of goroutines
	Own     float64 // of the runtime itself
	GOGC    float64 // in percent; negative for off
	Limit   float64 // GOMEMLIMIT; 0 for none
	// Arenas are the addresses at which the heap is, each from and to.
	Arenas [][2]uint64
}

// MemoryOf reads what the runtime knows of its memory; ok is false where that is not known for this release, or the
// counts are inconsistent.
func MemoryOf(t *Target) (m Memory, ok bool) {
	l := &t.Layout
	numbers, heap, collector := t.Places[memoryNumbers], t.Places[HeapSymbol], t.Places[Pacer]
	last := max(l.Committed, l.InHeap, l.InStacks, l.InWork, l.InBits)
	if l.Delta > objfile.PageSize || l.Delta < last+8 || l.Arenas == 0 || numbers == 0 || heap == 0 || collector == 0 {
		return m, false
	}
	counts := make([]byte, statsCopies*l.Delta)
	own := [...]uint64{l.SysStacks, l.SysSpans, l.SysCaches, l.SysBuckets, l.SysCollector, l.SysOther}
	words := make([]byte, 8*(len(own)+6))
	word := func(i int) []byte { return words[8*i:][:8] }
	parts := []procmem.Part{
		{At: numbers + l.Stats, To: counts}, {At: collector + l.Marked, To: word(0)},
		{At: collector + l.Percent, To: word(1)[:4]}, {At: collector + l.MemoryLimit, To: word(2)},
		{At: heap + l.Arenas, To: word(3)}, {At: heap + l.Arenas + 8, To: word(4)},
	}
	for i, offset := range own {
		parts = append(parts, procmem.Part{At: numbers + offset, To: word(5 + i)})
	}
	if l.Allocated != 0 {
		parts = append(parts, procmem.Part{At: collector + l.Allocated, To: word(5 + len(own))})
	}
	t.Reader.Gather(parts)
	for i := range parts {
		if !parts[i].Read {
			return m, false
		}
	}
	number := func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) }
	sum := func(offset uint64) (n float64) {
		for i := range uint64(statsCopies) {
			n += number(counts[i*l.Delta+offset:])
		}
		return n
	}
	committed := sum(l.Committed)
	m.InUse, m.Stacks, m.Own = sum(l.InHeap), sum(l.InStacks), sum(l.InWork)+sum(l.InBits)
	m.Free = max(0, committed-m.InUse-m.Stacks-m.Own)
	m.Live = min(number(word(0)), m.InUse)
	if l.Allocated != 0 { // spans that a processor allocates from count as full
		m.Objects = min(max(number(word(5+len(own))), m.Live), m.InUse)
	}
	for i := range own {
		m.Own += number(word(5 + i))
	}
	for _, n := range []float64{committed, m.InUse, m.Stacks, m.Own, m.Live} {
		if n < 0 || n > 1<<47 {
			return Memory{}, false
		}
	}
	m.GOGC = float64(int32(binary.LittleEndian.Uint32(word(1))))
	if limit := number(word(2)); limit > 0 && limit < math.MaxInt64 {
		m.Limit = limit
	}
	m.Arenas, ok = arenasOf(t, binary.LittleEndian.Uint64(word(3)), binary.LittleEndian.Uint64(word(4)))
	return m, ok
}

// arenasOf reads where the heap is, from the runtime's list of the numbers of its arenas.
func arenasOf(t *Target, at, count uint64) (all [][2]uint64, ok bool) {
	if count == 0 || count > maxArenas {
		return nil, false
	}
	list := make([]byte, 8*count)
	if !t.ReadAt(at, list) {
		return nil, false
	}
	offset := uint64(0)
	if !t.UsesLink { // amd64
		offset = arenaOffset
	}
	for ; len(list) > 0; list = list[8:] {
		from := binary.LittleEndian.Uint64(list)*arenaSize - offset
		if from == 0 || from >= 1<<48 || len(all) > maxRanges {
			return nil, false
		}
		if n := len(all); n > 0 && all[n-1][1] == from {
			all[n-1][1] += arenaSize
			continue
		}
		all = append(all, [2]uint64{from, from + arenaSize})
	}
	return all, true
}
