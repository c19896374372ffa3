// Package linetable finds functions, lines and frames of the code at an address, from the runtime's own tables, and
// unwinds stacks. It finds these tables also in programs without symbols.
package linetable

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/instructions"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

const (
	maxTable  = 1 << 20  // bytes of one of a function's tables
	maxInline = 64       // functions that are inlined into each other
	MaxKnown  = 1 << 16  // places of the code that are remembered...
	maxPlaces = 64 << 20 // ...and bytes of their frames
)

// What is in runtime._func, whose form is the same from Go 1.20 on.
const (
	funcEntryAt   = 0
	funcNameAt    = 4
	funcPCSPAt    = 16
	funcPCFileAt  = 20
	funcPCLineAt  = 24
	funcCountAt   = 28 // of tables
	funcUnitAt    = 32
	funcKindAt    = 40
	funcFlagAt    = 41
	funcDataAt    = 43 // number of funcdata
	funcSize      = 44
	inlineIndex   = 2 // of the table with the index of the inlined call
	inlineTree    = 3 // of the funcdata with the inlined calls
	inlinedSize   = 16
	flagTopFrame  = 1
	flagWritesSP  = 2
	noneOfFuncs   = ^uint32(0)
	lineTableMark = 0xfffffff1 // since Go 1.20
)

// MethodValue is the suffix of the name of a wrapper for a method value.
const MethodValue = "-fm"

// span is a part of the line table.
type span struct{ at, size uint64 }

// Table is the runtime's own table of functions, lines and frame sizes.
type Table struct {
	Image                            *objfile.Image
	names, units, files, tables, all span
	index                            span // entry and offset of each function, 8 bytes
	Text, End, inlined               uint64
	quantum                          uint64 // of instructions
	Main                             string // path of the main module; "" where unknown
	Wrapper                          uint8  // the kind of functions that the compiler makes to call others
	steps                            map[uint64]step
	Places                           map[uint64]Place
	placesSize                       int // bytes of them, about
}

// step is how to get from a frame to that of the caller.
type step struct {
	known    bool
	entry    bool   // it is the entry of the function
	size     uint64 // of the frame, at this place
	top      bool   // there is no caller
	writesSP bool
	injected bool // the caller was interrupted at any place, not at a call
}

// Function is one of the program.
type Function struct {
	at    uint64 // of its description
	Entry uint64
	head  [funcSize]byte
}

func (f *Function) word(at int) uint32 { return binary.LittleEndian.Uint32(f.head[at:]) }

