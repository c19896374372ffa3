package wording

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// What an alert repeats of another resource is told with the time of when it is.
func TestIncidentClause(t *testing.T) {
	at := time.Date(2026, 11, 26, 15, 2, 35, 0, time.UTC)
	a := alerting.Alert{Event: alerting.Event{Time: at, Status: alerting.Firing, Resource: sampler.RSSBytes}}
	other := func(resource string, of time.Time, value float64) {
		a.Resources = append(a.Resources, alerting.Affected{Resource: resource, Time: of, Status: alerting.Firing,
			Value: value})
	}
	other(sampler.RSSBytes, at, 1<<20)
	if got := IncidentClause(&a); got != "" {
		t.Errorf("of one resource: %q", got)
	}
	other(sampler.OpenFDs, at.Add(-30*time.Second), 126)
	other(sampler.Goroutines, at.Add(-24*time.Hour), 238)
	other(sampler.Threads, at, 12)
	other(sampler.HeapLiveBytes, time.Time{}, 2<<20)
	want := "; one incident with open_fds (126 as of 15:02:05), goroutines (238 as of 2026-11-25 15:02:35), threads " +
		"(12), heap_live_bytes (2.0 MB)"
	if got := IncidentClause(&a); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
