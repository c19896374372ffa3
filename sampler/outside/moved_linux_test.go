//go:build go1.25

package outside

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// hiding is memory of which some is zero in so many of the first searches.
type hiding struct {
	truth    procmem.Reader
	spans    uint64    // what each search reads first
	hidden   [2]uint64 // from where to where
	times    int
	searches int
}

func (h *hiding) Gather(parts []procmem.Part) {
	h.truth.Gather(parts)
	for i := range parts {
		if parts[i].At == h.spans {
			h.searches++
		}
		if from, to := max(h.hidden[0], parts[i].At),
			min(h.hidden[1], parts[i].At+uint64(len(parts[i].To))); h.searches <= h.times && from < to {
			clear(parts[i].To[from-parts[i].At : to-parts[i].At])
		}
	}
}

// What was not seen as it moved is searched for once more. What is held by different things is not.
func TestSearchedOnceMore(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds another program")
	}
	needsRow(t)
	o := startHolders(t, []string{"testdata/holders"})
	if !o.heap.AddBuckets(t.Context()) {
		t.Fatal("its buckets are not read")
	}
	variables := make(map[string][2]uint64)
	names := names.Read(o.target, nil)
	for _, v := range names.Symbols.All {
		variables[names.Symbols.Name(v)] = [2]uint64{v.At, v.At + v.Size}
	}
	for _, test := range []struct {
		name, functions string
		hidden          string
		times           int // searches in which the variable is not seen
		want            string
		searches        int
	}{
		{"seen at once", "main.intoMap", "main.global", 0, "main.global", 1},
		{"seen the second time", "main.intoMap", "main.global", 1, "main.global", 2},
		{"never seen", "main.intoMap", "main.global", 2, "", 2},
		{"held by several", "main.intoMap main.intoSlice main.intoChannel", "", 0, "", 1},
		{"large, held by two", "main.intoRecords main.intoBuffer", "", 0, "", 1},
		{"large, one that nothing holds", "main.intoRecords main.intoBuffer", "main.records", 2, "main.buffer", 2},
		{"large, the other one moved", "main.intoRecords main.intoBuffer", "main.records", 1, "", 2},
	} {
		of := make(map[uint64]bool)
		for _, b := range o.heap.Buckets {
			for _, f := range b.Stack {
				of[b.At] = of[b.At] || slices.Contains(strings.Fields(test.functions), f.Function)
			}
		}
		target := o.target.Clone(o.memory)
		h := &hiding{
			truth: o.memory, spans: target.Places[goruntime.HeapSymbol] + target.Layout.Spans, times: test.times,
			hidden: variables[test.hidden],
		}
		target.Reader = h
		var held Holder
		synctest.Test(t, func(t *testing.T) {
			held, _ = search.Find(t.Context(), target, search.Wanted{Buckets: of, Choose: choose}, nil)
		})
		if name, _, _ := strings.Cut(held.Variable, ".byName"); name != test.want || h.searches != test.searches {
			t.Errorf("%s: held by %q in %d searches, want %q in %d", test.name, held.Variable, h.searches, test.want,
				test.searches)
		}
	}
}
