// Package names names what is at an address in the program's own words: variables of packages with their fields, local
// and captured variables, types. Where the program has no symbols it names the functions that use a variable.
package names

import (
	"bytes"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/rtype"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// temporary is in the names that linkers of C keep of what a variable points to from the start.
const temporary = "..stmp_"

// Names are the variables of a program, with their types where there is debug information.
type Names struct {
	*goruntime.Target
	Symbols   objfile.SymbolTable // of the variables; empty where the program is stripped
	pointers  []pointer
	Debug     debuginfo.Info
	DebugRead bool
	types     map[string]dwarf.Offset // of variables; 0 for those that are not known
	Described described
	Unnamed   rtype.Unnamed
	locals    map[uint64][]debuginfo.Local // by the place at which their function stands
	Code      *References                  // of a program without symbols; nil else
	pause     func()
}

// Read reads where the program has its variables.
func Read(t *goruntime.Target, pause func()) *Names {
	n := &Names{Target: t, types: make(map[string]dwarf.Offset), pause: pause}
	n.Symbols, _ = t.Table.Image.SymbolTable(pause, func(name []byte, v objfile.Symbol) bool {
		return !bytes.Contains(name, []byte(temporary)) && v.Kind == elf.STT_OBJECT && v.Size >= 8 &&
			v.At >= t.Module.Data && v.At < t.Module.DataEnd
	})
	slices.SortFunc(n.Symbols.All, func(a, b objfile.Symbol) int { return cmp.Compare(a.At, b.At) })
	return n
}

// symbol returns the variable that an address is in, and the variable's own address.
func (n *Names) symbol(at uint64) (name string, from uint64, ok bool) {
	all := n.Symbols.All
	i, found := slices.BinarySearchFunc(all, at, func(v objfile.Symbol, at uint64) int { return cmp.Compare(v.At, at) })
	if !found {
		i--
	}
	if i < 0 || at >= all[i].At+all[i].Size {
		return "", 0, false
	}
	return n.Symbols.Name(all[i]), all[i].At, true
}

// isInformative reports whether the name of a variable says what holds an object: the runtime's own do not, as it has
// lists of all there is.
func isInformative(name string) bool {
	return strings.Contains(name, ".") && !strings.HasPrefix(name, "runtime.") &&
		!strings.HasPrefix(name, "internal/runtime/")
}

// IsRoot reports whether a variable at an address can be named as a holder.
func (n *Names) IsRoot(at uint64) bool {
	if n.Code != nil {
		m := &n.Module
		if (at < m.Values || at >= m.ValuesEnd) && (at < m.Zeros || at >= m.ZerosEnd) {
			return false
		}
		from, isRuntimes := n.Code.owner(at)
		return from != 0 && !isRuntimes
	}
	if name, _, ok := n.symbol(at); ok {
		return isInformative(name)
	}
	return n.Variable(at).Name != ""
}

// Variable is one of a package, or a field of it.
type Variable struct {
	Name    string // with its package and field, as in main.cache.entries; "" where the name is not informative
	Type    string // as in map[string]*app.Session; "" where unknown
	Entries int64  // of a map, slice or channel; -1 where it is none, or unknown
}

// Variable names the variable at an address, with the field where its type is known; no name where that is not
// informative.
func (n *Names) Variable(at uint64) Variable {
	if n.Code != nil {
		v := Variable{Name: namelessAt(at, nil)}
		v.Type, v.Entries = n.Unnamed.Of(at)
		return v
	}
	name, of, from := n.Owner(at)
	if name == "" {
		return Variable{}
	}
	return n.Field(name, of, from, at)
}

// Users returns the name of the variable at an address of a program without symbols, by what uses it: it is certain
// where code refers to the address itself.
func (n *Names) Users(at uint64) string {
	if from, _ := n.Code.owner(at); from == at {
		return namelessAt(at, n.Code.users(at))
	}
	return namelessAt(at, nil)
}

// Owner returns the variable that an address is in: its name, "" where that is not informative, its type, 0 where
// unknown, and its own address.
func (n *Names) Owner(at uint64) (name string, of dwarf.Offset, from uint64) {
	if name, from, ok := n.symbol(at); ok {
		if !isInformative(name) {
			return "", 0, 0
		}
		return name, n.typeOf(name), from
	}
	// The initial target of a pointer variable has no name of its own.
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
	of = n.Debug.Pointee(of)
	if size, known := n.Debug.SizeOf(of); !known || at >= p.to+size {
		return "", 0, 0
	}
	return name, of, p.to
}

// valueType returns the dynamic type of a variable that is an interface; 0 where it is not an interface, or unknown.
func (n *Names) valueType(of dwarf.Offset, at uint64) dwarf.Offset {
	kind, _ := n.Debug.Plain(of)
	description := n.Word(at)
	switch {
	case !IsInterface(kind.Name):
		return 0
	case kind.Name == "runtime.iface":
		description = n.Word(description + 8) // of the table of its methods
	}
	return n.Described.TypeAt(n, description)
}

// pointer is a variable that points to another place among the variables: with its first word, or as the value of an
// interface.
type pointer struct{ from, to uint64 }

// nameless returns the variables that point to those without a name, by where they point to.
func (n *Names) nameless() []pointer {
	if n.pointers != nil {
		return n.pointers
	}
	n.pointers = []pointer{}
	block := make([]byte, min(procmem.Chunk, n.Module.DataEnd-n.Module.Data+8))
	for from := n.Module.Data &^ 7; from < n.Module.DataEnd; from += procmem.Chunk {
		b := block[:min(procmem.Chunk, n.Module.DataEnd-from)]
		if !n.ReadAt(from, b) {
			continue
		}
		for i := 0; i+8 <= len(b); i += 8 {
			to := binary.LittleEndian.Uint64(b[i:])
			if to < n.Module.Data || to >= n.Module.DataEnd {
				continue
			}
			if _, _, named := n.symbol(to); named {
				continue
			}
			at := from + uint64(i)
			if name, start, ok := n.symbol(at); ok && at-start <= 8 && isInformative(name) {
				n.pointers = append(n.pointers, pointer{at, to})
			}
		}
	}
	slices.SortFunc(n.pointers, func(a, b pointer) int { return cmp.Compare(a.to, b.to) })
	return n.pointers
}

// Field names what is at an address of a variable whose type may be known.
func (n *Names) Field(name string, of dwarf.Offset, place, at uint64) Variable {
	v := Variable{Name: Shown(name), Entries: -1}
	if of == 0 {
		v.Type, v.Entries = n.Unnamed.Of(at)
		if at != place && (at != place+8 || !strings.HasPrefix(v.Type, rtype.WithValue)) {
			v.Name += fmt.Sprintf("+0x%x", at-place)
		}
		return v
	}
	for range debuginfo.MaxTypes {
		kind, ok := n.Debug.TypeAt(of)
		if of == 0 || !ok {
			return v
		}
		if kind.Tag == dwarf.TagTypedef && !isContainer(kind.Name) {
			if to, ok := n.Debug.TypeAt(kind.Of); ok && !strings.HasPrefix(to.Name, "runtime.") { // of an interface
				of = kind.Of
				continue
			}
		}
		if kind.Tag == dwarf.TagStructType && !isContainer(kind.Name) && !isForeign(kind.Name, name) &&
			at < place+kind.Size {
			i := slices.IndexFunc(kind.Fields, func(f debuginfo.Field) bool {
				size, ok := n.Debug.SizeOf(f.Of)
				return ok && at >= place+f.At && at-place-f.At < size
			})
			if i < 0 {
				return v
			}
			v.Name = Shown(v.Name + "." + Shown(kind.Fields[i].Name))
			of, place = kind.Fields[i].Of, place+kind.Fields[i].At
			continue
		}
		v.Type = Shown(kind.Name)
		v.Entries = n.Entries(v.Type, place)
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

// isForeign reports whether a type is of another package than a variable: its fields are then not named.
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

// Entries counts what a map, slice or channel holds; -1 where that is unknown. Maps and channels begin with the number.
func (n *Names) Entries(kind string, at uint64) int64 {
	var words [16]byte
	if !n.ReadAt(at, words[:]) {
		return -1
	}
	count := binary.LittleEndian.Uint64(words[8:])
	switch {
	case strings.HasPrefix(kind, "[]"):
	case strings.HasPrefix(kind, "map["), strings.HasPrefix(kind, "chan "):
		var head [8]byte
		if !n.ReadAt(binary.LittleEndian.Uint64(words[:]), head[:]) {
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

// typeOf returns the type of a variable from the debug information; 0 where it is not there.
func (n *Names) typeOf(name string) dwarf.Offset {
	n.readDebugInfo()
	of, ok := n.types[name]
	if !ok {
		of = n.Debug.Variable(name)
		n.types[name] = of
	}
	return of
}

func (n *Names) readDebugInfo() {
	if !n.DebugRead {
		n.DebugRead = true
		n.Debug, _ = n.Table.Image.DebugInfo(n.pause)
	}
}

// Word reads a word of the memory; 0 where it cannot be read.
func (n *Names) Word(at uint64) uint64 {
	var b [8]byte
	if !n.ReadAt(at, b[:]) {
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

// IsInterface reports whether a type is what the runtime makes interfaces of.
func IsInterface(name string) bool { return name == "runtime.eface" || name == "runtime.iface" }

// MaxShown is how many bytes of a name are shown.
const MaxShown = 1 << 10

// Shown makes a name fit to be shown: as long as somebody reads, with nothing that is not printed. The program's file
// may have any.
func Shown(text string) string {
	if len(text) > MaxShown+1 { // which is cut below
		text = text[:MaxShown+1]
	}
	if text = redact.Printable(text); len(text) > MaxShown {
		text = strings.ToValidUTF8(text[:MaxShown], "") + "…"
	}
	return text
}
