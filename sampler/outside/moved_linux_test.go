//go:build go1.25

package outside

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// hiding is memory of which some is zero in so many of the first searches.
type hiding struct {
	truth    reader
	spans    uint64    // what each search reads first
	hidden   [2]uint64 // from where to where
	times    int
	searches int
}

func (h *hiding) gather(parts []part) {
	h.truth.gather(parts)
	for i := range parts {
		if parts[i].at == h.spans {
			h.searches++
		}
		if from, to := max(h.hidden[0], parts[i].at),
			min(h.hidden[1], parts[i].at+uint64(len(parts[i].to))); h.searches <= h.times && from < to {
			clear(parts[i].to[from-parts[i].at : to-parts[i].at])
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
	if !o.heap.addBuckets(t.Context()) {
		t.Fatal("its buckets are not read")
	}
	variables := make(map[string][2]uint64)
	names := readNames(o.target, nil)
	for _, v := range names.symbols.all {
		variables[names.symbols.name(v)] = [2]uint64{v.at, v.at + v.size}
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
		for _, b := range o.heap.buckets {
			for _, f := range b.stack {
				of[b.at] = of[b.at] || slices.Contains(strings.Fields(test.functions), f.Function)
			}
		}
		target := o.target.apart(o.memory)
		h := &hiding{
			truth: o.memory, spans: target.places[heapSymbol] + target.layout.spans, times: test.times,
			hidden: variables[test.hidden],
		}
		target.reader = h
		var held Holder
		synctest.Test(t, func(t *testing.T) {
			held, _ = findHolder(t.Context(), target, wanted{buckets: of, choose: choose}, nil)
		})
		if name, _, _ := strings.Cut(held.Variable, ".byName"); name != test.want || h.searches != test.searches {
			t.Errorf("%s: held by %q in %d searches, want %q in %d", test.name, held.Variable, h.searches, test.want,
				test.searches)
		}
	}
}
