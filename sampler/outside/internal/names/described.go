package names

import (
	"debug/dwarf"
)

// maxDescriptions is how many bytes the descriptions of types may have.
const maxDescriptions = 1 << 30

// described are the types that the runtime describes, by the address of the description.
type described struct {
	known map[uint64]dwarf.Offset
}

// TypeAt returns the type that the runtime describes at an address; 0 where it does not, or that is not known.
func (d *described) TypeAt(n *Names, at uint64) dwarf.Offset {
	first, end := n.Module.Types, n.Module.TypesEnd
	if at <= first || at >= end || end-first > maxDescriptions {
		return 0
	}
	if d.known == nil {
		d.known = make(map[uint64]dwarf.Offset)
		n.readDebugInfo()
	}
	of, ok := d.known[at]
	if !ok {
		of = n.Debug.RuntimeType(at-first, n.Word(at))
		d.known[at] = of
	}
	return of
}
