package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
)

const (
	// refreshEvery is how often standing alerts are repeated: an Alertmanager drops what it does not hear of for five
	// minutes.
	refreshEvery = time.Minute
	// maxUnsent bounds the alerts that wait for an Alertmanager, beside those of the findings that stand. The oldest
	// resolved ones are dropped: they have ended there by themselves.
	maxUnsent = 1000
	// maxRefused is how many alerts are offered in a row to a receiver that refuses all of them, until the next time.
	maxRefused = 10
)

// Alerts keeps an Alertmanager up to date with what scans find.
type Alerts struct {
	webhook  *webhook.Webhook
	standing standing
	alerts   map[string]alerting.Alert // of what stands, by the key of the finding
	unsent   []alerting.Alert          // in order, one of a finding
	told     map[string]bool           // ids of what the receiver knows to fire
}

// NewAlerts returns alerts that go to a webhook.
func NewAlerts(to *webhook.Webhook) *Alerts {
	return &Alerts{webhook: to, standing: make(standing), alerts: make(map[string]alerting.Alert),
		told: make(map[string]bool)}
}

// update queues the findings of a scan that hold, and the end of those that hold no more.
func (f *Alerts) update(r *fleet.Report, links *Links) {
	ended := f.standing.update(r)
	for _, x := range slices.Concat(r.Findings, r.Limits) {
		if x.Ended {
			continue
		}
		key := x.Key()
		a := alertOf(&x, r.End)
		a.Annotations = links.annotationsOf(&x, r.Start, r.End)
		if before, ok := f.alerts[key]; ok {
			a.ID, a.Time = before.ID, before.Time
		}
		f.alerts[key] = a
		f.queue(a)
	}
	for _, x := range ended {
		a := f.alerts[x.Key()]
		delete(f.alerts, x.Key())
		if !f.told[a.ID] { // then its end is nothing to tell
			f.unsent = slices.DeleteFunc(f.unsent, func(b alerting.Alert) bool { return b.ID == a.ID })
			continue
		}
		a.Status, a.Time = alerting.Resolved, r.End
		a.Summary = fmt.Sprintf("%s %s resolved: not found any more", a.Resource, a.Kind)
		f.queue(a)
	}
}

// queue takes an alert to be sent, in the place of what waits of the same finding.
func (f *Alerts) queue(a alerting.Alert) {
	f.unsent = slices.DeleteFunc(f.unsent, func(b alerting.Alert) bool { return b.ID == a.ID })
	f.unsent = append(f.unsent, a)
	if len(f.unsent) > maxUnsent {
		if i := slices.IndexFunc(f.unsent, func(b alerting.Alert) bool {
			return b.Status == alerting.Resolved
		}); i >= 0 {
			f.unsent = slices.Delete(f.unsent, i, i+1)
		}
	}
}

// send posts what was not sent yet. What fails is kept for the next time; of what is refused, what fires, behind the
// others.
func (f *Alerts) send(ctx context.Context) error {
	var refused error
	var again []alerting.Alert
	defer func() { f.unsent = append(f.unsent, again...) }()
	for streak := 0; len(f.unsent) > 0 && streak < maxRefused && ctx.Err() == nil; {
		a := f.unsent[0]
		switch err := f.webhook.Send(ctx, a); {
		case err == nil:
			streak = 0
			f.know(a)
		case !alerting.IsFinal(err):
			return err
		default:
			refused = err
			streak++
			if a.Status == alerting.Firing {
				again = append(again, a)
			} else {
				delete(f.told, a.ID)
			}
		}
		f.unsent = f.unsent[1:]
	}
	return refused
}

// know notes that the receiver was told of an alert.
func (f *Alerts) know(a alerting.Alert) {
	if a.Status == alerting.Firing {
		f.told[a.ID] = true
	} else {
		delete(f.told, a.ID)
	}
}

// deliver sends what waits, with a few attempts: nobody comes back to it.
func (f *Alerts) deliver(ctx context.Context) error {
	const maxWait = 8 * time.Second
	var failed error
	for _, a := range f.unsent {
		err := f.webhook.Send(ctx, a)
		for wait := time.Second; err != nil && !alerting.IsFinal(err) && wait <= maxWait; wait *= 2 {
			select {
			case <-time.After(wait):
				err = f.webhook.Send(ctx, a)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err != nil && !alerting.IsFinal(err) {
			return err
		}
		failed = cmp.Or(failed, err)
	}
	return failed
}

// refresh repeats what stands.
func (f *Alerts) refresh(ctx context.Context) error {
	err := f.send(ctx)
	standing := map[string]bool{}
	for _, a := range f.alerts {
		standing[a.ID] = true
	}
	return errors.Join(err, f.webhook.Refresh(ctx, func(id string) bool { return standing[id] }))
}

func alertOf(x *fleet.Finding, at time.Time) alerting.Alert {
	w := &x.Worst
	a := alerting.Alert{
		Version: alerting.Version,
		Event: alerting.Event{
			Time: at, Status: alerting.Firing, Kind: x.Kind, Resource: x.Resource.Name, Severity: w.Severity,
			Summary: summary(x),
			Value:   w.Value, Baseline: w.Baseline, SlopePerHour: w.SlopePerHour, Since: w.Since,
			Exhaustion: w.Exhaustion, Evidence: w.Evidence,
		},
		Labels: x.GroupLabels(),
	}
	maps.DeleteFunc(a.Labels, func(_, value string) bool { return value == "" })
	// The group is the process here.
	a.ID = alerting.ID(alerting.Process{Host: x.Key()}, x.Resource.Name, x.Kind, at)
	return a
}
