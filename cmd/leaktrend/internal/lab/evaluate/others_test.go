package evaluate

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/detector"
)

// othersEnv names a folder of series recorded by others, with an index.csv whose columns begin with path, dataset,
// resource, unit, interval, samples, hours, label. They are not ours to ship.
const othersEnv = "LEAKTREND_OTHERS"

// TestSeriesOfOthers holds the price of the default configuration on series that nobody made for this detector. Most
// are not labelled, so an alarm there may be true: what is held is that there are few to look at.
func TestSeriesOfOthers(t *testing.T) {
	dir := os.Getenv(othersEnv)
	if dir == "" {
		t.Skip(othersEnv + " names no folder of series recorded by others")
	}
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	datasets := make(map[string][]string)
	for _, row := range rows[1:] {
		if row[7] != "leak" {
			datasets[row[1]] = append(datasets[row[1]], filepath.Join(dir, filepath.FromSlash(row[0])))
		}
	}
	m, err := Detector("default", detector.DefaultConfig(), true)
	if err != nil {
		t.Fatal(err)
	}
	alarms, days := 0, 0.0
	for source, paths := range datasets {
		recs, err := dataset.LoadUnlabelled(t.Context(), paths)
		if err != nil {
			t.Fatal(err)
		}
		reports, err := Score(t.Context(), slices.Values(recs), []Method{m}, ScoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tally := reports[0].Tally("", nil)
		t.Logf("%-18s %3d series, %7.1f days, %d alarms", source, len(recs), tally.Days(), tally.FalseAlarms)
		for _, o := range reports[0].Outcomes {
			for _, s := range o.Series {
				if len(s.False) > 0 {
					t.Logf("    %s", strings.TrimPrefix(o.Recording, dir))
				}
			}
		}
		alarms += tally.FalseAlarms
		days += tally.Days()
	}
	t.Logf("all: %d alarms in %.0f days", alarms, days)
	if rate := 1000 * float64(alarms) / days; !(rate <= 1) {
		t.Errorf("%.2f alarms per 1000 days, want at most 1", rate)
	}
}
