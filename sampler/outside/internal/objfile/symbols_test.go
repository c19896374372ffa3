package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"testing"
)

// A program whose symbols unpack to more than any has is not unpacked.
func TestSectionsAreBounded(t *testing.T) {
	var head bytes.Buffer
	sections := []elf.Section64{
		{},
		{Type: uint32(elf.SHT_STRTAB), Name: 1, Size: 32},
		{Type: uint32(elf.SHT_SYMTAB), Name: 11, Link: 1, Flags: uint64(elf.SHF_COMPRESSED), Size: 32},
		{Type: uint32(elf.SHT_PROGBITS), Name: 19, Flags: uint64(elf.SHF_COMPRESSED), Size: 32},
	}
	const headSize, sectionSize = 64, 64
	names := headSize + uint64(sectionSize*len(sections))
	sections[1].Off, sections[2].Off, sections[3].Off = names, names+32, names+32
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	text := [32]byte{}
	copy(text[:], "\x00.shstrtab\x00.symtab\x00.debug_info\x00")
	for _, part := range []any{
		elf.Header64{
			Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Ehsize: headSize,
			Shoff:  headSize, Shentsize: sectionSize, Shnum: uint16(len(sections)), Shstrndx: 1,
		},
		sections, text, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: 1 << 40, Addralign: 1}, [8]byte{},
	} {
		if err := binary.Write(&head, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Open(bytes.NewReader(head.Bytes()), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.SymbolTable(nil, nil); !errors.Is(err, errTooLarge) {
		t.Errorf("symbols: %v", err)
	}
	if _, err := m.DebugInfo(nil); !errors.Is(err, errTooLarge) {
		t.Errorf("debug information: %v", err)
	}
}

// The name of a symbol that goes on for megabytes is cut.
func TestSymbolNamesAreBounded(t *testing.T) {
	if got := nameIn(bytes.Repeat([]byte("n"), 1<<20), 1); len(got) != MaxName {
		t.Errorf("a symbol has a name of %d bytes", len(got))
	}
}
