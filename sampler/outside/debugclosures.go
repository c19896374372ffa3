package outside

import (
	"cmp"
	"debug/dwarf"
	"slices"
)

// captured is a variable of another function that a closure has.
type captured struct {
	name string
	of   dwarf.Offset
	at   uint64 // in the closure
}

// closureInfo is what debuggers read of closures.
type closureInfo struct{ functionInfo }

// capturedBy returns what the closures of a function have, by where they have it, and by addresses as in the program's
// file; none before Go 1.23.
func (d closureInfo) capturedBy(name string, entry uint64) (all []captured) {
	at := d.function(name, entry)
	if at == 0 {
		return nil
	}
	from := d.from(at)
	if head, ok := d.next(from); !ok || !head.Children {
		return nil
	}
	depth := 1
	for range maxLocals {
		entryOf, ok := d.next(from)
		if !ok {
			return nil
		}
		switch entryOf.Tag {
		case 0:
			if depth--; depth == 0 {
				slices.SortStableFunc(all, func(a, b captured) int { return cmp.Compare(a.at, b.at) })
				return all
			}
		case dwarf.TagInlinedSubroutine:
			d.skip(from, entryOf)
			continue
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			if at, ok := entryOf.Val(attrClosureOffset).(int64); ok && at >= 8 {
				o := d.originOf(entryOf)
				all = append(all, captured{o.name, o.of, uint64(at)})
			}
		}
		if entryOf.Children {
			depth++
		}
	}
	return nil
}

// typeNamed returns the type that a program gives a name; 0 where there is none, or several.
func (d closureInfo) typeNamed(name string) (found dwarf.Offset) {
	for at, entry := range d.entriesWith([]byte(name+"\x00"), len(d.info)) {
		if entry.Tag == dwarf.TagTypedef && entry.Val(dwarf.AttrName) == name {
			if found != 0 {
				return 0
			}
			found = at
		}
	}
	return found
}
