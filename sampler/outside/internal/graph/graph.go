// Package graph has the objects that a search has met, what points to each of them, and the roots where ways begin. It
// reads no memory.
package graph

import (
	"cmp"
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

const (
	PointerSize = 8 // bytes
	maxSlots    = 8 // words of a stack that are remembered for one object
)

// Node is an object on the way from what holds it to objects of a line.
type Node struct {
	Base, End procmem.Hidden // 0 for what belongs to the scheduler
	Up        []*Node        // what points to it
	Root      *Root          // that points to it
	// a goroutine of nothing but libraries: a variable or the application that leads there comes first
	Library *Root
	Weak    *Root // a timer, or a finalizer of what points to it: what else holds it comes first
}

// Root is where a way begins: a variable, the stack of a goroutine, a timer or a finalizer.
type Root struct {
	Variable  procmem.Hidden // its address; 0 for all else
	Goroutine *goruntime.Goroutine
	PCs       []uint64         // of its stack, from the function on that has it in its frame
	Slots     []linetable.Slot // of its stack, innermost first
	Timer     procmem.Hidden
	Finalizer int // its index, where the others are not set
}

// Strong is a variable or a stack of the application that points to an object.
func Strong(n *Node) *Root { return n.Root }

// Middle is also a stack of libraries alone, which may be that of what serves the object.
func Middle(n *Node) *Root { return cmp.Or(n.Root, n.Library) }

// Weak is anything that points to an object.
func Weak(n *Node) *Root { return cmp.Or(n.Root, n.Library, n.Weak) }

// Nearest returns the root of the shortest way to a node.
func (n *Node) Nearest(rootOf func(*Node) *Root) *Root {
	seen := map[*Node]bool{n: true}
	for level := []*Node{n}; len(level) > 0; {
		var next []*Node
		for _, at := range level {
			if r := rootOf(at); r != nil {
				return r
			}
			for _, up := range at.Up {
				if !seen[up] {
					seen[up] = true
					next = append(next, up)
				}
			}
		}
		level = next
	}
	return nil
}

// Note adds a word of the same stack to a root.
func (r *Root) Note(at linetable.Slot) {
	if len(r.Slots) < maxSlots && !slices.Contains(r.Slots, at) {
		r.Slots = append(r.Slots, at)
	}
}

// IsAlone reports whether an object has the size that the heap has for one variable of some size.
func (n *Node) IsAlone(size uint64) bool {
	has := n.End.Address() - n.Base.Address()
	return has >= size && has <= max(2*size, 2*PointerSize)
}
