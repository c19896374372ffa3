package callgraph

import "encoding/binary"

// eachCall calls f with each place in code that has the form of a call or of a jump to a fixed target: its offset, its
// length, and where the target lies from the beginning.
func eachCall(code []byte, f func(offset, length int, target int64)) {
	const length = 4
	for i := 0; i+length <= len(code); i += length {
		word := binary.LittleEndian.Uint32(code[i:])
		if word&0x7c000000 == 0x14000000 { // B and BL, with 26 bits of words. Arm ARM, C6.2
			f(i, length, int64(i)+int64(int32(word<<6)>>6)*length)
		}
	}
}
