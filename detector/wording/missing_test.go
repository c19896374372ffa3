package wording

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
)

// What is missing for one reason is named together.
func TestMissingClause(t *testing.T) {
	late := NotYet(5012*time.Millisecond, 1310*time.Millisecond)
	taken := time.Date(2026, 11, 23, 10, 32, 5, 0, time.UTC)
	got := []string{
		MissingClause(nil),
		MissingClause([]alerting.Missing{{What: "sites", Why: late}, {What: "captures", Why: late}, {What: "my own", Why: "no room"}}),
		NotYet(5*time.Second, 90*time.Millisecond),
		BeforeGrowth(taken, ""), BeforeGrowth(taken, "no more"), BeforeGrowth(time.Time{}, ""),
	}
	want := []string{
		"",
		"; missing: lines of code, captures (not there after 5s: starved of processor, goroutines waited up to 1.3s to run); missing: my own (no room)",
		"not there after 5s",
		"the latest profile is from 10:32:05 UTC, before the growth: what it lists is not blamed",
		"the latest profile is from 10:32:05 UTC, before the growth: what it lists is not blamed; no more",
		"there is no profile",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
