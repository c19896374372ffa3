// Package heap reads what the runtime knows of its heap: the memory profile, which spans have objects, and the notes
// that the runtime has of some objects.
package heap

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

const (
	maxBuckets  = 1 << 20 // stacks of the memory profile
	MaxHeapPath = 1 << 10 // functions of one of them
)

// Profile reads the memory profile of a target.
type Profile struct {
	*goruntime.Target
	Buckets []Bucket
	newest  uint64 // bucket
	kept    int    // bytes of their stacks, about
}

// Bucket is a stack that has allocated, as the runtime's memory profile keeps it. It is never given back.
type Bucket struct {
	At     uint64
	record uint64            // address of the counts of allocations
	size   uint64            // of one object, in bytes
	Stack  []linetable.Frame // none where it is not certain, or those before it are too many
}

// AddBuckets reads the buckets that are new: the latest is the first of a list. Where the list is inconsistent nothing
// is added.
func (h *Profile) AddBuckets(ctx context.Context) bool {
	l := &h.Layout
	first, ok := h.Number(goruntime.BucketSymbol, 0, 8)
	if !ok {
		return false
	}
	var added []Bucket
	kept := h.kept
	seen := make(map[uint64]bool)
	block := make([]byte, releases.NearBucket)
	for at := first; at != h.newest; {
		if at == 0 || at%8 != 0 || seen[at] || len(h.Buckets)+len(added) >= maxBuckets || ctx.Err() != nil {
			return false
		}
		seen[at] = true
		need := l.Bucket + l.Record
		if !h.ReadAt(at, block[:need]) {
			return false
		}
		count := binary.LittleEndian.Uint64(block[l.BucketFrames:])
		next := binary.LittleEndian.Uint64(block[l.NextBucket:])
		if count > MaxHeapPath {
			return false
		}
		if full := need + 8*count; full > uint64(len(block)) {
			block = make([]byte, full)
		}
		if !h.ReadAt(at, block[:l.Bucket+8*count]) {
			return false
		}
		b := Bucket{At: at, record: at + l.Bucket + 8*count, size: binary.LittleEndian.Uint64(block[l.BucketSize:])}
		if b.size == 0 || b.size > 1<<48 {
			return false
		}
		for i := range count {
			pc := binary.LittleEndian.Uint64(block[l.Bucket+8*i:])
			some, ok := h.Table.At(pc - 1)
			if !ok || kept > goruntime.MaxKept {
				b.Stack = nil
				break
			}
			// The profile has an address for each of the functions that are inlined into each other.
			b.Stack = append(b.Stack, some[:min(1, len(some))]...)
		}
		kept += linetable.SizeOf(b.Stack)
		added = append(added, b)
		at = next
	}
	h.Buckets = append(h.Buckets, added...)
	h.newest, h.kept = first, kept
	return true
}

// Allocations reads what each stack has allocated and what of it was freed, as of the latest completed collection, and
// calls visit for the live sampled objects. It returns how many stacks were inconsistent.
func (h *Profile) Allocations(visit func(stack []linetable.Frame, count, size float64)) (torn int) {
	l := &h.Layout
	block, again := make([]byte, goruntime.BatchSize*l.Record), make([]byte, goruntime.BatchSize*l.Record)
	for list := h.Buckets; len(list) > 0; {
		some := list[:min(goruntime.BatchSize, len(list))]
		list = list[len(some):]
		first, second := h.records(some, block), h.records(some, again)
		for i, b := range some {
			now := first[i].To
			if !first[i].Read || !second[i].Read || !bytes.Equal(now, second[i].To) || len(b.Stack) == 0 {
				torn++
				continue
			}
			word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(now[at:]) }
			allocs, frees := word(l.Allocs), word(l.Frees)
			// All objects of a stack in the profile have one size: counts that are just being written do not match it.
			fits := frees <= allocs && allocs < 1<<40
			if l.AllocBytes != l.FreeBytes {
				fits = fits && word(l.AllocBytes) == allocs*b.size && word(l.FreeBytes) == frees*b.size
			}
			switch count := allocs - frees; {
			case !fits:
				torn++
			case count > 0:
				visit(b.Stack, float64(count), float64(count*b.size))
			}
		}
	}
	return torn
}

// records reads those of some buckets into a block.
func (h *Profile) records(of []Bucket, block []byte) []procmem.Part {
	parts := make([]procmem.Part, len(of))
	for i, b := range of {
		parts[i] = procmem.Part{At: b.record, To: block[uint64(i)*h.Layout.Record:][:h.Layout.Record]}
	}
	h.Reader.Gather(parts)
	return parts
}
