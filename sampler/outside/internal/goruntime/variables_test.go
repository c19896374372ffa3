package goruntime

import (
	"encoding/binary"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/instructions"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// A variable is where most recipes lead; where they contradict each other, or the code is another one, it is nowhere.
func TestFind(t *testing.T) {
	load := func(at int32) instructions.Code { // MOVQ at(IP), AX
		return instructions.Code{Base: 0x1000, Bytes: binary.LittleEndian.AppendUint32([]byte{0x48, 0x8b, 0x05},
			uint32(at))}
	}
	recipes := []releases.Recipe{{Function: "a", Of: 1}, {Function: "b", Of: 1, Less: 8}, {Function: "c", Of: 1}}
	for _, test := range []struct {
		name      string
		functions map[string]instructions.Code
		minCount  int
		want      uint64
		ok        bool
	}{
		{"all", map[string]instructions.Code{"a": load(0x100), "b": load(0x108), "c": load(0x100)}, 2, 0x1107, true},
		{"two of three", map[string]instructions.Code{"a": load(0x100), "b": load(0x108), "c": load(0x500)},
			2, 0x1107, true},
		{"two, one is not there", map[string]instructions.Code{"a": load(0x100), "b": load(0x108)}, 2, 0x1107, true},
		{"contradiction", map[string]instructions.Code{"a": load(0x100), "b": load(0x100)}, 1, 0, false},
		{"one", map[string]instructions.Code{"a": load(0x100)}, 2, 0, false},
		{"one is enough", map[string]instructions.Code{"a": load(0x100)}, 1, 0x1107, true},
		{"other code",
			map[string]instructions.Code{"a": {Base: 0x1000, Bytes: append(load(1).Bytes, load(2).Bytes...)}},
			1, 0, false},
		{"none", nil, 1, 0, false},
	} {
		got, ok := find(recipes, test.functions, "amd64", test.minCount)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %#x, %v, want %#x, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}
