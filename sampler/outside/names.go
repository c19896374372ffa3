package outside

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// names are the variables of a program, with their types where what debuggers read is there.
type names struct {
	*target
	symbols   symbolTable // of the variables; empty where the program is stripped
	pointers  []pointer
	debug     debugInfo
	debugRead bool
	described described
	pause     func()
}

// readNames reads where the program has its variables.
func readNames(t *target, pause func()) *names {
	n := &names{target: t, pause: pause}
	n.symbols, _ = t.table.image.symbolTable(pause, func(_ []byte, v symbol) bool {
		return v.kind == elf.STT_OBJECT && v.size >= 8 && v.at >= t.module.data && v.at < t.module.dataEnd
	})
	slices.SortFunc(n.symbols.all, func(a, b symbol) int { return cmp.Compare(a.at, b.at) })
	return n
}

// symbol returns the variable that an address is in, and where it begins.
func (n *names) symbol(at uint64) (name string, from uint64, ok bool) {
	all := n.symbols.all
	i, found := slices.BinarySearchFunc(all, at, func(v symbol, at uint64) int { return cmp.Compare(v.at, at) })
	if !found {
		i--
	}
	if i < 0 || at >= all[i].at+all[i].size {
		return "", 0, false
	}
	return n.symbols.name(all[i]), all[i].at, true
}

// tells reports whether a variable is one that tells something: the runtime has its own lists of all there is.
func tells(name string) bool {
	return strings.Contains(name, ".") && !strings.HasPrefix(name, "runtime.") && !strings.HasPrefix(name, "internal/runtime/")
}

// isRoot reports whether what a variable at an address holds can be told.
func (n *names) isRoot(at uint64) bool {
	if name, _, ok := n.symbol(at); ok {
		return tells(name)
	}
	return n.variable(at).Variable != ""
}

// variable names the variable at an address, with the field where its type is known; none where it tells nothing.
func (n *names) variable(at uint64) Holder {
	name, of, from := n.owner(at)
	if name == "" {
		return Holder{}
	}
	return n.field(name, of, from, at)
}

// owner returns the name of the variable that has an address, "" where it tells nothing, and what is there: its type, 0
// where that is not known, and where it begins.
func (n *names) owner(at uint64) (name string, of dwarf.Offset, from uint64) {
	if name, from, ok := n.symbol(at); ok {
		if !tells(name) {
			return "", 0, 0
		}
		return name, n.typeOf(name), from
	}
	// What a variable points to from the start has no name of its own.
	i, found := slices.BinarySearchFunc(n.nameless(), at, func(p pointer, at uint64) int { return cmp.Compare(p.to, at) })
	if !found {
		i--
	}
	if i < 0 {
		return "", 0, 0
	}
	p := n.pointers[i]
	name, from, ok := n.symbol(p.from)
	if !ok || !tells(name) || from != p.from {
		return "", 0, 0
	}
	kind, ok := n.debug.typeAt(n.typeOf(name))
	size, known := n.debug.sizeOf(kind.of)
	if !ok || !known || kind.tag != dwarf.TagPointerType || at >= p.to+size {
		return "", 0, 0
	}
	return name, kind.of, p.to
}

// pointer is a variable that points to another place among the variables.
type pointer struct{ from, to uint64 }

// nameless returns the variables that point to those without a name, by where they point to.
func (n *names) nameless() []pointer {
	if n.pointers != nil {
		return n.pointers
	}
	n.pointers = []pointer{}
	for from := n.module.data &^ 7; from < n.module.dataEnd; from += chunk {
		b := make([]byte, min(chunk, n.module.dataEnd-from))
		if !n.readSome(from, b) {
			continue
		}
		for i := 0; i+8 <= len(b); i += 8 {
			to := binary.LittleEndian.Uint64(b[i:])
			if to < n.module.data || to >= n.module.dataEnd {
				continue
			}
			if _, _, named := n.symbol(to); !named {
				n.pointers = append(n.pointers, pointer{from + uint64(i), to})
			}
		}
	}
	slices.SortFunc(n.pointers, func(a, b pointer) int { return cmp.Compare(a.to, b.to) })
	return n.pointers
}

// field names what is at an address of a variable whose type may be known.
func (n *names) field(name string, of dwarf.Offset, place, at uint64) Holder {
	h := Holder{Variable: redact.Printable(name), Entries: -1}
	for range maxTypes {
		kind, ok := n.debug.typeAt(of)
		if of == 0 || !ok {
			return h
		}
		if kind.tag == dwarf.TagTypedef && !isContainer(kind.name) {
			if to, ok := n.debug.typeAt(kind.of); ok && !strings.HasPrefix(to.name, "runtime.") { // of an interface
				of = kind.of
				continue
			}
		}
		if kind.tag == dwarf.TagStructType && !isContainer(kind.name) && !isForeign(kind.name, name) && at < place+kind.size {
			i := slices.IndexFunc(kind.fields, func(f debugField) bool {
				size, ok := n.debug.sizeOf(f.of)
				return ok && at >= place+f.at && at-place-f.at < size
			})
			if i < 0 {
				return h
			}
			h.Variable += "." + redact.Printable(kind.fields[i].name)
			of, place = kind.fields[i].of, place+kind.fields[i].at
			continue
		}
		h.Type = redact.Printable(kind.name)
		h.Entries = n.entries(h.Type, place)
		return h
	}
	return h
}

// isContainer reports whether a type of Go is one whose parts are the runtime'n.
func isContainer(name string) bool {
	return name == "string" || strings.HasPrefix(name, "[]") || strings.HasPrefix(name, "map[") || strings.HasPrefix(name, "chan ") ||
		strings.HasPrefix(name, "runtime.") || strings.HasPrefix(name, "interface ")
}

// isForeign reports whether a type is of another package than a variable: what is in it is not the variable's business.
func isForeign(kind, variable string) bool {
	return !strings.HasPrefix(kind, "struct {") && packageOf(kind) != packageOf(variable)
}

// packageOf returns the path of the package of a name, as in "a/b" of "a/b.T[c/d.U]".
func packageOf(name string) string {
	name, _, _ = strings.Cut(name, "[")
	slash := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[slash:], '.')
	if dot < 0 {
		return ""
	}
	return name[:slash+dot]
}

// entries counts what a map, slice or channel holds; -1 where that is unknown. Maps and channels begin with the number.
func (n *names) entries(kind string, at uint64) int64 {
	var words [16]byte
	if !n.readSome(at, words[:]) {
		return -1
	}
	count := binary.LittleEndian.Uint64(words[8:])
	switch {
	case strings.HasPrefix(kind, "[]"):
	case strings.HasPrefix(kind, "map["), strings.HasPrefix(kind, "chan "):
		var head [8]byte
		if !n.readSome(binary.LittleEndian.Uint64(words[:]), head[:]) {
			return -1
		}
		count = binary.LittleEndian.Uint64(head[:])
	default:
		return -1
	}
	if count > 1<<40 {
		return -1
	}
	return int64(count)
}

// typeOf returns the type of a variable from what debuggers read; 0 where that is not there.
func (n *names) typeOf(name string) dwarf.Offset {
	n.readDebugInfo()
	return n.debug.variable(name)
}

func (n *names) readDebugInfo() {
	if !n.debugRead {
		n.debugRead = true
		n.debug, _ = n.table.image.debugInfo(n.pause)
	}
}

// word reads a word of the memory; 0 where it cannot be read.
func (n *names) word(at uint64) uint64 {
	var b [8]byte
	if !n.readSome(at, b[:]) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}
