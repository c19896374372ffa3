// Package rtype reads types as the runtime describes them in every program, and finds types from values themselves. It
// needs no debug information.
package rtype

import (
	"encoding/binary"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

// What is in internal/abi.Type, whose form is the same from Go 1.21 on, and in the names of types.
const (
	typeFlagsAt  = 20
	typeNameAt   = 40 // offset of the name from the start of the types
	typeHead     = 48
	flagStarred  = 1 << 1 // the name is that of a pointer to it
	maxTypeName  = 1 << 10
	nameLengthAt = 1 // behind the flags of the name
)

// Of a description: how the type is aligned, and what it is.
const (
	alignAt     = 21
	kindAt      = 23
	kindMask    = 1<<5 - 1
	lastKind    = 26 // unsafe.Pointer
	pointerKind = 22
)

// Name returns the name of a type that the runtime describes, as in "*net.netFD"; "" where it is none of the
// program's. It is what the program's file has.
func Name(t *goruntime.Target, at uint64) string {
	var head [typeHead]byte
	if at < t.Module.Types || at >= t.Module.TypesEnd || !t.Table.Image.Read(at, head[:]) {
		return ""
	}
	name := t.Module.Types + uint64(binary.LittleEndian.Uint32(head[typeNameAt:]))
	size, shift := uint64(0), 0
	for name += nameLengthAt; ; name++ {
		var b [1]byte
		if name >= t.Module.TypesEnd || shift > 14 || !t.Table.Image.Read(name, b[:]) {
			return ""
		}
		size |= uint64(b[0]&0x7f) << shift
		if shift += 7; b[0] < 0x80 {
			break
		}
	}
	text := make([]byte, min(size, maxTypeName))
	if size > maxTypeName || !t.Table.Image.Read(name+1, text) {
		return ""
	}
	if head[typeFlagsAt]&flagStarred != 0 {
		return strings.TrimPrefix(string(text), "*")
	}
	return string(text)
}

// Described returns the name and the size of a type that the runtime describes at an address, whether there is debug
// information or not; "" where it is none. A pointer is named as what it points to, with a size of 0.
func Described(t *goruntime.Target, at uint64) (name string, size uint64) {
	var head [typeHead]byte
	if at%8 != 0 || at < t.Module.Types || at >= t.Module.TypesEnd || !t.Table.Image.Read(at, head[:]) {
		return "", 0
	}
	size = binary.LittleEndian.Uint64(head[:])
	kind, align := head[kindAt]&kindMask, head[alignAt]
	if kind == 0 || kind > lastKind || align == 0 || align > 8 || align&(align-1) != 0 || size%uint64(align) != 0 {
		return "", 0
	}
	name = Name(t, at)
	if redact.Printable(name) != name {
		return "", 0
	}
	if kind == pointerKind {
		return strings.TrimPrefix(name, "*"), 0
	}
	return name, size
}
