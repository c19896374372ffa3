package outside

import (
	"bytes"
	"context"
	"encoding/binary"
)

const (
	maxBuckets  = 1 << 20 // stacks of the memory profile
	maxHeapPath = 1 << 10 // functions of one of them
)

// heap reads the memory profile of a target.
type heap struct {
	*target
	buckets []bucket
	newest  uint64 // bucket
	kept    int    // bytes of their stacks, about
}

// bucket is a stack that has allocated, as the runtime's memory profile keeps it. It is never given back.
type bucket struct {
	at     uint64
	record uint64  // where what was allocated is counted
	size   uint64  // of one object, in bytes
	stack  []Frame // none where it is not certain, or those before it are too many
}

// addBuckets reads the buckets that are new: the latest is the first of a list. Where the list does not hold together
// nothing is added.
func (h *heap) addBuckets(ctx context.Context) bool {
	l := &h.layout
	first, ok := h.number(bucketSymbol, 0, 8)
	if !ok {
		return false
	}
	var added []bucket
	kept := h.kept
	seen := make(map[uint64]bool)
	block := make([]byte, nearBucket)
	for at := first; at != h.newest; {
		if at == 0 || at%8 != 0 || seen[at] || len(h.buckets)+len(added) >= maxBuckets || ctx.Err() != nil {
			return false
		}
		seen[at] = true
		need := l.bucket + l.record
		if !h.readSome(at, block[:need]) {
			return false
		}
		count := binary.LittleEndian.Uint64(block[l.bucketFrames:])
		next := binary.LittleEndian.Uint64(block[l.nextBucket:])
		if count > maxHeapPath {
			return false
		}
		if full := need + 8*count; full > uint64(len(block)) {
			block = make([]byte, full)
		}
		if !h.readSome(at, block[:l.bucket+8*count]) {
			return false
		}
		b := bucket{at: at, record: at + l.bucket + 8*count, size: binary.LittleEndian.Uint64(block[l.bucketSize:])}
		if b.size == 0 || b.size > 1<<48 {
			return false
		}
		for i := range count {
			pc := binary.LittleEndian.Uint64(block[l.bucket+8*i:])
			some, ok := h.table.at(pc - 1)
			if !ok || kept > maxKept {
				b.stack = nil
				break
			}
			// The profile has an address for each of the functions that are inlined into each other.
			b.stack = append(b.stack, some[:min(1, len(some))]...)
		}
		kept += sizeOf(b.stack)
		added = append(added, b)
		at = next
	}
	h.buckets = append(h.buckets, added...)
	h.newest, h.kept = first, kept
	return true
}

// allocations reads what each stack has allocated and what of it was freed, as of the latest completed collection, and
// hands on the sampled objects that are live. It returns how many stacks did not hold together.
func (h *heap) allocations(visit func(stack []Frame, count, size float64)) (torn int) {
	l := &h.layout
	block, again := make([]byte, batch*l.record), make([]byte, batch*l.record)
	for list := h.buckets; len(list) > 0; {
		some := list[:min(batch, len(list))]
		list = list[len(some):]
		first, second := h.records(some, block), h.records(some, again)
		for i, b := range some {
			now := first[i].to
			if !first[i].read || !second[i].read || !bytes.Equal(now, second[i].to) || len(b.stack) == 0 {
				torn++
				continue
			}
			word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(now[at:]) }
			allocs, frees := word(l.allocs), word(l.frees)
			// All objects of a stack in the profile have one size: what is just being written does not fit.
			fits := frees <= allocs && allocs < 1<<40
			if l.allocBytes != l.freeBytes {
				fits = fits && word(l.allocBytes) == allocs*b.size && word(l.freeBytes) == frees*b.size
			}
			switch count := allocs - frees; {
			case !fits:
				torn++
			case count > 0:
				visit(b.stack, float64(count), float64(count*b.size))
			}
		}
	}
	return torn
}

// records reads those of some buckets into a block.
func (h *heap) records(of []bucket, block []byte) []part {
	parts := make([]part, len(of))
	for i, b := range of {
		parts[i] = part{at: b.record, to: block[uint64(i)*h.layout.record:][:h.layout.record]}
	}
	h.reader.gather(parts)
	return parts
}
