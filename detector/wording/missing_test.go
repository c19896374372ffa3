package wording

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// What is missing for one reason is named together.
func TestMissingClause(t *testing.T) {
	late := NotYet(5012*time.Millisecond, 1310*time.Millisecond)
	taken := time.Date(2026, 11, 23, 10, 32, 5, 0, time.UTC)
	got := []string{
		MissingClause(&alerting.Alert{}),
		MissingClause(&alerting.Alert{Missing: []alerting.Missing{{What: "sites", Why: late},
			{What: "captures", Why: late}, {What: "my own", Why: "no room"}}}),
		NotYet(5*time.Second, 90*time.Millisecond),
		BeforeGrowth(taken, ""), BeforeGrowth(taken, "no more"), BeforeGrowth(time.Time{}, ""),
		BeforeGrowth(time.Time{}, "this process has none"),
	}
	want := []string{
		"",
		"; missing: lines of code, captures (not there after 5s: starved of processor, goroutines waited up to 1.3s " +
			"to run); missing: my own (no room)",
		"not there after 5s",
		"the latest profile is from 10:32:05 UTC, before the growth: what it lists is not blamed",
		"the latest profile is from 10:32:05 UTC, before the growth: what it lists is not blamed; no more",
		"there is no profile",
		"this process has none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is missing is said exactly, and only where it adds something: lines of goroutines may be named without those
// that allocate.
func TestMissingLines(t *testing.T) {
	goroutines := []alerting.Site{{Function: "main.fetch", File: "/src/main.go", Line: 19, Count: 59,
		Resource: sampler.Goroutines}}
	heap := []alerting.Site{{Function: "main.open", File: "/src/main.go", Line: 25, Count: 59, Bytes: 1 << 20,
		Resource: sampler.HeapLiveBytes}}
	const why = "this process has no heap profile"
	for _, test := range []struct {
		resource string
		sites    []alerting.Site
		want     string
	}{
		{sampler.RSSBytes, nil, "; missing: lines that allocate (" + why + "); missing: captures (no room)"},
		{sampler.HeapLiveBytes, goroutines, "; missing: lines that allocate (" + why +
			"); missing: captures (no room)"},
		{sampler.OpenFDs, nil, "; missing: lines of code (" + why + "); missing: captures (no room)"},
		{sampler.OpenFDs, heap, "; missing: lines of code (" + why + "); missing: captures (no room)"},
		{sampler.OpenFDs, goroutines, "; missing: captures (no room)"},
		{sampler.Goroutines, goroutines, "; missing: lines of code (" + why + "); missing: captures (no room)"},
	} {
		a := alerting.Alert{Event: alerting.Event{Resource: test.resource}, Sites: test.sites,
			Missing: []alerting.Missing{{What: "sites", Why: why}, {What: "captures", Why: "no room"}}}
		if got := MissingClause(&a); got != test.want {
			t.Errorf("%s, %d lines: %q, want %q", test.resource, len(test.sites), got, test.want)
		}
	}
}
