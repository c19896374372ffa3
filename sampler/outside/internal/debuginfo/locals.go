package debuginfo

import (
	"debug/dwarf"
	"encoding/binary"
	"slices"
	"strings"
)

const (
	maxLocals     = 1 << 14   // entries of a function
	maxCopies     = 1 << 12   // places that may refer to a function
	maxScopes     = 1 << 8    // in each other
	maxFrame      = 256 << 10 // bytes of a variable on the stack
	fifth         = 5         // version of DWARF
	opCallFrame   = 0x9c
	opFrameBase   = 0x91
	opRegister    = 0x50 // to 0x6f
	opRegisterAt  = 0x90
	opPiece       = 0x93
	ByReference   = "&" // prefix of the name of a pointer to a variable on the heap
	unitVersionAt = 4
	Shape         = "go.shape." // in types of generic code: they are those of several
)

// Local is a variable of a function, or of one that is inlined there, and where it is while the function stands at a
// place.
type Local struct {
	Function string // that declares it
	Name     string
	Of       dwarf.Offset
	Fixed    bool // it is in the same place as long as it is in scope
	pieces   []located
}

// located is a part of a variable that is on the stack.
type located struct {
	at, size uint64 // in the variable; 0 for all of it
	offset   int64  // from the end of the frame
}

// Has returns which byte of a variable a word of the frame is.
func (l *Local) Has(offset int64, size uint64) (in uint64, ok bool) {
	for _, p := range l.pieces {
		if p.size == 0 {
			p.size = max(size, 8)
		}
		if offset >= p.offset && uint64(offset-p.offset) < p.size {
			return p.at + uint64(offset-p.offset), true
		}
	}
	return 0, false
}

// IsComplete reports whether a variable of some size is on the stack as it is in memory.
func (l *Local) IsComplete(size uint64) bool {
	next := uint64(0)
	for _, p := range l.pieces {
		if p.size == 0 {
			return true
		}
		if p.at != next || p.offset-l.pieces[0].offset != int64(p.at) {
			return false
		}
		next += p.size
	}
	return next >= size
}

// together returns what parts of a variable are on the stack at one of two places.
func together(one, other []located) []located {
	for _, p := range one {
		if !slices.Contains(other, p) {
			other = append(other, p)
		}
	}
	return other
}

// FunctionInfo is the debug information of functions.
type FunctionInfo struct{ Info }

// Locals returns the variables of a function that are on the stack while it stands at a place, by addresses as in the
// program's file; none where not all of them could be read. A call returns to the place after, 0 where there is none: a
// variable that is on the stack there was on the stack during the call, even if the debug information places it in a
// register.
func (d FunctionInfo) Locals(name string, entry, pc, after uint64) (all []Local) {
	at := d.function(name, entry)
	if at == 0 {
		return nil
	}
	all5 := d.version(at) >= fifth
	type scope struct {
		function string
		on       bool // the place is in it
	}
	scopes := []scope{{name, true}}
	from := d.From(at)
	if head, ok := d.Next(from); !ok || !head.Children {
		return nil
	}
	for range maxLocals {
		entryOf, ok := d.Next(from)
		if !ok || len(scopes) > maxScopes {
			return nil
		}
		in := scopes[len(scopes)-1]
		switch entryOf.Tag {
		case 0:
			if scopes = scopes[:len(scopes)-1]; len(scopes) == 0 {
				return all
			}
			continue
		case dwarf.TagInlinedSubroutine:
			in = scope{d.originOf(entryOf).name, in.on && d.covers(entryOf, entry, pc, all5)}
		case dwarf.TagLexDwarfBlock:
			in.on = in.on && d.covers(entryOf, entry, pc, all5)
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			pieces, fixed := d.place(entryOf, entry, pc, all5)
			if !fixed && in.on && after != 0 {
				then, _ := d.place(entryOf, entry, after, all5)
				pieces = together(pieces, then)
			}
			if len(pieces) > 0 && (in.on || fixed) {
				o := d.originOf(entryOf)
				if strings.Contains(o.name, ".") { // a part of one that is described too, since Go 1.27
					continue
				}
				one := Local{Function: in.function, Name: o.name, Of: o.of, Fixed: fixed, pieces: pieces}
				if !in.on {
					one.Name = "" // it may share its place with others
				}
				all = append(all, one)
			}
		}
		if entryOf.Children {
			scopes = append(scopes, in)
		}
	}
	return nil
}

