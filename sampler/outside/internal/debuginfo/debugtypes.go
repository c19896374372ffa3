package debuginfo

import (
	"debug/dwarf"
	"encoding/binary"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// Attributes that Go adds to DWARF.
const (
	attrElement     = dwarf.Attr(0x2902) // of the elements of a map, slice or channel
	attrRuntimeType = dwarf.Attr(0x2904) // where the runtime describes it, from the first description on
	// attrClosureOffset is of a variable of another function: where a closure has it, since Go 1.23.
	attrClosureOffset = dwarf.Attr(0x2907)
)

const (
	maxTypeText    = 1 << 12
	maxAfterName   = 32 // bytes from the end of the name to the offset
	maxOccurrences = 16 // of a description's offset, in the debug information
)

// RuntimeType returns the type that the runtime describes at an offset, with its size; 0 where that is not there. What
// describes a type begins with its name, before the offset.
func (d Info) RuntimeType(offset, size uint64) (found dwarf.Offset) {
	for place := range d.places(binary.LittleEndian.AppendUint64(nil, offset), maxOccurrences) {
		// The name has to reach from the start to the attributes: anything before the start belongs to another type.
		for at := place - 1; at >= max(0, place-maxTypeText); at-- {
			if d.info[at] == 0 && at < place-maxAfterName {
				break // no name has it
			}
			entry, ok := d.entry(dwarf.Offset(at))
			if !ok || entry.Val(attrRuntimeType) != offset && entry.Val(attrRuntimeType) != int64(offset) {
				continue
			}
			name, _ := entry.Val(dwarf.AttrName).(string)
			if has, ok := d.SizeOf(dwarf.Offset(at)); ok && has == size && name != "" &&
				redact.Printable(name) == name {
				found = dwarf.Offset(at)
			}
		}
		if found != 0 {
			return found
		}
	}
	return 0
}

// ElementOf returns the element type of a map, slice or channel; 0 where it has none.
func (d Info) ElementOf(at dwarf.Offset) dwarf.Offset {
	entry, ok := d.entry(at)
	if !ok {
		return 0
	}
	of, _ := entry.Val(attrElement).(dwarf.Offset)
	return of
}

// Pointee returns what a type points to; 0 where it is no pointer.
func (d Info) Pointee(at dwarf.Offset) dwarf.Offset {
	if kind, ok := d.Plain(at); ok && kind.Tag == dwarf.TagPointerType {
		return kind.Of
	}
	return 0
}

// FieldOf returns the type of a field; 0 where there is none.
func (d Info) FieldOf(at dwarf.Offset, name string) dwarf.Offset {
	kind, _ := d.Plain(at)
	for _, f := range kind.Fields {
		if f.Name == name {
			return f.Of
		}
	}
	return 0
}

// FieldAt returns the field that an offset is in.
func (d Info) FieldAt(kind Type, offset uint64) (Field, bool) {
	for _, f := range kind.Fields {
		if size, ok := d.SizeOf(f.Of); ok && offset >= f.At && offset-f.At < size {
			return f, true
		}
	}
	return Field{}, false
}

// NameOf returns the name of a type, in Go's words; "" where it has none.
func (d Info) NameOf(at dwarf.Offset) string {
	kind, _ := d.TypeAt(at)
	return kind.Name
}

// IsDirect reports whether an interface holds a value of a type itself, not a pointer to it.
func (d Info) IsDirect(at dwarf.Offset) bool {
	for range MaxTypes {
		kind, ok := d.TypeAt(at)
		switch {
		case !ok:
			return false
		case kind.Tag == dwarf.TagPointerType, kind.Tag == dwarf.TagSubroutineType, kind.Tag == dwarf.TagTypedef &&
			strings.HasPrefix(kind.Name, "func("):
			return true
		case kind.Tag == dwarf.TagTypedef, kind.Tag == dwarf.TagArrayType && kind.Size == 8:
			at = kind.Of
		case kind.Tag == dwarf.TagStructType && len(kind.Fields) == 1:
			at = kind.Fields[0].Of
		default:
			return false
		}
	}
	return false
}