// Find returns the function that has an address.
func (t *Table) Find(pc uint64) (f Function, ok bool) {
	if pc < t.Text || pc >= t.End {
		return f, false
	}
	offset := uint32(pc - t.Text)
	low, high := uint64(0), t.index.size/8-1 // the last one is the end
	for low < high {
		middle := low + (high-low)/2
		entry, ok := t.Image.Uint32(t.index.at + 8*(middle+1))
		if !ok {
			return f, false
		}
		if entry <= offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	description, ok := t.Image.Uint32(t.index.at + 8*low + 4)
	if !ok {
		return f, false
	}
	f.at = t.all.at + uint64(description)
	if !t.Image.Read(f.at, f.head[:]) {
		return f, false
	}
	f.Entry = t.Text + uint64(f.word(funcEntryAt))
	return f, f.Entry <= pc
}

// Lookup returns the function of a name, and its end.
func (t *Table) Lookup(names ...string) map[string]instructions.Code {
	found := make(map[string]instructions.Code)
	n := t.index.size/8 - 1
	for i := uint64(0); i < n; i++ {
		description, ok := t.Image.Uint32(t.index.at + 8*i + 4)
		if !ok {
			return found
		}
		var head [8]byte
		if !t.Image.Read(t.all.at+uint64(description), head[:]) {
			return found
		}
		name, ok := t.Name(binary.LittleEndian.Uint32(head[funcNameAt:]))
		if !ok {
			continue
		}
		for _, wanted := range names {
			if name != wanted {
				continue
			}
			end, ok := t.Image.Uint32(t.index.at + 8*(i+1))
			entry := binary.LittleEndian.Uint32(head[funcEntryAt:])
			if !ok || end <= entry || end-entry > instructions.MaxSize {
				continue
			}
			c := instructions.Code{Base: t.Text + uint64(entry), Bytes: make([]byte, end-entry)}
			if t.Image.Read(c.Base, c.Bytes) {
				found[wanted] = c
			}
		}
	}
	return found
}

// Name returns the name of a function by its offset; false where there is none.
func (t *Table) Name(offset uint32) (string, bool) {
	if uint64(offset) >= t.names.size {
		return "", false
	}
	return t.Image.Text(t.names.at+uint64(offset), objfile.MaxName)
}

// NameOf returns the name of a function; "" where it cannot be read.
func (t *Table) NameOf(f *Function) string {
	name, _ := t.Name(f.word(funcNameAt))
	return name
}

// NameBegins reads the first bytes of a name of a function into a buffer; false where there are not as many.
func (t *Table) NameBegins(offset uint32, to []byte) bool {
	return uint64(offset)+uint64(len(to)) <= t.names.size && t.Image.Read(t.names.at+uint64(offset), to)
}

// Count returns how many functions there are.
func (t *Table) Count() uint64 { return max(t.index.size/8, 1) - 1 }

// Bounds returns where one of count functions is and the offset of its name.
func (t *Table) Bounds(i uint64) (entry, end uint64, name uint32, ok bool) {
	var two [16]byte
	var head [8]byte
	if !t.Image.Read(t.index.at+8*i, two[:12]) ||
		!t.Image.Read(t.all.at+uint64(binary.LittleEndian.Uint32(two[4:])), head[:]) {
		return 0, 0, 0, false
	}
	entry, end = t.Text+uint64(binary.LittleEndian.Uint32(two[:])), t.Text+uint64(binary.LittleEndian.Uint32(two[8:]))
	return entry, end, binary.LittleEndian.Uint32(head[funcNameAt:]), true
}

// Clone returns the same table for another goroutine: it shares nothing that changes.
func (t *Table) Clone() *Table {
	c := *t
	c.Image, c.steps, c.Places, c.placesSize = t.Image.Clone(), make(map[uint64]step), make(map[uint64]Place), 0
	return &c
}

// value returns what a table of a function has at an address.
func (t *Table) value(table uint32, entry, pc uint64) (value int32, ok bool) {
	if table == 0 || uint64(table) >= t.tables.size {
		return -1, false
	}
	at, end := t.tables.at+uint64(table), min(t.tables.at+t.tables.size, t.tables.at+uint64(table)+maxTable)
	value = -1
	for place := entry; at < end; {
		change, n := t.varint(at)
		if n == 0 || change == 0 && place != entry {
			return -1, false
		}
		at += n
		if change&1 != 0 {
			value += int32(^(change >> 1))
		} else {
			value += int32(change >> 1)
		}
		length, n := t.varint(at)
		if n == 0 {
			return -1, false
		}
		at += n
		place += uint64(length) * t.quantum
		if pc < place {
			return value, true
		}
	}
	return -1, false
}

func (t *Table) varint(at uint64) (value uint32, length uint64) {
	for shift := uint(0); shift < 32; shift += 7 {
		page := t.Image.Page(at &^ (objfile.PageSize - 1))
		skip := at & (objfile.PageSize - 1)
		if uint64(len(page)) <= skip {
			return 0, 0
		}
		b := page[skip]
		value |= uint32(b&0x7f) << shift
		at++
		length++
		if b&0x80 == 0 {
			return value, length
		}
	}
	return 0, 0
}

// table returns one of a function's numbered tables, 0 for none.
func (t *Table) table(f *Function, index uint32) uint32 {
	if index >= f.word(funcCountAt) {
		return 0
	}
	table, _ := t.Image.Uint32(f.at + funcSize + 4*uint64(index))
	return table
}

// funcdata returns where one of a function's numbered data is, 0 where it has none; false where that cannot be read.
func (t *Table) funcdata(f *Function, index uint8) (at uint64, ok bool) {
	if index >= f.head[funcDataAt] {
		return 0, true
	}
	offset, ok := t.Image.Uint32(f.at + funcSize + 4*uint64(f.word(funcCountAt)) + 4*uint64(index))
	if !ok || offset == noneOfFuncs {
		return 0, ok
	}
	return t.inlined + uint64(offset), true
}

// step returns how to get from a frame at an address to that of its caller.
func (t *Table) step(pc uint64) step {
	if s, ok := t.steps[pc]; ok {
		return s
	}
	var s step
	if f, ok := t.Find(pc); ok {
		size, ok := t.value(f.word(funcPCSPAt), f.Entry, pc)
		flags := f.head[funcFlagAt]
		name, named := t.Name(f.word(funcNameAt))
		s = step{
			known: ok && named && size >= 0 && size%8 == 0, entry: pc == f.Entry, size: uint64(size),
			top:      flags&flagTopFrame != 0,
			writesSP: flags&flagWritesSP != 0 && !strings.HasPrefix(name, "runtime.cgocallback"),
			injected: name == "runtime.sigpanic" || name == "runtime.asyncPreempt" || name == "runtime.debugCallV2",
		}
	}
	if len(t.steps) >= MaxKnown {
		clear(t.steps)
	}
	t.steps[pc] = s
	return s
}

// At returns the functions at an address, the innermost of inlined ones first; ok is false where that is not certain.
// What the compiler made is left out.
func (t *Table) At(pc uint64) ([]Frame, bool) {
	if p, ok := t.Places[pc]; ok {
		return p.Frames, p.Certain
	}
	all, ok := t.resolve(pc)
	if t.placesSize += SizeOf(all); len(t.Places) >= MaxKnown || t.placesSize > maxPlaces {
		clear(t.Places)
		t.placesSize = SizeOf(all)
	}
	t.Places[pc] = Place{all, ok}
	return all, ok
}

// Place is the known frames at an address.
type Place struct {
	Frames  []Frame
	Certain bool
}

// SizeOf returns how many bytes frames take at most: they share many of their names.
func SizeOf(frames []Frame) (size int) {
	for i := range frames {
		size += int(unsafe.Sizeof(frames[i])) + len(frames[i].Function) + len(frames[i].File)
	}
	return size
}

const generated = "<autogenerated>"

func (t *Table) resolve(pc uint64) (all []Frame, ok bool) {
	f, ok := t.Find(pc)
	if !ok {
		return nil, false
	}
	tree, ok := t.funcdata(&f, inlineTree)
	if !ok {
		return nil, false
	}
	calls := t.table(&f, inlineIndex)
	for range maxInline {
		frame, ok := t.line(&f, pc)
		if !ok {
			return nil, false
		}
		index := int32(-1)
		if tree != 0 && calls != 0 {
			if index, ok = t.value(calls, f.Entry, pc); !ok {
				return nil, false
			}
		}
		name, kind := f.word(funcNameAt), f.head[funcKindAt]
		if index >= 0 {
			var call [inlinedSize]byte
			if !t.Image.Read(tree+inlinedSize*uint64(index), call[:]) {
				return nil, false
			}
			kind, name = call[0], binary.LittleEndian.Uint32(call[4:])
			pc = f.Entry + uint64(binary.LittleEndian.Uint32(call[8:]))
		}
		if frame.Function, ok = t.Name(name); !ok {
			return nil, false
		}
		frame.Function = redact.Printable(WithoutTypes(frame.Function))
		frame.File = ownFile(frame, t.Main)
		if frame.File != generated && kind != t.Wrapper {
			all = append(all, frame)
		}
		if index < 0 {
			return all, true
		}
	}
	return nil, false
}

// line returns the file and line at an address.
func (t *Table) line(f *Function, pc uint64) (Frame, bool) {
	file, ok := t.value(f.word(funcPCFileAt), f.Entry, pc)
	if !ok || file < 0 {
		return Frame{}, false
	}
	line, ok := t.value(f.word(funcPCLineAt), f.Entry, pc)
	if !ok || line < 0 {
		return Frame{}, false
	}
	place := 4 * (uint64(f.word(funcUnitAt)) + uint64(file))
	if place >= 4*t.units.size {
		return Frame{}, false
	}
	offset, ok := t.Image.Uint32(t.units.at + place)
	if !ok || uint64(offset) >= t.files.size {
		return Frame{}, false
	}
	path, ok := t.Image.Text(t.files.at+uint64(offset), objfile.MaxName)
	return Frame{File: redact.Printable(path), Line: int(line)}, ok
}

// WithoutTypes names a generic function as the runtime does: with dots for its type arguments.
func WithoutTypes(name string) string {
	start := strings.IndexByte(name, '[')
	end := strings.LastIndexByte(name, ']')
	if start < 0 || end <= start {
		return name
	}
	return name[:start] + "[...]" + name[end+1:]
}

// ownFile returns the file of a function as it is called where a program is built from its sources: of one that was
// installed by its version, files of its own module are called as those of the modules that it depends on.
func ownFile(f Frame, module string) string {
	rest, own := strings.CutPrefix(f.Function, module)
	if module == "" || !own || rest == "" || rest[0] != '/' && rest[0] != '.' {
		return f.File
	}
	if at := strings.Index(f.File, "@v"); at >= 0 {
		if end := strings.IndexByte(f.File[at:], '/'); end >= 0 {
			return f.File[:at] + f.File[at+end:]
		}
	}
	return f.File
}

// Frame is one function of a stack, at one of its lines.
type Frame struct {
	Function string // with its package, as in net/http.(*conn).serve
	File     string
	Line     int // from 1; 0 where unknown
}
