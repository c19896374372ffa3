package outside

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// names are the variables of a program, with their types where what debuggers read is there.
type names struct {
	*target
	symbols      []elf.Symbol // by address
	pointers     []pointer
	types        map[string]dwarf.Type   // nil for what is not known
	declarations map[string]dwarf.Offset // of the types of variables; nil until they are read
	debug        *dwarf.Data
}

// readNames reads where the program has its variables; false where it has no symbols.
func readNames(t *target) (*names, bool) {
	n := &names{target: t, types: make(map[string]dwarf.Type)}
	all, err := n.table.image.symbolTable()
	if err != nil {
		return nil, false
	}
	for _, v := range all {
		if at := v.Value + n.table.image.slide; elf.ST_TYPE(v.Info) == elf.STT_OBJECT && v.Size >= 8 && at >= n.module.data && at < n.module.dataEnd {
			v.Value = at
			n.symbols = append(n.symbols, v)
		}
	}
	slices.SortFunc(n.symbols, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
	return n, len(n.symbols) > 0
}

// symbol returns the variable that an address is in.
func (n *names) symbol(at uint64) (elf.Symbol, bool) {
	i, found := slices.BinarySearchFunc(n.symbols, at, func(v elf.Symbol, at uint64) int { return cmp.Compare(v.Value, at) })
	if !found {
		i--
	}
	if i < 0 || at >= n.symbols[i].Value+n.symbols[i].Size {
		return elf.Symbol{}, false
	}
	return n.symbols[i], true
}

// tells reports whether a variable is one that tells something: the runtime has its own lists of all there is.
func tells(name string) bool {
	return strings.Contains(name, ".") && !strings.HasPrefix(name, "runtime.") && !strings.HasPrefix(name, "internal/runtime/")
}

// isRoot reports whether what a variable at an address holds can be told.
func (n *names) isRoot(at uint64) bool {
	if v, ok := n.symbol(at); ok {
		return tells(v.Name)
	}
	return n.variable(at).Variable != ""
}

// variable names the variable at an address, with the field where its type is known; none where it tells nothing.
func (n *names) variable(at uint64) Holder {
	if v, ok := n.symbol(at); ok {
		if !tells(v.Name) {
			return Holder{}
		}
		return n.field(v.Name, n.typeOf(v.Name), v.Value, at)
	}
	// What a variable points to from the start has no name of its own.
	i, found := slices.BinarySearchFunc(n.nameless(), at, func(p pointer, at uint64) int { return cmp.Compare(p.to, at) })
	if !found {
		i--
	}
	if i < 0 {
		return Holder{}
	}
	v, ok := n.symbol(n.pointers[i].from)
	if !ok || !tells(v.Name) || v.Value != n.pointers[i].from {
		return Holder{}
	}
	kind, ok := n.typeOf(v.Name).(*dwarf.PtrType)
	if !ok || at >= n.pointers[i].to+uint64(max(0, kind.Type.Size())) {
		return Holder{}
	}
	return n.field(v.Name, kind.Type, n.pointers[i].to, at)
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
			if _, named := n.symbol(to); !named {
				n.pointers = append(n.pointers, pointer{from + uint64(i), to})
			}
		}
	}
	slices.SortFunc(n.pointers, func(a, b pointer) int { return cmp.Compare(a.to, b.to) })
	return n.pointers
}

// field names what is at an address of a variable whose type may be known.
func (n *names) field(name string, kind dwarf.Type, place, at uint64) Holder {
	h := Holder{Variable: redact.Printable(name), Entries: -1}
	for kind != nil && at < place+uint64(max(0, kind.Size())) {
		if alias, ok := kind.(*dwarf.TypedefType); ok && !isContainer(alias.Name) {
			kind = alias.Type
			continue
		}
		structure, ok := kind.(*dwarf.StructType)
		if !ok || isContainer(structure.StructName) || isForeign(structure.StructName, name) {
			break
		}
		i := slices.IndexFunc(structure.Field, func(f *dwarf.StructField) bool {
			from := place + uint64(f.ByteOffset)
			return f.ByteOffset >= 0 && at >= from && at < from+uint64(max(0, f.Type.Size()))
		})
		if i < 0 {
			return h
		}
		f := structure.Field[i]
		h.Variable += "." + redact.Printable(f.Name)
		kind, place = f.Type, place+uint64(f.ByteOffset)
	}
	if kind != nil {
		h.Type = redact.Printable(nameOf(kind))
		h.Entries = n.entries(h.Type, place)
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

// nameOf writes a type as in Go.
func nameOf(kind dwarf.Type) string {
	switch k := kind.(type) {
	case *dwarf.TypedefType:
		return k.Name
	case *dwarf.StructType:
		return k.StructName
	case *dwarf.ArrayType:
		return fmt.Sprintf("[%d]%s", k.Count, nameOf(k.Type))
	case *dwarf.PtrType:
		if name := nameOf(k.Type); name != "" {
			return "*" + name
		}
	}
	return kind.String()
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

// typeOf returns the type of a variable from what debuggers read; nil where that is not there.
func (n *names) typeOf(name string) dwarf.Type {
	if kind, ok := n.types[name]; ok {
		return kind
	}
	kind := n.declared(name)
	n.types[name] = kind
	return kind
}

// declared looks for the declaration of a variable.
func (n *names) declared(name string) dwarf.Type {
	if n.declarations == nil {
		n.readDeclarations()
	}
	offset, ok := n.declarations[name]
	if !ok {
		return nil
	}
	kind, err := n.debug.Type(offset)
	if err != nil {
		return nil
	}
	return kind
}

// readDeclarations reads where the types of all variables are, at once: in a large program that takes a second.
func (n *names) readDeclarations() {
	n.declarations = make(map[string]dwarf.Offset)
	data, err := n.table.image.debugData()
	if err != nil {
		return
	}
	n.debug = data
	for all := data.Reader(); ; {
		entry, err := all.Next()
		if err != nil || entry == nil {
			return
		}
		switch entry.Tag {
		case dwarf.TagCompileUnit:
		case dwarf.TagVariable:
			name, _ := entry.Val(dwarf.AttrName).(string)
			if offset, ok := entry.Val(dwarf.AttrType).(dwarf.Offset); ok && n.declarations[name] == 0 {
				n.declarations[name] = offset
			}
		default:
			all.SkipChildren()
		}
	}
}