// origin is what an entry says of itself, or that which it is a copy of.
type origin struct {
	name string
	of   dwarf.Offset
}

func (d FunctionInfo) originOf(entry *dwarf.Entry) (o origin) {
	if at, ok := entry.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset); ok {
		if entry, ok = d.entry(at); !ok {
			return o
		}
	}
	o.name = entryName(entry)
	o.of, _ = entry.Val(dwarf.AttrType).(dwarf.Offset)
	return o
}

// function returns the entry of the function at an address; 0 where there is none. If the function is also inlined
// elsewhere, its name is in an abstract entry that others refer to.
func (d FunctionInfo) function(name string, entry uint64) dwarf.Offset {
	for at, found := range d.entriesWith([]byte(name+"\x00"), len(d.info)) {
		if found.Tag != dwarf.TagSubprogram || found.Val(dwarf.AttrName) != name {
			continue
		}
		if low, ok := found.Val(dwarf.AttrLowpc).(uint64); ok && low == entry {
			return at
		}
		if of := d.copyOf(at, entry); of != 0 {
			return of
		}
	}
	return 0
}

// copyOf returns the copy of a function at an address.
func (d FunctionInfo) copyOf(abstract dwarf.Offset, entry uint64) dwarf.Offset {
	number := binary.LittleEndian.AppendUint32(nil, uint32(abstract))
	for at, found := range d.entriesWith(number, maxCopies) {
		if found.Tag != dwarf.TagSubprogram || found.Val(dwarf.AttrAbstractOrigin) != abstract {
			continue
		}
		if low, ok := found.Val(dwarf.AttrLowpc).(uint64); ok && low == entry {
			return at
		}
	}
	return 0
}

// version returns that of the part of the program that has an offset; 0 where none has.
func (d FunctionInfo) version(of dwarf.Offset) int {
	for at := uint64(0); at+unitVersionAt+2 <= uint64(len(d.info)); {
		next := at + 4 + uint64(binary.LittleEndian.Uint32(d.info[at:]))
		if uint64(of) < next {
			return int(binary.LittleEndian.Uint16(d.info[at+unitVersionAt:]))
		}
		at = next
	}
	return 0
}

// covers reports whether a part of a function has an address.
func (d FunctionInfo) covers(entry *dwarf.Entry, base, pc uint64, five bool) (ok bool) {
	if at, isList := entry.Val(dwarf.AttrRanges).(int64); isList {
		d.listed(d.Ranges, at, base, five, false, func(start, end uint64, _ []byte) {
			ok = ok || pc >= start && pc < end
		})
		return ok
	}
	low, ok := entry.Val(dwarf.AttrLowpc).(uint64)
	if !ok || pc < low {
		return false
	}
	switch high := entry.Val(dwarf.AttrHighpc).(type) {
	case uint64:
		return pc < high
	case int64:
		return high > 0 && pc-low < uint64(high)
	}
	return false
}

// place returns where a variable is on the stack, and whether it is always there.
func (d FunctionInfo) place(entry *dwarf.Entry, base, pc uint64, five bool) (pieces []located, fixed bool) {
	switch at := entry.Val(dwarf.AttrLocation).(type) {
	case []byte:
		return onStack(at), true
	case int64:
		d.listed(d.Locations, at, base, five, true, func(start, end uint64, expression []byte) {
			if pc >= start && pc < end {
				pieces = onStack(expression)
			}
		})
	}
	return pieces, false
}

// onStack returns the parts of a variable that an expression has on the stack; nil where it is of another form.
func onStack(expression []byte) (pieces []located) {
	c := cursor{left: expression}
	at, offset, there, ended := uint64(0), int64(0), false, true
	for len(c.left) > 0 && !c.broken {
		switch op := c.byte(); {
		case op == opCallFrame:
			offset, there, ended = 0, true, false
		case op == opFrameBase:
			offset, there, ended = c.signed(), true, false
		case op >= opRegister && op < opRegister+32:
			there, ended = false, false
		case op == opRegisterAt:
			c.number()
			there, ended = false, false
		case op == opPiece:
			size := c.number()
			if size == 0 || size > maxFrame {
				return nil
			}
			if there {
				pieces = append(pieces, located{at, size, offset})
			}
			at, there, ended = at+size, false, true
		default:
			return nil
		}
	}
	if c.broken {
		return nil
	}
	if !ended && there && at == 0 {
		pieces = append(pieces, located{offset: offset})
	}
	return pieces
}
