// Package debuginfo reads DWARF: types, where variables are while a function stands at a place, and what closures have.
// It reads entry by entry, within bounds of time and memory, as the file is not trusted.
package debuginfo

import (
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

const (
	MaxTypes      = 64      // types that are followed from a name to what it names
	maxFields     = 1 << 12 // of a struct
	maxUnits      = 1 << 18 // parts of a program that are compiled by themselves
	maxForms      = 1 << 20 // attributes of all forms of entries
	maxAttributes = 64      // of one of them
	maxText       = 1 << 20 // bytes of one string
	maxEntryName  = 4096    // bytes of the name of an entry
	maxEnds       = 1 << 10 // of entries in each other
	maxDebug      = 10 * time.Second
)

// Info is the debug information of a program. Types are read one by one, on demand: package debug/dwarf reads
// everything that a type leads to, without end where it leads to itself, and the file is not trusted.
type Info struct {
	data      *dwarf.Data // nil where there is none
	info      []byte      // section .debug_info
	spent     *spent      // on reading it
	Locations [2]*Lists   // where variables are: until version 4 and since version 5; nil for those that are not there
	Ranges    [2]*Lists   // parts of functions
}

// spent is the effort of reading entries so far.
type spent struct {
	time  time.Duration
	empty int // entries in a row that ended others: package debug/dwarf returns them for ever at some odd ends
}

// read fills a buffer as far as it can, and adds the time that it took.
func (s *spent) read(from io.Reader, to []byte) (int, error) {
	start := time.Now()
	defer func() { s.time += time.Since(start) }()
	return io.ReadFull(from, to)
}

func (s *spent) tooMuch() bool { return s.time > maxDebug || s.empty > maxEnds }

// ErrOdd says that debug information is not as a compiler writes it.
var ErrOdd = errors.New("debug information: malformed, or larger than any compiler writes it")

// Open opens what the sections of a program have.
func Open(abbrev, info, text []byte, more map[string][]byte) (d Info, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, err = Info{}, fmt.Errorf("debug information: %v", r)
		}
	}()
	if !isPlausible(abbrev, info) {
		return Info{}, ErrOdd
	}
	for _, all := range [][]byte{text, more[".debug_line_str"]} {
		for len(all) > 0 {
			end := bytes.IndexByte(all[:min(len(all), maxText)], 0)
			if end < 0 {
				return Info{}, ErrOdd
			}
			all = all[end+1:]
		}
	}
	data, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, text)
	if err != nil {
		return Info{}, err
	}
	for name, section := range more {
		if err := data.AddSection(name, section); err != nil {
			return Info{}, err
		}
	}
	return Info{data: data, info: info, spent: new(spent)}, nil
}

// isPlausible reports whether the parts of a program and the forms of their entries are as many as a program may have:
// package debug/dwarf takes memory for each of them, however many the file has.
func isPlausible(abbrev, info []byte) bool {
	tables := make(map[uint64]bool)
	forms := 0
	for units := 0; len(info) > 0; units++ {
		const head = 12
		if len(info) < head || units > maxUnits {
			return false
		}
		size, table := uint64(binary.LittleEndian.Uint32(info)), binary.LittleEndian.Uint32(info[6:])
		if binary.LittleEndian.Uint16(info[4:]) >= 5 {
			table = binary.LittleEndian.Uint32(info[8:])
		}
		if size < head-4 || size > uint64(len(info)-4) { // also that of the form of 64 bits, which Go does not write
			return false
		}
		info = info[4+size:]
		if at := uint64(table); !tables[at] {
			tables[at] = true
			n, ok := formsIn(abbrev[min(at, uint64(len(abbrev))):], maxForms-forms)
			if forms += n; !ok {
				return false
			}
		}
	}
	return true
}

// formsIn counts the attributes of a table of forms; false where there are more than limit, or too many in one form.
func formsIn(table []byte, limit int) (n int, ok bool) {
	number := func() uint64 {
		value, size := binary.Uvarint(table)
		table = table[min(max(size, 1), len(table)):]
		return value
	}
	for len(table) > 0 && number() != 0 {
		number() // tag
		number() // whether there are children
		for in := 0; len(table) > 0; in++ {
			const constant = 0x21 // with its value
			attribute, form := number(), number()
			if form == constant {
				number()
			}
			if n++; n > limit || in > maxAttributes {
				return n, false
			}
			if attribute == 0 && form == 0 {
				break
			}
		}
	}
	return n, true
}

// IsEmpty reports whether there is no debug information.
func (d Info) IsEmpty() bool { return d.data == nil }

// From returns what reads entries from an offset on; it has to be read by next.
func (d Info) From(at dwarf.Offset) *dwarf.Reader {
	d.spent.empty = 0
	all := d.data.Reader()
	if at != 0 {
		all.Seek(at)
	}
	return all
}

// Next reads an entry; false at the end, and when time has run out.
func (d Info) Next(all *dwarf.Reader) (entry *dwarf.Entry, ok bool) {
	if d.spent.tooMuch() {
		return nil, false
	}
	start := time.Now()
	defer func() {
		d.spent.time += time.Since(start)
		if r := recover(); r != nil {
			entry, ok = nil, false
		}
	}()
	entry, err := all.Next()
	if err != nil || entry == nil {
		return nil, false
	}
	if d.spent.empty++; entry.Tag != 0 {
		d.spent.empty = 0
	}
	return entry, true
}

// Skip leaves out what belongs to an entry that was read.
func (d Info) Skip(all *dwarf.Reader, of *dwarf.Entry) {
	for depth := 0; of.Children || depth > 0; {
		if of.Children {
			depth++
		}
		next, ok := d.Next(all)
		if !ok {
			return
		}
		if of = next; of.Tag == 0 {
			depth--
		}
	}
}

