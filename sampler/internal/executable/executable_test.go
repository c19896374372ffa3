package executable

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// written is a file of some sections, the first of which is none and the second has their names.
func written(t *testing.T, change func(h *elf.Header64, sections []elf.Section64)) []byte {
	t.Helper()
	const names = "\x00.shstrtab\x00"
	headSize, sectionSize := binary.Size(elf.Header64{}), binary.Size(elf.Section64{})
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB),
			byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Ehsize: uint16(headSize),
		Shoff:  uint64(headSize), Shentsize: uint16(sectionSize), Shnum: 2, Shstrndx: 1,
	}
	sections := []elf.Section64{{}, {Type: uint32(elf.SHT_STRTAB), Name: 1, Off: uint64(headSize + 2*sectionSize),
		Size: uint64(len(names))}}
	if change != nil {
		change(&h, sections)
	}
	var b bytes.Buffer
	for _, part := range []any{h, sections, []byte(names)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// sparse is a file that is followed by zeros without an end.
type sparse []byte

func (s sparse) ReadAt(to []byte, at int64) (int, error) {
	clear(to)
	if at < int64(len(s)) {
		copy(to, s[at:])
	}
	return len(to), nil
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name   string
		change func(h *elf.Header64, sections []elf.Section64)
		ok     bool
	}{
		{"as linkers write it", nil, true},
		{"no sections", func(h *elf.Header64, _ []elf.Section64) { h.Shoff, h.Shnum, h.Shstrndx = 0, 0, 0 }, true},
		{"sections without names", func(h *elf.Header64, _ []elf.Section64) { h.Shstrndx = 0 }, true},
		// Package debug/elf panics.
		{"names in a section that is not there", func(h *elf.Header64, s []elf.Section64) {
			h.Shnum, h.Shstrndx = 0, uint16(elf.SHN_XINDEX)
			s[0].Size, s[0].Link = uint64(elf.SHN_LORESERVE), 1<<31
		}, false},
		// It takes as much memory as they tell it.
		{"names that fill the memory", func(_ *elf.Header64, s []elf.Section64) { s[1].Size = 1 << 50 }, false},
		{"names that unpack to what fills the memory", func(_ *elf.Header64, s []elf.Section64) {
			s[1].Flags = uint64(elf.SHF_COMPRESSED)
		}, false},
		{"sections that fill the memory", func(h *elf.Header64, s []elf.Section64) {
			h.Shnum, s[0].Size = 0, 1<<40
		}, false},
		{"sections that are large", func(h *elf.Header64, _ []elf.Section64) { h.Shentsize = 1<<16 - 1 }, false},
		{"many segments", func(h *elf.Header64, _ []elf.Section64) { h.Phnum, h.Phentsize = 1<<16-1, 1<<16-1 }, false},
		{"sections beyond any file", func(h *elf.Header64, _ []elf.Section64) { h.Shoff = 1 << 63 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := written(t, tt.change)
			if _, err := Open(sparse(data)); (err == nil) != tt.ok || err != nil && !errors.Is(err, errHeaders) {
				t.Errorf("Open: %v", err)
			}
			if _, err := BuildInfo(sparse(data)); err == nil || tt.ok == errors.Is(err, errHeaders) {
				t.Errorf("BuildInfo: %v", err)
			}
		})
	}
	for name, data := range map[string]string{"empty": "", "a script": "#!/bin/sh\n# " + string(make([]byte, 64)),
		"cut off": "\x7fELF"} {
		if _, err := Open(bytes.NewReader([]byte(data))); err == nil {
			t.Errorf("%s is a program", name)
		}
	}
}

// The program that the tests are is read as package debug/elf reads it.
func TestOpenOwn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this is no ELF file")
	}
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want, err := elf.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	heads := func(f *elf.File) (all []elf.SectionHeader) {
		for _, s := range f.Sections {
			all = append(all, s.SectionHeader)
		}
		return all
	}
	if d := cmp.Diff(heads(want), heads(got)); d != "" || len(got.Progs) != len(want.Progs) {
		t.Errorf("sections (-want +got):\n%s", d)
	}
	info, err := BuildInfo(file)
	if err != nil || info.GoVersion != runtime.Version() {
		t.Errorf("%+v, %v", info, err)
	}
}

// changing is a file that is written while it is read.
type changing struct {
	before, after io.ReaderAt
	reads         int
}

func (c *changing) ReadAt(to []byte, at int64) (int, error) {
	if c.reads++; c.reads <= 2 { // both headers
		return c.before.ReadAt(to, at)
	}
	return c.after.ReadAt(to, at)
}

func TestOpenWhileItChanges(t *testing.T) {
	after := written(t, func(_ *elf.Header64, s []elf.Section64) { s[1].Size = 1 << 50 })
	f, err := Open(&changing{before: bytes.NewReader(written(t, nil)), after: sparse(after)})
	if err != nil || f.Sections[1].Name != ".shstrtab" {
		t.Errorf("%+v, %v", f, err)
	}
}

// counting counts the bytes that are read of a file.
type counting struct {
	io.ReaderAt
	read int
}

func (c *counting) ReadAt(to []byte, at int64) (int, error) {
	c.read += len(to)
	return c.ReaderAt.ReadAt(to, at)
}

// What a program was built from is not looked for in a file without an end. From Go 1.27 on package debug/buildinfo
// itself does not look for it there.
func TestBuildInfoIsBounded(t *testing.T) {
	data := written(t, func(h *elf.Header64, _ []elf.Section64) {
		h.Shoff, h.Shnum, h.Shstrndx = 0, 0, 0
		h.Phoff, h.Phnum, h.Phentsize = uint64(binary.Size(elf.Header64{})), 1, uint16(binary.Size(elf.Prog64{}))
	})
	var segment bytes.Buffer
	all := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_W), Filesz: 1 << 50, Memsz: 1 << 50}
	if err := binary.Write(&segment, binary.LittleEndian, all); err != nil {
		t.Fatal(err)
	}
	copy(data[binary.Size(elf.Header64{}):], segment.Bytes())
	file := &counting{ReaderAt: sparse(data)}
	_, err := BuildInfo(file)
	if searched := file.read > maxBuildInfo/2; err == nil || searched != errors.Is(err, errTooLarge) ||
		file.read > maxBuildInfo+maxHeaders {
		t.Errorf("%v after %d bytes", err, file.read)
	}
	endless := &limited{file: sparse(data), left: 10}
	if _, err := endless.ReadAt(make([]byte, 10), 0); err != nil {
		t.Error(err)
	}
	if _, err := endless.ReadAt(make([]byte, 1), 10); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
}
