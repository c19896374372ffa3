package outside

import (
	"encoding/binary"
	"testing"
)

// A variable is where most recipes lead; where they contradict each other, or the code is another one, it is nowhere.
func TestFind(t *testing.T) {
	load := func(at int32) code { // MOVQ at(IP), AX
		return code{base: 0x1000, bytes: binary.LittleEndian.AppendUint32([]byte{0x48, 0x8b, 0x05}, uint32(at))}
	}
	recipes := []recipe{{Function: "a", Of: 1}, {Function: "b", Of: 1, Less: 8}, {Function: "c", Of: 1}}
	for _, test := range []struct {
		name      string
		functions map[string]code
		minCount  int
		want      uint64
		ok        bool
	}{
		{"all", map[string]code{"a": load(0x100), "b": load(0x108), "c": load(0x100)}, 2, 0x1107, true},
		{"two of three", map[string]code{"a": load(0x100), "b": load(0x108), "c": load(0x500)}, 2, 0x1107, true},
		{"two, one is not there", map[string]code{"a": load(0x100), "b": load(0x108)}, 2, 0x1107, true},
		{"contradiction", map[string]code{"a": load(0x100), "b": load(0x100)}, 1, 0, false},
		{"one", map[string]code{"a": load(0x100)}, 2, 0, false},
		{"one is enough", map[string]code{"a": load(0x100)}, 1, 0x1107, true},
		{"other code", map[string]code{"a": {base: 0x1000, bytes: append(load(1).bytes, load(2).bytes...)}},
			1, 0, false},
		{"none", nil, 1, 0, false},
	} {
		got, ok := find(recipes, test.functions, "amd64", test.minCount)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %#x, %v, want %#x, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}
