package names

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo/debugtest"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
)

// Where the runtime's description of the program has variables beyond its end, they are nobody's.
func TestVariablesBeyondTheEnd(t *testing.T) {
	const low, high = 1 << 20, 1<<20 + 4096
	r := &References{low: low, high: high, ours: make([]uint64, 9), runtimes: make([]uint64, 9)}
	r.mark(r.ours, low+8)
	n := &Names{Target: &goruntime.Target{Module: linetable.Module{Values: 0, ValuesEnd: 1 << 63}}, Code: r}
	for at, want := range map[uint64]bool{low + 8: true, low: false, high: false, 1 << 62: false, 0: false} {
		if n.IsRoot(at) != want {
			t.Errorf("%#x: %v", at, !want)
		}
	}
}

// The variables of a function are known by where it stands: those in its lists there, and those that have one place as
// long as they are in scope. One that shares its place with others has no name.
func TestLocalsAt(t *testing.T) {
	d, err := debuginfo.Open(debugtest.Forms, debugtest.Unit(debugtest.FunctionOf()...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Locations[0], d.Ranges[0] = listsOf(debugtest.LocationList),
		listsOf(slices.Concat(debugtest.LocationList, debugtest.RangeList))
	n := &Names{Debug: d, DebugRead: true, Target: &goruntime.Target{Table: &linetable.Table{}},
		locals: make(map[uint64][]debuginfo.Local)}
	for pc := range uint64(12) {
		n.locals[pc] = debuginfo.FunctionInfo{Info: d}.Locals("main.f", 0, pc, 0)
	}
	nameAt := func(pc uint64, offset int64) string {
		found, in, ok := n.LocalAt(linetable.Slot{PC: pc, Offset: offset}, "main.f")
		if !ok || in != 0 {
			return ""
		}
		return found.Name
	}
	for _, test := range []struct {
		pc     uint64
		offset int64
		want   string
	}{
		{0, -16, "fixed"}, {11, -16, "fixed"}, {0, -8, ""}, {0, -24, ""}, {4, -24, "listed"}, {7, -24, "listed"},
		{8, -24, ""},
		{2, -32, ""}, {7, -32, ""}, {0, 8, ""},
	} {
		if got := nameAt(test.pc, test.offset); got != test.want {
			t.Errorf("at %d, %d: %q, want %q", test.pc, test.offset, got, test.want)
		}
	}
}

// The variables of a closure are known by where it has them. What the compiler made, and what is there twice, has no
// name.
func TestCapturedAt(t *testing.T) {
	d, err := debuginfo.Open(debugtest.Forms, debugtest.Unit(debugtest.ClosureOf()...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Closures{Names: &Names{Debug: d, DebugRead: true}}
	n.captured = map[uint64][]debuginfo.Captured{0: n.info().CapturedBy("main.f.func1", 0)}
	for _, test := range []struct {
		offset uint64
		want   string
		next   uint64
	}{
		{0, "", 0}, {8, "x", 16}, {15, "x", 16}, {16, "inner", 24}, {24, "", 0}, {32, "&n", 48}, {40, "&n", 48},
		{48, "", 0}, {56, "", 0},
	} {
		if got, next, ok := n.CapturedAt(0, test.offset); got.Name != test.want || next != test.next ||
			ok != (test.want != "") {
			t.Errorf("at %d: %q before %d, %t, want %q before %d", test.offset, got.Name, next, ok, test.want,
				test.next)
		}
	}
}

// listsOf has the lists of some bytes.
func listsOf(all []byte) *debuginfo.Lists {
	return &debuginfo.Lists{Open: func() io.Reader { return bytes.NewReader(all) }}
}
