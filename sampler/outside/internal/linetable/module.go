package linetable

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

const (
	maxData       = 64 << 20 // bytes of variables that are searched for the runtime's description of the program
	maxAllData    = 4 * maxData
	maxCandidates = 1 << 10 // places that may be it
	maxVariables  = 1 << 32 // bytes: the linker makes no more than 2 GB of a kind
	maxFuncs      = 1 << 22
)

var errNoTable = errors.New("the program's line table was not found")

// findTable returns where the line table is.
func findTable(m *objfile.Image) (uint64, bool) {
	if at, size, ok := m.Section(".gopclntab", ".data.rel.ro.gopclntab"); ok && size >= 8 && isTable(m, at) {
		return at, true
	}
	for _, s := range m.Segments {
		if s.Executable {
			continue
		}
		for at := (s.At + 7) &^ 7; at+8 <= s.End && !m.Exhausted(); at += 8 {
			if isTable(m, at) {
				return at, true
			}
		}
	}
	return 0, false
}

func isTable(m *objfile.Image, at uint64) bool {
	var head [8]byte
	return m.Read(at, head[:]) && binary.LittleEndian.Uint32(head[:]) == lineTableMark && head[4] == 0 &&
		head[5] == 0 &&
		(head[6] == 1 || head[6] == 4) && head[7] == 8
}

// Open finds the runtime's description of the program in the memory of the process, and with it the line table.
// symbol is where the description is as far as that is known, else 0.
func Open(m *objfile.Image, r procmem.Reader, l *releases.Layout, symbol uint64) (*Table, Module, error) {
	pclntab, ok := findTable(m)
	if !ok {
		return nil, Module{}, errNoTable
	}
	if symbol != 0 {
		return tableOf(m, r, l, symbol, pclntab)
	}
	room, candidates := uint64(maxAllData), 0
	for _, s := range m.Segments {
		if !s.Writable || s.End-s.At > min(room, maxData) {
			continue
		}
		room -= s.End - s.At
		block := make([]byte, 1<<20)
		for at := (s.At + 7) &^ 7; at+l.Module <= s.End; at += uint64(len(block)) {
			p := []procmem.Part{{At: at, To: block[:min(uint64(len(block)), s.End-at)]}}
			if r.Gather(p); !p[0].Read {
				continue
			}
			for i := 0; i+8 <= len(p[0].To); i += 8 {
				if binary.LittleEndian.Uint64(p[0].To[i:]) != pclntab {
					continue
				}
				if candidates++; candidates > maxCandidates {
					return nil, Module{}, releases.ErrNoModule
				}
				if t, d, err := tableOf(m, r, l, at+uint64(i), pclntab); err == nil {
					return t, d, nil
				}
			}
		}
	}
	return nil, Module{}, releases.ErrNoModule
}

// Module is where the variables of the program are, those of them that may point to something, and the descriptions of
// its types.
type Module struct{ Data, DataEnd, Values, ValuesEnd, Zeros, ZerosEnd, Types, TypesEnd uint64 }

// tableOf reads a description, and checks that it is one.
func tableOf(m *objfile.Image, r procmem.Reader, l *releases.Layout, at, pclntab uint64) (*Table, Module, error) {
	p := []procmem.Part{{At: at, To: make([]byte, l.Module)}}
	if r.Gather(p); !p[0].Read || l.Module < 8 {
		return nil, Module{}, releases.ErrNoModule
	}
	word := func(offset uint64) uint64 {
		if offset+8 > l.Module {
			return 0
		}
		return binary.LittleEndian.Uint64(p[0].To[offset:])
	}
	slice := func(offset uint64) span { return span{word(offset), word(offset + 8)} }
	var head [8]byte
	if word(0) != pclntab || !m.Read(pclntab, head[:]) {
		return nil, Module{}, releases.ErrNoModule
	}
	t := &Table{
		Image: m, names: slice(l.FuncNames), units: slice(l.Units), files: slice(l.Files), tables: slice(l.Tables),
		all: slice(l.Functions), index: slice(l.Index), Text: word(l.Text), End: word(l.TextEnd),
		inlined: word(l.Inlined),
		quantum: uint64(head[6]), steps: make(map[uint64]step), Places: make(map[uint64]Place),
	}
	if count := t.index.size; count < 2 || count > maxFuncs {
		return nil, Module{}, releases.ErrNoModule
	}
	t.index.size *= 8
	d := Module{
		word(l.Data), word(l.DataEnd), word(l.Values), word(l.ValuesEnd), word(l.Zeros), word(l.ZerosEnd),
		word(l.Types), word(l.TypesEnd),
	}
	// The linker of C has those that point before those that do not.
	if d.Values != 0 && d.Values < d.Data {
		d.Data = d.Values
	}
	switch {
	case t.End <= t.Text || t.End-t.Text > 1<<32 || d.DataEnd <= d.Data || d.DataEnd-d.Data > maxVariables:
		return nil, Module{}, releases.ErrNoModule
	case word(l.Sections+8) > 1:
		return nil, Module{}, fmt.Errorf("the code of the program is in %d text sections, which is not supported",
			word(l.Sections+8))
	}
	f, ok := t.Find(t.Text)
	if !ok {
		return nil, Module{}, releases.ErrNoModule
	}
	if _, ok = t.Name(f.word(funcNameAt)); !ok {
		return nil, Module{}, releases.ErrNoModule
	}
	return t, d, nil
}
