package gotype

import (
	"encoding/binary"

	"golang.org/x/arch/arm64/arm64asm"
)

// maxWindow is how many instructions before a call are examined.
const maxWindow = 64

const (
	width    = 4  // bytes of an instruction
	noNumber = 32 // of a register: none, or none of the general ones
)

// callSite is a call whose target is known.
type callSite struct {
	target uint64
	base   uint64 // address of the function
	code   []byte
	jumped map[int]bool // offsets that are jumped to
	call   int          // offset of the call
}

// decode reads the code of a function from its beginning to its end, and returns the call that ends at an offset. It
// fails where the way to an instruction may be unknown.
func decode(code []byte, base uint64, end int) (callSite, bool) {
	c := callSite{base: base, code: code, jumped: make(map[int]bool), call: end - width}
	if c.call < 0 || c.call%width != 0 || end > len(code) {
		return c, false
	}
	for at := 0; at+width <= len(code); at += width {
		i, err := arm64asm.Decode(code[at:])
		if err != nil {
			continue // no branch: the decoder knows them all
		}
		switch i.Op {
		case arm64asm.BR:
			return c, false // through a table: where to is not known
		case arm64asm.B, arm64asm.CBZ, arm64asm.CBNZ, arm64asm.TBZ, arm64asm.TBNZ:
			for _, a := range i.Args {
				if rel, ok := a.(arm64asm.PCRel); ok {
					c.jumped[at+int(rel)] = true
				}
			}
		}
	}
	i, err := arm64asm.Decode(code[c.call:])
	if err != nil || i.Op != arm64asm.BL {
		return c, false
	}
	rel, ok := i.Args[0].(arm64asm.PCRel)
	c.target = base + uint64(c.call) + uint64(rel)
	return c, ok
}

// argument returns the address that was loaded into the register of an argument: R0 for the first, and so on.
func (c callSite) argument(index int) (uint64, bool) {
	wanted := uint32(index)
	added := uint64(0)
	for at := c.call - width; at >= 0 && at >= c.call-maxWindow*width; at -= width {
		if c.jumped[at+width] { // what is before may not have happened
			return 0, false
		}
		i, err := arm64asm.Decode(c.code[at:])
		if err != nil {
			return 0, false
		}
		writes, known := written(i)
		if !known {
			return 0, false
		}
		if writes[0] != wanted && writes[1] != wanted && writes[2] != wanted {
			continue
		}
		word := binary.LittleEndian.Uint32(c.code[at:])
		source := word >> 5 & 31
		switch {
		case word&0x9f000000 == 0x90000000: // ADRP
			rel, ok := i.Args[1].(arm64asm.PCRel)
			return (c.base+uint64(at))&^0xfff + uint64(rel) + added, ok
		case word&0x9f000000 == 0x10000000: // ADR
			rel, ok := i.Args[1].(arm64asm.PCRel)
			return c.base + uint64(at) + uint64(rel) + added, ok
		case word&0xff800000 == 0x91000000 && source != 31: // ADD of an immediate, 64 bits
			immediate := uint64(word >> 10 & 0xfff)
			if word>>22&1 == 1 {
				immediate <<= 12
			}
			added += immediate
			wanted = source
		case word&0xffe0ffe0 == 0xaa0003e0: // MOV between registers, 64 bits
			wanted = word >> 16 & 31
		default:
			return 0, false
		}
	}
	return 0, false
}

// written returns the numbers of the general registers that an instruction writes to; known is false for one that is
// not examined.
func written(i arm64asm.Inst) (registers [3]uint32, known bool) {
	registers = [3]uint32{noNumber, noNumber, noNumber}
	switch i.Op {
	case arm64asm.STR, arm64asm.STRB, arm64asm.STRH, arm64asm.STUR, arm64asm.STURB, arm64asm.STURH, arm64asm.STP,
		arm64asm.CMP, arm64asm.CMN, arm64asm.TST, arm64asm.CCMP, arm64asm.NOP, arm64asm.PRFM,
		arm64asm.CBZ, arm64asm.CBNZ, arm64asm.TBZ, arm64asm.TBNZ:
	case arm64asm.B:
		if _, conditional := i.Args[0].(arm64asm.Cond); !conditional {
			return registers, false
		}
	case arm64asm.LDP, arm64asm.LDPSW:
		registers[0], registers[1] = number(i.Args[0]), number(i.Args[1])
	case arm64asm.LDR, arm64asm.LDRB, arm64asm.LDRH, arm64asm.LDRSB, arm64asm.LDRSH, arm64asm.LDRSW,
		arm64asm.LDUR, arm64asm.LDURB, arm64asm.LDURH, arm64asm.LDURSB, arm64asm.LDURSH, arm64asm.LDURSW,
		arm64asm.ADRP, arm64asm.ADR, arm64asm.ADD, arm64asm.ADDS, arm64asm.SUB, arm64asm.SUBS, arm64asm.NEG,
		arm64asm.AND, arm64asm.ANDS, arm64asm.ORR, arm64asm.ORN, arm64asm.EOR, arm64asm.BIC, arm64asm.MVN,
		arm64asm.MOV, arm64asm.MOVZ, arm64asm.MOVN, arm64asm.MOVK, arm64asm.LSL, arm64asm.LSR, arm64asm.ASR,
		arm64asm.ROR,
		arm64asm.UBFX, arm64asm.SBFX, arm64asm.UBFIZ, arm64asm.SBFIZ, arm64asm.BFI, arm64asm.BFXIL, arm64asm.UXTB,
		arm64asm.UXTH,
		arm64asm.SXTB, arm64asm.SXTH, arm64asm.SXTW,
		arm64asm.MUL, arm64asm.MADD, arm64asm.MSUB, arm64asm.UMULH, arm64asm.SMULH, arm64asm.UDIV, arm64asm.SDIV,
		arm64asm.CLZ, arm64asm.RBIT,
		arm64asm.CSEL, arm64asm.CSET, arm64asm.CSETM, arm64asm.CSINC, arm64asm.CINC, arm64asm.CSINV, arm64asm.CSNEG,
		arm64asm.FMOV:
		registers[0] = number(i.Args[0])
	default:
		return registers, false
	}
	for _, a := range i.Args {
		if m, ok := a.(arm64asm.MemImmediate); ok &&
			(m.Mode == arm64asm.AddrPreIndex || m.Mode == arm64asm.AddrPostIndex || m.Mode == arm64asm.AddrPostReg) {
			registers[2] = number(m.Base)
		}
	}
	return registers, true
}

// number returns the number of a general register, noNumber for what is none.
func number(a arm64asm.Arg) uint32 {
	var r arm64asm.Reg
	switch a := a.(type) {
	case arm64asm.Reg:
		r = a
	case arm64asm.RegSP:
		r = arm64asm.Reg(a)
	default:
		return noNumber
	}
	switch {
	case r >= arm64asm.W0 && r <= arm64asm.W30:
		return uint32(r - arm64asm.W0)
	case r >= arm64asm.X0 && r <= arm64asm.X30:
		return uint32(r - arm64asm.X0)
	}
	return noNumber
}
