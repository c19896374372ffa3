package outside

import (
	"bytes"
	"testing"
)

// A program that is packed may be one of Go, and nobody can tell. A program may speak of the packer elsewhere.
func TestPacked(t *testing.T) {
	for at, want := range map[int]bool{0xf4: true, 1500: false, -1: false} {
		file := make([]byte, 2048)
		if at >= 0 {
			copy(file[at:], "UPX!")
		}
		if got := isPacked(bytes.NewReader(file)); got != want {
			t.Errorf("the mark at %d: packed %t", at, got)
		}
	}
	if isPacked(bytes.NewReader(nil)) {
		t.Error("an empty file is packed")
	}
}
