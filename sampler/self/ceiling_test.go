package self

import (
	"math"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/live"
)

func TestWithHeapCeiling(t *testing.T) {
	files := sampler.Ceiling{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"}
	rss := sampler.Ceiling{Resource: sampler.RSSBytes, Level: 1 << 30, Source: "cgroup memory.max"}
	tests := []struct {
		name   string
		limit  int64
		others []sampler.Ceiling
		want   []sampler.Ceiling
	}{
		{"nothing known", math.MaxInt64, nil, nil},
		{"no limit, process unknown", math.MaxInt64, []sampler.Ceiling{files}, []sampler.Ceiling{files}},
		{"no limit", math.MaxInt64, []sampler.Ceiling{rss, files},
			[]sampler.Ceiling{{Resource: sampler.HeapLiveBytes, Level: 1 << 30, Source: "cgroup memory.max"},
				rss, files}},
		{"limit below the process's", 1 << 29, []sampler.Ceiling{rss, files},
			[]sampler.Ceiling{{Resource: sampler.HeapLiveBytes, Level: 1 << 29, Source: "GOMEMLIMIT"}, rss, files}},
		{"limit above the process's", 1 << 31, []sampler.Ceiling{rss},
			[]sampler.Ceiling{{Resource: sampler.HeapLiveBytes, Level: 1 << 30, Source: "cgroup memory.max"}, rss}},
		{"limit alone", 1 << 31, nil,
			[]sampler.Ceiling{{Resource: sampler.HeapLiveBytes, Level: 1 << 31, Source: "GOMEMLIMIT"}}},
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			debug.SetMemoryLimit(tt.limit)
			if d := cmp.Diff(tt.want, withHeapCeiling(tt.others)); d != "" {
				t.Errorf("ceilings (-want +got):\n%s", d)
			}
		})
	}
}

func TestSelfCeilingsRefresh(t *testing.T) {
	self := newSelf(t)
	advance := setClock(self.clock)
	list := []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1024, Source: "RLIMIT_NOFILE"}}
	reads := 0
	self.ceilings.Read = func() []sampler.Ceiling { reads++; return append([]sampler.Ceiling(nil), list...) }
	var s sampler.Sample
	sample(t, self, &s)
	first := s.Ceilings
	if d := cmp.Diff(list, first); d != "" {
		t.Fatalf("ceilings (-want +got):\n%s", d)
	}

	advance(live.CeilingRefresh - time.Second)
	sample(t, self, &s)
	if reads != 1 {
		t.Errorf("read %d times within the refresh time, want 1", reads)
	}
	advance(time.Second)
	sample(t, self, &s)
	if reads != 2 || &s.Ceilings[0] != &first[0] {
		t.Errorf("after the refresh time: read %d times, want 2, and the slice of before as nothing changed", reads)
	}

	list[0].Level = 4096
	advance(live.CeilingRefresh)
	sample(t, self, &s)
	if d := cmp.Diff(list, s.Ceilings); d != "" {
		t.Errorf("ceilings after a change (-want +got):\n%s", d)
	}
	if first[0].Level != 1024 {
		t.Error("a slice given out before was written to")
	}
}
