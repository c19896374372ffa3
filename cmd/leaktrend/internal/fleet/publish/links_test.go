package publish

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

func linkedReport() *fleet.Report {
	end := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	return &fleet.Report{
		Start: end.Add(-7 * 24 * time.Hour), End: end,
		Findings: []fleet.Finding{{
			Group: []fleet.Label{{Name: "job", Value: "api"}}, Kind: alerting.Trend, Growing: 1, Replicas: 1,
			Worst: fleet.Replica{Metric: "go_goroutines", Labels: map[string]string{"job": "api", "instance": `a"1:80`,
				"team": "pay"}},
		}},
		Missing: []fleet.Missing{{Of: fleet.Label{Name: "job", Value: "db"}, What: `job "db"`, Why: "status 503",
			Count: 4}, {What: "everything else", Why: "gone"}},
	}
}

// A finding leads to the graph of its series, on the server itself or where a template says, to a runbook and to its
// owner, in the JSON, in the page and in the alert.
func TestLinks(t *testing.T) {
	const expr = "go_goroutines%7Binstance%3D%22a%5C%221%3A80%22%2Cjob%3D%22api%22%2Cteam%3D%22pay%22%7D"
	for _, test := range []struct {
		name  string
		links Links
		want  map[string]string
	}{
		{"none", Links{}, nil},
		{"the server's", Links{Graph: "http://prom:9090/x/", Annotate: []string{"team", "owner"}}, map[string]string{
			"team": "pay", "graph_url": "http://prom:9090/x/graph?g0.expr=" + expr + "&g0.tab=0&g0.range_input=1w&" +
				"g0.end_input=2026-03-08+00%3A00%3A00",
		}},
		{"a template, and a runbook", Links{Graph: "https://g/explore?q={expr}&from={from}&to={to}",
			Runbook: "https://w/leaks"}, map[string]string{
			"graph_url":   "https://g/explore?q=" + expr + "&from=1772323200000&to=1772928000000",
			"runbook_url": "https://w/leaks",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := linkedReport()
			if diff := cmp.Diff(test.want, test.links.annotationsOf(&r.Findings[0], r.Start, r.End)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			alerts := NewAlerts(nil)
			alerts.update(r, &test.links)
			if len(alerts.unsent) != 1 || !cmp.Equal(test.want, alerts.unsent[0].Annotations) {
				t.Errorf("alerts %+v", alerts.unsent)
			}
			var page strings.Builder
			if err := writePage(&page, "http://prom:9090", r, false, &test.links); err != nil {
				t.Fatal(err)
			}
			link := `<a href="` + strings.NewReplacer("&", "&amp;", "+", "&#43;").Replace(test.want["graph_url"]) + `">`
			if got := strings.Contains(page.String(), link); got != (test.want["graph_url"] != "") {
				t.Errorf("%s in the page: %v", link, got)
			}
		})
	}
}

// The page lists the versions beneath a finding, where there are several.
func TestVersionsInPage(t *testing.T) {
	r := linkedReport()
	r.Findings[0].Versions = []fleet.VersionCount{{Version: "v1", Replicas: 5, First: r.Start},
		{Version: "v2", Growing: 4, Replicas: 5, First: r.End}}
	var page strings.Builder
	if err := writePage(&page, "http://prom:9090", r, false, &Links{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<li>v1: 0 of 5 replicas grow, first seen ",
		"<li>v2: 4 of 5 replicas grow, first seen "} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The JSON lists what could not be read, a line a part, after the findings.
func TestMissingAsJSON(t *testing.T) {
	var out bytes.Buffer
	p := Publisher{Server: "http://prom:9090", JSON: true, Stdout: &out, Stderr: io.Discard,
		Links: Links{Runbook: "https://w/leaks"}}
	if _, err := p.Once(t.Context(), linkedReport()); err != nil {
		t.Fatal(err)
	}
	type shown struct {
		State, What, Why string
		Targets          int
		Group            map[string]string
		Annotations      map[string]string
	}
	var got []shown
	for line := range strings.Lines(out.String()) {
		var s shown
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	want := []shown{
		{State: "firing", Group: map[string]string{"job": "api"},
			Annotations: map[string]string{"runbook_url": "https://w/leaks"}},
		{State: "missing", What: `job "db"`, Why: "status 503", Targets: 4, Group: map[string]string{"job": "db"}},
		{State: "missing", What: "everything else", Why: "gone"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
