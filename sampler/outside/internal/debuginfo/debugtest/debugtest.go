// Package debugtest writes debug information for tests.
package debugtest

import (
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"slices"
)

// Forms are those of the entries that the tests write: each has a number, a tag, children or none, and attributes with
// their forms.
var Forms = []byte{
	1, byte(dwarf.TagCompileUnit), 1, 0, 0,
	2, byte(dwarf.TagTypedef), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, 0, 0,
	3, byte(dwarf.TagStructType), 1, byte(dwarf.AttrName), 8, byte(dwarf.AttrByteSize), 0xf, 0, 0,
	4, byte(dwarf.TagMember), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrDataMemberLoc), 0xf, byte(dwarf.AttrType),
	0x13, 0, 0,
	5, byte(dwarf.TagArrayType), 0, byte(dwarf.AttrByteSize), 0xf, byte(dwarf.AttrType), 0x13, 0, 0,
	6, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, 0, 0,
	7, byte(dwarf.TagPointerType), 0, byte(dwarf.AttrType), 0x13, 0, 0,
	8, byte(dwarf.TagSubprogram), 1, byte(dwarf.AttrName), 8, byte(dwarf.AttrLowpc), 1, 0, 0,
	9, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, byte(dwarf.AttrLocation), 0xa,
	0, 0,
	10, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, byte(dwarf.AttrLocation), 0x17,
	0, 0,
	11, byte(dwarf.TagLexDwarfBlock), 1, byte(dwarf.AttrRanges), 0x17, 0, 0,
	12, byte(dwarf.TagSubprogram), 1, byte(dwarf.AttrAbstractOrigin), 0x13, byte(dwarf.AttrLowpc), 1, 0, 0,
	13, byte(dwarf.TagInlinedSubroutine), 1, byte(dwarf.AttrAbstractOrigin), 0x13, byte(dwarf.AttrRanges), 0x17, 0, 0,
	14, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13,
	0x87, 0x52, 0xf, 0, 0, // where a closure has it, 0x2907
	0,
}

const FirstEntry = 12 // of a unit, behind the entry of the unit itself

// Of expressions: a place from the end of the frame, and a register.
const (
	frameBase = 0x91
	register  = 0x50
)

// Unit writes the entries of a program of one part: each is its number, and what follows, as bytes, strings that end
// with a zero, and offsets of other entries as uint32.
func Unit(entries ...any) []byte {
	var b bytes.Buffer
	b.Write([]byte{4, 0, 0, 0, 0, 0, 8, 1})
	for _, one := range entries {
		switch v := one.(type) {
		case int:
			b.WriteByte(byte(v))
		case string:
			b.WriteString(v + "\x00")
		case []byte:
			b.Write(v)
		case uint32:
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteByte(0)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(b.Len())), b.Bytes()...)
}

// Words writes numbers of 8 bytes each.
func Words(all ...uint64) (b []byte) {
	for _, w := range all {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// FunctionOf is a function that begins at 0, and what it has: a variable in a fixed place, one in a list, and two of a
// block and of an inlined function that share a place, as they are never there together.
func FunctionOf() []any {
	return []any{
		8, "main.f", Words(0),
		9, "fixed", uint32(0), []byte{2, frameBase, 0x70}, // -16
		10, "listed", uint32(0), uint32(0),
		11, uint32(len(LocationList)), 9, "block", uint32(0), []byte{2, frameBase, 0x60}, 0, // -32
		13, uint32(FirstEntry), uint32(len(LocationList)), 9, "inlined", uint32(0), []byte{2, frameBase, 0x60}, 0,
		0,
	}
}

var (
	// LocationList has the variable of FunctionOf that is in a list.
	LocationList = slices.Concat(Words(^uint64(0), 0, 4, 8), []byte{2, 0, frameBase, 0x68}, Words(8, 12),
		[]byte{1, 0, register}, Words(0, 0))
	// RangeList has the parts of the code that its block and its inlined function have.
	RangeList = slices.Concat(Words(^uint64(0), 0), Words(2, 6), Words(0, 0))
)

// ClosureOf is a function that begins at 0 whose closures have variables of another one. One of an inlined function is
// none of them.
func ClosureOf() []any {
	return []any{
		8, "main.f.func1", Words(0),
		14, "x", uint32(0), 8, 14, "&n", uint32(0), 32,
		11, uint32(0), 14, "inner", uint32(0), 16, 14, ".dict", uint32(0), 24, 0,
		13, uint32(FirstEntry), uint32(0), 14, "inlined", uint32(0), 40, 0,
		14, "one", uint32(0), 48, 14, "two", uint32(0), 48,
		9, "local", uint32(0), []byte{2, frameBase, 0x70},
		0,
	}
}
