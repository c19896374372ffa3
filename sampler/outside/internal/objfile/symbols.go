package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
)

// maxSections is how many bytes of symbols, or of debug information, are read into memory: the largest programs have a
// few hundred MB. A file can have any size, or unpack to it.
const maxSections = 512 << 20

// MaxOwnSections is maxSections for a process that reads its own: it has the memory for it beside its work.
const MaxOwnSections = 64 << 20

const (
	symbolSize   = 24      // bytes of a symbol in the file
	sectionChunk = 1 << 20 // bytes of a section that are read at a time
)

var (
	errTooLarge  = errors.New("the symbols of the program are too large")
	errNoSymbols = errors.New("the program has no symbols")
)

// Symbol is one of a program, at the address at which the process has it.
type Symbol struct {
	At, Size uint64
	text     uint32 // offset of its name
	Kind     elf.SymType
}

// SymbolTable is some symbols of a program.
type SymbolTable struct {
	All  []Symbol
	text []byte // their names
}

// Name returns the name of a symbol; "" where it has none.
func (s *SymbolTable) Name(of Symbol) string { return string(nameIn(s.text, of.text)) }

// nameIn returns the name at an offset, as much of it as a name has; empty where there is none.
func nameIn(text []byte, at uint32) []byte {
	if uint64(at) >= uint64(len(text)) {
		return nil
	}
	text = text[at:]
	name, _, _ := bytes.Cut(text[:min(MaxName, len(text))], []byte{0})
	return name
}

// SymbolTable reads the symbols of the program that are wanted. pause is called after each chunk; it may be nil.
func (m *Image) SymbolTable(pause func(), wanted func(name []byte, s Symbol) bool) (t SymbolTable, err error) {
	section := m.Elf.SectionByType(elf.SHT_SYMTAB)
	if section == nil || int(section.Link) >= len(m.Elf.Sections) {
		return t, errNoSymbols
	}
	names := m.Elf.Sections[section.Link]
	if !m.fit(section, names) {
		return t, errTooLarge
	}
	data, err := contents(section, pause)
	if err != nil {
		return t, err
	}
	if t.text, err = contents(names, pause); err != nil {
		return t, err
	}
	for ; len(data) >= symbolSize; data = data[symbolSize:] {
		s := Symbol{
			text: binary.LittleEndian.Uint32(data), Kind: elf.ST_TYPE(data[4]),
			At: binary.LittleEndian.Uint64(data[8:]), Size: binary.LittleEndian.Uint64(data[16:]),
		}
		if s.At == 0 || s.Size > math.MaxUint32 {
			continue
		}
		s.At += m.Slide
		if wanted(nameIn(t.text, s.text), s) {
			t.All = append(t.All, s)
		}
	}
	return t, nil
}

// Symbols returns where the process has the variables of these names, as far as the symbol table has them.
func (m *Image) Symbols(names ...string) map[string]uint64 {
	found := make(map[string]uint64)
	_, _ = m.SymbolTable(nil, func(name []byte, s Symbol) bool {
		for _, n := range names {
			if string(name) == n {
				found[n] = s.At
			}
		}
		return false
	})
	return found
}

// DebugInfo reads the debug information of the types and variables of the program. pause is called after each chunk; it
// may be nil.
func (m *Image) DebugInfo(pause func()) (debuginfo.Info, error) {
	wanted := map[string]*elf.Section{
		".debug_info": nil, ".debug_abbrev": nil, ".debug_str": nil, ".debug_line_str": nil, ".debug_str_offsets": nil,
		".debug_addr": nil,
	}
	var all []*elf.Section
	for _, s := range m.Elf.Sections {
		if _, ok := wanted[s.Name]; ok && wanted[s.Name] == nil {
			wanted[s.Name] = s
			all = append(all, s)
		}
	}
	if !m.fit(all...) {
		return debuginfo.Info{}, errTooLarge
	}
	if wanted[".debug_info"] == nil || wanted[".debug_abbrev"] == nil {
		return debuginfo.Info{}, errNoSymbols
	}
	read := make(map[string][]byte)
	for name, s := range wanted {
		if s == nil {
			continue
		}
		data, err := contents(s, pause)
		if err != nil {
			return debuginfo.Info{}, err
		}
		read[name] = data
	}
	info, abbrev, text := read[".debug_info"], read[".debug_abbrev"], read[".debug_str"]
	for _, name := range []string{".debug_info", ".debug_abbrev", ".debug_str"} {
		delete(read, name)
	}
	d, err := debuginfo.Open(abbrev, info, text, read)
	d.Locations = [2]*debuginfo.Lists{m.lists(".debug_loc", pause), m.lists(".debug_loclists", pause)}
	d.Ranges = [2]*debuginfo.Lists{m.lists(".debug_ranges", pause), m.lists(".debug_rnglists", pause)}
	return d, err
}

// lists returns a section that has lists; nil where there is none.
func (m *Image) lists(name string, pause func()) *debuginfo.Lists {
	for _, s := range m.Elf.Sections {
		if s.Name == name && s.Type != elf.SHT_NOBITS && m.fit(s) {
			return &debuginfo.Lists{Open: func() io.Reader { return s.Open() }, Pause: pause}
		}
	}
	return nil
}

// fit reports whether sections can be taken into memory.
func (m *Image) fit(all ...*elf.Section) bool {
	room := m.Room
	for _, s := range all {
		if s.Size > room {
			return false
		}
		room -= s.Size
	}
	return true
}

// contents reads a section, unpacked.
func contents(s *elf.Section, pause func()) ([]byte, error) {
	if s.Type == elf.SHT_NOBITS {
		return nil, errNoSymbols
	}
	var data []byte
	for from := s.Open(); uint64(len(data)) < s.Size; {
		n := min(sectionChunk, s.Size-uint64(len(data)))
		if uint64(cap(data)-len(data)) < n { // it grows only as data arrives
			data = append(make([]byte, 0, min(s.Size, max(n, 4*uint64(len(data))))), data...)
		}
		if _, err := io.ReadFull(from, data[len(data):uint64(len(data))+n]); err != nil {
			return nil, err
		}
		data = data[:uint64(len(data))+n]
		if pause != nil {
			pause()
		}
	}
	return data, nil
}
