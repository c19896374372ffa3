package outside

import (
	"cmp"
	"slices"
)

const (
	pointerSize = 8
	maxSlots    = 8 // words of a stack that are remembered for one object
)

// node is an object on the way from what holds it to objects of a line.
type node struct {
	base, end hidden  // 0 for what belongs to the scheduler
	up        []*node // what points to it
	root      *root   // that points to it
	// a goroutine of nothing but libraries: a variable or the application that leads there comes first
	library *root
	weak    *root // a timer, or a finalizer of what points to it: what else holds it comes first
}

// root is where a way begins: a variable, the stack of a goroutine, a timer or a finalizer.
type root struct {
	variable  hidden // its address; 0 for all else
	goroutine *goroutine
	pcs       []uint64 // of its stack, from the function on that has it in its frame
	slots     []slot   // of its stack, innermost first
	timer     hidden
	finalizer int // its index, where the others are not set
}

// strong is a variable or a stack of the application that points to an object, middle also one of libraries alone,
// which may be that of what serves the object, and weak anything.
func strong(n *node) *root { return n.root }

func middle(n *node) *root { return cmp.Or(n.root, n.library) }

func weak(n *node) *root { return cmp.Or(n.root, n.library, n.weak) }

// nearest returns the root of the shortest way to a node.
func (n *node) nearest(rootOf func(*node) *root) *root {
	seen := map[*node]bool{n: true}
	for level := []*node{n}; len(level) > 0; {
		var next []*node
		for _, at := range level {
			if r := rootOf(at); r != nil {
				return r
			}
			for _, up := range at.up {
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

// note adds a word of the same stack to what is known of a root.
func (r *root) note(at slot) {
	if len(r.slots) < maxSlots && !slices.Contains(r.slots, at) {
		r.slots = append(r.slots, at)
	}
}

// isAlone reports whether an object has the size that the heap has for one variable of some size.
func (n *node) isAlone(size uint64) bool {
	has := n.end.address() - n.base.address()
	return has >= size && has <= max(2*size, 2*pointerSize)
}
