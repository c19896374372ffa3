package outside

import (
	"cmp"
	"debug/dwarf"
	"slices"
	"strings"
)

const pointerSize = 8

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

// closures are those of a program.
type closures struct {
	*names
	captured  map[uint64][]captured // by where their code begins
	receivers map[uint64]receiver   // by the same
}

func (n *closures) info() closureInfo { return closureInfo{functionInfo{n.debug}} }

// capturedAt returns the variable that a closure has at an offset, or before it, and where the following one is that is
// known, 0 for none, by where its code begins; ok is false where that is not certain.
func (n *closures) capturedAt(code, offset uint64) (found captured, following uint64, ok bool) {
	n.readDebugInfo()
	if n.debug.data == nil {
		return found, 0, false
	}
	all, known := n.captured[code]
	if !known {
		if name, entry, ok := n.functionOf(code); ok {
			all = n.info().capturedBy(name, entry)
		}
		if n.captured == nil {
			n.captured = make(map[uint64][]captured)
		}
		n.captured[code] = all
	}
	i := len(all) - 1
	for i >= 0 && all[i].at > offset {
		i--
	}
	if i < 0 || i > 0 && all[i-1].at == all[i].at || !isNamed(all[i].name) {
		return found, 0, false
	}
	if i+1 < len(all) {
		following = all[i+1].at
	}
	return all[i], following, true
}

// isNamed reports whether a variable has a name of the program's, not of the compiler's own.
func isNamed(name string) bool {
	name = strings.TrimPrefix(name, byReference)
	return name != "" && !strings.ContainsAny(name, ".~#")
}

// receiver is what the closure of x.Method has.
type receiver struct {
	method  string
	of      dwarf.Offset // the type that the method is of; 0 where that is not known
	pointer bool         // it has a pointer to one
}

// receiverOf returns what a closure has that is made by x.Method, by where its code begins.
func (n *closures) receiverOf(code uint64) (r receiver, ok bool) {
	if r, known := n.receivers[code]; known {
		return r, r.method != ""
	}
	if name, _, found := n.functionOf(code); found {
		if name, ok = strings.CutSuffix(name, methodValue); ok {
			r.method = name
			n.readDebugInfo()
			of := name[:max(0, strings.LastIndexByte(name, '.'))]
			before, after, pointer := strings.Cut(of, "(*")
			if r.pointer = pointer; pointer {
				of = before + strings.TrimSuffix(after, ")")
			}
			r.of = n.info().typeNamed(of)
		}
	}
	if n.receivers == nil {
		n.receivers = make(map[uint64]receiver)
	}
	n.receivers[code] = r
	return r, ok
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

// lead adds to a step of a closure by which of its variables it leads on, and returns as what the next object is
// to be seen; ok is false where that is not known.
func (n *closures) lead(step *Step, closure, next *node, place uint64) (v view, ok bool) {
	base := closure.base.address()
	code := n.word(base)
	if r, ok := n.receiverOf(code); ok {
		t := follower{names: n.names, step: step, target: n.word(place)}
		switch {
		case r.of == 0:
			return v, false
		case !r.pointer:
			return t.follow(r.of, base+pointerSize, place), true
		}
		return t.to(r.of), place == base+pointerSize
	}
	found, following, ok := n.capturedAt(code, place-base)
	if !ok {
		return v, false
	}
	if kind := n.debug.nameOf(found.of); strings.HasPrefix(kind, ".") || strings.Contains(kind, shape) {
		found.of = 0 // of generic code
	}
	t := follower{names: n.names, step: step, target: n.word(place)}
	in, at := place-base-found.at, base+found.at
	name, isReference := strings.CutPrefix(found.name, byReference)
	if !isReference {
		size, known := n.debug.sizeOf(found.of)
		if known && in >= size || !known && in != 0 {
			return v, false
		}
		t.append(name)
		if !known {
			return t.unknown(), true
		}
		return t.follow(found.of, at, place), true
	}
	// A large variable that does not change is in the closure itself, and has the same name.
	if in != 0 {
		return v, false
	}
	t.append(name)
	of := n.debug.pointee(found.of)
	if size, known := n.debug.sizeOf(of); !known || !next.isAlone(size) || t.target != next.base.address() ||
		size > pointerSize && at+size <= closure.end.address() && (following == 0 || following-found.at >= size) {
		return t.unknown(), true
	}
	return t.to(of), true
}

// isAlone reports whether an object has the size that the heap has for one variable of some size.
func (n *node) isAlone(size uint64) bool {
	has := n.end.address() - n.base.address()
	return has >= size && has <= max(2*size, 2*pointerSize)
}
