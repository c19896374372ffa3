package heap

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

const (
	firstBucket = 1 << 20 // where it is
	manyBuckets = 1000
)

// manyStacks is a memory of one bucket of the heap's profile after another, each with as many functions as there may
// be.
type manyStacks struct{ layout releases.Layout }

func (e manyStacks) Gather(parts []procmem.Part) {
	for i := range parts {
		p := &parts[i]
		p.Read = true
		clear(p.To)
		if len(p.To) < int(e.layout.Bucket) {
			binary.LittleEndian.PutUint64(p.To, firstBucket)
			continue
		}
		for at := e.layout.Bucket; at+8 <= uint64(len(p.To)); at += 8 {
			binary.LittleEndian.PutUint64(p.To[at:], 1001)
		}
		next := p.At + 8
		if next == firstBucket+8*manyBuckets {
			next = 0
		}
		binary.LittleEndian.PutUint64(p.To[e.layout.NextBucket:], next)
		binary.LittleEndian.PutUint64(p.To[e.layout.BucketFrames:], MaxHeapPath)
		binary.LittleEndian.PutUint64(p.To[e.layout.BucketSize:], 8)
	}
}

// someLayout returns the layout of one release.
func someLayout(t *testing.T) releases.Layout {
	t.Helper()
	row, ok := releases.RowOf("go1.26", "amd64")
	if !ok {
		t.Fatal("no row")
	}
	l, err := releases.LayoutOf(row.Offsets)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What a process says of its stacks does not fill the memory of this one.
func TestBucketsAreBounded(t *testing.T) {
	l := someLayout(t)
	long := []linetable.Frame{{Function: strings.Repeat("f", objfile.MaxName),
		File: strings.Repeat("g", objfile.MaxName)}}
	table := &linetable.Table{Places: map[uint64]linetable.Place{1000: {Frames: long, Certain: true}}}
	h := Profile{Target: &goruntime.Target{Reader: manyStacks{l}, Layout: l, Table: table,
		Places: map[goruntime.Variable]uint64{goruntime.BucketSymbol: 8}}}
	if !h.AddBuckets(t.Context()) || len(h.Buckets) != manyBuckets {
		t.Fatalf("%d buckets", len(h.Buckets))
	}
	size, of := 0, 0
	for _, b := range h.Buckets {
		size += linetable.SizeOf(b.Stack)
		if len(b.Stack) > 0 {
			of++
		}
	}
	if each := MaxHeapPath * linetable.SizeOf(long); of != goruntime.MaxKept/each+1 || size > goruntime.MaxKept+each {
		t.Errorf("%d stacks are kept, of %d bytes", of, size)
	}
}
