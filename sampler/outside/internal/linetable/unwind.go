package linetable

import "encoding/binary"

const (
	maxDepth = 128       // functions of a stack, as pprof has
	MaxStack = 256 << 10 // at most
)

// Walk says how the walk from a frame to its callers ended.
type Walk uint8

const (
	Walked Walk = iota
	CutOff      // the bytes that were read end before the stack does
	Broken      // it is no stack that holds together
)

// Unwind lists the return addresses of a stack, from a place on it to its end. top is where its last frame has to be.
// With all of maxDepth functions it ends, in the middle of a deep stack. Where sps is not nil, the start of each frame
// is appended to it.
func (t *Table) Unwind(pc, sp, low, top uint64, stack []byte, usesLink bool, pcs []uint64, sps *[]uint64) ([]uint64,
	Walk) {
	link := uint64(0) // what an interrupted function would return to, where that is not on the stack
	trapped := false
	for depth := 0; depth < maxDepth; depth++ {
		s := t.step(pc)
		if sps != nil {
			*sps = append(*sps, sp)
		}
		if !s.known || s.writesSP && depth > 0 {
			return pcs, Broken
		}
		if trapped || s.entry { // it has not called
			pcs = append(pcs, pc)
		} else {
			pcs = append(pcs, pc-1)
		}
		if s.top {
			if sp != top {
				return pcs, Broken
			}
			return pcs, Walked
		}
		next := sp + s.size
		at := sp
		if !usesLink {
			next += 8
			at = next - 8
		}
		if next < sp || sp < low || sp%8 != 0 {
			return pcs, Broken
		}
		caller := link
		if link == 0 {
			if at-low+8 > uint64(len(stack)) {
				return pcs, CutOff
			}
			caller = binary.LittleEndian.Uint64(stack[at-low:])
		}
		link = 0
		if next <= sp && caller == pc {
			return pcs, Broken
		}
		pc, sp, trapped = caller, next, s.injected
		if usesLink && s.injected { // the handler has put it there
			if sp-low+8 > uint64(len(stack)) {
				return pcs, CutOff
			}
			saved := binary.LittleEndian.Uint64(stack[sp-low:])
			sp += 16
			switch s := t.step(pc); {
			case !s.known:
				pc = saved
			case s.size == 0:
				link = saved
			}
		}
	}
	return pcs, Walked
}
