// Package objfile reads the file of a program at the addresses at which the process has it: its segments, symbols and
// debug information. The file is not trusted, so the work and memory that it takes are bounded.
package objfile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"

	"github.com/mdzesseis/leaktrend/sampler/internal/executable"
)

const (
	PageSize = 4096 // bytes of the file that are read at a time
	MaxName  = 4096 // bytes of the name of a function, file or symbol
	maxPages = 1024 // of the program's file that are kept
	// MaxWork limits the look-ups in the file for one purpose, to seconds of work; readWork is what reading a page
	// counts. What large programs take is far below; a file may lead from one place to the next without an end.
	MaxWork  = 1 << 28
	readWork = 64
)

// Image is the file of a program, at the addresses at which the process has it.
type Image struct {
	File     io.ReaderAt
	Elf      *elf.File
	Arch     string // as GOARCH
	Slide    uint64 // of a position-independent program
	Segments []Segment
	pages    map[uint64][]byte // by address
	Room     uint64            // bytes of its sections that may be taken into memory
	Work     int               // that may still be done
}

// Clone returns the same image for another goroutine: it shares nothing that changes.
func (m *Image) Clone() *Image {
	c := *m
	c.pages = nil
	return &c
}

// Forget drops the cached pages of the file.
func (m *Image) Forget() { m.pages = nil }

// ResetWork allows as much work again, for another purpose.
func (m *Image) ResetWork() { m.Work = MaxWork }

// Exhausted reports whether all work was done that may be: nothing more is read then.
func (m *Image) Exhausted() bool { return m.Work <= 0 }

// Segment is a part of a program that is loaded from its file.
type Segment struct {
	At, End    uint64
	offset     uint64 // in the file
	Writable   bool
	Executable bool
}

// ErrNotELF says that a file is not a program of a supported kind.
var ErrNotELF = errors.New("the program's file is not a 64-bit Linux executable for amd64 or arm64")

// Open reads the headers of a program. entry is where the process has its entry point.
func Open(file io.ReaderAt, entry uint64) (*Image, error) {
	f, err := executable.Open(file)
	if err != nil {
		return nil, ErrNotELF
	}
	m := &Image{File: file, Elf: f, Room: maxSections, Work: MaxWork}
	switch {
	case f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB:
		return nil, ErrNotELF
	case f.Machine == elf.EM_X86_64:
		m.Arch = "amd64"
	case f.Machine == elf.EM_AARCH64:
		m.Arch = "arm64"
	default:
		return nil, ErrNotELF
	}
	m.Slide = entry - f.Entry
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 || p.Vaddr+p.Filesz < p.Vaddr {
			continue
		}
		at := p.Vaddr + m.Slide
		m.Segments = append(m.Segments, Segment{
			At: at, End: at + p.Filesz, offset: p.Off,
			Writable: p.Flags&elf.PF_W != 0, Executable: p.Flags&elf.PF_X != 0,
		})
	}
	return m, nil
}

// Section returns where a section is that has one of these names; ok is false where there is none, as in a file without
// section headers.
func (m *Image) Section(names ...string) (at, size uint64, ok bool) {
	for _, name := range names {
		if s := m.Elf.Section(name); s != nil && s.Addr != 0 {
			return s.Addr + m.Slide, s.Size, true
		}
	}
	return 0, 0, false
}

// Read reads what the file has of an address.
func (m *Image) Read(at uint64, to []byte) bool {
	for len(to) > 0 {
		page := m.Page(at &^ (PageSize - 1))
		skip := at & (PageSize - 1)
		if uint64(len(page)) <= skip {
			return false
		}
		n := copy(to, page[skip:])
		m.Work -= n / readWork
		to = to[n:]
		at += uint64(n)
	}
	return true
}

// ReadDirect is Read without caching.
func (m *Image) ReadDirect(at uint64, to []byte) bool {
	for _, s := range m.Segments {
		if at >= s.At && at < s.End && uint64(len(to)) <= s.End-at {
			n, _ := m.File.ReadAt(to, int64(s.offset+at-s.At))
			return n == len(to)
		}
	}
	return false
}

// Page returns a page of the file, from its address on; nil where there is none.
func (m *Image) Page(at uint64) []byte {
	if m.Work--; m.Work <= 0 {
		return nil
	}
	if p, ok := m.pages[at]; ok {
		return p
	}
	m.Work -= readWork
	var p []byte
	for _, s := range m.Segments {
		// Segments need not start at a page: the bytes before belong to another segment, or to none.
		if at+PageSize <= s.At || at >= s.End {
			continue
		}
		start, end := max(at, s.At), min(at+PageSize, s.End)
		if p == nil {
			p = make([]byte, PageSize)
		}
		if n, _ := m.File.ReadAt(p[start-at:end-at], int64(s.offset+start-s.At)); n != int(end-start) {
			return nil
		}
	}
	switch {
	case m.pages == nil:
		m.pages = make(map[uint64][]byte)
	case len(m.pages) >= maxPages:
		clear(m.pages)
	}
	m.pages[at] = p
	return p
}

// Uint32 reads a number of 4 bytes; false where the file has none at the address.
func (m *Image) Uint32(at uint64) (uint32, bool) {
	var b [4]byte
	ok := m.Read(at, b[:])
	return binary.LittleEndian.Uint32(b[:]), ok
}

// Text returns a string that ends with a zero byte.
func (m *Image) Text(at uint64, limit int) (string, bool) {
	var all []byte
	for len(all) < limit {
		page := m.Page(at &^ (PageSize - 1))
		skip := at & (PageSize - 1)
		if uint64(len(page)) <= skip {
			return "", false
		}
		piece, _, ends := bytes.Cut(page[skip:], []byte{0})
		m.Work -= len(piece) / readWork
		if all = append(all, piece...); ends {
			return string(all), true
		}
		at += PageSize - skip
	}
	return "", false
}
