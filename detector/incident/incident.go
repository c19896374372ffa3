// Package incident groups the alerts that have one cause into one incident: goroutines, their stacks and heap,
// descriptors and threads that leak at one place. It decides which alerts belong together, under which identity and
// fingerprint they go, and whether the incident is delivered. Other packages decide what grows, and how it is said.
package incident

import (
	"cmp"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// maxSeen is how many fingerprints are remembered. Those that were seen first are forgotten first, and are new again.
const maxSeen = 1000

// Tracker knows the incidents of one process that hold. The zero value knows none. It is not safe for concurrent use.
type Tracker struct {
	known     []string // fingerprints that are not to be delivered
	open      []*incident
	byFinding map[string]*incident
	seen      []string          // fingerprints in the order in which they came
	first     map[string]string // incident that each was first seen in
}

// incident is what has one cause. Its alerts on trends and on limits are two: a limit that is passed and not passed any
// more says nothing of how growth goes on.
type incident struct {
	id          string
	alerts      map[alerting.Kind]*strand
	fingerprint string
	lines       bool // whether lines gave it
}

// strand is what of an incident is told under one id.
type strand struct {
	id        string
	members   []member // in the order in which they joined
	delivered bool     // whether an alert was to be delivered
}

// fires reports whether any finding of it holds.
func (s *strand) fires() bool {
	return slices.ContainsFunc(s.members, func(m member) bool { return m.fires() })
}

// member is one finding of an incident.
type member struct {
	finding string
	alert   alerting.Alert // the latest, as it came
}

func (m *member) fires() bool { return m.alert.Status == alerting.Firing }

// Decision is what becomes of an alert.
type Decision struct {
	Alert   alerting.Alert // of the incident
	Show    bool           // it is one for people to see; a resource alone that is over is none
	Deliver bool           // it is to be delivered
}

// Know sets the fingerprints that are shown and not delivered, and returns the alerts that are to be delivered for it:
// on what is not known any more, and the end of what is now.
func (t *Tracker) Know(fingerprints []string) (now []alerting.Alert) {
	t.known = slices.Clone(fingerprints)
	for _, in := range t.open {
		for _, kind := range []alerting.Kind{alerting.Trend, alerting.Limit} {
			s := in.alerts[kind]
			if s == nil {
				continue
			}
			i := slices.IndexFunc(s.members, func(m member) bool { return m.fires() })
			if i < 0 {
				continue
			}
			before := s.delivered
			switch d := t.firing(in, s, &s.members[i]); {
			case before && d.Alert.Known:
				s.delivered = false
				now = append(now, Withdrawn(d.Alert))
			case !before && d.Deliver:
				now = append(now, d.Alert)
			}
		}
	}
	return now
}

// Withdrawn returns the end of an alert that was delivered and whose fingerprint is known now.
func Withdrawn(a alerting.Alert) alerting.Alert {
	a.Status, a.Exhaustion, a.Evidence = alerting.Resolved, nil, nil
	return a
}

// Of returns the incident that a finding which holds is of.
func (t *Tracker) Of(finding string) string {
	if in := t.byFinding[finding]; in != nil {
		return in.id
	}
	return ""
}

// Observe takes an alert on one finding, whose ID is that finding's; its Incident is empty unless the finding is known
// to be of one, as from an earlier life. All of a finding come in their order, the same one
// once more where evidence has come.
func (t *Tracker) Observe(a alerting.Alert) Decision {
	in := t.byFinding[a.ID]
	if a.Status != alerting.Firing {
		return t.resolve(in, a)
	}
	if in == nil {
		in = t.join(&a)
	}
	s := in.alerts[a.Kind]
	if s == nil {
		s = &strand{id: a.ID}
		in.alerts[a.Kind] = s
	}
	return t.firing(in, s, s.put(a))
}

// Delivered reports whether an active finding was delivered.
func (t *Tracker) Delivered(finding string, kind alerting.Kind) bool {
	in := t.byFinding[finding]
	return in != nil && in.alerts[kind].delivered
}

// join returns the incident that an alert on a new finding belongs to.
func (t *Tracker) join(a *alerting.Alert) *incident {
	i := slices.IndexFunc(t.open, func(in *incident) bool { return in.id == a.Incident || in.has(a) })
	if i < 0 {
		i = len(t.open)
		t.open = append(t.open, &incident{id: cmp.Or(a.Incident, a.ID), alerts: make(map[alerting.Kind]*strand)})
	}
	if t.byFinding == nil {
		t.byFinding = make(map[string]*incident)
	}
	t.byFinding[a.ID] = t.open[i]
	return t.open[i]
}

// fires reports whether any finding of it holds.
func (in *incident) fires() bool {
	for _, s := range in.alerts {
		if s.fires() {
			return true
		}
	}
	return false
}

// has reports whether the cause of an alert is that of a finding that holds: it names the line of the incident's
// fingerprint as what it is to be blamed on, or the places meet. Where the places of both are known, those of
// its resources whose place is not say nothing more.
func (in *incident) has(a *alerting.Alert) bool {
	if all, lines := Fingerprints(a); lines && in.lines && all[0] == in.fingerprint && a.Sites[0].Share > 0 &&
		in.fires() {
		return true
	}
	var all, placed []*alerting.Alert
	for _, s := range in.alerts {
		for i := range s.members {
			if m := &s.members[i]; m.fires() {
				all = append(all, &m.alert)
				if p := placeOf(&m.alert); len(p.own) > 0 {
					placed = append(placed, &m.alert)
				}
			}
		}
	}
	if p := placeOf(a); len(p.own) > 0 && len(placed) > 0 {
		return slices.ContainsFunc(placed, func(b *alerting.Alert) bool { return sameCause(a, b) }) ||
			slices.ContainsFunc(all, func(b *alerting.Alert) bool { return sameThing(a, b) || isOfGoroutines(a, b) })
	}
	return slices.ContainsFunc(all, func(b *alerting.Alert) bool { return sameCause(a, b) })
}

// put keeps the latest alert on a finding. One on the same resource takes the place of what was resolved.
func (s *strand) put(a alerting.Alert) *member {
	i := slices.IndexFunc(s.members, func(m member) bool { return m.finding == a.ID || m.alert.Resource == a.Resource })
	if i < 0 {
		i = len(s.members)
		s.members = append(s.members, member{})
	}
	s.members[i] = member{a.ID, a}
	return &s.members[i]
}

// firing makes the alert of an incident on one of its findings.
func (t *Tracker) firing(in *incident, s *strand, m *member) Decision {
	all, lines := Fingerprints(&m.alert)
	unknown := slices.IndexFunc(all, func(f string) bool { return !slices.Contains(t.known, f) })
	// What was said first stays, unless lines are known now, or there is another cause now that is not known.
	if in.fingerprint == "" || lines && !in.lines || lines && unknown >= 0 && slices.Contains(t.known, in.fingerprint) {
		in.fingerprint, in.lines = all[max(0, unknown)], lines
	}
	t.remember(in)
	known := slices.Contains(t.known, in.fingerprint)
	s.delivered = s.delivered || !known
	a := in.compose(s, m)
	a.Known, a.New = known, !known && t.first[in.fingerprint] == in.id
	return Decision{Alert: a, Show: true, Deliver: s.delivered}
}

// Seen returns the fingerprints that had an incident, at most n of them, the latest last.
func (t *Tracker) Seen(n int) []string { return slices.Clone(t.seen[max(0, len(t.seen)-n):]) }

// Saw takes fingerprints that had an incident before, as in an earlier life of the process: they are not new.
func (t *Tracker) Saw(fingerprints []string) {
	for _, f := range fingerprints {
		t.note(f, "")
	}
}

// remember notes in which incident a fingerprint was first seen.
func (t *Tracker) remember(in *incident) { t.note(in.fingerprint, in.id) }

func (t *Tracker) note(fingerprint, id string) {
	if t.first == nil {
		t.first = make(map[string]string)
	}
	if _, seen := t.first[fingerprint]; seen {
		return
	}
	t.first[fingerprint] = id
	if t.seen = append(t.seen, fingerprint); len(t.seen) > maxSeen {
		delete(t.first, t.seen[0])
		t.seen = slices.Delete(t.seen, 0, 1)
	}
}

// resolve ends one finding, and with the last of its kind the alert, which is told of the finding that began it.
func (t *Tracker) resolve(in *incident, a alerting.Alert) Decision {
	if in == nil { // nobody was told
		return Decision{Alert: a}
	}
	delete(t.byFinding, a.ID)
	s := in.alerts[a.Kind]
	m := s.put(a)
	if s.fires() {
		return Decision{Alert: in.compose(s, m)}
	}
	delete(in.alerts, a.Kind)
	if len(in.alerts) == 0 {
		t.open = slices.DeleteFunc(t.open, func(one *incident) bool { return one == in })
	}
	ended := in.compose(s, &s.members[0])
	ended.Time, ended.Known = a.Time, slices.Contains(t.known, in.fingerprint)
	return Decision{Alert: ended, Show: true, Deliver: s.delivered}
}

// Withholds reports whether a finding on growth of a resource holds and is not delivered, as its fingerprint is known,
// although one of the lines that leak has another one.
func (t *Tracker) Withholds(finding, resource string, leaking []alerting.Site) bool {
	in := t.byFinding[finding]
	return in != nil && !in.alerts[alerting.Trend].delivered &&
		slices.ContainsFunc(leaking, func(s alerting.Site) bool {
			return !slices.Contains(t.known, siteFingerprint(resource, &s))
		})
}

// compose returns the alert with the event of one of its findings, and what is known of all of them.
func (in *incident) compose(s *strand, m *member) alerting.Alert {
	a := m.alert.Clone()
	a.ID, a.Incident, a.Fingerprint = s.id, in.id, in.fingerprint
	for i := range s.members {
		one := &s.members[i].alert
		if one.Status == a.Status {
			a.Severity = max(a.Severity, one.Severity)
		}
		a.Resources = append(a.Resources, affected(one))
		if one != &m.alert {
			addEvidence(&a, one)
		}
	}
	return a
}

// addEvidence adds to an alert what that on another resource of the incident has: all captures, and the lines and parts
// where its own resource has none, with the time of when they are.
func addEvidence(a, of *alerting.Alert) {
	for _, p := range of.Profiles {
		if !slices.Contains(a.Profiles, p) {
			a.Profiles = append(a.Profiles, p)
		}
	}
	var asOf time.Time
	if !of.Time.Equal(a.Time) {
		asOf = of.Time
	}
	if len(a.Sites) == 0 {
		a.Sites = of.Clone().Sites
		for i := range a.Sites {
			s := &a.Sites[i]
			s.Resource, s.AsOf = cmp.Or(s.Resource, of.Resource), asOf
		}
	}
	if len(a.Parts) == 0 {
		a.Parts = slices.Clone(of.Parts)
		for i := range a.Parts {
			a.Parts[i].AsOf = asOf
		}
	}
}

// affected returns what an alert says of its resource.
func affected(a *alerting.Alert) alerting.Affected {
	one := alerting.Affected{
		Resource: a.Resource, Time: a.Time, Kind: a.Kind, Status: a.Status, Severity: a.Severity, Value: a.Value,
		Baseline:  a.Baseline,
		Threshold: a.Threshold, SlopePerHour: a.SlopePerHour, Since: a.Since, Summary: a.Summary,
	}
	if a.Exhaustion != nil {
		e := *a.Exhaustion
		one.Exhaustion = &e
	}
	return one
}
