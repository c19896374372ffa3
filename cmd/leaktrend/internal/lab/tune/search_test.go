package tune

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
)

func TestGrid(t *testing.T) {
	inForce := Setting{1.3, 0.25}
	all := grid(inForce)
	// All of the grid, the line of the one in force, and that itself.
	if want := len(sensitivities)*(len(minGrowths)+1) + 1; len(all) != want {
		t.Errorf("%d settings, want %d", len(all), want)
	}
	bySensitivity := func(a, b Setting) int { return cmp.Compare(a.Sensitivity, b.Sensitivity) }
	if !slices.Contains(all, inForce) || !slices.IsSortedFunc(all, bySensitivity) {
		t.Errorf("not in order of sensitivity, or without the one in force: %v", all)
	}
	if n := len(grid(Setting{1, 0.2})); n != len(sensitivities)*len(minGrowths) {
		t.Errorf("%d settings around the default, want no doubles", n)
	}
}

func figures(falseAlarms, found, due int, delay float64) Figures {
	f := Figures{FalseAlarms: falseAlarms, Exposure: 1000, Leaks: 10, Found: found, DueFound: due}
	if found > 0 {
		f.DelayHours = &Spread{N: found, Median: delay}
	}
	return f
}

func TestPareto(t *testing.T) {
	all := []Figures{
		figures(0, 5, 5, 10),
		figures(1, 5, 5, 10), // worse than the first
		figures(1, 5, 5, 9),  // quicker
		figures(2, 6, 5, 20),
		figures(2, 6, 5, 20), // the same, but in force
		figures(9, 0, 0, 0),  // nothing found is no short delay
	}
	want := []bool{true, false, true, false, true, false}
	if diff := gocmp.Diff(want, pareto(all, 4)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestChoose(t *testing.T) {
	budget := stats.Budget{Alarms: 1, Per: 100 * 24 * time.Hour} // 10 in the 1000 process-days of figures
	settings := []Setting{{0.5, 0.5}, {0.5, 0.2}, {1, 0.2}, {2, 0.2}, {4, 0.2}}
	const inForce = 2
	short := func(f Figures) Figures { f.Exposure = 1; return f }
	healthy := func(falseAlarms int) Figures {
		return Figures{FalseAlarms: falseAlarms, Exposure: 1000}
	}
	tests := map[string]struct {
		all  []Figures
		want int
	}{
		"most found": {[]Figures{figures(0, 3, 3, 9), figures(1, 4, 4, 9), figures(2, 5, 5, 9),
			figures(3, 7, 7, 9), figures(30, 9, 9, 9)}, 3},
		"due before all": {[]Figures{figures(0, 3, 3, 9), figures(1, 9, 6, 9), figures(2, 5, 5, 9),
			figures(3, 7, 5, 9), figures(30, 9, 9, 9)}, 1},
		"quickest of equals": {[]Figures{figures(0, 5, 5, 9), figures(0, 5, 5, 5), figures(0, 5, 5, 7),
			figures(0, 5, 5, 6), figures(30, 9, 9, 9)}, 1},
		"in force of equals": {[]Figures{figures(0, 5, 5, 9), figures(0, 5, 5, 9), figures(0, 5, 5, 9),
			figures(0, 5, 5, 9), figures(30, 9, 9, 9)}, inForce},
		"too short to choose": {[]Figures{short(figures(0, 5, 5, 9)), short(figures(0, 5, 5, 9)),
			short(figures(0, 5, 5, 9)), short(figures(0, 9, 9, 1)), short(figures(0, 9, 9, 1))}, inForce},
		"none keeps it": {[]Figures{figures(40, 5, 5, 9), figures(30, 5, 5, 9), figures(50, 5, 5, 9),
			figures(60, 5, 5, 9), figures(99, 9, 9, 9)}, 1},
		"healthy":         {[]Figures{healthy(0), healthy(0), healthy(0), healthy(1), healthy(20)}, 3},
		"no healthy time": {make([]Figures, 5), inForce},
		"on the edge, unlucky": {[]Figures{figures(0, 3, 3, 9), figures(1, 4, 4, 9), figures(2, 5, 5, 9),
			figures(9, 7, 7, 9), figures(30, 9, 9, 9)}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := choose(tt.all, settings, inForce, budget, 0.8); got != tt.want {
				t.Errorf("chose %d, want %d", got, tt.want)
			}
		})
	}
}

// TestCrossValidate: one setting is perfect on the programs seen and fails wherever it was not looked at, as a setting
// fitted to its recordings does.
func TestCrossValidate(t *testing.T) {
	settings := []Setting{{1, 0.2}, {2, 0.2}}
	var steady, lucky evaluate.Report
	for i := range 10 {
		o := evaluate.Outcome{Recording: fmt.Sprint(i), Program: fmt.Sprint("p", i/2), Healthy: 100 * 24 * 3600 * 1000}
		o.Series = []evaluate.SeriesOutcome{{Resource: "goroutines", Healthy: o.Healthy,
			Leak: &evaluate.Leak{At: 0, From: 1}}}
		steady.Outcomes = append(steady.Outcomes, o)
		found := o
		found.Series = []evaluate.SeriesOutcome{{Resource: "goroutines", Healthy: o.Healthy,
			Leak: &evaluate.Leak{At: 5, From: 1}}}
		lucky.Outcomes = append(lucky.Outcomes, found)
	}
	lucky.Outcomes[3].Series[0].False = make([]int64, 15)
	budget := stats.Budget{Alarms: 1, Per: 100 * 24 * time.Hour}
	all := func(*evaluate.Outcome) bool { return true }
	left, folds := crossValidate([]evaluate.Report{steady, lucky}, settings, 0, all, budget, 0.8, 1)
	if folds != 5 || len(left.Outcomes) != 10 {
		t.Fatalf("%d folds, %d outcomes left out, want 5 and 10", folds, len(left.Outcomes))
	}
	// Whoever saw the program with the alarms chose the steady one; the fold left out of which it was did not.
	f := figuresOf(left.Tally("", nil), 0)
	if f.FalseAlarms != 15 || f.Found != 2 {
		t.Errorf("%d false alarms and %d found, want 15 and 2", f.FalseAlarms, f.Found)
	}
	one := func(o *evaluate.Outcome) bool { return o.Program == "p1" }
	if _, folds := crossValidate([]evaluate.Report{steady, lucky}, settings, 0, one, budget, 0.8, 1); folds != 0 {
		t.Errorf("%d folds of one program", folds)
	}
}
