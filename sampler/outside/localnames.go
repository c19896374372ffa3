package outside

import (
	"slices"
	"strings"
)

// localAt returns the variable of a function, as told, that a word of its frame is of, and which byte of it. ok is
// false where it is not certain: several may share a place.
func (n *names) localAt(s slot, function string) (found local, in uint64, ok bool) {
	n.readDebugInfo()
	if n.debug.isEmpty() {
		return found, 0, false
	}
	all, known := n.locals[s.pc]
	if !known {
		if name, entry, ok := n.functionOf(s.pc); ok {
			slide := n.table.image.slide
			all = functionInfo{debugInfo: n.debug}.locals(name, entry, s.pc-slide, max(s.after, slide)-slide)
		}
		if n.locals == nil {
			n.locals = make(map[uint64][]local)
		}
		n.locals[s.pc] = all
	}
	fixed, others := 0, 0
	var names []string
	for _, l := range all {
		size, _ := n.debug.sizeOf(l.of)
		at, has := l.has(s.offset, size)
		if !has {
			continue
		}
		if l.fixed {
			fixed++
		} else {
			others++
		}
		if withoutTypes(l.function) == function && !slices.Contains(names, l.name) {
			found, in = l, at
			names = append(names, l.name)
		}
	}
	// What has a name of the compiler's own is none of the program's.
	ok = len(names) == 1 && (fixed == 0 || fixed == 1 && others == 0) && found.name != "" &&
		!strings.HasPrefix(found.name, ".") && !strings.Contains(found.name, "~")
	return found, in, ok
}

// functionOf returns the function that has a place, and where it begins in the program's file.
func (n *names) functionOf(pc uint64) (name string, entry uint64, ok bool) {
	f, ok := n.table.find(pc)
	if !ok {
		return "", 0, false
	}
	return n.table.nameOf(&f), f.entry - n.table.image.slide, true
}
