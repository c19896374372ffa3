package outside

import "testing"

// closureOf is a function that begins at 0 whose closures have variables of another one. One of an inlined function is
// none of them.
func closureOf() []any {
	return []any{
		8, "main.f.func1", words(0),
		14, "x", uint32(0), 8, 14, "&n", uint32(0), 32,
		11, uint32(0), 14, "inner", uint32(0), 16, 14, ".dict", uint32(0), 24, 0,
		13, uint32(firstEntry), uint32(0), 14, "inlined", uint32(0), 40, 0,
		14, "one", uint32(0), 48, 14, "two", uint32(0), 48,
		9, "local", uint32(0), []byte{2, opFrameBase, 0x70},
		0,
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

// A method value has a receiver of a type that one name is for.
func TestTypeNamed(t *testing.T) {
	d, err := openDebugInfo(forms, unit(
		3, "main.T", 16, 0, 2, "main.T", uint32(firstEntry), 2, "main.twice", uint32(firstEntry), 2, "main.twice",
		uint32(firstEntry), 3, "main.only", 8, 0,
	), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"main.T": true, "main.twice": false, "main.only": false, "main.": false,
		"": false} {
		if got := (closureInfo{functionInfo{d}}).typeNamed(name); (got != 0) != want {
			t.Errorf("%q: at %d", name, got)
		}
	}
}
