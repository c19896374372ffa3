package outside

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"

	"github.com/mdzesseis/leaktrend/sampler/internal/executable"
)

const (
	pageSize = 4096
	maxName  = 4096 // bytes of the name of a function, file or symbol
	maxPages = 1024 // of the program's file that are kept
	// maxWork is how much may be looked up in the file for one purpose, seconds of work, and readWork what to read a
	// page of it counts. What large programs take is far below; a file may lead from one place to the next without an
	// end.
	maxWork  = 1 << 28
	readWork = 64
)

// image is the file of a program, at the addresses at which the process has it.
type image struct {
	file     io.ReaderAt
	elf      *elf.File
	arch     string // as GOARCH
	slide    uint64 // of a position-independent program
	segments []segment
	pages    map[uint64][]byte // by address
	room     uint64            // bytes of its sections that may be taken into memory
	work     int               // that may still be done
}

// apart returns the same image for another goroutine: it shares nothing that changes.
func (m *image) apart() *image {
	c := *m
	c.pages = nil
	return &c
}

// forget drops what was kept of the file.
func (m *image) forget() { m.pages = nil }

// begin lets work be done for another purpose.
func (m *image) begin() { m.work = maxWork }

// tired reports whether all work was done that may be: nothing more is read then.
func (m *image) tired() bool { return m.work <= 0 }

// segment is a part of a program that is loaded from its file.
type segment struct {
	at, end    uint64
	offset     uint64 // in the file
	writable   bool
	executable bool
}

var errNotELF = errors.New("the program's file is not a 64-bit Linux executable for amd64 or arm64")

// openImage reads the headers of a program. entry is where the process has its entry point.
func openImage(file io.ReaderAt, entry uint64) (*image, error) {
	f, err := executable.Open(file)
	if err != nil {
		return nil, errNotELF
	}
	m := &image{file: file, elf: f, room: maxSections, work: maxWork}
	switch {
	case f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB:
		return nil, errNotELF
	case f.Machine == elf.EM_X86_64:
		m.arch = "amd64"
	case f.Machine == elf.EM_AARCH64:
		m.arch = "arm64"
	default:
		return nil, errNotELF
	}
	m.slide = entry - f.Entry
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 || p.Vaddr+p.Filesz < p.Vaddr {
			continue
		}
		at := p.Vaddr + m.slide
		m.segments = append(m.segments, segment{
			at: at, end: at + p.Filesz, offset: p.Off,
			writable: p.Flags&elf.PF_W != 0, executable: p.Flags&elf.PF_X != 0,
		})
	}
	return m, nil
}

// section returns where a section is that has one of these names; ok is false where there is none, as in a file without
// section headers.
func (m *image) section(names ...string) (at, size uint64, ok bool) {
	for _, name := range names {
		if s := m.elf.Section(name); s != nil && s.Addr != 0 {
			return s.Addr + m.slide, s.Size, true
		}
	}
	return 0, 0, false
}

// read reads what the file has of an address.
func (m *image) read(at uint64, to []byte) bool {
	for len(to) > 0 {
		page := m.page(at &^ (pageSize - 1))
		skip := at & (pageSize - 1)
		if uint64(len(page)) <= skip {
			return false
		}
		n := copy(to, page[skip:])
		m.work -= n / readWork
		to = to[n:]
		at += uint64(n)
	}
	return true
}

// readDirect is read for what is not needed again.
func (m *image) readDirect(at uint64, to []byte) bool {
	for _, s := range m.segments {
		if at >= s.at && at < s.end && uint64(len(to)) <= s.end-at {
			n, _ := m.file.ReadAt(to, int64(s.offset+at-s.at))
			return n == len(to)
		}
	}
	return false
}

// page returns a page of the file, from its address on; nil where there is none.
func (m *image) page(at uint64) []byte {
	if m.work--; m.work <= 0 {
		return nil
	}
	if p, ok := m.pages[at]; ok {
		return p
	}
	m.work -= readWork
	var p []byte
	for _, s := range m.segments {
		// Segments need not begin at a page: what is before is of another one, or of none.
		if at+pageSize <= s.at || at >= s.end {
			continue
		}
		begin, end := max(at, s.at), min(at+pageSize, s.end)
		if p == nil {
			p = make([]byte, pageSize)
		}
		if n, _ := m.file.ReadAt(p[begin-at:end-at], int64(s.offset+begin-s.at)); n != int(end-begin) {
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

func (m *image) uint32(at uint64) (uint32, bool) {
	var b [4]byte
	ok := m.read(at, b[:])
	return binary.LittleEndian.Uint32(b[:]), ok
}

// text returns a string that ends with a zero byte.
func (m *image) text(at uint64, limit int) (string, bool) {
	var all []byte
	for len(all) < limit {
		page := m.page(at &^ (pageSize - 1))
		skip := at & (pageSize - 1)
		if uint64(len(page)) <= skip {
			return "", false
		}
		piece, _, ends := bytes.Cut(page[skip:], []byte{0})
		m.work -= len(piece) / readWork
		if all = append(all, piece...); ends {
			return string(all), true
		}
		at += pageSize - skip
	}
	return "", false
}
