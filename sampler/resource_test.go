package sampler

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		name  string
		want  Resource
		known bool
	}{
		{"goroutines", Resource{Name: "goroutines", Positive: true, Sentence: "goroutines that exist"}, true},
		{"cpu_seconds", Resource{Name: "cpu_seconds", Unit: "seconds", Kind: Counter, Unjudged: "a counter",
			Sentence: "processor time used since the start"}, true},
		{"Goroutines", Resource{Name: "Goroutines", Positive: true, Sentence: "Goroutines"}, false},
		{"", Resource{}, false},
		{"queue_depth", Resource{Name: "queue_depth", Sentence: "queue_depth"}, false},
		{"cache_bytes", Resource{Name: "cache_bytes", Unit: "bytes", Sentence: "cache_bytes"}, false},
		{"lag_seconds", Resource{Name: "lag_seconds", Unit: "seconds", Sentence: "lag_seconds"}, false},
		{"uptime_seconds", Resource{Name: "uptime_seconds", Unit: "seconds", Context: true, Unjudged: "an age",
			Sentence: "uptime_seconds"}, false},
		{"max_rss_kb", Resource{Name: "max_rss_kb", Context: true, Unjudged: "a maximum", Sentence: "max_rss_kb"},
			false},
		{"pid", Resource{Name: "pid", Context: true, Unjudged: "an identifier", Sentence: "pid"}, false},
		{"RSS MB", Resource{Name: "RSS MB", Positive: true, Sentence: "RSS MB"}, false},
		{"fd_total", Resource{Name: "fd_total", Kind: Counter, Unjudged: "a counter", Positive: true,
			Sentence: "fd_total"}, false},
		{"closed_fds", Resource{Name: "closed_fds", Sentence: "closed_fds"}, false}, // none is healthy
		{"container_memory_cache", Resource{Name: "container_memory_cache", Unit: "bytes", Context: true,
			Unjudged: "page cache", Sentence: "container_memory_cache"}, false},
		{`container_memory_usage_bytes{pod="a"}`, Resource{Name: `container_memory_usage_bytes{pod="a"}`, Unit: "bytes",
			StandsInFor: `container_memory_working_set_bytes{pod="a"}`,
			Sentence:    `container_memory_usage_bytes{pod="a"}`}, false},
		{"downtimes", Resource{Name: "downtimes", Sentence: "downtimes"}, false}, // no word of it is time
		{"requests_total", Resource{Name: "requests_total", Kind: Counter, Unjudged: "a counter",
			Sentence: "requests_total"}, false},
		{"sent_bytes_total", Resource{Name: "sent_bytes_total", Unit: "bytes", Kind: Counter, Unjudged: "a counter",
			Sentence: "sent_bytes_total"}, false},
		{`pool_bytes{name="a_total"}`, Resource{Name: `pool_bytes{name="a_total"}`, Unit: "bytes",
			Sentence: `pool_bytes{name="a_total"}`}, false},
		{`busy_seconds_total{cpu="0"}`, Resource{Name: `busy_seconds_total{cpu="0"}`, Unit: "seconds", Kind: Counter,
			Unjudged: "a counter", Sentence: `busy_seconds_total{cpu="0"}`}, false},
	} {
		got, known := Lookup(test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || known != test.known {
			t.Errorf("Lookup(%q): known %v, want %v (-want +got):\n%s", test.name, known, test.known, diff)
		}
	}
}

// The table agrees with itself: names that are unique and carry their unit, sentences, and stand-ins for what there is.
func TestResources(t *testing.T) {
	seen := map[string]bool{}
	table := Resources()
	for _, r := range table {
		if seen[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		seen[r.Name] = true
		if got, ok := Lookup(r.Name); !ok || got != r {
			t.Errorf("Lookup(%q) = %+v, %v", r.Name, got, ok)
		}
		unit := ""
		for _, u := range []string{"bytes", "seconds"} {
			if strings.HasSuffix(r.Name, "_"+u) {
				unit = u
			}
		}
		if r.Unit != unit || r.Sentence == "" || strings.HasSuffix(r.Sentence, ".") {
			t.Errorf("%+v: the unit by its name is %q", r, unit)
		}
		if r.StandsInFor != "" && (!seen[r.StandsInFor] || r.StandsInFor == r.Name || r.Kind != Gauge) {
			t.Errorf("%s stands in for %s", r.Name, r.StandsInFor)
		}
	}
	table[0].Name = "changed"
	if Resources()[0].Name != Goroutines {
		t.Error("Resources gives away its table")
	}
}

func TestSample(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 15, 48, 123e6, time.UTC)
	s := Sample{Start: at, Ceilings: []Ceiling{{OpenFDs, 1024, "test"}}, Readings: []Reading{{Threads, 3}}}
	s.Reset(at)
	s.Add(Goroutines, 0)
	for _, absent := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		s.Add(OpenFDs, absent)
	}
	s.Add(Threads, -math.MaxFloat64)
	want := Sample{Time: at, Readings: []Reading{{Goroutines, 0}, {Threads, -math.MaxFloat64}}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
	if v, ok := s.Value(Goroutines); v != 0 || !ok {
		t.Errorf("Value of what was read as 0: %v, %v", v, ok)
	}
	if v, ok := s.Value(OpenFDs); v != 0 || ok {
		t.Errorf("Value of what was not read: %v, %v", v, ok)
	}
	copied := s.Clone()
	s.Reset(at.Add(time.Second))
	s.Add(RSSBytes, 1)
	s.Add(RSSBytes, 2)
	if diff := cmp.Diff(want, copied); diff != "" {
		t.Errorf("clone after the sample was reused (-want +got):\n%s", diff)
	}
}
