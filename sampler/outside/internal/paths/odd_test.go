package paths

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo/debugtest"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/rtype"
)

// named is what is said of the second word of the variable main.v.
func named(abbrev, info, text []byte) (h names.Variable, err error) {
	d, err := debuginfo.Open(abbrev, info, text, nil)
	if err != nil {
		return h, err
	}
	_, _ = releases.OffsetsOf(d)
	of := d.Variable("main.v")
	n := &names.Names{Target: &goruntime.Target{Reader: nothing{}}, Debug: d, DebugRead: true,
		Unnamed: rtype.Unnamed{Target: &goruntime.Target{Reader: nothing{}}}}
	step := new(Step)
	_ = (&follower{Names: n, step: step}).follow(of, 0x1000, 0x1008)
	_, _, _ = d.RuntimeType(8, 8), d.IsDirect(of), d.ElementOf(of)
	for i := range d.Locations {
		d.Locations[i] = listsOf(info)
		d.Ranges[i] = listsOf(info)
	}
	_, _, _ = debuginfo.FunctionInfo{Info: d}.Locals("main.f", 0, 4, 8),
		debuginfo.ClosureInfo{FunctionInfo: debuginfo.FunctionInfo{Info: d}}.CapturedBy("main.f", 0),
		debuginfo.ClosureInfo{FunctionInfo: debuginfo.FunctionInfo{Info: d}}.TypeNamed("main.T")
	return n.Field("main.v", of, 0x1000, 0x1008), nil
}

// What leads to itself is followed to an end; it ended the process before.
func TestOddTypes(t *testing.T) {
	got := make(map[string]names.Variable)
	for name, info := range odd {
		h, err := named(debugtest.Forms, info, nil)
		if err != nil {
			h = names.Variable{Name: err.Error()}
		}
		got[name] = h
	}
	unknown := names.Variable{Name: "main.v", Entries: -1}
	if d := cmp.Diff(map[string]names.Variable{
		"a name for itself": unknown, "two names for each other": unknown, "an array of itself": unknown,
		"a pointer to itself":       unknown,
		"a type that is a variable": {Name: "main.v", Type: "main.v", Entries: -1},
		"a type that is elsewhere":  unknown, "a field beyond": unknown,
		"a struct of itself":      {Name: "main.v" + strings.Repeat(".f", debuginfo.MaxTypes), Entries: -1},
		"a struct without an end": {Name: debuginfo.ErrOdd.Error()},
	}, got, cmp.AllowUnexported(names.Variable{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzDebugInfo reads types that anybody may have written. It must come to an end.
func FuzzDebugInfo(f *testing.F) {
	for _, info := range odd {
		f.Add(debugtest.Forms, info, []byte("\x00"))
		f.Add(debugtest.Forms[:len(debugtest.Forms)/2], info, []byte("\x00"))
		f.Add(debugtest.Forms, info[:len(info)/2], []byte("\x00"))
	}
	// An end of which package debug/dwarf returns the same for ever.
	f.Add([]byte("0"), []byte("\v\x00\x00\x00\x04\x00\x8f\x8f\x8f\x8f\x8f\x00\x80\x8f\x8f"), []byte("\x00"))
	f.Add(debugtest.Forms, debugtest.Unit(debugtest.FunctionOf()...), []byte("\x00"))
	f.Add(debugtest.Forms, debugtest.Unit(debugtest.ClosureOf()...), []byte("\x00"))
	f.Fuzz(func(t *testing.T, abbrev, info, text []byte) {
		start := time.Now()
		h, err := named(abbrev, info, text)
		if err == nil && !strings.HasPrefix(h.Name, "main.v") {
			t.Errorf("%+v", h)
		}
		if elapsed := time.Since(start); elapsed > time.Minute {
			t.Errorf("it takes %s", elapsed)
		}
	})
}

// odd are programs whose types have no end, or no begin.
var odd = map[string][]byte{
	"a name for itself": debugtest.Unit(2, "main.T", uint32(debugtest.FirstEntry), 6, "main.v",
		uint32(debugtest.FirstEntry)),
	"two names for each other": debugtest.Unit(2, "main.T", uint32(debugtest.FirstEntry+12), 2, "main.U",
		uint32(debugtest.FirstEntry), 6, "main.v",
		uint32(debugtest.FirstEntry)),
	"a struct of itself": debugtest.Unit(3, "main.T", 16, 4, "f", 0, uint32(debugtest.FirstEntry), 0, 6, "main.v",
		uint32(debugtest.FirstEntry)),
	"an array of itself": debugtest.Unit(5, 16, uint32(debugtest.FirstEntry), 6, "main.v",
		uint32(debugtest.FirstEntry)),
	"a pointer to itself": debugtest.Unit(7, uint32(debugtest.FirstEntry), 6, "main.v",
		uint32(debugtest.FirstEntry)),
	"a type that is a variable": debugtest.Unit(6, "main.v", uint32(debugtest.FirstEntry)),
	"a type that is elsewhere":  debugtest.Unit(6, "main.v", uint32(1<<31)),
	"a struct without an end": debugtest.Unit(6, "main.v", uint32(debugtest.FirstEntry+12), 3, "main.T",
		16)[:2*debugtest.FirstEntry],
	"a field beyond": debugtest.Unit(3, "main.T", 16, 4, "f", 127, uint32(debugtest.FirstEntry), 0, 6, "main.v",
		uint32(debugtest.FirstEntry)),
}

// listsOf has the lists of some bytes.
func listsOf(all []byte) *debuginfo.Lists {
	return &debuginfo.Lists{Open: func() io.Reader { return bytes.NewReader(all) }}
}

// nothing is a memory of which nothing can be read.
type nothing struct{}

func (nothing) Gather([]procmem.Part) {}
