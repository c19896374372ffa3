package outside

import (
	"debug/dwarf"
)

// What Go adds to what debuggers read.
const (
	attrElement     = dwarf.Attr(0x2902) // of what is in it
	attrRuntimeType = dwarf.Attr(0x2904) // where the runtime describes it, from the first description on
	// attrClosureOffset is of a variable of another function: where a closure has it, since Go 1.23.
	attrClosureOffset = dwarf.Attr(0x2907)
)

const (
	maxTypeText     = 1 << 12
	maxAfterName    = 32      // bytes from the end of the name to the offset
	maxDescriptions = 1 << 30 // bytes of them
	maxOccurrences  = 16      // of the number of one, in what debuggers read
)

// described are the types that the runtime describes, as what is in memory refers to them.
type described struct {
	known map[uint64]dwarf.Offset
}

// typeAt returns the type that the runtime describes at an address; 0 where it does not, or that is not known.
func (d *described) typeAt(n *names, at uint64) dwarf.Offset {
	first, end := n.module.types, n.module.typesEnd
	if at <= first || at >= end || end-first > maxDescriptions {
		return 0
	}
	if d.known == nil {
		d.known = make(map[uint64]dwarf.Offset)
		n.readDebugInfo()
	}
	of, ok := d.known[at]
	if !ok {
		of = n.debug.runtimeType(at-first, n.word(at))
		d.known[at] = of
	}
	return of
}

// Of a description: how the type is aligned, and what it is.
const (
	alignAt     = 21
	kindAt      = 23
	kindMask    = 1<<5 - 1
	lastKind    = 26 // unsafe.Pointer
	pointerKind = 22
)
