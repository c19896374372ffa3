// Package gotype names the Go type that is allocated at a place in the code of this process.
//
// A heap profile says where memory was allocated, not what it is. The compiler passes the descriptor of the type to the
// runtime's allocator: the instructions before the call load its address into the register of that argument. Reader
// decodes these instructions and reads the name of the type. It reads both from the file of the running program, within
// the sections of its code and of its types, so that nothing it could get wrong can crash the process. Where any step
// is not certain it names nothing:
//
//   - The type is not known to the compiler at that place: reflection, and generic code, which finds its types in a
//     dictionary.
//   - The call takes no type: a map made without a size (what it grows by later is named), a number that is put into an
//     interface, and several variables of one function that the compiler allocates at once.
//   - The instructions may be reached in a way that cannot be seen, as in a function with a jump table, or the argument
//     comes from memory.
//   - The program is no ELF file for amd64 or arm64, has no section headers, or is loaded as a plugin or a shared
//     library.
//
// Symbols are not needed; stripped, position-independent and cgo programs are fine.
package gotype

import "strings"

// form is how the arguments of an allocator identify the type of an allocation.
type form uint8

const (
	asGiven form = iota
	sliceOf
	fixed // by the function alone
)

// frontEnd is a function that allocates on behalf of compiled code.
type frontEnd struct {
	form     form
	argument int    // index of the integer argument that is the type's descriptor
	name     string // of the type, where it is fixed
}

// frontEnds are those of the runtime, Go 1.24 to 1.27.
var frontEnds = map[string]frontEnd{
	"newobject": {asGiven, 0, ""}, "convT": {asGiven, 0, ""}, "convTnoptr": {asGiven, 0, ""},
	"makechan": {asGiven, 0, ""}, "makechan64": {asGiven, 0, ""},
	"makemap": {asGiven, 0, ""}, "makemap64": {asGiven, 0, ""},
	"mapassign": {asGiven, 0, ""}, "mapassign_fast32": {asGiven, 0, ""}, "mapassign_fast32ptr": {asGiven, 0, ""},
	"mapassign_fast64": {asGiven, 0, ""}, "mapassign_fast64ptr": {asGiven, 0, ""},
	"mapassign_faststr": {asGiven, 0, ""},

	"makeslice": {sliceOf, 0, ""}, "makeslice64": {sliceOf, 0, ""}, "makeslicecopy": {sliceOf, 0, ""},
	"moveSlice": {sliceOf, 0, ""}, "moveSliceNoCap": {sliceOf, 0, ""},
	"growslice": {sliceOf, 4, ""}, "growsliceNoAlias": {sliceOf, 4, ""}, "growsliceBuf": {sliceOf, 4, ""},
	"growsliceBufNoAlias": {sliceOf, 4, ""},

	"concatstrings": {fixed, 0, "string"}, "concatstring2": {fixed, 0, "string"}, "concatstring3": {fixed, 0, "string"},
	"concatstring4": {fixed, 0, "string"}, "concatstring5": {fixed, 0, "string"},
	"slicebytetostring": {fixed, 0, "string"}, "slicerunetostring": {fixed, 0, "string"},
	"intstring":   {fixed, 0, "string"},
	"concatbytes": {fixed, 0, "[]uint8"}, "concatbyte2": {fixed, 0, "[]uint8"}, "concatbyte3": {fixed, 0, "[]uint8"},
	"concatbyte4": {fixed, 0, "[]uint8"}, "concatbyte5": {fixed, 0, "[]uint8"},
	"stringtoslicebyte": {fixed, 0, "[]uint8"}, "stringtoslicerune": {fixed, 0, "[]int32"},
}

// makers are functions outside the runtime that make a fixed type by a call without one.
var makers = map[string]string{"internal/bytealg.MakeNoZero": "[]uint8"}

// frontEndOf returns what is known of a called function.
func frontEndOf(function string) (frontEnd, bool) {
	name, ok := strings.CutPrefix(function, "runtime.")
	if !ok {
		return frontEnd{}, false
	}
	if strings.HasPrefix(name, "mallocgc") { // also its forms for a size class: size, type, zero
		return frontEnd{asGiven, 1, ""}, true
	}
	f, ok := frontEnds[name]
	return f, ok
}

// ofRuntime reports whether a function belongs to the allocator or to what calls it on behalf of compiled code.
func ofRuntime(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/")
}

// readable puts the name of a type in the words of the source.
func readable(name string, f form) string {
	name = strings.ReplaceAll(name, "noalg.", "")
	if strings.Contains(name, "go.shape.") { // of generic code, which several types share
		generic, arguments, _ := strings.Cut(name, "[")
		if generic == "" || strings.Contains(generic, "go.shape.") || !strings.HasSuffix(arguments, "]") {
			return ""
		}
		name = generic + "[...]"
	}
	if rest, ok := strings.CutPrefix(name, "struct { F uintptr"); ok && f == asGiven {
		rest = strings.TrimPrefix(rest, ";")
		if rest == " }" {
			return "closure"
		}
		return "closure {" + rest
	}
	if f == sliceOf {
		return "[]" + name
	}
	return name
}
