// Package image reads the file of the program that this process runs: where its sections lie in memory, and what is in
// them. What is read from the file, within its sections, can be wrong but never crash the process.
package image

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// Program is the file of this process's program, also where that was replaced since.
const Program = "/proc/self/exe"

// Region is a section of the file, at its place in the memory of the process.
type Region struct {
	Start, End uint64 // addresses in memory
	Offset     uint64 // of Start in the file
}

// Holds reports whether size bytes at an address lie in the region.
func (r Region) Holds(address, size uint64) bool {
	return address >= r.Start && address <= r.End && size <= r.End-address
}

// Read returns size bytes at an address; ok is false where they are not in the region, or cannot be read.
func (r Region) Read(file io.ReaderAt, address, size uint64) (data []byte, ok bool) {
	if !r.Holds(address, size) {
		return nil, false
	}
	data = make([]byte, size)
	_, err := file.ReadAt(data, int64(r.Offset+address-r.Start))
	return data, err == nil
}

// Regions returns the sections of a file of this process's program that are loaded from it; code says of each whether
// it is code.
func Regions(file io.ReaderAt) (all []Region, code []bool, err error) {
	image, err := elf.NewFile(file)
	if err != nil {
		return nil, nil, err
	}
	entry, err := entryPoint()
	if err != nil {
		return nil, nil, err
	}
	slide := entry - image.Entry // where the program was loaded, less where it was linked for
	for _, s := range image.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_PROGBITS {
			all = append(all, Region{s.Addr + slide, s.Addr + slide + s.Size, s.Offset})
			code = append(code, s.Flags&elf.SHF_EXECINSTR != 0)
		}
	}
	return all, code, nil
}

// entryPoint returns the address at which the kernel or the loader entered the program.
func entryPoint() (uint64, error) {
	const atEntry = 9 // AT_ENTRY of getauxval(3)
	data, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return 0, err
	}
	for ; len(data) >= 16; data = data[16:] {
		if binary.NativeEndian.Uint64(data) == atEntry {
			return binary.NativeEndian.Uint64(data[8:]), nil
		}
	}
	return 0, errors.New("the entry point is not known")
}
