package outside

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// temporary is in the names that linkers of C keep of what a variable points to from the start.
const temporary = "..stmp_"

// names are the variables of a program, with their types where what debuggers read is there.
type names struct {
	*target
	symbols   symbolTable // of the variables; empty where the program is stripped
	pointers  []pointer
	debug     debugInfo
	debugRead bool
	types     map[string]dwarf.Offset // of variables; 0 for those that are not known
	described described
	unnamed   unnamed
	locals    map[uint64][]local // by the place at which their function stands
	code      *references        // of a program without symbols; nil else
	pause     func()
}

// readNames reads where the program has its variables.
func readNames(t *target, pause func()) *names {
	n := &names{target: t, types: make(map[string]dwarf.Offset), pause: pause}
	n.symbols, _ = t.table.image.symbolTable(pause, func(name []byte, v symbol) bool {
		return !bytes.Contains(name, []byte(temporary)) && v.kind == elf.STT_OBJECT && v.size >= 8 &&
			v.at >= t.module.data && v.at < t.module.dataEnd
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

// isInformative reports whether the name of a variable says what holds an object: the runtime's own do not, as it has
// lists of all there is.
func isInformative(name string) bool {
	return strings.Contains(name, ".") && !strings.HasPrefix(name, "runtime.") &&
		!strings.HasPrefix(name, "internal/runtime/")
}

// isRoot reports whether what a variable at an address holds can be told.
func (n *names) isRoot(at uint64) bool {
	if n.code != nil {
		m := &n.module
		if (at < m.values || at >= m.valuesEnd) && (at < m.zeros || at >= m.zerosEnd) {
			return false
		}
		from, isRuntimes := n.code.owner(at)
		return from != 0 && !isRuntimes
	}
	if name, _, ok := n.symbol(at); ok {
		return isInformative(name)
	}
	return n.variable(at).name != ""
}

// variable is one of a package, or a field of it.
type variable struct {
	name    string // with its package and field, as in main.cache.entries; "" where it tells nothing
	kind    string // as in map[string]*app.Session; "" where unknown
	entries int64  // of a map, slice or channel; -1 where it is none, or unknown
}

// variable names the variable at an address, with the field where its type is known; none where it tells nothing.
func (n *names) variable(at uint64) variable {
	if n.code != nil {
		v := variable{name: namelessAt(at, nil)}
		v.kind, v.entries = n.unnamed.of(at)
		return v
	}
	name, of, from := n.owner(at)
	if name == "" {
		return variable{}
	}
	return n.field(name, of, from, at)
}

// users returns the name of the variable at an address of a program without symbols, by what uses it: it is certain
// where code refers to the address itself.
func (n *names) users(at uint64) string {
	if from, _ := n.code.owner(at); from == at {
		return namelessAt(at, n.code.users(at))
	}
	return namelessAt(at, nil)
}

// owner returns the name of the variable that has an address, "" where it tells nothing, and what is there: its type, 0
// where that is not known, and where it begins.
func (n *names) owner(at uint64) (name string, of dwarf.Offset, from uint64) {
	if name, from, ok := n.symbol(at); ok {
		if !isInformative(name) {
			return "", 0, 0
		}
		return name, n.typeOf(name), from
	}
	// What a variable points to from the start has no name of its own.
	i, found := slices.BinarySearchFunc(n.nameless(), at, func(p pointer, at uint64) int {
		return cmp.Compare(p.to, at)
	})
	if !found {
		i--
	}
	if i < 0 {
		return "", 0, 0
	}
	p := n.pointers[i]
	name, from, ok := n.symbol(p.from)
	if !ok || !isInformative(name) {
		return "", 0, 0
	}
	of = n.typeOf(name)
	if p.from != from {
		of = n.valueType(of, from)
	}
	of = n.debug.pointee(of)
	if size, known := n.debug.sizeOf(of); !known || at >= p.to+size {
		return "", 0, 0
	}
	return name, of, p.to
}

// valueType returns the type of the value of a variable that is an interface; 0 where it is none, or that is not known.
func (n *names) valueType(of dwarf.Offset, at uint64) dwarf.Offset {
	kind, _ := n.debug.plain(of)
	description := n.word(at)
	switch {
	case !isInterface(kind.name):
		return 0
	case kind.name == "runtime.iface":
		description = n.word(description + 8) // of the table of its methods
	}
	return n.described.typeAt(n, description)
}

// pointer is a variable that points to another place among the variables: from its begin, or as the value of an
// interface.
type pointer struct{ from, to uint64 }

// nameless returns the variables that point to those without a name, by where they point to.
func (n *names) nameless() []pointer {
	if n.pointers != nil {
		return n.pointers
	}
	n.pointers = []pointer{}
	block := make([]byte, min(chunk, n.module.dataEnd-n.module.data+8))
	for from := n.module.data &^ 7; from < n.module.dataEnd; from += chunk {
		b := block[:min(chunk, n.module.dataEnd-from)]
		if !n.readSome(from, b) {
			continue
		}
		for i := 0; i+8 <= len(b); i += 8 {
			to := binary.LittleEndian.Uint64(b[i:])
			if to < n.module.data || to >= n.module.dataEnd {
				continue
			}
			if _, _, named := n.symbol(to); named {
				continue
			}
			at := from + uint64(i)
			if name, begin, ok := n.symbol(at); ok && at-begin <= 8 && isInformative(name) {
				n.pointers = append(n.pointers, pointer{at, to})
			}
		}
	}
	slices.SortFunc(n.pointers, func(a, b pointer) int { return cmp.Compare(a.to, b.to) })
	return n.pointers
}

// field names what is at an address of a variable whose type may be known.
func (n *names) field(name string, of dwarf.Offset, place, at uint64) variable {
	v := variable{name: shown(name), entries: -1}
	if of == 0 {
		v.kind, v.entries = n.unnamed.of(at)
		if at != place && (at != place+8 || !strings.HasPrefix(v.kind, withValue)) {
			v.name += fmt.Sprintf("+0x%x", at-place)
		}
		return v
	}
	for range maxTypes {
		kind, ok := n.debug.typeAt(of)
		if of == 0 || !ok {
			return v
		}
		if kind.tag == dwarf.TagTypedef && !isContainer(kind.name) {
			if to, ok := n.debug.typeAt(kind.of); ok && !strings.HasPrefix(to.name, "runtime.") { // of an interface
				of = kind.of
				continue
			}
		}
		if kind.tag == dwarf.TagStructType && !isContainer(kind.name) && !isForeign(kind.name, name) &&
			at < place+kind.size {
			i := slices.IndexFunc(kind.fields, func(f debugField) bool {
				size, ok := n.debug.sizeOf(f.of)
				return ok && at >= place+f.at && at-place-f.at < size
			})
			if i < 0 {
				return v
			}
			v.name = shown(v.name + "." + shown(kind.fields[i].name))
			of, place = kind.fields[i].of, place+kind.fields[i].at
			continue
		}
		v.kind = shown(kind.name)
		v.entries = n.entries(v.kind, place)
		return v
	}
	return v
}

// isContainer reports whether a type of Go is one whose parts are the runtime's.
func isContainer(name string) bool {
	return name == "string" || strings.HasPrefix(name, "[]") || strings.HasPrefix(name, "map[") ||
		strings.HasPrefix(name, "chan ") ||
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
	of, ok := n.types[name]
	if !ok {
		of = n.debug.variable(name)
		n.types[name] = of
	}
	return of
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

// namelessAt is the name of a variable that has none: the functions that use it, else where it is.
func namelessAt(at uint64, users []string) string {
	switch len(users) {
	case 0:
		return fmt.Sprintf("a variable at 0x%x", at)
	case 1:
		return "a variable that " + users[0] + " uses"
	}
	return "a variable that " + strings.Join(users, " and ") + " use"
}

func isInterface(name string) bool { return name == "runtime.eface" || name == "runtime.iface" }

// maxShown is how many bytes of a name are shown.
const maxShown = 1 << 10

// shown makes a name fit to be shown: as long as somebody reads, with nothing that is not printed. The program's file
// may have any.
func shown(text string) string {
	if len(text) > maxShown+1 { // which is cut below
		text = text[:maxShown+1]
	}
	if text = redact.Printable(text); len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}
