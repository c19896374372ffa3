package alerting

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// holdTime is how long a firing alert lives in Alertmanager after a post unless told otherwise: five posts may fail before it ends there.
	holdTime  = 5 * time.Minute
	maxPosted = 4000 // each post looks through them all
)

// alertLabels are an alert's identity in Alertmanager.
type alertLabels struct {
	Name     string   `json:"alertname"`
	Resource string   `json:"resource"`
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	Instance string   `json:"instance"`

	more string // the labels of a group: a JSON object, whose keys are in order
}

// MarshalJSON returns one object of all labels. Those of a group come without the instance, and cannot replace the others.
func (l alertLabels) MarshalJSON() ([]byte, error) {
	type plain alertLabels
	if l.more == "" {
		return json.Marshal(plain(l))
	}
	all := map[string]string{}
	if err := json.Unmarshal([]byte(l.more), &all); err != nil {
		return nil, err
	}
	all["alertname"], all["resource"], all["kind"], all["severity"] = l.Name, l.Resource, string(l.Kind), l.Severity.String()
	return json.Marshal(all)
}

type postableAlert struct {
	Labels       alertLabels       `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// postedAlert is an alert as Alertmanager holds it.
type postedAlert struct {
	labels alertLabels
	alert  Alert
	starts time.Time
	ends   time.Time // unless it is repeated
	ended  bool      // by a Refresh, while its resolved alert is on the way or lost
}

// wallClock returns the time of delivery. Sample time may differ from it after the clock was set.
func wallClock() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (w *Webhook) labels(a Alert) alertLabels {
	l := alertLabels{Name: "LeakDetected", Resource: a.Resource, Kind: a.Kind, Severity: a.Severity}
	if len(a.Labels) > 0 {
		more, _ := json.Marshal(a.Labels) // a map of strings always can be
		l.more = string(more)
		return l
	}
	instance := w.instance
	if instance == "" {
		instance = cmp.Or(a.Process.Host, a.Process.Executable)
		if a.Process.PID != 0 {
			instance = net.JoinHostPort(instance, strconv.Itoa(a.Process.PID))
		}
	}
	l.Instance = instance
	return l
}

// startOf returns when an alert began as far as Alertmanager is told: at its time, but never after now.
func startOf(a Alert, now time.Time) time.Time {
	starts := a.Time.UTC().Truncate(time.Millisecond)
	if a.Time.IsZero() || starts.After(now) {
		return now
	}
	return starts
}

// until gives the alert the form of a post. Where the clock was set back, it starts no later than it ends.
func (w *Webhook) until(p postedAlert, ends time.Time) postableAlert {
	starts := p.starts
	if starts.After(ends) {
		starts = ends
	}
	return postableAlert{Labels: p.labels, Annotations: annotations(p.alert), StartsAt: starts, EndsAt: ends, GeneratorURL: w.generatorURL}
}

func annotations(a Alert) map[string]string {
	m := map[string]string{
		"summary":        a.Summary,
		"description":    description(a),
		"value":          figure(a.Value),
		"baseline":       figure(a.Baseline),
		"slope_per_hour": figure(a.SlopePerHour),
		"alert_id":       a.ID,
		"process":        processText(a.Process),
		"sites":          strings.Join(siteLines(a.Sites), "\n"),
		"parts":          strings.Join(partLines(a.Parts), "\n"),
	}
	if !a.Since.IsZero() {
		m["since"] = instant(a.Since)
	}
	if a.Threshold != 0 {
		m["threshold"] = figure(a.Threshold)
	}
	if a.Exhaustion != nil {
		m["exhaustion_at"] = instant(a.Exhaustion.At)
		m["exhaustion_limit"] = figure(a.Exhaustion.Limit) + " (" + a.Exhaustion.Source + ")"
	}
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

func description(a Alert) string {
	s := fmt.Sprintf("%s of %s: %s now, baseline %s, %s per hour", a.Resource, cmp.Or(processText(a.Process), labelsText(a.Labels), "an unnamed process"),
		figure(a.Value), figure(a.Baseline), figure(a.SlopePerHour))
	if a.Threshold != 0 {
		s += ", threshold " + figure(a.Threshold)
	}
	if !a.Since.IsZero() {
		s += ", since " + instant(a.Since)
	}
	if len(a.Sites) > 0 {
		s += ". Most at " + siteLine(a.Sites[0])
	}
	if len(a.Parts) > 0 {
		s += ". Most are " + partLine(a.Parts[0])
	}
	return s + "."
}

func labelsText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+" "+labels[name])
	}
	return strings.Join(parts, ", ")
}

// sendAlertmanager posts an alert together with the end of what it replaces: the same finding under another severity.
func (w *Webhook) sendAlertmanager(ctx context.Context, a Alert) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	now := wallClock()
	isFiring := a.Status != Resolved
	current := postedAlert{labels: w.labels(a), alert: a, starts: startOf(a, now), ends: now.Add(w.hold)}

	var posts []postableAlert
	superseded := false // a later finding fires under the same labels
	for _, p := range w.posted {
		switch {
		case isFiring && p.labels == current.labels:
			if p.alert.ID == a.ID {
				current.starts = p.starts
			}
		case p.alert.ID == a.ID:
			if !isFiring {
				p.alert = a
			}
			posts = append(posts, w.until(p, now))
		case p.labels == current.labels:
			superseded = true
		}
	}
	switch {
	case isFiring:
		posts = append(posts, w.until(current, current.ends))
	case len(posts) == 0 && superseded:
		return nil
	case len(posts) == 0:
		posts = append(posts, w.until(current, now))
	}

	err := w.post(ctx, posts)
	if err != nil && (isFiring || !IsFinal(err)) {
		return err
	}
	w.posted = slices.DeleteFunc(w.posted, func(p postedAlert) bool { return p.alert.ID == a.ID || isFiring && p.labels == current.labels })
	if isFiring {
		if len(w.posted) == maxPosted {
			w.posted = slices.Delete(w.posted, 0, 1)
		}
		w.posted = append(w.posted, current)
	}
	return err
}

// Refresh repeats the alerts that Alertmanager holds as firing, and ends those of findings that hold no more. With the other
// formats it does nothing.
func (w *Webhook) Refresh(ctx context.Context, firing func(id string) bool) error {
	if w.format != "alertmanager" {
		return nil
	}
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	now := wallClock()
	w.posted = slices.DeleteFunc(w.posted, func(p postedAlert) bool { return !p.ends.After(now) && !firing(p.alert.ID) })
	next := slices.Clone(w.posted) // once the post has succeeded
	var posts []postableAlert
	for i := range next {
		p := &next[i]
		switch {
		case firing(p.alert.ID):
			p.ends, p.ended = now.Add(w.hold), false
			posts = append(posts, w.until(*p, p.ends))
		case !p.ended:
			p.ended = true
			posts = append(posts, w.until(*p, now))
		}
	}
	if len(posts) == 0 {
		return nil
	}
	if err := w.post(ctx, posts); err != nil {
		return err
	}
	w.posted = next
	return nil
}

func (w *Webhook) lock(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Webhook) unlock() { <-w.turn }
