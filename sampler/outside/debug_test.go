package outside

import (
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// forms are those of the entries that the tests write: each has a number, a tag, children or none, and attributes with
// their forms.
var forms = []byte{
	1, byte(dwarf.TagCompileUnit), 1, 0, 0,
	2, byte(dwarf.TagTypedef), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, 0, 0,
	3, byte(dwarf.TagStructType), 1, byte(dwarf.AttrName), 8, byte(dwarf.AttrByteSize), 0xf, 0, 0,
	4, byte(dwarf.TagMember), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrDataMemberLoc), 0xf, byte(dwarf.AttrType),
	0x13, 0, 0,
	5, byte(dwarf.TagArrayType), 0, byte(dwarf.AttrByteSize), 0xf, byte(dwarf.AttrType), 0x13, 0, 0,
	6, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, 0, 0,
	7, byte(dwarf.TagPointerType), 0, byte(dwarf.AttrType), 0x13, 0, 0,
	8, byte(dwarf.TagSubprogram), 1, byte(dwarf.AttrName), 8, byte(dwarf.AttrLowpc), 1, 0, 0,
	9, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, byte(dwarf.AttrLocation), 0xa,
	0, 0,
	10, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13, byte(dwarf.AttrLocation), 0x17,
	0, 0,
	11, byte(dwarf.TagLexDwarfBlock), 1, byte(dwarf.AttrRanges), 0x17, 0, 0,
	12, byte(dwarf.TagSubprogram), 1, byte(dwarf.AttrAbstractOrigin), 0x13, byte(dwarf.AttrLowpc), 1, 0, 0,
	13, byte(dwarf.TagInlinedSubroutine), 1, byte(dwarf.AttrAbstractOrigin), 0x13, byte(dwarf.AttrRanges), 0x17, 0, 0,
	14, byte(dwarf.TagVariable), 0, byte(dwarf.AttrName), 8, byte(dwarf.AttrType), 0x13,
	byte(attrClosureOffset&0x7f | 0x80), byte(attrClosureOffset >> 7), 0xf, 0, 0,
	0,
}

const firstEntry = 12 // of a unit, behind the entry of the unit itself

// unit writes the entries of a program of one part: each is its number, and what follows, as bytes, strings that end
// with a zero, and offsets of other entries as uint32.
func unit(entries ...any) []byte {
	var b bytes.Buffer
	b.Write([]byte{4, 0, 0, 0, 0, 0, 8, 1})
	for _, one := range entries {
		switch v := one.(type) {
		case int:
			b.WriteByte(byte(v))
		case string:
			b.WriteString(v + "\x00")
		case []byte:
			b.Write(v)
		case uint32:
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteByte(0)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(b.Len())), b.Bytes()...)
}

// odd are programs whose types have no end, or no begin.
var odd = map[string][]byte{
	"a name for itself": unit(2, "main.T", uint32(firstEntry), 6, "main.v", uint32(firstEntry)),
	"two names for each other": unit(2, "main.T", uint32(firstEntry+12), 2, "main.U", uint32(firstEntry), 6, "main.v",
		uint32(firstEntry)),
	"a struct of itself": unit(3, "main.T", 16, 4, "f", 0, uint32(firstEntry), 0, 6, "main.v",
		uint32(firstEntry)),
	"an array of itself":        unit(5, 16, uint32(firstEntry), 6, "main.v", uint32(firstEntry)),
	"a pointer to itself":       unit(7, uint32(firstEntry), 6, "main.v", uint32(firstEntry)),
	"a type that is a variable": unit(6, "main.v", uint32(firstEntry)),
	"a type that is elsewhere":  unit(6, "main.v", uint32(1<<31)),
	"a struct without an end":   unit(6, "main.v", uint32(firstEntry+12), 3, "main.T", 16)[:2*firstEntry],
	"a field beyond": unit(3, "main.T", 16, 4, "f", 127, uint32(firstEntry), 0, 6, "main.v",
		uint32(firstEntry)),
}

// named is what is said of the second word of the variable main.v.
func named(abbrev, info, text []byte) (h Holder, err error) {
	d, err := openDebugInfo(abbrev, info, text, nil)
	if err != nil {
		return h, err
	}
	_, _ = offsetsOf(d)
	of := d.variable("main.v")
	n := &names{target: &target{reader: nothing{}}, debug: d, debugRead: true,
		unnamed: unnamed{target: &target{reader: nothing{}}}}
	step := new(Step)
	_ = (&follower{names: n, step: step}).follow(of, 0x1000, 0x1008)
	_, _, _ = d.runtimeType(8, 8), d.isDirect(of), d.elementOf(of)
	for i := range d.locations {
		d.locations[i] = listsOf(info)
		d.ranges[i] = listsOf(info)
	}
	_, _, _ = functionInfo{d}.locals("main.f", 0, 4, 8), closureInfo{functionInfo{d}}.capturedBy("main.f", 0),
		closureInfo{functionInfo{d}}.typeNamed("main.T")
	return n.field("main.v", of, 0x1000, 0x1008), nil
}

// listsOf has the lists of some bytes.
func listsOf(all []byte) *lists {
	return &lists{open: func() io.Reader { return bytes.NewReader(all) }}
}

// What leads to itself is followed to an end; it ended the process before.
func TestOddTypes(t *testing.T) {
	got := make(map[string]Holder)
	for name, info := range odd {
		h, err := named(forms, info, nil)
		if err != nil {
			h = Holder{Variable: err.Error()}
		}
		got[name] = h
	}
	unknown := Holder{Variable: "main.v", Entries: -1}
	if d := cmp.Diff(map[string]Holder{
		"a name for itself": unknown, "two names for each other": unknown, "an array of itself": unknown,
		"a pointer to itself":       unknown,
		"a type that is a variable": {Variable: "main.v", Type: "main.v", Entries: -1},
		"a type that is elsewhere":  unknown, "a field beyond": unknown,
		"a struct of itself":      {Variable: "main.v" + strings.Repeat(".f", maxTypes), Entries: -1},
		"a struct without an end": {Variable: errOddDebug.Error()},
	}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

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

// FuzzDebugInfo reads types that anybody may have written. It must come to an end.
func FuzzDebugInfo(f *testing.F) {
	for _, info := range odd {
		f.Add(forms, info, []byte("\x00"))
		f.Add(forms[:len(forms)/2], info, []byte("\x00"))
		f.Add(forms, info[:len(info)/2], []byte("\x00"))
	}
	// An end of which package debug/dwarf returns the same for ever.
	f.Add([]byte("0"), []byte("\v\x00\x00\x00\x04\x00\x8f\x8f\x8f\x8f\x8f\x00\x80\x8f\x8f"), []byte("\x00"))
	f.Add(forms, within(functionOf()), []byte("\x00"))
	f.Add(forms, unit(closureOf()...), []byte("\x00"))
	f.Fuzz(func(t *testing.T, abbrev, info, text []byte) {
		start := time.Now()
		h, err := named(abbrev, info, text)
		if err == nil && !strings.HasPrefix(h.Variable, "main.v") {
			t.Errorf("%+v", h)
		}
		if elapsed := time.Since(start); elapsed > time.Minute {
			t.Errorf("it takes %s", elapsed)
		}
	})
}
