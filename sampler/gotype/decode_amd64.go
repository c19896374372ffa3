package gotype

import (
	"golang.org/x/arch/x86/x86asm"
)

// maxWindow is how many instructions before a call are examined.
const maxWindow = 64

// argumentRegisters are those of Go's internal ABI, in the order of the integer arguments.
var argumentRegisters = [...]x86asm.Reg{x86asm.RAX, x86asm.RBX, x86asm.RCX, x86asm.RDI, x86asm.RSI}

// instruction is one of a function's. One with an Op of 0 could not be decoded, except for its length.
type instruction struct {
	x86asm.Inst
	offset int
}

// callSite is a call whose target is known.
type callSite struct {
	target uint64
	base   uint64 // address of the function
	before []instruction
	jumped map[int]bool // offsets that are jumped to
	call   int          // offset of the call
}

// decode reads the code of a function from its beginning to its end, and returns the call that ends at an offset. It
// fails where the way to an instruction may be unknown.
func decode(code []byte, base uint64, end int) (callSite, bool) {
	c := callSite{base: base, jumped: make(map[int]bool)}
	var window []instruction
	found := false
	for at := 0; at < len(code); {
		i := instruction{offset: at}
		var err error
		if i.Inst, err = x86asm.Decode(code[at:], 64); err != nil || i.Len == 0 {
			n := lengthOfVector(code[at:])
			if n == 0 {
				return c, false
			}
			i.Inst = x86asm.Inst{Len: n}
		}
		next := at + i.Len
		if rel, ok := i.Args[0].(x86asm.Rel); ok && i.Op != x86asm.CALL {
			c.jumped[next+int(rel)] = true
		} else if i.Op == x86asm.JMP {
			return c, false // through a table: where to is not known
		}
		if next == end && i.Op == x86asm.CALL {
			rel, ok := i.Args[0].(x86asm.Rel)
			if !ok {
				return c, false
			}
			c.target, c.call, found = base+uint64(next)+uint64(int64(rel)), at, true
			c.before = append([]instruction(nil), window...)
		}
		if window = append(window, i); len(window) > maxWindow {
			window = window[1:]
		}
		at = next
	}
	return c, found
}

// argument returns the address that was loaded into the register of an argument.
func (c callSite) argument(index int) (uint64, bool) {
	wanted := argumentRegisters[index]
	next := c.call
	for k := len(c.before) - 1; k >= 0; k-- {
		i := c.before[k]
		if c.jumped[next] { // what is before may not have happened
			return 0, false
		}
		next = i.offset
		if !wellKnown[i.Op] {
			return 0, false
		}
		written, ok := i.Args[0].(x86asm.Reg)
		if !ok || !writesFirst(i.Op) || family(written) != wanted {
			continue
		}
		switch source := i.Args[1].(type) {
		case x86asm.Mem:
			if i.Op == x86asm.LEA && written == wanted && source.Base == x86asm.RIP && source.Index == 0 {
				return c.base + uint64(i.offset+i.Len) + uint64(source.Disp), true
			}
		case x86asm.Reg:
			if i.Op == x86asm.MOV && written == wanted && family(source) == source && i.Args[2] == nil {
				wanted = source
				continue
			}
		}
		return 0, false
	}
	return 0, false
}

// family returns the 64-bit register that a general register is a part of, 0 for others.
func family(r x86asm.Reg) x86asm.Reg {
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		return x86asm.RAX + r - x86asm.AL
	case r >= x86asm.AH && r <= x86asm.BH:
		return x86asm.RAX + r - x86asm.AH
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return x86asm.RSP + r - x86asm.SPB
	case r >= x86asm.AX && r <= x86asm.R15W:
		return x86asm.RAX + r - x86asm.AX
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return x86asm.RAX + r - x86asm.EAX
	case r >= x86asm.RAX && r <= x86asm.R15:
		return r
	}
	return 0
}

