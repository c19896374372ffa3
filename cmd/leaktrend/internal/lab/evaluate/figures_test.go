package evaluate_test

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
)

// figuresEnv asks for more, as "SEED NUMBER" of recordings of each family, and for the figures by family: with -v,
// some seconds for each hundred.
const figuresEnv = "LEAKTREND_FIGURES"

// TestFigures measures the default configuration on both halves of the generator's parameters, from the series alone
// and with limits and load, the families that joined later apart. It says in seconds what a change of the method is
// worth; tune compares it with other methods and searches. A part of it: -run Figures/report_half.*alone.
func TestFigures(t *testing.T) {
	seed, each := uint64(46), 12
	if testing.Short() {
		each = 3
	}
	text := os.Getenv(figuresEnv)
	if text != "" {
		if n, err := fmt.Sscan(text, &seed, &each); n != 2 || each < 1 {
			t.Fatalf("%s=%s: want a seed and a number of recordings: %v", figuresEnv, text, err)
		}
	}
	method, err := evaluate.Detector("default", detector.DefaultConfig(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d, %d of each family; false alarms per 1000 process-days: all, and without the ambiguous families",
		seed, each)
	for _, known := range []bool{false, true} {
		for ranges, half := range []string{generate.Tune: "tune", generate.Report: "report"} {
			what := half + " half, the series alone"
			if known {
				what = half + " half, limits and load"
			}
			o := generate.Options{Seed: seed, PerFamily: each, Load: known, Ceilings: known,
				Ranges: generate.Split(ranges)}
			t.Run(what, func(t *testing.T) { figures(t, o, method, text != "") })
		}
	}
}

func figures(t *testing.T, o generate.Options, method evaluate.Method, parts bool) {
	ends := make(map[string]int64) // of the recordings
	recordings := func(yield func(*dataset.Recording) bool) {
		for r := range generate.Generate(o) {
			if ends[r.Name] = r.Times[len(r.Times)-1]; !yield(r) {
				return
			}
		}
	}
	reports, err := evaluate.Score(t.Context(), recordings, []evaluate.Method{method},
		evaluate.ScoreOptions{Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []bool{false, true} {
		of := make(map[string]bool) // families, by whether they are ambiguous
		for _, f := range generate.Families() {
			if f.Later == later {
				of[f.Name] = f.Ambiguous
			}
		}
		all := reports[0].Tally("", func(o *evaluate.Outcome) bool { _, in := of[o.Family]; return in })
		plain := reports[0].Tally("", func(o *evaluate.Outcome) bool {
			ambiguous, in := of[o.Family]
			return in && !ambiguous
		})
		name := "families"
		if later {
			name = "later families"
		}
		t.Logf("%-14s %3d in %6.0f days: %s, core %s, due %s, delay %.2f", name, all.FalseAlarms, all.Days(),
			perThousand(all.Rate()), perThousand(plain.Rate()), percent(all.DueRecall()), all.DelayShare().Median)
		if parts {
			byTime(t, all.Leaks, ends)
		}
		if later {
			continue
		}
		if core := plain.Rate(); 1000*core.Low > 2 {
			t.Errorf("%s false alarms per 1000 process-days without the ambiguous families", perThousand(core))
		}
		if due := all.DueRecall(); due.High < .8 {
			t.Errorf("%s of the due leaks are found", percent(due))
		}
	}
	if parts {
		byFamily(t, &reports[0])
	}
}

// byTime prints the recall of the due leaks by how long they ran.
func byTime(t *testing.T, leaks []evaluate.Leak, ends map[string]int64) {
	for _, span := range []struct {
		name     string
		min, max float64 // hours
	}{{"up to 12 h", 0, 12}, {"12 to 24 h", 12, 24}, {"24 to 48 h", 24, 48}, {"48 h and more", 48, math.Inf(1)}} {
		n, found := 0, 0
		for _, l := range leaks {
			if ran := time.Duration(ends[l.Recording] - l.From).Hours(); l.Due && ran >= span.min && ran < span.max {
				n++
				if l.At != 0 {
					found++
				}
			}
		}
		t.Logf("    due that ran for %-14s %3d, found %s", span.name+":", n, percent(stats.Proportion(found, n)))
	}
}

// byFamily prints the families that have anything to say.
func byFamily(t *testing.T, r *evaluate.Report) {
	for _, f := range generate.Families() {
		tally := r.Tally("", func(o *evaluate.Outcome) bool { return o.Family == f.Name })
		if f.Leaks {
			t.Logf("    %-24s %2d false alarms, due %s, delay %.2f", f.Name, tally.FalseAlarms,
				percent(tally.DueRecall()), tally.DelayShare().Median)
		} else if tally.FalseAlarms > 0 {
			t.Logf("    %-24s %2d false alarms in %4.0f days, in %d of %d recordings", f.Name, tally.FalseAlarms,
				tally.Days(), tally.Alarmed, tally.Healthy)
		}
	}
}

func perThousand(e stats.Estimate) string {
	return fmt.Sprintf("%.1f (%.1f to %.1f)", 1000*e.Value, 1000*e.Low, 1000*e.High)
}

func percent(e stats.Estimate) string {
	return fmt.Sprintf("%.1f %% (%.0f to %.0f)", 100*e.Value, 100*e.Low, 100*e.High)
}
