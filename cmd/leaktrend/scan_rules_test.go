package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// On top of the recording rules a scan finds the same in the jobs that grow, counts the others, and reads a hundredth.
func TestScanFromRules(t *testing.T) {
	t.Parallel()
	const jobs = 120
	f := newFleet()
	for i := range jobs {
		labels := fmt.Sprintf(`job="service-%d",instance="a:1"`, i)
		level := always(200)
		if i == 7 {
			level = func(scrape int) float64 { return 200 + perDay(80, scrape) }
			f.add("leaktrend:go_goroutines:climb_64h", labels, between(1200, fleetScrapes, always(1.4)))
		}
		f.add("go_goroutines", labels, f.noisy(.05, level))
		f.add("leaktrend:go_goroutines:floor", labels, between(0, 12, level))
		f.add("process_start_time_seconds", labels, between(0, 12, always(float64(scrapeTime(0).Unix()))))
	}
	f.add("go_goroutines", `job="not watched",instance="a:1"`, f.noisy(.05, always(100)))
	address, _ := startPrometheus(t, backfill(t, f))
	scan := func(fromRules bool) (r *fleet.Report, points int64) {
		client, err := prom.New(prom.Config{URL: address, Concurrency: 2, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		r, err = fleet.Scan(t.Context(), client, fleet.Options{
			Grid: prom.GridTo(fleetEnd, 7*24*time.Hour, calibration.Step), GroupBy: []string{"job", "version"},
			FDR: .05, Workers: 2,
			Calibration: calibration.Default(), FromRules: fromRules,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r, client.Stats().Points
	}
	whole, all := scan(false)
	quick, some := scan(true)
	if len(whole.Findings) != 1 || len(quick.Findings) != 1 || quick.Findings[0].Key() != whole.Findings[0].Key() ||
		quick.Hypotheses != whole.Hypotheses || len(quick.Missing) > 0 {
		t.Errorf("one scan %d findings of %d, from rules %d of %d, missing %v", len(whole.Findings), whole.Hypotheses,
			len(quick.Findings), quick.Hypotheses, quick.Missing)
	}
	if diff := cmp.Diff([]string{"119 jobs in which the recording rules saw no growth were not read"},
		quick.Hints); diff != "" {
		t.Error(diff)
	}
	// The one that climbs, and the one that no rule watches.
	if 50*some > all {
		t.Errorf("%d values of %d were read", some, all)
	}
}

// The rules without keep_firing_for are taken by vmalert, those with it by newer releases only.
func TestRulesOfVMAlert(t *testing.T) {
	t.Parallel()
	vmalert := promtest.Need(t, "vmalert")[0]
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if got := leaktrend(t, "", "rules", "--no-keep-firing-for", "-o", path); got.code != 0 {
		t.Fatal(got.stderr)
	}
	if text, err := os.ReadFile(path); err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	if out, err := exec.Command(vmalert, "-dryRun", "-rule="+path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
