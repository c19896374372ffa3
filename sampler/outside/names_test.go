package outside

import (
	"slices"
	"testing"
)

// Where the runtime's description of the program has variables beyond its end, they are nobody's.
func TestVariablesBeyondTheEnd(t *testing.T) {
	const low, high = 1 << 20, 1<<20 + 4096
	r := &references{low: low, high: high, ours: make([]uint64, 9), runtimes: make([]uint64, 9)}
	r.mark(r.ours, low+8)
	n := &names{target: &target{module: module{values: 0, valuesEnd: 1 << 63}}, code: r}
	for at, want := range map[uint64]bool{low + 8: true, low: false, high: false, 1 << 62: false, 0: false} {
		if n.isRoot(at) != want {
			t.Errorf("%#x: %v", at, !want)
		}
	}
}

// The variables of a function are known by where it stands: those in its lists there, and those that have one place as
// long as they are in scope. One that shares its place with others has no name.
func TestLocalsAt(t *testing.T) {
	d, err := openDebugInfo(forms, unit(functionOf()...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.locations[0], d.ranges[0] = listsOf(locationList), listsOf(slices.Concat(locationList, rangeList))
	n := &names{debug: d, debugRead: true, target: &target{table: &lineTable{}}, locals: make(map[uint64][]local)}
	for pc := range uint64(12) {
		n.locals[pc] = functionInfo{debugInfo: d}.locals("main.f", 0, pc, 0)
	}
	nameAt := func(pc uint64, offset int64) string {
		found, in, ok := n.localAt(slot{pc: pc, offset: offset}, "main.f")
		if !ok || in != 0 {
			return ""
		}
		return found.name
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
	d, err := openDebugInfo(forms, unit(closureOf()...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &closures{names: &names{debug: d, debugRead: true}}
	n.captured = map[uint64][]captured{0: n.info().capturedBy("main.f.func1", 0)}
	for _, test := range []struct {
		offset uint64
		want   string
		next   uint64
	}{
		{0, "", 0}, {8, "x", 16}, {15, "x", 16}, {16, "inner", 24}, {24, "", 0}, {32, "&n", 48}, {40, "&n", 48},
		{48, "", 0}, {56, "", 0},
	} {
		if got, next, ok := n.capturedAt(0, test.offset); got.name != test.want || next != test.next ||
			ok != (test.want != "") {
			t.Errorf("at %d: %q before %d, %t, want %q before %d", test.offset, got.name, next, ok, test.want,
				test.next)
		}
	}
}
