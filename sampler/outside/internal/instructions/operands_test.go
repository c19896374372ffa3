package instructions

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The operands of handmade code, assembled by go tool asm.
func TestOperands(t *testing.T) {
	amd64 := []byte{
		0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00, // MOVQ 0x10(IP), AX
		0x48, 0x8b, 0x44, 0x24, 0x08, // MOVQ 8(SP), AX
		0xe8, 0x00, 0x00, 0x00, 0x00, // CALL
		0x48, 0x8d, 0x1d, 0xf0, 0xff, 0xff, 0xff, // LEAQ -0x10(IP), BX
		0x83, 0x3d, 0x20, 0x00, 0x00, 0x00, 0x00, // CMPL 0x20(IP), $0
		0xc4, 0xe2, 0x71, 0xf7, 0xc0, // SHLX: the decoder does not know it, and what is behind is not read
		0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00,
	}
	var arm64 []byte
	for _, word := range []uint32{
		0x90000000, // ADRP 0, R0
		0xf9400c01, // LDR [R0, #24], R1
		0x91004002, // ADD R0, #16, R2: R0 holds the page still
		0xb0000003, // ADRP 1 page, R3
		0xb9000863, // STR W3, [R3, #8]
		0xf94007e4, // LDR [RSP, #8], R4
	} {
		arm64 = binary.LittleEndian.AppendUint32(arm64, word)
	}
	for _, test := range []struct {
		arch string
		code []byte
		want []uint64
	}{
		{"amd64", amd64, []uint64{0x1000 + 7 + 0x10, 0x1000 + 24 - 0x10, 0x1000 + 31 + 0x20}},
		{"arm64", arm64, []uint64{0x1000 + 24, 0x1000 + 16, 0x2000 + 8}},
		{"amd64", nil, nil},
		{"arm64", arm64[:3], nil},
	} {
		if d := cmp.Diff(test.want, Operands(Code{0x1000, test.code}, test.arch)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.arch, d)
		}
	}
}

// Go uses a page right where a register is loaded with it: what else the register has later leads nowhere.
func TestAdjacentOperands(t *testing.T) {
	var all []byte
	for _, word := range []uint32{
		0x9000001b, // ADRP 0, R27
		0xf9400f61, // LDR [R27, #24], R1
		0x9140041b, // ADD R0, #1<<12, R27
		0x3949c360, // LDRB [R27, #624], R0
		0xb0000003, // ADRP 1 page, R3
		0x91004063, // ADD R3, #16, R3
		0xb0000003, // ADRP 1 page, R3
		0xf9400c01, // LDR [R0, #24], R1
		0xb0000003, // ADRP 1 page, R3, at the end
	} {
		all = binary.LittleEndian.AppendUint32(all, word)
	}
	if d := cmp.Diff([]uint64{0x1000 + 24, 0x2000 + 16}, AdjacentARM(Code{0x1000, all})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
