package outside

import (
	"encoding/binary"
	"strings"
	"testing"
)

const (
	firstBucket = 1 << 20 // where it is
	manyBuckets = 1000
)

// manyStacks is a memory of one bucket of the heap's profile after another, each with as many functions as there may
// be.
type manyStacks struct{ layout layout }

func (e manyStacks) gather(parts []part) {
	for i := range parts {
		p := &parts[i]
		p.read = true
		clear(p.to)
		if len(p.to) < int(e.layout.bucket) {
			binary.LittleEndian.PutUint64(p.to, firstBucket)
			continue
		}
		for at := e.layout.bucket; at+8 <= uint64(len(p.to)); at += 8 {
			binary.LittleEndian.PutUint64(p.to[at:], 1001)
		}
		next := p.at + 8
		if next == firstBucket+8*manyBuckets {
			next = 0
		}
		binary.LittleEndian.PutUint64(p.to[e.layout.nextBucket:], next)
		binary.LittleEndian.PutUint64(p.to[e.layout.bucketFrames:], maxHeapPath)
		binary.LittleEndian.PutUint64(p.to[e.layout.bucketSize:], 8)
	}
}

// someLayout returns the layout of one release.
func someLayout(t *testing.T) layout {
	t.Helper()
	row, ok := rowOf("go1.26", "amd64")
	if !ok {
		t.Fatal("no row")
	}
	l, err := layoutOf(row.Offsets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What a process says of its stacks does not fill the memory of this one.
func TestBucketsAreBounded(t *testing.T) {
	l := someLayout(t)
	long := []Frame{{Function: strings.Repeat("f", maxName), File: strings.Repeat("g", maxName)}}
	table := &lineTable{places: map[uint64]place{1000: {frames: long, certain: true}}}
	h := heap{target: &target{reader: manyStacks{l}, layout: l, table: table,
		places: map[runtimeVariable]uint64{bucketSymbol: 8}}}
	if !h.addBuckets(t.Context()) || len(h.buckets) != manyBuckets {
		t.Fatalf("%d buckets", len(h.buckets))
	}
	size, of := 0, 0
	for _, b := range h.buckets {
		size += sizeOf(b.stack)
		if len(b.stack) > 0 {
			of++
		}
	}
	if each := maxHeapPath * sizeOf(long); of != maxKept/each+1 || size > maxKept+each {
		t.Errorf("%d stacks are kept, of %d bytes", of, size)
	}
}
