package publish

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/sampler"
)

// What a line says of the other versions, and the last line of a report.
func TestWords(t *testing.T) {
	versions := func(growing ...int) (all []fleet.VersionCount) {
		for i, n := range growing {
			all = append(all, fleet.VersionCount{Version: fmt.Sprint("v", i), Growing: n, Replicas: 5})
		}
		return all
	}
	for _, test := range []struct {
		own      string
		versions []fleet.VersionCount
		first    string
		want     string
	}{
		{"v0", nil, "", "4 of 5 replicas"},
		{"v1", versions(0, 4), "v1", "4 of 5 replicas, none of the 5 of v0; first version that leaks: v1"},
		{"v5", versions(0, 0, 0, 0, 0, 4, 3, 5), "v5", "4 of 5 replicas, none of the 5 of v3, none of the 5 of v4, 3 " +
			"of 5 of v6, 4 more versions; first version that leaks: v5"},
		{"v0", versions(4, 3, 2, 1, 0), "", "4 of 5 replicas, 3 of 5 of v1, 2 of 5 of v2, 1 of 5 of v3, 1 more " +
			"version"},
		{"v4", versions(0, 0, 0, 0, 4), "v4", "4 of 5 replicas, none of the 5 of v1, none of the 5 of v2, none of " +
			"the 5 of v3, 1 more version; first version that leaks: v4"},
	} {
		x := &fleet.Finding{Group: []fleet.Label{{Name: "version", Value: test.own}}, Growing: 4, Replicas: 5,
			Versions: test.versions, FirstVersion: test.first}
		if got := replicasText(x); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	var past backtest.Table
	past.Judged("goroutines", 9*backtest.PerUnit)
	begin := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	leak, explained := fleet.Finding{Q: .012}, fleet.Finding{WithLoad: true}
	for _, test := range []struct {
		report fleet.Report
		want   string
	}{
		{fleet.Report{}, "nothing to judge: no gauge has a history of 6h or more"},
		{fleet.Report{Missing: []fleet.Missing{{}}}, "nothing to judge: nothing could be read"},
		{fleet.Report{Missing: []fleet.Missing{{}}, Processes: 1}, "nothing to judge in what could be read"},
		{fleet.Report{Hypotheses: 1, Judged: 5}, "no leak among 5 gauges of processes, in 1 group by workload and " +
			"resource"},
		{fleet.Report{Hypotheses: 9, Judged: 50, FDR: .05, Findings: []fleet.Finding{leak},
			Limits: []fleet.Finding{leak, leak}, Past: past, Start: begin, End: begin.Add(10 * 24 * time.Hour)},
			"1 leak, 2 limits passed among 50 gauges of processes, in 9 groups by workload and resource; 1.2 % of " +
				"the leaks are expected to be false (asked: 5 %)"},
		{fleet.Report{Hypotheses: 9, Judged: 50, FDR: .05, Findings: []fleet.Finding{leak}, Past: past, Start: begin,
			End: begin.Add(7 * 24 * time.Hour), Back: 26 * time.Hour},
			"1 leak among 50 gauges of processes, in 9 groups by workload and resource; 1.2 % of the leaks are " +
				"expected to be false (asked: 5 %). " +
				"That share is learned from 8d 2h of history, too short to show what grows and falls back every " +
				"week. None of 90 generated fleets with much of that had a finding, true or false, with a week of " +
				"history. " +
				"Of what grows, the 1d 2h before were read too."},
		{fleet.Report{Hypotheses: 10, Judged: 50, Top: 1, Findings: []fleet.Finding{leak}, Past: past, Start: begin,
			End: begin.Add(6 * time.Hour)},
			"1 leak among 50 gauges of processes, in 10 groups by workload and resource; 1.2 % of the leaks are " +
				"expected to be false (asked: the 1 likeliest). " +
				"The 6h judged tell too little of how often growth comes to nothing here: the chances are those of " +
				"generated series."},
		{fleet.Report{Processes: 50, Hypotheses: 9, Judged: 50, Suspects: []fleet.Finding{leak, leak, explained},
			Missing: []fleet.Missing{{}}, Past: past, Back: 21 * 24 * time.Hour},
			"no leak among 50 gauges of processes, in 9 groups by workload and resource; 2 suspects that may be " +
				"none; 1 suspect that the load explains. " +
				"Of what grows, the 21d before were read too. A part could not be read."},
		{fleet.Report{Hypotheses: 9, Judged: 50, FDR: .05, Suspects: []fleet.Finding{leak}, Past: past},
			"no leak among 50 gauges of processes, in 9 groups by workload and resource; 1 suspect that may be none, " +
				"not likely enough to promise that 5 % at most are false"},
	} {
		if got := closing(&test.report); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestShareText(t *testing.T) {
	for _, test := range []struct {
		share float64
		want  string
	}{
		{0, "less than 0.01 %"}, {3e-8, "less than 0.01 %"}, {.00012, "0.012 %"}, {.012, "1.2 %"}, {.0996, "10 %"},
		{.13, "13 %"}, {.996, "100 %"}, {1, "100 %"},
	} {
		if got := shareText(test.share); got != test.want {
			t.Errorf("%g: %q, want %q", test.share, got, test.want)
		}
	}
}

func TestChanceText(t *testing.T) {
	for _, test := range []struct {
		finding fleet.Finding
		want    string
	}{
		{fleet.Finding{Kind: alerting.Trend, Chance: backtest.Chance{Mean: .972, Low: .91, High: .989}},
			"chance of a leak 97 % (91 to 99)"},
		{fleet.Finding{Kind: alerting.Trend, Chance: backtest.Chance{Mean: .9999, Low: .999, High: 1}},
			"chance of a leak above 99 %"},
		{fleet.Finding{Kind: alerting.Trend, Chance: backtest.Chance{}}, "chance of a leak below 1 %"},
		{fleet.Finding{Kind: alerting.Trend, Chance: backtest.Chance{Mean: .5, Low: .5, High: .5}},
			"chance of a leak 50 %"},
		{fleet.Finding{Kind: alerting.Trend, WithLoad: true}, ""},
		{fleet.Finding{Kind: alerting.Limit}, ""},
	} {
		if got := chanceText(&test.finding); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// What leaks by several resources stands together, at the place of its likeliest.
func TestTogether(t *testing.T) {
	finding := func(job, resource string) fleet.Finding {
		return fleet.Finding{Group: []fleet.Label{{Name: "job", Value: job}},
			Resource: sampler.Resource{Name: resource}}
	}
	var got []string
	for _, x := range together([]fleet.Finding{finding("b", "1"), finding("a", "2"), finding("b", "3"),
		finding("c", "4"), finding("a", "5"), finding("b", "6")}) {
		got = append(got, groupText(&x)+x.Resource.Name)
	}
	if diff := cmp.Diff([]string{"b1", "b3", "b6", "a2", "a5", "c4"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
