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
		0x90,                         // NOP
		0xe8, 0x0a, 0x00, 0x00, 0x00, // CALL 10 bytes on
		0xe9, 0xf5, 0xff, 0xff, 0xff, // JMP 11 bytes back
		0xe8, 0x00, 0x00, // cut off
	}
	var got []found
	eachCall(code, func(offset, length int, target int64) { got = append(got, found{offset, length, target}) })
	if diff := cmp.Diff([]found{{1, 5, 16}, {6, 5, 0}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
