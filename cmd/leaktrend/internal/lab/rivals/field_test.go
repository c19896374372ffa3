package rivals

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/rules"
	"github.com/mdzesseis/leaktrend/detector"
)

// fieldVariable says how many recordings of each family TestField generates.
const fieldVariable = "LEAKTREND_FIELD"

// The detector beside the whole field, on generated recordings of a half of the parameters on which no constant was
// fitted, the families that joined later apart: no rule is both as quiet and as watchful. go test -v prints the tables.
func TestField(t *testing.T) {
	t.Parallel()
	n := 3
	if text := os.Getenv(fieldVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			t.Fatalf("%s=%s: want a number of recordings", fieldVariable, text)
		}
	}
	own, err := evaluate.Detector("leaktrend", detector.DefaultConfig(), true)
	if err != nil {
		t.Fatal(err)
	}
	approximation, err := rules.Approximate(detector.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	methods := []evaluate.Method{own, Of(approximation)}
	for _, r := range All() {
		methods = append(methods, r)
	}
	recordings := generate.Generate(generate.Options{Seed: 32, PerFamily: n, Ranges: generate.Report, Ceilings: true,
		Load: true})
	reports, err := evaluate.Score(t.Context(), recordings, methods,
		evaluate.ScoreOptions{Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		t.Fatal(err)
	}
	later := make(map[string]bool)
	for _, f := range generate.Families() {
		later[f.Name] = f.Later
	}
	for _, of := range []struct {
		name  string
		later bool
	}{{"method", false}, {"later families", true}} {
		t.Logf("%-16s %28s %26s %6s", of.name, "false alarms per 1000 days", "recall of due leaks", "delay")
		var found evaluate.Tally
		for i, r := range reports {
			tally := r.Tally("", func(o *evaluate.Outcome) bool { return later[o.Family] == of.later })
			rate, recall := tally.Rate(), tally.DueRecall()
			t.Logf("%-16s %9.1f (%6.1f to %6.1f) %9.0f %% (%3.0f to %3.0f) %6.2f", r.Method, 1000*rate.Value,
				1000*rate.Low, 1000*rate.High,
				100*recall.Value, 100*recall.Low, 100*recall.High, tally.DelayShare().Median)
			if i == 0 {
				found = tally
				if recall.Value < .5 {
					t.Errorf("the detector finds %.0f %% of the due leaks", 100*recall.Value)
				}
				continue
			}
			if rate.Value <= found.Rate().Value && recall.Value >= found.DueRecall().Value {
				t.Errorf("%s is as quiet as the detector and finds as much", r.Method)
			}
		}
	}
}
