package debuginfo

import (
	"bytes"
	"debug/dwarf"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo/debugtest"
)

// What would take more memory than a program has is not taken in: package debug/dwarf takes some for each part of the
// program and each form of an entry.
func TestOddSizes(t *testing.T) {
	many := bytes.Repeat([]byte{byte(dwarf.AttrName), 8}, maxAttributes+2)
	for name, one := range map[string]struct{ abbrev, info, text []byte }{
		"parts without an end": {debugtest.Forms, bytes.Repeat(debugtest.Unit()[:4], 3), nil},
		"too many parts":       {debugtest.Forms, bytes.Repeat(debugtest.Unit(), maxUnits+2), nil},
		"a form of too much": {append(append([]byte{1, byte(dwarf.TagCompileUnit), 1}, many...), 0, 0, 0),
			debugtest.Unit(), nil},
		"forms of 64 bits": {debugtest.Forms, append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 64)...),
			nil},
		"a string without an end":   {debugtest.Forms, debugtest.Unit(), []byte("main.v")},
		"a string that is too long": {debugtest.Forms, debugtest.Unit(), append(bytes.Repeat([]byte("x"), maxText), 0)},
	} {
		if _, err := Open(one.abbrev, one.info, one.text, nil); err != ErrOdd {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(debugtest.Forms, append(debugtest.Unit(), debugtest.Unit()...), []byte("main.v\x00"),
		nil); err != nil {
		t.Errorf("what is usual: %v", err)
	}
}

// What debuggers read is not searched any more once it has taken too long.
func TestDebugSearchIsBounded(t *testing.T) {
	of := debugtest.Unit(2, "main.T", uint32(debugtest.FirstEntry), 6, "main.v", uint32(debugtest.FirstEntry))
	d, err := Open(debugtest.Forms, of, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Variable("main.v") == 0 {
		t.Error("main.v is not found")
	}
	if d.spent.time = maxDebug + 1; d.index(0, []byte("main.v")) >= 0 || d.Variable("main.v") != 0 {
		t.Error("it is searched on")
	}
}

// Fields are kept with as much of their names as a name has.
func TestFieldNamesAreBounded(t *testing.T) {
	d, err := Open(debugtest.Forms, debugtest.Unit(3, "main.T", 16, 4, strings.Repeat("f", maxText), 0,
		uint32(debugtest.FirstEntry), 0),
		nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	kind, ok := d.TypeAt(debugtest.FirstEntry)
	if !ok || len(kind.Fields) != 1 || len(kind.Fields[0].Name) != maxEntryName {
		t.Errorf("%d fields, %v", len(kind.Fields), ok)
	}
}
