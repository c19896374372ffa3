package releases

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What the runtime of a program has by its debug information is taken only where it fits: each field in its type, and
// none of these too large. A program of a release that is not known may have any.
func TestLayoutsAreBounded(t *testing.T) {
	all, err := Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range slices.Sorted(maps.Keys(all)) {
		if _, err := LayoutOf(all[of].Offsets); err != nil {
			t.Errorf("%s: %v", of, err)
		}
		for name := range new(Layout).fields() {
			kind, field, isField := strings.Cut(name, ".")
			size := all[of].Offsets[kind]
			if _, known := all[of].Offsets[name]; !known || maxSizes[kind] == 0 {
				continue
			}
			odd := maps.Clone(all[of].Offsets)
			odd[name] = maxSizes[kind] + 1
			if isField {
				odd[name] = size - widthOf(name) + 1
			}
			if _, err := LayoutOf(odd); err == nil {
				t.Errorf("%s: %s of type %s may be at %d of %d bytes", of, field, kind, odd[name], size)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		version, release string
		plain            bool
	}{
		{"go1.26.8", "go1.26", true},
		{"go1.21", "go1.21", true},
		{"go1.22.5 (Red Hat 1.22.5-1.el9_4)", "go1.22", false},
		{"go1.24.1 X:boringcrypto", "go1.24", false},
		{"devel go1.28-3bd1c3a", "", false},
		{"", "", false},
	} {
		if got := ReleaseOf(test.version); got != test.release || IsPlain(test.version) != test.plain {
			t.Errorf("%q is of %q, plain %v; want %q, %v", test.version, got, IsPlain(test.version), test.release,
				test.plain)
		}
	}
}
