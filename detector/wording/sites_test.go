package wording

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// The end of a finding on lines says what ended it, as that of a total does.
func TestSitesResolved(t *testing.T) {
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	e := alerting.Event{
		Time: began.Add(3 * time.Hour), Since: began, Status: alerting.Resolved, Kind: alerting.Trend,
		Resource: sampler.Goroutines, Value: 312,
	}
	s := alerting.Site{Function: "main.serve", File: "/src/conn.go", Line: 42}
	got := map[engine.Cause]string{}
	want := map[engine.Cause]string{
		engine.GaveBack: "goroutines trend resolved after 3h: at conn.go:42 more than half of the growth was " +
			"given back (312 now)",
		engine.CameToRest: "goroutines trend resolved after 3h: at conn.go:42 nine tenths of the growth have been " +
			"there for longer than they took to come (312 now)",
		engine.Restarted:     "goroutines trend resolved after 3h: the process restarted (312 now)",
		engine.ConfigChanged: "goroutines trend resolved after 3h: the configuration changed (312 now)",
	}
	for cause := range want {
		got[cause] = SitesResolved(&e, &s, cause)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a line keeps is held against what the resource of the alert itself grew by.
func TestSiteClauseOfMemory(t *testing.T) {
	const mb = 1 << 20
	got := map[string]string{}
	want := map[string]string{
		"live heap": "; main.go:24 keeps all of the 26 MB of new live heap as []uint8, as of the last " +
			"collection",
		"part of the growth": "; main.go:24 keeps at least 26 MB of the 30 MB by which rss_bytes is above its " +
			"baseline as []uint8, as of the last collection",
		"all, by its samples": "; main.go:24 keeps all of the 24 MB by which heap_inuse_bytes is above its " +
			"baseline as []uint8, as of the last collection",
		"not all of it resident": "; main.go:24 keeps at least 26 MB of new live heap as []uint8, as of the last " +
			"collection, more than rss_bytes is above its baseline",
	}
	for name, a := range map[string]alerting.Alert{
		"live heap": {Event: alerting.Event{Resource: sampler.HeapLiveBytes, Value: 21 * mb,
			Baseline: 1 * mb}},
		"part of the growth": {Event: alerting.Event{Resource: sampler.RSSBytes, Value: 40 * mb,
			Baseline: 10 * mb}},
		"all, by its samples": {Event: alerting.Event{Resource: sampler.HeapInuseBytes, Value: 25 * mb,
			Baseline: 1 * mb}},
		"not all of it resident": {Event: alerting.Event{Resource: sampler.RSSBytes, Value: 13 * mb, Baseline: 9 * mb}},
	} {
		a.Sites = []alerting.Site{{Function: "main.open", File: "/src/main.go", Line: 24, Bytes: 26 * mb,
			Types: []string{"[]uint8"}}}
		got[name] = SiteClause(&a, 26*mb, max(a.Value-a.Baseline, 24*mb))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Most is said of more than half only.
func TestSiteClauseOfOpeners(t *testing.T) {
	for share, want := range map[float64]string{
		.95: "; main.go:24 opened most of them with os.Open, as far as the heap is sampled",
		.39: "; main.go:24 opened 39 % of them with os.Open, as far as the heap is sampled",
		0:   "; main.go:24 opened most of them with os.Open, as far as the heap is sampled",
	} {
		a := alerting.Alert{Event: alerting.Event{Resource: sampler.OpenFDs},
			Sites: []alerting.Site{{Function: "main.open",
				File: "/src/main.go", Line: 24, Bytes: 4096, Share: share, Via: "os.Open"}}}
		if got := SiteClause(&a, 30, 40); got != want {
			t.Errorf("a share of %v: %q, want %q", share, got, want)
		}
	}
}

// A line at which goroutines came while descriptors did is a guess, unless it is known who called.
func TestSiteClauseOfDescriptors(t *testing.T) {
	for calledFrom, want := range map[string]string{
		"":                  "; main.go:19 may hold them: 35 of the 37 goroutines that came meanwhile are there",
		"main.f /main.go:1": "; main.go:19 accounts for 35 of the 37 new goroutines",
	} {
		a := alerting.Alert{Event: alerting.Event{Resource: sampler.OpenFDs},
			Sites: []alerting.Site{{Function: "main.hold", File: "/src/main.go", Line: 19, Count: 35,
				CalledFrom: calledFrom}}}
		if got := SiteClause(&a, 35, 37); got != want {
			t.Errorf("called from %q: %q, want %q", calledFrom, got, want)
		}
	}
}
