package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A job counts as watched by recording rules where they can see growth: from the begin on, and with start times.
func TestEvident(t *testing.T) {
	m := &memory{}
	for _, job := range []string{"quiet", "climbs", "no_start", "not_watched"} {
		labels := ",job=" + job + ",instance=a"
		m.add("__name__=go_goroutines"+labels, constant(100))
		if job != "no_start" {
			m.add("__name__=process_start_time_seconds"+labels, constant(1e9))
		}
		if job != "not_watched" {
			m.add("__name__=leaktrend:go_goroutines:floor"+labels, constant(100))
		}
		if job == "climbs" {
			m.add("__name__=leaktrend:go_goroutines:climb_64h"+labels, constant(1.4))
		}
	}
	r, err := scanOf(t, m, func(o *Options) { o.FromRules = true })
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		Processes, Hypotheses int
		Hints                 []string
	}
	want := outcome{3, 4, []string{"1 job in which the recording rules saw no growth was not read"}}
	if diff := cmp.Diff(want, outcome{r.Processes, r.Hypotheses, r.Hints}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
