package outside

import (
	"strings"
	"unsafe"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
)

// maxOneByOne is how many bytes of goroutines are listed one by one: those beyond are left out.
const maxOneByOne = 64 << 20

// groups are stacks of goroutines with how many stand on each.
type groups struct {
	by     map[string]int
	all    []Stack
	latest *Stack // that was added to
	kept   int    // bytes, about
}

// add counts a stack; false where its functions are not certain, or there are too many others.
func (g *groups) add(t *linetable.Table, pcs []uint64) bool {
	if len(pcs) == 0 {
		return false
	}
	key := unsafe.String((*byte)(unsafe.Pointer(&pcs[0])), 8*len(pcs))
	i, ok := g.by[key]
	if !ok {
		if g.kept > goruntime.MaxKept {
			return false
		}
		var frames []Frame
		for _, pc := range pcs {
			some, ok := t.At(pc)
			if !ok {
				return false
			}
			frames = append(frames, some...)
		}
		if g.by == nil {
			g.by = make(map[string]int)
		}
		g.kept += len(key) + linetable.SizeOf(frames)
		i = len(g.all)
		g.by[strings.Clone(key)] = i
		g.all = append(g.all, Stack{Frames: frames})
	}
	g.all[i].Count++
	g.latest = &g.all[i]
	return true
}

// addOne counts a stack of a goroutine that is listed by itself; false also where there are too many of these.
func (g *groups) addOne(t *linetable.Table, pcs []uint64) bool {
	if g.kept > maxOneByOne || !g.add(t, pcs) {
		return false
	}
	g.kept += int(unsafe.Sizeof(Goroutine{}))
	return true
}
