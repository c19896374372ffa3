// Package executable reads the headers of untrusted executable files, such as those of all processes of a machine.
// Package debug/elf trusts them: it allocates the sizes and follows the offsets that they have.
package executable

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	maxHeaders   = 64 << 10 // bytes of the headers of all segments, or of all sections
	maxSections  = 1 << 10
	maxNames     = 64 << 10 // bytes of the names of all sections
	maxBuildInfo = 64 << 20 // bytes of a file that are read for what it was built from
)

var (
	errHeaders  = errors.New("the headers of the program's file are not as linkers write them")
	errTooLarge = errors.New("too much of the program's file would have to be read")
)

// Open reads the headers of a program. The error says so where they are not as linkers write them.
func Open(file io.ReaderAt) (f *elf.File, err error) {
	defer recovered(&err)
	checked, err := check(file)
	if err != nil {
		return nil, err
	}
	return elf.NewFile(checked)
}

// BuildInfo reads what a Go program was built from. It is an error where it is none.
func BuildInfo(file io.ReaderAt) (info *buildinfo.BuildInfo, err error) {
	defer recovered(&err)
	checked, err := check(file)
	if err != nil {
		return nil, err
	}
	return buildinfo.Read(&limited{file: checked, left: maxBuildInfo})
}

// recovered makes an error of a panic of a package of the standard library, which the file has caused.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errHeaders, r)
	}
}

// check returns a file whose headers stay as they were checked: it may be written meanwhile, or be on a file system of
// its owner.
func check(file io.ReaderAt) (io.ReaderAt, error) {
	head := make([]byte, binary.Size(elf.Header64{}))
	if _, err := file.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if string(head[:4]) != elf.ELFMAG {
		return nil, errHeaders
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	var h elf.Header64
	var size int
	if elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS32 {
		var short elf.Header32
		if _, err := binary.Decode(head, order, &short); err != nil {
			return nil, err
		}
		h = elf.Header64{
			Phentsize: short.Phentsize, Phnum: short.Phnum, Shoff: uint64(short.Shoff), Shentsize: short.Shentsize,
			Shnum:    short.Shnum,
			Shstrndx: short.Shstrndx,
		}
		size = binary.Size(elf.Section32{})
	} else {
		if _, err := binary.Decode(head, order, &h); err != nil {
			return nil, err
		}
		size = binary.Size(elf.Section64{})
	}
	fixed := &pinned{file: file, parts: []pinnedPart{{0, head}}}
	if int(h.Phnum)*int(h.Phentsize) > maxHeaders || h.Shnum > maxSections ||
		int(h.Shnum)*int(h.Shentsize) > maxHeaders {
		return nil, errHeaders
	}
	switch {
	case h.Shoff == 0:
		return fixed, nil
	// also more than there can be
	case h.Shnum == 0 || h.Shstrndx >= h.Shnum || int(h.Shentsize) < size || h.Shoff > 1<<62:
		return nil, errHeaders
	}
	sections := make([]byte, int(h.Shnum)*int(h.Shentsize))
	if _, err := file.ReadAt(sections, int64(h.Shoff)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	fixed.parts = append(fixed.parts, pinnedPart{int64(h.Shoff), sections})
	if h.Shstrndx == 0 { // they have no names
		return fixed, nil
	}
	names := sections[int(h.Shstrndx)*int(h.Shentsize):]
	var flags, length uint64
	if size == binary.Size(elf.Section32{}) {
		var s elf.Section32
		if _, err := binary.Decode(names, order, &s); err != nil {
			return nil, err
		}
		flags, length = uint64(s.Flags), uint64(s.Size)
	} else {
		var s elf.Section64
		if _, err := binary.Decode(names, order, &s); err != nil {
			return nil, err
		}
		flags, length = s.Flags, s.Size
	}
	if elf.SectionFlag(flags)&elf.SHF_COMPRESSED != 0 || length > maxNames {
		return nil, errHeaders
	}
	return fixed, nil
}

// pinned is a file of which some parts stay what they were.
type pinned struct {
	file  io.ReaderAt
	parts []pinnedPart
}

type pinnedPart struct {
	at   int64
	data []byte
}

func (p *pinned) ReadAt(to []byte, at int64) (int, error) {
	n, err := p.file.ReadAt(to, at)
	for _, part := range p.parts {
		if from := part.at - at; from >= 0 && from < int64(n) {
			copy(to[from:n], part.data)
		} else if from < 0 && -from < int64(len(part.data)) {
			copy(to[:n], part.data[-from:])
		}
	}
	return n, err
}

// limited is a file of which no more than a maximum of bytes is read in all.
type limited struct {
	file io.ReaderAt
	left int
}

func (l *limited) ReadAt(to []byte, at int64) (int, error) {
	if l.left -= len(to); l.left < 0 {
		return 0, errTooLarge
	}
	return l.file.ReadAt(to, at)
}
