//go:build linux && (amd64 || arm64)

package gotype

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"unicode/utf8"
	"unsafe"

	"github.com/mdzesseis/leaktrend/sampler/internal/image"
)

const (
	maxCode = 1 << 20 // bytes of one function
	maxName = 4096    // bytes of the name of a type
)

// Reader names types. It is safe for concurrent use.
type Reader struct {
	text  image.Region
	types image.Region
	base  uint64 // where offsets of names begin
}

// New returns a Reader of the running program. The error says why types cannot be named.
func New() (*Reader, error) {
	file, err := os.Open(image.Program)
	if err != nil {
		return nil, fmt.Errorf("gotype: %w", err)
	}
	defer file.Close()
	r, err := newReader(file)
	if err != nil {
		return nil, fmt.Errorf("gotype: %w", err)
	}
	return r, nil
}

// anchor is a type whose place in memory and whose name are known. Its fields make it none that the compiler could name
// in another way.
type anchor struct {
	_ map[string]*anchor
	_ [3]chan anchor
}

func newReader(file io.ReaderAt) (r *Reader, err error) {
	defer func() {
		if p := recover(); p != nil { // the file is not what it should be
			r, err = nil, fmt.Errorf("the program's file cannot be read: %v", p)
		}
	}()
	regions, code, err := image.Regions(file)
	if err != nil {
		return nil, err
	}
	r = &Reader{}

	// The program's own code and types show whether this is its file.
	self := uint64(reflect.ValueOf(newReader).Pointer())
	known := []reflect.Type{reflect.TypeFor[anchor](), reflect.TypeFor[*anchor](),
		reflect.TypeFor[map[string]*anchor](), reflect.TypeFor[[3]chan anchor]()}
	first := addressOf(known[0])
	for i, place := range regions {
		if code[i] && place.Holds(self, 1) {
			r.text = place
		}
		if place.Holds(first, typeSize) {
			r.types = place
		}
	}
	if r.text.End == 0 || r.types.End == 0 {
		return nil, errors.New("the program's file does not tell where its code and types are")
	}
	// The string that reflect returns lies in the name, whose offset is in the descriptor.
	name := known[0].String()
	descriptor, ok := r.descriptor(file, first)
	if !ok {
		return nil, errors.New("the program's file cannot be read")
	}
	place := uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) - 2 // flags, and a length of one byte
	if descriptor.star {
		place--
	}
	r.base = place - uint64(descriptor.name)
	for _, t := range known {
		if got, ok := r.name(file, addressOf(t)); !ok || got != t.String() {
			return nil, errors.New("the types of this Go version have an unknown form")
		}
	}
	return r, nil
}

// addressOf returns where the descriptor of a type is: the second word of the interface that holds it.
func addressOf(t reflect.Type) uint64 {
	return uint64((*[2]uintptr)(unsafe.Pointer(&t))[1])
}

// What is needed of a descriptor, as internal/abi.Type has it since Go 1.4: sizes, hash, flags, alignments, kind; two
// pointers; offsets of the name and of the pointer type.
const (
	typeSize   = 48
	flagsAt    = 20
	kindAt     = 23
	nameAt     = 40
	extraStar  = 1 << 1 // the name begins with a star that does not belong to it
	kindMask   = 1<<5 - 1
	lastOfKind = uint8(reflect.UnsafePointer)
)

type descriptor struct {
	star bool
	name int32
}

func (r *Reader) descriptor(file io.ReaderAt, address uint64) (descriptor, bool) {
	data, ok := r.types.Read(file, address, typeSize)
	if !ok || address%8 != 0 {
		return descriptor{}, false
	}
	kind := data[kindAt] & kindMask
	d := descriptor{data[flagsAt]&extraStar != 0, int32(binary.NativeEndian.Uint32(data[nameAt:]))}
	return d, kind != 0 && kind <= lastOfKind && d.name > 0
}

// name returns the name of the type whose descriptor is at an address.
func (r *Reader) name(file io.ReaderAt, address uint64) (string, bool) {
	d, ok := r.descriptor(file, address)
	if !ok {
		return "", false
	}
	at := r.base + uint64(d.name)
	head, ok := r.types.Read(file, at, 4) // flags, and the length
	if !ok {
		return "", false
	}
	length, n := binary.Uvarint(head[1:])
	if n <= 0 || length == 0 || length > maxName {
		return "", false
	}
	data, ok := r.types.Read(file, at+1+uint64(n), length)
	if !ok || !utf8.Valid(data) {
		return "", false
	}
	name := string(data)
	if d.star {
		if name[0] != '*' || length == 1 {
			return "", false
		}
		name = name[1:]
	}
	return name, true
}

// Allocated returns the name of the type that is allocated where a stack of a heap profile ends, or "" where that is
// not certain. The stack is as runtime.MemProfile has it: return addresses, the innermost first.
func (r *Reader) Allocated(stack []uintptr) (name string) {
	defer func() {
		if recover() != nil { // a decoder that does not know an instruction
			name = ""
		}
	}()
	for _, pc := range stack {
		f := outermost(pc - 1)
		if f == nil {
			return ""
		}
		if !ofRuntime(f.Name()) {
			if fixed, ok := makers[f.Name()]; ok {
				return fixed
			}
			file, err := os.Open(image.Program)
			if err != nil {
				return ""
			}
			defer file.Close()
			return r.at(file, f, pc)
		}
	}
	return ""
}

// outermost returns the function whose code an address is in, rather than one that was inlined there.
func outermost(pc uintptr) *runtime.Func {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return nil
	}
	return runtime.FuncForPC(f.Entry())
}

// at names what the call before pc in the function f allocates.
func (r *Reader) at(file io.ReaderAt, f *runtime.Func, pc uintptr) string {
	entry := f.Entry()
	code, ok := r.code(file, entry)
	if !ok {
		return ""
	}
	calls, ok := decode(code, uint64(entry), int(pc-entry))
	if !ok {
		return ""
	}
	target := runtime.FuncForPC(uintptr(calls.target))
	if target == nil || uint64(target.Entry()) != calls.target {
		return ""
	}
	if name, ok := makers[target.Name()]; ok {
		return name
	}
	end, ok := frontEndOf(target.Name())
	if !ok {
		return ""
	}
	if end.form == fixed {
		return end.name
	}
	address, ok := calls.argument(end.argument)
	if !ok {
		return ""
	}
	name, ok := r.name(file, address)
	if !ok {
		return ""
	}
	return readable(name, end.form)
}

// code returns the code of the function that begins at entry, with the padding after it.
func (r *Reader) code(file io.ReaderAt, entry uintptr) ([]byte, bool) {
	belongs := func(size uintptr) bool {
		f := runtime.FuncForPC(entry + size)
		return f != nil && f.Entry() == entry
	}
	size := uintptr(1)
	for belongs(size) {
		if size *= 2; size > maxCode {
			return nil, false
		}
	}
	for low := size / 2; low+1 < size; { // belongs(low) and not belongs(size)
		if middle := low + (size-low)/2; belongs(middle) {
			low = middle
		} else {
			size = middle
		}
	}
	return r.text.Read(file, uint64(entry), uint64(size))
}
