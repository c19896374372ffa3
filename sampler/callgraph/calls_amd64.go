package callgraph

import "encoding/binary"

// eachCall calls f with each place in code that has the form of a call or of a jump to a fixed target: its offset, its
// length, and where the target lies from the beginning. What is none is of no account: its target is the beginning of a
// function by a rare chance only.
func eachCall(code []byte, f func(offset, length int, target int64)) {
	const call, jump, length = 0xe8, 0xe9, 5 // with a displacement of 32 bits. Intel SDM, volume 2
	for i := 0; i+length <= len(code); i++ {
		if code[i] == call || code[i] == jump {
			f(i, length, int64(i+length)+int64(int32(binary.LittleEndian.Uint32(code[i+1:]))))
		}
	}
}
