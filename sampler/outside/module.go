package outside

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	maxData       = 64 << 20 // bytes of variables in which the runtime's description of the program is looked for
	maxAllData    = 4 * maxData
	maxCandidates = 1 << 10 // places that may be it
	maxVariables  = 1 << 32 // bytes: the linker makes no more than 2 GB of a kind
	maxFuncs      = 1 << 22
)

var errNoTable = errors.New("the program's table of lines was not found")

// findTable returns where the line table is.
func findTable(m *image) (uint64, bool) {
	if at, size, ok := m.section(".gopclntab", ".data.rel.ro.gopclntab"); ok && size >= 8 && isTable(m, at) {
		return at, true
	}
	for _, s := range m.segments {
		if s.executable {
			continue
		}
		for at := (s.at + 7) &^ 7; at+8 <= s.end && !m.tired(); at += 8 {
			if isTable(m, at) {
				return at, true
			}
		}
	}
	return 0, false
}

func isTable(m *image, at uint64) bool {
	var head [8]byte
	return m.read(at, head[:]) && binary.LittleEndian.Uint32(head[:]) == lineTableMark && head[4] == 0 &&
		head[5] == 0 &&
		(head[6] == 1 || head[6] == 4) && head[7] == 8
}

// openTable finds the runtime's description of the program in the memory of the process, and with it the line table.
// symbol is where the description is as far as that is known, else 0.
func openTable(m *image, r reader, l *layout, symbol uint64) (*lineTable, module, error) {
	pclntab, ok := findTable(m)
	if !ok {
		return nil, module{}, errNoTable
	}
	if symbol != 0 {
		return tableOf(m, r, l, symbol, pclntab)
	}
	room, candidates := uint64(maxAllData), 0
	for _, s := range m.segments {
		if !s.writable || s.end-s.at > min(room, maxData) {
			continue
		}
		room -= s.end - s.at
		block := make([]byte, 1<<20)
		for at := (s.at + 7) &^ 7; at+l.module <= s.end; at += uint64(len(block)) {
			p := []part{{at: at, to: block[:min(uint64(len(block)), s.end-at)]}}
			if r.gather(p); !p[0].read {
				continue
			}
			for i := 0; i+8 <= len(p[0].to); i += 8 {
				if binary.LittleEndian.Uint64(p[0].to[i:]) != pclntab {
					continue
				}
				if candidates++; candidates > maxCandidates {
					return nil, module{}, errNoModule
				}
				if t, d, err := tableOf(m, r, l, at+uint64(i), pclntab); err == nil {
					return t, d, nil
				}
			}
		}
	}
	return nil, module{}, errNoModule
}

// module is where the variables of the program are, those of them that may point to something, and the descriptions of
// its types.
type module struct{ data, dataEnd, values, valuesEnd, zeros, zerosEnd, types, typesEnd uint64 }

// tableOf reads a description, and checks that it is one.
func tableOf(m *image, r reader, l *layout, at, pclntab uint64) (*lineTable, module, error) {
	p := []part{{at: at, to: make([]byte, l.module)}}
	if r.gather(p); !p[0].read || l.module < 8 {
		return nil, module{}, errNoModule
	}
	word := func(offset uint64) uint64 {
		if offset+8 > l.module {
			return 0
		}
		return binary.LittleEndian.Uint64(p[0].to[offset:])
	}
	slice := func(offset uint64) span { return span{word(offset), word(offset + 8)} }
	var head [8]byte
	if word(0) != pclntab || !m.read(pclntab, head[:]) {
		return nil, module{}, errNoModule
	}
	t := &lineTable{
		image: m, names: slice(l.funcNames), units: slice(l.units), files: slice(l.files), tables: slice(l.tables),
		all: slice(l.functions), index: slice(l.index), text: word(l.text), end: word(l.textEnd),
		inlined: word(l.inlined),
		quantum: uint64(head[6]), steps: make(map[uint64]step), places: make(map[uint64]place),
	}
	if count := t.index.size; count < 2 || count > maxFuncs {
		return nil, module{}, errNoModule
	}
	t.index.size *= 8
	d := module{
		word(l.data), word(l.dataEnd), word(l.values), word(l.valuesEnd), word(l.zeros), word(l.zerosEnd),
		word(l.types), word(l.typesEnd),
	}
	// The linker of C has those that point before those that do not.
	if d.values != 0 && d.values < d.data {
		d.data = d.values
	}
	switch {
	case t.end <= t.text || t.end-t.text > 1<<32 || d.dataEnd <= d.data || d.dataEnd-d.data > maxVariables:
		return nil, module{}, errNoModule
	case word(l.sections+8) > 1:
		return nil, module{}, fmt.Errorf("the code of the program is in %d text sections, which is not supported",
			word(l.sections+8))
	}
	f, ok := t.find(t.text)
	if !ok {
		return nil, module{}, errNoModule
	}
	if _, ok = t.name(f.word(funcNameAt)); !ok {
		return nil, module{}, errNoModule
	}
	return t, d, nil
}
