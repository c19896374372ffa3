package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/internal/text"
	"github.com/mdzesseis/leaktrend/sampler/figure"
)

const (
	// holdTime is how long a firing alert lives in Alertmanager after a post unless configured otherwise: five posts
	// may fail before it ends there.
	holdTime = 5 * time.Minute
	// maxRepeated is how many alerts go into one post, a few hundred kilobytes: proxies refuse larger ones.
	maxRepeated = 200
)

// alertLabels are an alert's identity in Alertmanager.
type alertLabels struct {
	Name     string            `json:"alertname"`
	Resource string            `json:"resource"`
	Kind     alerting.Kind     `json:"kind"`
	Severity alerting.Severity `json:"severity"`
	Instance string            `json:"instance"`
	Incident string            `json:"incident,omitempty"` // tells alerts of one process on one resource apart

	more string // the labels of a group: a JSON object, whose keys are in order
}

// MarshalJSON returns one object of all labels. Those of a group come without the instance, and cannot replace the
// others.
func (l alertLabels) MarshalJSON() ([]byte, error) {
	type plain alertLabels
	if l.more == "" {
		return json.Marshal(plain(l))
	}
	all := map[string]string{}
	if err := json.Unmarshal([]byte(l.more), &all); err != nil {
		return nil, err
	}
	if l.Incident != "" {
		all["incident"] = l.Incident
	}
	all["alertname"], all["resource"], all["kind"], all["severity"] = l.Name, l.Resource, string(l.Kind),
		l.Severity.String()
	return json.Marshal(all)
}

// alertsURL returns the v2 address of an Alertmanager given by that, by its v1 address or by its base.
func alertsURL(u *url.URL) *url.URL {
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, alertsV1), alertsV2)
	v2 := *u
	v2.Path, v2.RawPath = "", ""
	return v2.JoinPath(path, alertsV2)
}

