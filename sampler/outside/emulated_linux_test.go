package outside

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// What keeps memory alive is named in programs for arm64 as in others: variables, those of goroutines' frames and of
// closures, descriptors, and the ways; the same in programs without symbols. An emulator runs them, whose memory has
// theirs. With LEAKTREND_OUTSIDE all of it is, by each of its toolchains.
func TestHoldersEmulated(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	builders, all := []string{needsRow(t)}, false
	if some := toolchains(); len(some) > 0 {
		builders, all = some, true
	}
	if _, err := exec.LookPath("qemu-aarch64"); err != nil {
		t.Skip(err)
	}
	for _, toolchain := range builders {
		named, both := maps.Clone(ways), caughtOf(toolchain)
		maps.Copy(named, localWays)
		maps.Copy(named, descriptorHolders)
		for function, steps := range pathsOf(toolchain) {
			both[function] = ways[function] + "\n" + steps
		}
		if !all {
			few := []string{"main.intoMap", "main.newItem", "main.madeSlice", "main.madeParameter", "main.madeBuffer",
				"main.madeOld"}
			maps.DeleteFunc(named, func(function, _ string) bool { return !slices.Contains(few, function) })
			few = []string{"main.intoClosures", "main.caughtSlice", "main.caughtOwn"}
			maps.DeleteFunc(both, func(function, _ string) bool { return !slices.Contains(few, function) })
		}
		e := startEmulated(t, toolchain)
		got, gotBoth := make(map[string]string), make(map[string]string)
		for function := range named {
			got[function] = heldAs(e.held(t, function))
		}
		for function := range both {
			h := e.held(t, function)
			gotBoth[function] = heldAs(h) + "\n" + stepsOf(t, function, h)
		}
		if d := cmp.Diff(named, got) + cmp.Diff(both, gotBoth); d != "" {
			t.Errorf("%s (-want +got):\n%s", toolchain, d)
		}
		if !all {
			continue
		}
		want, got := strippedOf(toolchain), make(map[string]string)
		e = startEmulated(t, toolchain, stripped)
		for function := range want {
			got[function] = addresses.ReplaceAllString(heldAs(e.held(t, function)), "0x")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, stripped (-want +got):\n%s", toolchain, d)
		}
	}
}

// emulated is a process of testdata/holders.
type emulated struct{ *Process }

func startEmulated(t *testing.T, toolchain string, options ...string) emulated {
	t.Helper()
	path := buildProgram(t, append([]string{"testdata/holders", "GOARCH=arm64", "GOTOOLCHAIN=" + toolchain},
		options...)...)
	o := openEmulated(t, startReady(t, "qemu-aarch64", path), path, toolchain)
	t.Cleanup(func() { _ = o.Close() })
	return emulated{o}
}

// held returns what holds the memory that a function has allocated, or objects of some types, as in "*os.file".
func (e emulated) held(t *testing.T, function string) *Holder {
	t.Helper()
	of := search.Wanted{Types: strings.Fields(function), Choose: choose}
	if !strings.HasPrefix(function, "*") {
		var err error
		if of, err = e.buckets(t.Context(), allocatedBy(function), choose); err != nil {
			t.Fatal(err)
		}
	}
	h, ok := search.Find(t.Context(), e.target, of, nil)
	if !ok {
		return nil
	}
	return &h
}
