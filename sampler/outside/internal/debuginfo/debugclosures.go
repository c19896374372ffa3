package debuginfo

import (
	"cmp"
	"debug/dwarf"
	"slices"
)

// Captured is a variable of another function that a closure has.
type Captured struct {
	Name string
	Of   dwarf.Offset
	At   uint64 // in the closure
}

// ClosureInfo is the debug information of closures.
type ClosureInfo struct{ FunctionInfo }

// CapturedBy returns what the closures of a function have, by where they have it, and by addresses as in the program's
// file; none before Go 1.23.
func (d ClosureInfo) CapturedBy(name string, entry uint64) (all []Captured) {
	at := d.function(name, entry)
	if at == 0 {
		return nil
	}
	from := d.From(at)
	if head, ok := d.Next(from); !ok || !head.Children {
		return nil
	}
	depth := 1
	for range maxLocals {
		entryOf, ok := d.Next(from)
		if !ok {
			return nil
		}
		switch entryOf.Tag {
		case 0:
			if depth--; depth == 0 {
				slices.SortStableFunc(all, func(a, b Captured) int { return cmp.Compare(a.At, b.At) })
				return all
			}
		case dwarf.TagInlinedSubroutine:
			d.Skip(from, entryOf)
			continue
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			if at, ok := entryOf.Val(attrClosureOffset).(int64); ok && at >= 8 {
				o := d.originOf(entryOf)
				all = append(all, Captured{o.name, o.of, uint64(at)})
			}
		}
		if entryOf.Children {
			depth++
		}
	}
	return nil
}

// TypeNamed returns the type of a name; 0 where there is none, or several.
func (d ClosureInfo) TypeNamed(name string) (found dwarf.Offset) {
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
