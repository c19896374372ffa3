// Package instructions decodes machine code of amd64 and arm64 as far as it names addresses.
package instructions

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
)

// MaxSize is the maximum size of a function that is decoded, in bytes.
const MaxSize = 1 << 16

// Code is that of a function.
type Code struct {
	Base  uint64
	Bytes []byte
}

// Operands returns the addresses that the code of a function names, in the order of the code.
func Operands(c Code, arch string) []uint64 {
	if arch == "arm64" {
		return operandsARM(c)
	}
	var all []uint64
	for at := 0; at < len(c.Bytes); {
		i, err := decodeX86(c.Bytes[at:])
		if err != nil || i.Len == 0 {
			return all
		}
		at += i.Len
		for _, a := range i.Args {
			if m, ok := a.(x86asm.Mem); ok && m.Base == x86asm.RIP {
				all = append(all, c.Base+uint64(at)+uint64(int32(m.Disp))) // the decoder leaves the sign out
			}
		}
	}
	return all
}

// decodeX86 decodes an instruction, also where the decoder gives up on one that it does not know.
func decodeX86(code []byte) (i x86asm.Inst, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("instruction: %v", r)
		}
	}()
	return x86asm.Decode(code, 64)
}

const wordSize = 4 // bytes of an instruction of arm64

// operandsARM follows the pages that registers are loaded with to the instructions that add the offset in the page. The
// recipes count what it finds, also where a register has been loaded with something else meanwhile.
func operandsARM(c Code) []uint64 {
	var all []uint64
	var pages [32]uint64 // by register
	for at := 0; at+wordSize <= len(c.Bytes); at += wordSize {
		word := binary.LittleEndian.Uint32(c.Bytes[at:])
		if page, ok := c.pageARM(at, word); ok {
			pages[word&31] = page
			continue
		}
		from := word >> 5 & 31
		if in, added, ok := inPageARM(word); ok && pages[from] != 0 && from != 31 {
			if all = append(all, pages[from]+in); added {
				pages[word&31] = 0
			}
		}
	}
	return all
}

// pageARM returns the page that an instruction loads a register with.
func (c Code) pageARM(at int, word uint32) (page uint64, ok bool) {
	if word&0x9f000000 != 0x90000000 { // ADRP
		return 0, false
	}
	i, err := arm64asm.Decode(c.Bytes[at:])
	rel, ok := i.Args[1].(arm64asm.PCRel)
	return (c.Base+uint64(at))&^0xfff + uint64(rel), err == nil && ok
}

// inPageARM returns which place of a page an instruction refers to, if a register has the page.
func inPageARM(word uint32) (in uint64, added, ok bool) {
	switch {
	case word&0xffc00000 == 0x91000000: // ADD of an immediate, 64 bits
		return uint64(word >> 10 & 0xfff), true, true
	case word&0x3b000000 == 0x39000000: // LDR or STR, at an offset that is counted in units of what is loaded
		scale := word >> 30
		if word&0x04800000 == 0x04800000 { // 128 bits
			scale = 4
		}
		return uint64(word>>10&0xfff) << scale, false, true
	}
	return 0, false, false
}

// AdjacentARM is operandsARM of what Go compiles: it uses a page right where it is loaded. A register that has been
// loaded with something else since leads nowhere.
func AdjacentARM(c Code) (all []uint64) {
	for at := 0; at+2*wordSize <= len(c.Bytes); at += wordSize {
		word, next := binary.LittleEndian.Uint32(c.Bytes[at:]), binary.LittleEndian.Uint32(c.Bytes[at+wordSize:])
		page, loaded := c.pageARM(at, word)
		if in, _, ok := inPageARM(next); ok && loaded && next>>5&31 == word&31 {
			all = append(all, page+in)
		}
	}
	return all
}
