package fleet

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
)

// What is infinite is no reading, wherever it stands.
func TestInfiniteReadings(t *testing.T) {
	found := func(in float64) []Finding {
		m := &memory{}
		v := growing(100, 20, 0)
		for i := range v {
			if i%50 == 3 || i >= week.N-3 {
				v[i] = in
			}
		}
		m.add("__name__=go_goroutines,job=a,instance=a", v)
		m.add("__name__=go_goroutines,job=b,instance=a", values(func(i int) float64 {
			if i%288 > 280 {
				return in
			}
			return 100 + 2*float64(i%288)
		}))
		m.add("__name__=process_start_time_seconds,job=b,instance=a", values(func(i int) float64 {
			return 1e9 + 86400*float64(i/288)
		}))
		r, err := scanOf(t, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(r.Findings, r.Suspects...)
	}
	want := found(nan)
	if len(want) != 2 {
		t.Errorf("found %v", brief(want))
	}
	for _, in := range []float64{math.Inf(1), math.Inf(-1)} {
		if diff := cmp.Diff(want, found(in), cmpopts.EquateNaNs(), cmp.AllowUnexported(Replica{},
			spark.Line{})); diff != "" {
			t.Errorf("%g beside nothing (-want +got):\n%s", in, diff)
		}
	}
}

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
	want := outcome{maxMetrics + 2, "h0:80", "process_start_time_seconds", "200000 metrics match, of which the first " +
		"500 are judged: a narrower --match helps"}
	if diff := cmp.Diff(want, outcome{len(kept), kept[0].Name, kept[len(kept)-1].Name, fmt.Sprint(err)}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if kept, err := fewest(all[:maxMetrics]); len(kept) != maxMetrics || err != nil {
		t.Errorf("%d of %d: %v", len(kept), maxMetrics, err)
	}
}
