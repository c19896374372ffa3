package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

// refreshEvery is how often standing alerts are repeated: an Alertmanager drops what it does not hear of for five minutes.
const refreshEvery = time.Minute

// fleetAlerts keeps an Alertmanager told of what scans find.
type fleetAlerts struct {
	webhook  *alerting.Webhook
	stderr   io.Writer
	standing map[string]alerting.Alert // by the name of the finding
	unsent   []alerting.Alert          // in order
}

// update tells of the findings of a scan that hold, and ends those that hold no more. Where a part of the fleet could not be read, nothing
// is ended: what is not found may be there.
func (f *fleetAlerts) update(ctx context.Context, r *fleet.Report) {
	found := map[string]bool{}
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		if x.Ended {
			continue
		}
		name := findingName(&x)
		found[name] = true
		a := alertOf(&x, r.End)
		if before, ok := f.standing[name]; ok {
			a.ID, a.Time = before.ID, before.Time
		}
		f.standing[name] = a
		f.unsent = append(f.unsent, a)
	}
	for _, name := range slices.Sorted(maps.Keys(f.standing)) {
		if found[name] || len(r.Missing) > 0 {
			continue
		}
		a := f.standing[name]
		delete(f.standing, name)
		a.Status, a.Time = alerting.Resolved, r.End
		a.Summary = fmt.Sprintf("%s %s resolved: not found any more", a.Resource, a.Kind)
		f.unsent = append(f.unsent, a)
	}
	f.send(ctx)
}

// send posts what was not sent yet. What fails is kept for the next time, unless it would fail again.
func (f *fleetAlerts) send(ctx context.Context) {
	for len(f.unsent) > 0 && ctx.Err() == nil {
		if err := f.webhook.Send(ctx, f.unsent[0]); err != nil {
			fmt.Fprintln(f.stderr, "alerts:", err)
			if !alerting.IsFinal(err) {
				return
			}
		}
		f.unsent = f.unsent[1:]
	}
}

// refresh repeats what stands.
func (f *fleetAlerts) refresh(ctx context.Context) {
	f.send(ctx)
	firing := func(id string) bool {
		for _, a := range f.standing {
			if a.ID == id {
				return true
			}
		}
		return false
	}
	if err := f.webhook.Refresh(ctx, firing); err != nil && ctx.Err() == nil {
		fmt.Fprintln(f.stderr, "alerts:", err)
	}
}

func alertOf(x *fleet.Finding, at time.Time) alerting.Alert {
	w := &x.Worst
	a := alerting.Alert{
		Version: alerting.Version,
		Event: alerting.Event{
			Time: at, Status: alerting.Firing, Kind: x.Kind, Resource: x.Resource.Name, Severity: w.Severity, Summary: fleetSummary(x),
			Value: w.Value, Baseline: w.Baseline, SlopePerHour: w.SlopePerHour, Since: w.Since, Exhaustion: w.Exhaustion, Evidence: w.Evidence,
		},
		Labels: groupLabels(x),
	}
	maps.DeleteFunc(a.Labels, func(_, value string) bool { return value == "" })
	// The group is the process here.
	a.ID = alerting.ID(alerting.Process{Host: groupText(x)}, x.Resource.Name, x.Kind, at)
	return a
}

// waitAndRefresh waits until an instant and keeps the alerts alive. It returns false when the context ends before.
func waitAndRefresh(ctx context.Context, until time.Time, alerts *fleetAlerts) bool {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end.C:
			return true
		case <-ticker.C:
			if alerts != nil {
				alerts.refresh(ctx)
			}
		}
	}
}
