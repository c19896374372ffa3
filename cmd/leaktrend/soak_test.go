package main

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/detector"
)

// The price that --soak prints is what generated healthy services cost, 40 of each family, by parameters that the
// method was not tuned on. Families that joined later are not among them: what takes weeks to show itself is but noise
// in a run.
func TestSoakPrice(t *testing.T) {
	t.Parallel()
	ambiguous := make(map[string]bool)
	var healthy []string
	for _, f := range generate.Families() {
		if !f.Leaks && !f.Later {
			healthy = append(healthy, f.Name)
			ambiguous[f.Name] = f.Ambiguous
		}
	}
	const each = 40
	var runs, alarms, steadyRuns, steadyAlarms int
	for _, soak := range []time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour, 4 * time.Hour} {
		config := detector.DefaultConfig()
		config.Adaptive.Soak = soak
		method, err := evaluate.Detector("soak", config, true)
		if err != nil {
			t.Fatal(err)
		}
		o := generate.Options{
			Seed: 31, PerFamily: each, Interval: soak / 1200, Span: generate.Range{Min: soak, Max: soak},
			Load: true, Ceilings: true, Ranges: generate.Report,
		}
		var all iter.Seq[*dataset.Recording] = func(yield func(*dataset.Recording) bool) {
			for _, family := range healthy {
				for i := range each {
					if !yield(generate.One(o, family, i)) {
						return
					}
				}
			}
		}
		reports, err := evaluate.Score(t.Context(), all, []evaluate.Method{method}, evaluate.ScoreOptions{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		of, steady := reports[0].Tally("", nil), reports[0].Tally("", func(o *evaluate.Outcome) bool {
			return !ambiguous[o.Family]
		})
		t.Logf("soak %v: %d false alarms in %d runs, %d of them in the %d whose load does not grow",
			soak, of.FalseAlarms, of.Recordings, steady.FalseAlarms, steady.Recordings)
		runs, alarms = runs+of.Recordings, alarms+of.FalseAlarms
		steadyRuns, steadyAlarms = steadyRuns+steady.Recordings, steadyAlarms+steady.FalseAlarms
	}
	percent := func(alarms, runs int) int { return int(math.Round(100 * float64(alarms) / float64(runs))) }
	want := fmt.Sprintf("a false alarm in %d of 100 runs of healthy services, in %d under steady load",
		percent(alarms, runs), percent(steadyAlarms, steadyRuns))
	var printed strings.Builder
	noteSoak(&printed, 20*time.Minute)
	if !strings.Contains(printed.String(), want) {
		t.Errorf("measured: %s; printed:\n%s", want, &printed)
	}
}
