package fleet

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of a job with any number of metrics so many are judged as there is time for, and those that are known are among them.
func TestJobWithManyMetrics(t *testing.T) {
	var names []string
	for i := range 200_000 {
		names = append(names, fmt.Sprint("h", i, ":80"))
	}
	names = append(names, "go_goroutines", "h0:80")
	all := rolesOf(names, []string{"process_start_time_seconds", "go_goroutines"}, false)
	if len(all) != 200_002 {
		t.Errorf("%d metrics, of which each stands once", len(all))
	}
	kept, err := fewest(all)
	type outcome struct {
		Kept        int
		First, Last string
		Err         string
	}
	want := outcome{maxMetrics + 2, "h0:80", "process_start_time_seconds", "200000 metrics match, of which the first 500 are judged: a narrower --match helps"}
	if diff := cmp.Diff(want, outcome{len(kept), kept[0].Name, kept[len(kept)-1].Name, fmt.Sprint(err)}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if kept, err := fewest(all[:maxMetrics]); len(kept) != maxMetrics || err != nil {
		t.Errorf("%d of %d: %v", len(kept), maxMetrics, err)
	}
}
