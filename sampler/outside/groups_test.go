package outside

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
)

// Goroutines on many long stacks do not fill the memory of this process.
func TestStacksAreBounded(t *testing.T) {
	const many, deepest = 1000, 128 // stacks, and functions of each
	long := []Frame{{Function: strings.Repeat("f", objfile.MaxName), File: strings.Repeat("g", objfile.MaxName)}}
	table := &linetable.Table{Places: map[uint64]linetable.Place{1000: {Frames: long, Certain: true}}}
	var g groups
	pcs := make([]uint64, deepest)
	for i := range pcs {
		pcs[i] = 1000
	}
	added := 0
	for n := range uint64(many) {
		table.Places[n] = linetable.Place{Frames: long, Certain: true}
		pcs[0] = n
		if g.add(table, pcs) {
			added++
		}
	}
	if each := 8*deepest + deepest*linetable.SizeOf(long); added != goruntime.MaxKept/each+1 || len(g.all) != added {
		t.Errorf("%d groups of goroutines are kept", added)
	}
	var listed groups
	few := 0
	for n := range uint64(1 << 20) {
		if pcs[0] = n % 4; listed.addOne(table, pcs[:1]) {
			few++
		}
	}
	if each := int(unsafe.Sizeof(Goroutine{})); few < maxOneByOne/each/2 || few > maxOneByOne/each+1 {
		t.Errorf("%d goroutines are listed", few)
	}
	if pcs[0] = 0; !g.add(table, pcs) || g.all[0].Count != 2 {
		t.Error("a stack that is known is not counted any more")
	}
}
