package names

import (
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
)

// LocalAt returns the variable of a function that a word of its frame belongs to, and which byte of it. ok is false
// where it is not certain: several may share a place.
func (n *Names) LocalAt(s linetable.Slot, function string) (found debuginfo.Local, in uint64, ok bool) {
	n.readDebugInfo()
	if n.Debug.IsEmpty() {
		return found, 0, false
	}
	all, known := n.locals[s.PC]
	if !known {
		if name, entry, ok := n.functionOf(s.PC); ok {
			slide := n.Table.Image.Slide
			all = debuginfo.FunctionInfo{Info: n.Debug}.Locals(name, entry, s.PC-slide, max(s.After, slide)-slide)
		}
		if n.locals == nil {
			n.locals = make(map[uint64][]debuginfo.Local)
		}
		n.locals[s.PC] = all
	}
	fixed, others := 0, 0
	var names []string
	for _, l := range all {
		size, _ := n.Debug.SizeOf(l.Of)
		at, has := l.Has(s.Offset, size)
		if !has {
			continue
		}
		if l.Fixed {
			fixed++
		} else {
			others++
		}
		if linetable.WithoutTypes(l.Function) == function && !slices.Contains(names, l.Name) {
			found, in = l, at
			names = append(names, l.Name)
		}
	}
	// Variables with names of the compiler's own are not the program's.
	ok = len(names) == 1 && (fixed == 0 || fixed == 1 && others == 0) && found.Name != "" &&
		!strings.HasPrefix(found.Name, ".") && !strings.Contains(found.Name, "~")
	return found, in, ok
}

// functionOf returns the function at a place, and its entry in the program's file.
func (n *Names) functionOf(pc uint64) (name string, entry uint64, ok bool) {
	f, ok := n.Table.Find(pc)
	if !ok {
		return "", 0, false
	}
	return n.Table.NameOf(&f), f.Entry - n.Table.Image.Slide, true
}
