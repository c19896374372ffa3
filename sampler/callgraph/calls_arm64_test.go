package callgraph

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachCall(t *testing.T) {
	type found struct {
		Offset, Length int
		Target         int64
	}
	code := []byte{
		0x1f, 0x20, 0x03, 0xd5, // NOP
		0x03, 0x00, 0x00, 0x94, // BL 3 instructions on
		0xfe, 0xff, 0xff, 0x17, // B 2 instructions back
		0x00, 0x00, 0x3f, 0xd6, // BLR R0
		0x00, 0x00, 0x00, // cut off
	}
	var got []found
	eachCall(code, func(offset, length int, target int64) { got = append(got, found{offset, length, target}) })
	if diff := cmp.Diff([]found{{4, 4, 16}, {8, 4, 0}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
