package search

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/paths"
)

// What is shown of a holder agrees with itself, though what it holds grows while it is looked at, and has nothing that
// a terminal would take for an order, whatever the program's file has.
func TestHolderIsFitToBeShown(t *testing.T) {
	long := strings.Repeat("é", names.MaxShown)
	got := Holder{
		Variable: "main.shop.sessions", Type: "map[string]*main.Session", Entries: 5348,
		Path: []paths.Step{
			{Name: "main.shop", Type: "main.Shop", Reference: ".sessions[…]", Container: "map[string]*main.Session",
				Entries: 5366},
			{Type: "main.\x1b[2J", Reference: ".Cart\x07", Container: "[]uint8", Entries: 4096},
			{Type: long, Entries: -1},
		},
	}
	got.settle()
	want := Holder{
		Variable: "main.shop.sessions", Type: "map[string]*main.Session", Entries: 5348,
		Path: []paths.Step{
			{Name: "main.shop", Type: "main.Shop", Reference: ".sessions[…]", Container: "map[string]*main.Session",
				Entries: 5348},
			{Type: "main.\uFFFD[2J", Reference: ".Cart\uFFFD", Container: "[]uint8", Entries: 4096},
			{Type: long[:names.MaxShown] + "…", Entries: -1},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	other := Holder{Type: "[]main.A", Entries: 3, Path: []paths.Step{{Container: "[]main.B", Entries: 7}}}
	if other.settle(); other.Path[0].Entries != 7 {
		t.Errorf("another container has %d entries, want its own 7", other.Path[0].Entries)
	}
	odd := Holder{Type: "x" + long}
	if odd.settle(); odd.Type != "x"+long[:names.MaxShown-2]+"…" {
		t.Errorf("a name that is cut within a letter ends with %q", odd.Type[names.MaxShown-4:])
	}
	for _, h := range []Holder{{Timer: "main.\x1bexpire"}, {Finalizer: "*main.\x1bConn"}, {Variable: "a\x1bb"}} {
		h.settle()
		if text := h.Timer + h.Finalizer + h.Variable; strings.Contains(text, "\x1b") {
			t.Errorf("%q is shown", text)
		}
	}
}
