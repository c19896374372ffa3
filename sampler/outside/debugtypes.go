package outside

import (
	"debug/dwarf"
	"encoding/binary"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// What Go adds to what debuggers read.
const (
	attrElement     = dwarf.Attr(0x2902) // of what is in it
	attrRuntimeType = dwarf.Attr(0x2904) // where the runtime describes it, from the first description on
	// attrClosureOffset is of a variable of another function: where a closure has it, since Go 1.23.
	attrClosureOffset = dwarf.Attr(0x2907)
)

const (
	maxTypeText    = 1 << 12
	maxAfterName   = 32 // bytes from the end of the name to the offset
	maxOccurrences = 16 // of the number of one, in what debuggers read
)

// runtimeType returns the type that the runtime describes at an offset, with its size; 0 where that is not there. What
// describes a type begins with its name, before the offset.
func (d debugInfo) runtimeType(offset, size uint64) (found dwarf.Offset) {
	for place := range d.places(binary.LittleEndian.AppendUint64(nil, offset), maxOccurrences) {
		// The name has to go from the begin to the attributes: what lies before the begin would be another type's.
		for at := place - 1; at >= max(0, place-maxTypeText); at-- {
			if d.info[at] == 0 && at < place-maxAfterName {
				break // no name has it
			}
			entry, ok := d.entry(dwarf.Offset(at))
			if !ok || entry.Val(attrRuntimeType) != offset && entry.Val(attrRuntimeType) != int64(offset) {
				continue
			}
			name, _ := entry.Val(dwarf.AttrName).(string)
			if has, ok := d.sizeOf(dwarf.Offset(at)); ok && has == size && name != "" &&
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

// elementOf returns the type of what is in one; 0 where that is not there.
func (d debugInfo) elementOf(at dwarf.Offset) dwarf.Offset {
	entry, ok := d.entry(at)
	if !ok {
		return 0
	}
	of, _ := entry.Val(attrElement).(dwarf.Offset)
	return of
}

// pointee returns what a type points to; 0 where it is no pointer.
func (d debugInfo) pointee(at dwarf.Offset) dwarf.Offset {
	if kind, ok := d.plain(at); ok && kind.tag == dwarf.TagPointerType {
		return kind.of
	}
	return 0
}

// fieldOf returns the type of a field; 0 where there is none.
func (d debugInfo) fieldOf(at dwarf.Offset, name string) dwarf.Offset {
	kind, _ := d.plain(at)
	for _, f := range kind.fields {
		if f.name == name {
			return f.of
		}
	}
	return 0
}

// fieldAt returns the field that an offset is in.
func (d debugInfo) fieldAt(kind debugType, offset uint64) (debugField, bool) {
	for _, f := range kind.fields {
		if size, ok := d.sizeOf(f.of); ok && offset >= f.at && offset-f.at < size {
			return f, true
		}
	}
	return debugField{}, false
}

// nameOf returns the name of a type, in Go's words; "" where it has none.
func (d debugInfo) nameOf(at dwarf.Offset) string {
	kind, _ := d.typeAt(at)
	return kind.name
}

// isDirect reports whether an interface holds a value of a type itself, not a pointer to it.
func (d debugInfo) isDirect(at dwarf.Offset) bool {
	for range maxTypes {
		kind, ok := d.typeAt(at)
		switch {
		case !ok:
			return false
		case kind.tag == dwarf.TagPointerType, kind.tag == dwarf.TagSubroutineType, kind.tag == dwarf.TagTypedef &&
			strings.HasPrefix(kind.name, "func("):
			return true
		case kind.tag == dwarf.TagTypedef, kind.tag == dwarf.TagArrayType && kind.size == 8:
			at = kind.of
		case kind.tag == dwarf.TagStructType && len(kind.fields) == 1:
			at = kind.fields[0].of
		default:
			return false
		}
	}
	return false
}
