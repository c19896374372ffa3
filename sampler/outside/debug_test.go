package outside

import (
	"bytes"
	"debug/dwarf"
	"strings"
	"testing"
)

// What would take more memory than a program has is not taken in: package debug/dwarf takes some for each part of the
// program and each form of an entry.
func TestOddSizes(t *testing.T) {
	many := bytes.Repeat([]byte{byte(dwarf.AttrName), 8}, maxAttributes+2)
	for name, one := range map[string]struct{ abbrev, info, text []byte }{
		"parts without an end": {forms, bytes.Repeat(unit()[:4], 3), nil},
		"too many parts":       {forms, bytes.Repeat(unit(), maxUnits+2), nil},
		"a form of too much": {append(append([]byte{1, byte(dwarf.TagCompileUnit), 1}, many...), 0, 0, 0),
			unit(), nil},
		"forms of 64 bits":          {forms, append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 64)...), nil},
		"a string without an end":   {forms, unit(), []byte("main.v")},
		"a string that is too long": {forms, unit(), append(bytes.Repeat([]byte("x"), maxText), 0)},
	} {
		if _, err := openDebugInfo(one.abbrev, one.info, one.text, nil); err != errOddDebug {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openDebugInfo(forms, append(unit(), unit()...), []byte("main.v\x00"), nil); err != nil {
		t.Errorf("what is usual: %v", err)
	}
}

// What debuggers read is not searched any more once it has taken too long.
func TestDebugSearchIsBounded(t *testing.T) {
	of := unit(2, "main.T", uint32(firstEntry), 6, "main.v", uint32(firstEntry))
	d, err := openDebugInfo(forms, of, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.variable("main.v") == 0 {
		t.Error("main.v is not found")
	}
	if d.spent.time = maxDebug + 1; d.index(0, []byte("main.v")) >= 0 || d.variable("main.v") != 0 {
		t.Error("it is searched on")
	}
}

// Fields are kept with as much of their names as a name has.
func TestFieldNamesAreBounded(t *testing.T) {
	d, err := openDebugInfo(forms, unit(3, "main.T", 16, 4, strings.Repeat("f", maxText), 0, uint32(firstEntry), 0),
		nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	kind, ok := d.typeAt(firstEntry)
	if !ok || len(kind.fields) != 1 || len(kind.fields[0].name) != maxEntryName {
		t.Errorf("%d fields, %v", len(kind.fields), ok)
	}
}
