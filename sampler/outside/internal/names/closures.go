package names

import (
	"debug/dwarf"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
)

// Closures are those of a program.
type Closures struct {
	*Names
	captured  map[uint64][]debuginfo.Captured // by the address of their code
	receivers map[uint64]Receiver             // by the same
}

func (n *Closures) info() debuginfo.ClosureInfo {
	return debuginfo.ClosureInfo{FunctionInfo: debuginfo.FunctionInfo{Info: n.Debug}}
}

// CapturedAt returns the variable that a closure has at an offset, or before it, and where the following one is that is
// known, 0 for none, by the address of its code; ok is false where that is not certain.
func (n *Closures) CapturedAt(code, offset uint64) (found debuginfo.Captured, following uint64, ok bool) {
	n.readDebugInfo()
	if n.Debug.IsEmpty() {
		return found, 0, false
	}
	all, known := n.captured[code]
	if !known {
		if name, entry, ok := n.functionOf(code); ok {
			all = n.info().CapturedBy(name, entry)
		}
		if n.captured == nil {
			n.captured = make(map[uint64][]debuginfo.Captured)
		}
		n.captured[code] = all
	}
	i := len(all) - 1
	for i >= 0 && all[i].At > offset {
		i--
	}
	if i < 0 || i > 0 && all[i-1].At == all[i].At || !isNamed(all[i].Name) {
		return found, 0, false
	}
	if i+1 < len(all) {
		following = all[i+1].At
	}
	return all[i], following, true
}

// isNamed reports whether a variable has a name of the program's, not of the compiler's own.
func isNamed(name string) bool {
	name = strings.TrimPrefix(name, debuginfo.ByReference)
	return name != "" && !strings.ContainsAny(name, ".~#")
}

// Receiver is what the closure of x.Method has.
type Receiver struct {
	Method  string
	Of      dwarf.Offset // the type that the method is of; 0 where that is not known
	Pointer bool         // it has a pointer to one
}

// ReceiverOf returns the receiver in a closure that x.Method has made, by the address of its code.
func (n *Closures) ReceiverOf(code uint64) (r Receiver, ok bool) {
	if r, known := n.receivers[code]; known {
		return r, r.Method != ""
	}
	if name, _, found := n.functionOf(code); found {
		if name, ok = strings.CutSuffix(name, linetable.MethodValue); ok {
			r.Method = name
			n.readDebugInfo()
			of := name[:max(0, strings.LastIndexByte(name, '.'))]
			before, after, pointer := strings.Cut(of, "(*")
			if r.Pointer = pointer; pointer {
				of = before + strings.TrimSuffix(after, ")")
			}
			r.Of = n.info().TypeNamed(of)
		}
	}
	if n.receivers == nil {
		n.receivers = make(map[uint64]Receiver)
	}
	n.receivers[code] = r
	return r, ok
}