type postableAlert struct {
	Labels       alertLabels       `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alertmanager posts alerts to an Alertmanager.
type alertmanager struct {
	poster
	instance     string
	generatorURL string
	hold         time.Duration
	turn         chan struct{} // holds a token while posted is in use
	posted       posted        // what it holds as firing
}

// wallClock returns the time of delivery. Sample time may differ from it after the clock was set.
func wallClock() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (m *alertmanager) labels(a alerting.Alert) alertLabels {
	l := alertLabels{Name: "LeakDetected", Resource: a.Resource, Kind: a.Kind, Severity: a.Severity,
		Incident: a.Incident}
	if len(a.Resources) > 0 { // those with which the incident began stay
		l.Resource, l.Kind = a.Resources[0].Resource, a.Resources[0].Kind
	}
	if len(a.Labels) > 0 {
		more, _ := json.Marshal(a.Labels) // a map of strings always can be
		l.more = string(more)
		return l
	}
	instance := m.instance
	if instance == "" {
		instance = cmp.Or(a.Process.Instance, a.Process.Host, a.Process.Executable)
		if a.Process.PID != 0 && a.Process.Instance == "" {
			instance = net.JoinHostPort(instance, strconv.Itoa(a.Process.PID))
		}
	}
	l.Instance = instance
	return l
}

// startOf returns when an alert began as Alertmanager gets it: at its time, but never after now.
func startOf(a alerting.Alert, now time.Time) time.Time {
	starts := a.Time.UTC().Truncate(time.Millisecond)
	if a.Time.IsZero() || starts.After(now) {
		return now
	}
	return starts
}

// until gives the alert the form of a post. Where the clock was set back, it starts no later than it ends.
func (m *alertmanager) until(p postedAlert, ends time.Time) postableAlert {
	starts := p.starts
	if starts.After(ends) {
		starts = ends
	}
	return postableAlert{Labels: p.labels, Annotations: annotations(p.alert), StartsAt: starts, EndsAt: ends,
		GeneratorURL: m.generatorURL}
}

func annotations(a alerting.Alert) map[string]string {
	m := map[string]string{
		"summary":        a.Summary,
		"description":    description(a),
		"value":          text.Number(a.Value),
		"baseline":       text.Number(a.Baseline),
		"slope_per_hour": text.Number(a.SlopePerHour),
		"alert_id":       a.ID,
		"process":        a.Process.String(),
		"sites":          strings.Join(lines(a.Sites), "\n"),
		"parts":          strings.Join(lines(a.Parts), "\n"),
		"captures":       strings.Join(all(a.Profiles), "\n"),
		"incident":       a.Incident,
		"fingerprint":    a.Fingerprint,
		"resources":      strings.Join(all(a.Resources), "\n"),
	}
	if a.New {
		m["new"] = "true"
	}
	if !a.Since.IsZero() {
		m["since"] = text.Instant(a.Since)
	}
	if a.Threshold != 0 {
		m["threshold"] = text.Number(a.Threshold)
	}
	if a.Exhaustion != nil {
		m["exhaustion_at"] = text.Instant(a.Exhaustion.At)
		m["exhaustion_limit"] = text.Number(a.Exhaustion.Limit) + " (" + a.Exhaustion.Source + ")"
	}
	if a.Exhaustion != nil && !a.Exhaustion.Earliest.IsZero() {
		m["exhaustion_earliest"], m["exhaustion_latest"] = text.Instant(a.Exhaustion.Earliest),
			text.Instant(a.Exhaustion.Latest)
	}
	for k, v := range a.Annotations {
		if m[k] == "" {
			m[k] = v
		}
	}
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

func description(a alerting.Alert) string {
	unit := figure.UnitOf(a.Resource)
	s := fmt.Sprintf("%s of %s: %s now, baseline %s, %s", a.Resource, cmp.Or(a.Process.String(), labelsText(a.Labels),
		"an unnamed process"),
		figure.Format(a.Value, unit), figure.Format(a.Baseline, unit), figure.PerHour(a.SlopePerHour, unit))
	if a.Threshold != 0 {
		s += ", threshold " + figure.Format(a.Threshold, unit)
	}
	if !a.Since.IsZero() {
		s += ", since " + text.When(a.Since)
	}
	if len(a.Sites) > 0 {
		s += ". " + lead(a.Sites[0].Share, "Most at ", "The largest share at ", "Perhaps at ") + a.Sites[0].String()
	}
	if len(a.Parts) > 0 {
		s += ". " + lead(a.Parts[0].Share, "Most are ", "The largest share: ", "Among them: ") + a.Parts[0].String()
	}
	return s + "."
}

// lead begins the sentence on the first of several, by its share; 0 where it is not blamed.
func lead(share float64, most, largest, unsure string) string {
	switch {
	case share > .5:
		return most
	case share > 0:
		return largest
	}
	return unsure
}

func labelsText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+" "+labels[name])
	}
	return strings.Join(parts, ", ")
}

// Send posts an alert together with the end of what it replaces: the same finding under another severity.
func (m *alertmanager) Send(ctx context.Context, a alerting.Alert) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.unlock()
	now := wallClock()
	isFiring := a.Status != alerting.Resolved
	current := postedAlert{labels: m.labels(a), alert: a, starts: startOf(a, now), ends: now.Add(m.hold)}

	var posts []postableAlert
	before, held := m.posted.of(a.ID)
	switch {
	case held && isFiring && before.labels == current.labels:
		current.starts = before.starts
	case held && isFiring:
		posts = append(posts, m.until(*before, now))
	case held:
		ended := *before
		ended.alert = a
		posts = append(posts, m.until(ended, now))
	case !isFiring && m.posted.fires(current.labels): // a later finding, which would end too
		return nil
	case !isFiring:
		posts = append(posts, m.until(current, now))
	}
	if isFiring {
		posts = append(posts, m.until(current, current.ends))
	}
	err := m.post(ctx, posts)
	if err != nil && (isFiring || !alerting.IsFinal(err)) {
		return err
	}
	m.posted.remove(a.ID)
	if isFiring {
		m.posted.add(current)
	}
	return err
}

// Refresh repeats the alerts that Alertmanager holds as firing, and ends those of findings that hold no more: first
// what it would forget the soonest. A post that is refused does not keep the others back.
func (m *alertmanager) Refresh(ctx context.Context, firing func(id string) bool) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.unlock()
	now := wallClock()
	var due []*postedAlert
	for _, p := range m.posted.soonest() {
		switch {
		case firing(p.alert.ID) || p.ends.After(now) && !p.ended:
			due = append(due, p)
		case !p.ends.After(now):
			m.posted.remove(p.alert.ID)
		}
	}
	var errs []error
	for some := range slices.Chunk(due, maxRepeated) {
		posts := make([]postableAlert, len(some))
		for i, p := range some {
			ends := now
			if firing(p.alert.ID) {
				ends = now.Add(m.hold)
			}
			posts[i] = m.until(*p, ends)
		}
		if err := m.post(ctx, posts); err != nil {
			errs = append(errs, err)
			if !alerting.IsFinal(err) {
				break
			}
			continue
		}
		for i, p := range some {
			if ends := posts[i].EndsAt; ends.After(now) {
				p.ends, p.ended = ends, false
			} else {
				p.ended = true
			}
		}
	}
	return errors.Join(errs...)
}

func (m *alertmanager) lock(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *alertmanager) unlock() { <-m.turn }
