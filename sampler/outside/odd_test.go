package outside

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// named is what is said of the second word of the variable main.v.
func named(abbrev, info, text []byte) (h variable, err error) {
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
	_, _, _ = functionInfo{debugInfo: d}.locals("main.f", 0, 4, 8),
		closureInfo{functionInfo: functionInfo{debugInfo: d}}.capturedBy("main.f", 0),
		closureInfo{functionInfo: functionInfo{debugInfo: d}}.typeNamed("main.T")
	return n.field("main.v", of, 0x1000, 0x1008), nil
}

// What leads to itself is followed to an end; it ended the process before.
func TestOddTypes(t *testing.T) {
	got := make(map[string]variable)
	for name, info := range odd {
		h, err := named(forms, info, nil)
		if err != nil {
			h = variable{name: err.Error()}
		}
		got[name] = h
	}
	unknown := variable{name: "main.v", entries: -1}
	if d := cmp.Diff(map[string]variable{
		"a name for itself": unknown, "two names for each other": unknown, "an array of itself": unknown,
		"a pointer to itself":       unknown,
		"a type that is a variable": {name: "main.v", kind: "main.v", entries: -1},
		"a type that is elsewhere":  unknown, "a field beyond": unknown,
		"a struct of itself":      {name: "main.v" + strings.Repeat(".f", maxTypes), entries: -1},
		"a struct without an end": {name: errOddDebug.Error()},
	}, got, cmp.AllowUnexported(variable{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
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
	f.Add(forms, unit(functionOf()...), []byte("\x00"))
	f.Add(forms, unit(closureOf()...), []byte("\x00"))
	f.Fuzz(func(t *testing.T, abbrev, info, text []byte) {
		start := time.Now()
		h, err := named(abbrev, info, text)
		if err == nil && !strings.HasPrefix(h.name, "main.v") {
			t.Errorf("%+v", h)
		}
		if elapsed := time.Since(start); elapsed > time.Minute {
			t.Errorf("it takes %s", elapsed)
		}
	})
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
