package outside

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// maxSections is how many bytes of symbols, or of what debuggers read, are taken into memory: the largest programs have
// a few hundred MB. A file can have any size, or unpack to it.
const maxSections = 512 << 20

// maxOwnSections is maxSections for a process that reads its own: it has the memory for it beside its work.
const maxOwnSections = 64 << 20

const (
	symbolSize   = 24      // bytes of a symbol in the file
	sectionChunk = 1 << 20 // bytes of a section that are read at a time
)

var (
	errTooLarge  = errors.New("the symbols of the program are too large")
	errNoSymbols = errors.New("the program has no symbols")
)

// symbol is one of a program, at the address at which the process has it.
type symbol struct {
	at, size uint64
	text     uint32 // offset of its name
	kind     elf.SymType
}

// symbolTable is some symbols of a program.
type symbolTable struct {
	all  []symbol
	text []byte // their names
}

func (s *symbolTable) name(of symbol) string { return string(nameIn(s.text, of.text)) }

// nameIn returns the name at an offset, as much of it as a name has; empty where there is none.
func nameIn(text []byte, at uint32) []byte {
	if uint64(at) >= uint64(len(text)) {
		return nil
	}
	text = text[at:]
	name, _, _ := bytes.Cut(text[:min(maxName, len(text))], []byte{0})
	return name
}

// symbolTable reads the symbols of the program that are wanted. pause is called after each chunk; it may be nil.
func (m *image) symbolTable(pause func(), wanted func(name []byte, s symbol) bool) (t symbolTable, err error) {
	section := m.elf.SectionByType(elf.SHT_SYMTAB)
	if section == nil || int(section.Link) >= len(m.elf.Sections) {
		return t, errNoSymbols
	}
	names := m.elf.Sections[section.Link]
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
		s := symbol{
			text: binary.LittleEndian.Uint32(data), kind: elf.ST_TYPE(data[4]),
			at: binary.LittleEndian.Uint64(data[8:]), size: binary.LittleEndian.Uint64(data[16:]),
		}
		if s.at == 0 || s.size > math.MaxUint32 {
			continue
		}
		s.at += m.slide
		if wanted(nameIn(t.text, s.text), s) {
			t.all = append(t.all, s)
		}
	}
	return t, nil
}

// symbols returns where the process has the variables of these names, as far as the symbol table has them.
func (m *image) symbols(names ...string) map[string]uint64 {
	found := make(map[string]uint64)
	_, _ = m.symbolTable(nil, func(name []byte, s symbol) bool {
		for _, n := range names {
			if string(name) == n {
				found[n] = s.at
			}
		}
		return false
	})
	return found
}

// debugInfo reads what debuggers read of the types and variables of the program. pause is called after each chunk; it
// may be nil.
func (m *image) debugInfo(pause func()) (debugInfo, error) {
	wanted := map[string]*elf.Section{
		".debug_info": nil, ".debug_abbrev": nil, ".debug_str": nil, ".debug_line_str": nil, ".debug_str_offsets": nil,
		".debug_addr": nil,
	}
	var all []*elf.Section
	for _, s := range m.elf.Sections {
		if _, ok := wanted[s.Name]; ok && wanted[s.Name] == nil {
			wanted[s.Name] = s
			all = append(all, s)
		}
	}
	if !m.fit(all...) {
		return debugInfo{}, errTooLarge
	}
	if wanted[".debug_info"] == nil || wanted[".debug_abbrev"] == nil {
		return debugInfo{}, errNoSymbols
	}
	read := make(map[string][]byte)
	for name, s := range wanted {
		if s == nil {
			continue
		}
		data, err := contents(s, pause)
		if err != nil {
			return debugInfo{}, err
		}
		read[name] = data
	}
	info, abbrev, text := read[".debug_info"], read[".debug_abbrev"], read[".debug_str"]
	for _, name := range []string{".debug_info", ".debug_abbrev", ".debug_str"} {
		delete(read, name)
	}
	d, err := openDebugInfo(abbrev, info, text, read)
	d.locations = [2]*lists{m.lists(".debug_loc", pause), m.lists(".debug_loclists", pause)}
	d.ranges = [2]*lists{m.lists(".debug_ranges", pause), m.lists(".debug_rnglists", pause)}
	return d, err
}

// lists returns a section that has lists; nil where there is none.
func (m *image) lists(name string, pause func()) *lists {
	for _, s := range m.elf.Sections {
		if s.Name == name && s.Type != elf.SHT_NOBITS && m.fit(s) {
			return &lists{open: func() io.Reader { return s.Open() }, pause: pause}
		}
	}
	return nil
}

// fit reports whether sections can be taken into memory.
func (m *image) fit(all ...*elf.Section) bool {
	room := m.room
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
		if uint64(cap(data)-len(data)) < n { // it grows as far as there is something
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
