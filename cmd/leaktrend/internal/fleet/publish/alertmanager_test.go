package publish

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/promtest"
)

// The same findings in scan after scan are the same alerts; what is not found any more ends, unless it may only not
// have been read.
func TestAlertsOfScans(t *testing.T) {
	address := promtest.Alertmanager(t)
	active := func() int {
		resp, err := http.Get(address + "/api/v2/alerts?active=true")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var alerts []any
		if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
			t.Fatal(err)
		}
		return len(alerts)
	}
	receiver, err := webhook.New(webhook.Config{URL: address, Format: "alertmanager"})
	if err != nil {
		t.Fatal(err)
	}
	alerts := NewAlerts(receiver)
	finding := func(job string) fleet.Finding {
		return fleet.Finding{Group: []fleet.Label{{Name: "job", Value: job}}, Kind: alerting.Trend, Growing: 1,
			Replicas: 1}
	}
	count := func(report fleet.Report) int {
		report.End = time.Now()
		alerts.update(&report, &Links{})
		if err := errors.Join(alerts.send(t.Context()), alerts.refresh(t.Context())); err != nil {
			t.Error(err)
		}
		return active()
	}
	for _, step := range []struct {
		name   string
		report fleet.Report
		want   int
	}{
		{"two", fleet.Report{Findings: []fleet.Finding{finding("a"), finding("b")}}, 2},
		{"the same again", fleet.Report{Findings: []fleet.Finding{finding("a"), finding("b")}}, 2},
		{"one, and a part was not read", fleet.Report{Findings: []fleet.Finding{finding("a")},
			Missing: []fleet.Missing{{What: "job", Why: "down"}}}, 2},
		{"one", fleet.Report{Findings: []fleet.Finding{finding("a")}}, 1},
		{"none", fleet.Report{}, 0},
	} {
		if got := count(step.report); got != step.want {
			t.Errorf("%s: %d alerts, want %d", step.name, got, step.want)
		}
	}
}