// wellKnown are operations that write to their first operand or to none, and go on to the next instruction or to one
// that they name.
var wellKnown = map[x86asm.Op]bool{
	x86asm.MOV: true, x86asm.MOVZX: true, x86asm.MOVSX: true, x86asm.MOVSXD: true, x86asm.LEA: true,
	x86asm.ADD: true, x86asm.SUB: true, x86asm.ADC: true, x86asm.SBB: true, x86asm.AND: true, x86asm.OR: true,
	x86asm.XOR: true,
	x86asm.NOT: true, x86asm.NEG: true, x86asm.INC: true, x86asm.DEC: true,
	x86asm.SHL: true, x86asm.SHR: true, x86asm.SAR: true, x86asm.ROL: true, x86asm.ROR: true, x86asm.BSWAP: true,
	x86asm.CMP: true, x86asm.TEST: true, x86asm.BT: true, x86asm.NOP: true,
	x86asm.MOVUPS: true, x86asm.MOVAPS: true, x86asm.MOVUPD: true, x86asm.MOVDQU: true, x86asm.MOVSS: true,
	x86asm.MOVSD_XMM: true,
	x86asm.MOVQ:      true, x86asm.MOVD: true, x86asm.XORPS: true, x86asm.PXOR: true,
	x86asm.CMOVA: true, x86asm.CMOVAE: true, x86asm.CMOVB: true, x86asm.CMOVBE: true, x86asm.CMOVE: true,
	x86asm.CMOVNE: true,
	x86asm.CMOVG:  true, x86asm.CMOVGE: true, x86asm.CMOVL: true, x86asm.CMOVLE: true, x86asm.CMOVS: true,
	x86asm.CMOVNS: true,
	x86asm.SETA:   true, x86asm.SETAE: true, x86asm.SETB: true, x86asm.SETBE: true, x86asm.SETE: true,
	x86asm.SETNE: true,
	x86asm.SETG:  true, x86asm.SETGE: true, x86asm.SETL: true, x86asm.SETLE: true, x86asm.SETS: true,
	x86asm.SETNS: true,
	x86asm.JA:    true, x86asm.JAE: true, x86asm.JB: true, x86asm.JBE: true, x86asm.JE: true, x86asm.JNE: true,
	x86asm.JG: true, x86asm.JGE: true, x86asm.JL: true, x86asm.JLE: true, x86asm.JS: true, x86asm.JNS: true,
	x86asm.JP: true, x86asm.JNP: true,
	x86asm.JO: true, x86asm.JNO: true,
}

func writesFirst(op x86asm.Op) bool {
	return op != x86asm.CMP && op != x86asm.TEST && op != x86asm.BT && op != x86asm.NOP
}

// lengthOfVector returns the length of an instruction with a VEX prefix, which the decoder does not know; 0 where there
// is none. Intel SDM, volume 2, section 2.3.
func lengthOfVector(code []byte) int {
	var at int
	var opcodes byte // which of the three maps the opcode is from
	switch {
	case len(code) > 3 && code[0] == 0xc5:
		at, opcodes = 2, 1
	case len(code) > 4 && code[0] == 0xc4:
		at, opcodes = 3, code[1]&0x1f
	default:
		return 0
	}
	opcode := code[at]
	at++
	if opcodes == 1 && opcode == 0x77 { // VZEROUPPER
		return at
	}
	if at >= len(code) {
		return 0
	}
	mode, low := code[at]>>6, code[at]&7
	at++
	if mode != 3 && low == 4 { // SIB
		if at >= len(code) {
			return 0
		}
		if mode == 0 && code[at]&7 == 5 {
			at += 4
		}
		at++
	}
	switch {
	case mode == 1:
		at++
	case mode == 2, mode == 0 && low == 5:
		at += 4
	}
	switch {
	case opcodes == 3, opcodes == 1 && (opcode >= 0x70 && opcode <= 0x73 || opcode == 0xc2 || opcode >= 0xc4 &&
		opcode <= 0xc6):
		at++ // immediate byte
	case opcodes != 1 && opcodes != 2:
		return 0
	}
	if at > len(code) {
		return 0
	}
	return at
}
