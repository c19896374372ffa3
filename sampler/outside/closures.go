package outside

import (
	"debug/dwarf"
	"strings"
)

// closures are those of a program.
type closures struct {
	*names
	captured  map[uint64][]captured // by where their code begins
	receivers map[uint64]receiver   // by the same
}

func (n *closures) info() closureInfo {
	return closureInfo{functionInfo: functionInfo{debugInfo: n.debug}}
}

// capturedAt returns the variable that a closure has at an offset, or before it, and where the following one is that is
// known, 0 for none, by where its code begins; ok is false where that is not certain.
func (n *closures) capturedAt(code, offset uint64) (found captured, following uint64, ok bool) {
	n.readDebugInfo()
	if n.debug.isEmpty() {
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
