package gotype

import (
	"encoding/binary"
	"testing"
)

const (
	adrp    = 0xb0000000 // ADRP X0, to the next page
	add     = 0x91004000 // ADD X0, X0, #16
	callFar = 0x94000800 // BL to its beginning + 0x2000
	ret     = 0xd65f03c0
)

func TestDecode(t *testing.T) {
	const base = 0x400000
	for _, test := range []struct {
		name     string
		code     []uint32
		call     int // index
		argument int
		want     uint64 // 0: not certain
	}{
		{"the load before the call", []uint32{adrp, add, callFar, ret}, 2, 0, base + 0x1010},
		{"another page of the code", []uint32{adrp, 0x91400400, callFar, ret}, 2, 0, base + 0x2000},
		{"a near address", []uint32{0x10008000, callFar, ret}, 1, 0, base + 0x1000},
		{"other registers between", []uint32{adrp, 0xf94007e1, add, 0xf9000be3, 0xd503201f, callFar, ret},
			5, 0, base + 0x1010},
		{"another argument", []uint32{0xb0000002, 0x91004042, callFar, ret}, 2, 2, base + 0x1010},
		{"through a register", []uint32{0xb0000002, 0x91004042, 0xaa0203e0, callFar, ret}, 3, 0, base + 0x1010},
		{"a conditional jump away", []uint32{adrp, add, 0xb4000043, callFar, ret}, 3, 0, base + 0x1010},
		{"nil", []uint32{adrp, add, 0xd2800000, callFar, ret}, 3, 0, 0},
		{"the zero register", []uint32{adrp, add, 0xaa1f03e0, callFar, ret}, 3, 0, 0},
		{"from memory", []uint32{0xf94007e0, callFar, ret}, 1, 0, 0},
		{"the first of a pair from memory", []uint32{adrp, add, 0xa94007e0, callFar, ret}, 3, 0, 0},
		{"the second of a pair from memory", []uint32{0xb0000001, 0x91004021, 0xa94007e0, callFar, ret}, 3, 1, 0},
		{"an address counted on", []uint32{adrp, add, 0xf8408401, callFar, ret}, 3, 0, 0},
		{"another call between", []uint32{adrp, add, callFar, callFar, ret}, 3, 0, 0},
		{"an unknown effect between", []uint32{adrp, add, 0xd4000001, callFar, ret}, 3, 0, 0},
		{"a jump in from below", []uint32{adrp, add, callFar, 0x17ffffff, ret}, 2, 0, 0},
		{"a jump to the load", []uint32{adrp, add, callFar, 0x17fffffd, ret}, 2, 0, base + 0x1010},
		{"a jump between the two", []uint32{adrp, add, callFar, 0x17fffffe, ret}, 2, 0, 0},
		{"after a jump away", []uint32{adrp, add, 0x14000002, callFar, ret}, 3, 0, 0},
		{"a jump table", []uint32{adrp, add, callFar, 0xd61f0020}, 2, 0, 0},
		{"nothing before", []uint32{callFar, ret}, 0, 0, 0},
		{"no call", []uint32{adrp, add, ret}, 2, 0, 0},
		{"an indirect call", []uint32{adrp, add, 0xd63f0020, ret}, 2, 0, 0},
	} {
		var code []byte
		for _, word := range test.code {
			code = binary.LittleEndian.AppendUint32(code, word)
		}
		var got uint64
		if c, ok := decode(code, base, 4*test.call+4); ok {
			if want := uint64(base + 4*test.call + 0x2000); c.target != want {
				t.Errorf("%s: calls %#x, want %#x", test.name, c.target, want)
			}
			got, ok = c.argument(test.argument)
			if ok == (got == 0) {
				t.Errorf("%s: %#x, %v", test.name, got, ok)
			}
		}
		if got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, got, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0xb0, 0, 0x40, 0, 0x91, 0, 8, 0, 0x94}, 12)
	f.Fuzz(func(t *testing.T, code []byte, end int) {
		c, ok := decode(code, 0x400000, end)
		if !ok {
			return
		}
		for argument := range 5 {
			c.argument(argument)
		}
	})
}
