package replay

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/engine"
)

// Series that were read rightly and judged wrongly once: the verdict at the end, and how often a trend fired and was
// resolved before.
func TestCasesAreJudged(t *testing.T) {
	type outcome struct {
		Verdict         engine.Verdict
		Fired, Resolved int
	}
	for _, test := range []struct {
		file string
		want outcome
		// since is when the leak really began, and how far from that it may be told; zero = not compared
		since time.Time
		error time.Duration
	}{
		// The same climb onto a cap, at two hours of the day.
		{file: "D1-pool-climbs-5-fold-in-20h-onto-its-cap-after-14-healthy-days-is-called-ok.csv",
			want: outcome{engine.Leak, 1, 0}},
		{file: "D1-same-climb-starting-at-18h.csv", want: outcome{engine.Leak, 1, 0}},
		// Beyond a method of minimums, as the documentation says.
		{file: "D2-peaks-grow-from-MB-to-GB-while-the-floor-returns-is-called-ok.csv",
			want: outcome{Verdict: engine.OK}},
		{file: "E1-doubling-said-ok-after-1h.csv", want: outcome{Verdict: engine.Early}},
		{file: "E2-doubling-said-ok-after-2h.csv", want: outcome{Verdict: engine.Early}},
		{file: "G1-load-peak-of-30-min-during-a-leak-resolves-it-given-back.csv", want: outcome{engine.Leak, 1, 0}},
		{file: "O1-onset-after-8h-of-health-said-80-minutes-early.csv", want: outcome{engine.Leak, 1, 0},
			since: time.Date(2026, 11, 18, 19, 6, 40, 0, time.UTC), error: 15 * time.Minute},
		{file: "R2-oomkill-saw-of-5-days-recorded-from-mid-cycle-is-called-ok.json",
			want: outcome{Verdict: engine.Suspect}},
		{file: "S1-three-readings-a-day-for-16-days.csv", want: outcome{engine.Leak, 1, 0}},
		{file: "U1-leak-in-GB-is-called-ok.csv", want: outcome{engine.Leak, 1, 0}},
		{file: "U3-leak-as-share-of-limit-0.2-to-0.95-is-called-ok.json", want: outcome{engine.Leak, 1, 0}},
	} {
		name, _, _ := strings.Cut(test.file, "-")
		t.Run(name, func(t *testing.T) {
			results, err := File(t.Context(), filepath.Join("../../../../testdata/cases", test.file),
				Options{Config: detector.DefaultConfig()})
			if err != nil {
				t.Fatal(err)
			}
			if len(results) != 1 || len(results[0].Resources) != 1 {
				t.Fatalf("%d recordings, want one of one series", len(results))
			}
			r := results[0].Resources[0]
			got := outcome{Verdict: r.Verdict}
			for _, e := range results[0].Events {
				switch {
				case e.Kind != alerting.Trend:
				case e.Status == alerting.Firing:
					got.Fired++
				default:
					got.Resolved++
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if off := r.Since.Sub(test.since).Abs(); !test.since.IsZero() && off > test.error {
				t.Errorf("since %v, want %v give or take %v", r.Since, test.since, test.error)
			}
		})
	}
}