// Variable returns the type of a variable; 0 where that is not there. Go writes the names of variables where it
// describes them, behind the number of their form: to look for one takes less than to read all there is.
func (d Info) Variable(name string) dwarf.Offset {
	for _, entry := range d.entriesWith([]byte(name+"\x00"), len(d.info)) {
		if entry.Tag != dwarf.TagVariable || entry.Val(dwarf.AttrName) != name {
			continue
		}
		if of, ok := entry.Val(dwarf.AttrType).(dwarf.Offset); ok {
			return of
		}
	}
	return 0
}

// entriesWith returns what can be read as entries that have some bytes right behind the number of their form, which
// takes one or two, in the first places, up to limit, that have these bytes.
func (d Info) entriesWith(what []byte, limit int) iter.Seq2[dwarf.Offset, *dwarf.Entry] {
	return func(yield func(dwarf.Offset, *dwarf.Entry) bool) {
		for place := range d.places(what, limit) {
			for at := place - 1; at >= max(0, place-2); at-- {
				if entry, ok := d.entry(dwarf.Offset(at)); ok && !yield(dwarf.Offset(at), entry) {
					return
				}
			}
		}
	}
}

// places returns the first offsets, up to limit, at which the debug information has some bytes, as long as there is
// time.
func (d Info) places(what []byte, limit int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if d.data == nil {
			return
		}
		for from := 0; limit > 0; limit-- {
			i := d.index(from, what)
			if i < 0 || !yield(from+i) {
				return
			}
			from += i + 1
		}
	}
}

// index returns how far behind an offset the debug information has some bytes; -1 where it does not have them, or time
// has run out.
func (d Info) index(from int, what []byte) int {
	if d.spent.tooMuch() {
		return -1
	}
	start := time.Now()
	defer func() { d.spent.time += time.Since(start) }()
	return bytes.Index(d.info[from:], what)
}

// entry reads the entry at an offset.
func (d Info) entry(at dwarf.Offset) (*dwarf.Entry, bool) {
	if d.data == nil {
		return nil, false
	}
	return d.Next(d.From(at))
}

// Type is one type.
type Type struct {
	Tag    dwarf.Tag
	Name   string       // in Go's words; "" where it has none
	Size   uint64       // in bytes; 0 where unknown, as for types that only name another one
	Of     dwarf.Offset // the type that it names, points to or contains; 0 for none
	Fields []Field
}

// Field is one of a struct.
type Field struct {
	Name string
	At   uint64 // in bytes from the start of the type
	Of   dwarf.Offset
}

// entryName returns the name of an entry, "" where it has none, as much of it as a name has: thousands of them are
// kept.
func entryName(entry *dwarf.Entry) string {
	name, _ := entry.Val(dwarf.AttrName).(string)
	if len(name) > maxEntryName {
		name = strings.Clone(name[:maxEntryName])
	}
	return name
}

// TypeAt reads a type.
func (d Info) TypeAt(at dwarf.Offset) (t Type, ok bool) { return d.read(at, true) }

// read reads a type, without its fields where they are not wanted.
func (d Info) read(at dwarf.Offset, fields bool) (t Type, ok bool) {
	if d.data == nil || at == 0 {
		return t, false
	}
	all := d.From(at)
	entry, ok := d.Next(all)
	if !ok {
		return t, false
	}
	t.Tag = entry.Tag
	t.Name = entryName(entry)
	if size, ok := entry.Val(dwarf.AttrByteSize).(int64); ok && size > 0 {
		t.Size = uint64(size)
	}
	t.Of, _ = entry.Val(dwarf.AttrType).(dwarf.Offset)
	switch t.Tag {
	case dwarf.TagPointerType, dwarf.TagSubroutineType:
		t.Size = 8
	case dwarf.TagStructType:
		if entry.Children && fields {
			t.Fields = d.fieldsOf(all)
		}
	}
	return t, true
}

// fieldsOf reads what follows the head of a struct.
func (d Info) fieldsOf(all *dwarf.Reader) (fields []Field) {
	for len(fields) < maxFields {
		entry, ok := d.Next(all)
		if !ok || entry.Tag == 0 {
			break
		}
		d.Skip(all, entry)
		name := entryName(entry)
		at, ok := entry.Val(dwarf.AttrDataMemberLoc).(int64)
		of, known := entry.Val(dwarf.AttrType).(dwarf.Offset)
		if entry.Tag == dwarf.TagMember && ok && known && at >= 0 {
			fields = append(fields, Field{name, uint64(at), of})
		}
	}
	return fields
}

// Plain returns what a type is that may be another name of it.
func (d Info) Plain(at dwarf.Offset) (t Type, ok bool) { return d.resolve(at, true) }

func (d Info) resolve(at dwarf.Offset, fields bool) (t Type, ok bool) {
	for range MaxTypes {
		if t, ok = d.read(at, fields); !ok || t.Tag != dwarf.TagTypedef {
			return t, ok
		}
		at = t.Of
	}
	return t, false
}

// SizeOf returns the size of a type, in bytes.
func (d Info) SizeOf(at dwarf.Offset) (uint64, bool) {
	t, ok := d.resolve(at, false)
	return t.Size, ok && t.Size > 0
}

// OffsetIn returns the offset of a field, as in "sched.sp", of a type.
func (d Info) OffsetIn(of dwarf.Offset, path string) (at uint64, found bool) {
	for deeper := true; deeper; {
		var name string
		name, path, deeper = strings.Cut(path, ".")
		kind, ok := d.Plain(of)
		if !ok {
			return 0, false
		}
		found = false
		for _, f := range kind.Fields {
			if f.Name == name {
				at, of, found = at+f.At, f.Of, true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	return at, found
}
