package detector

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/incident"
	"github.com/mdzesseis/leaktrend/detector/wording"
)

// ledger keeps account of the alerts: under which identity a finding is known, which of them are one incident, and what
// was delivered. It is safe for concurrent use.
type ledger struct {
	mu           sync.Mutex
	limit        int // of the history
	ids          map[findingKey]string
	fires        map[string]alerting.Alert   // the latest on each finding that holds, by id
	earlier      map[string]alerting.Process // whose findings those of an earlier life are, by id
	incidents    incident.Tracker
	history      []alerting.Alert     // delivered, oldest first
	lastAlert    map[string]time.Time // by resource
	firing       map[findingKey]alerting.Event
	alertIDs     map[string]string // id of the alert by that of the finding; bounded as the history is
	alertIDOrder []string
}

// maxJoined is how many findings are remembered that joined another's alert.
const maxJoined = 1000

// findingKey identifies a finding while it holds.
type findingKey struct {
	resource string
	kind     alerting.Kind
}

func newLedger(limit int) *ledger {
	return &ledger{
		limit: limit, ids: make(map[findingKey]string), fires: make(map[string]alerting.Alert),
		earlier:   make(map[string]alerting.Process),
		lastAlert: make(map[string]time.Time), firing: make(map[findingKey]alerting.Event),
		alertIDs: make(map[string]string),
	}
}

// record makes an alert of an event: all of one finding have one id.
func (l *ledger) record(e alerting.Event, process alerting.Process) alerting.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := findingKey{e.Resource, e.Kind}
	id, known := l.ids[key]
	if !known {
		id = alerting.ID(process, e.Resource, e.Kind, e.Time)
	}
	if e.Status == alerting.Firing {
		l.ids[key], l.firing[key] = id, e
		l.lastAlert[e.Resource] = e.Time
	} else {
		delete(l.ids, key)
		delete(l.firing, key)
		if of, ended := l.earlier[id]; ended {
			process = of // by which receivers know it
			delete(l.earlier, id)
		}
	}
	return alerting.Alert{Version: alerting.Version, ID: id, Event: e, Process: process}
}

// deliver makes of an alert on a finding that of its incident, and keeps account of it. One that comes again, with
// evidence that it had lacked, takes its place in the history. notify is whether it goes to people.
func (l *ledger) deliver(a alerting.Alert) (of alerting.Alert, notify bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Status == alerting.Firing {
		l.fires[a.ID] = a
	} else {
		delete(l.fires, a.ID)
	}
	d := l.incidents.Observe(a)
	if a.ID != d.Alert.ID {
		d.Alert.Finding = a.ID
	}
	if a.ID != d.Alert.ID && l.alertIDs[a.ID] == "" {
		l.alertIDs[a.ID] = d.Alert.ID
		if l.alertIDOrder = append(l.alertIDOrder, a.ID); len(l.alertIDOrder) > maxJoined {
			delete(l.alertIDs, l.alertIDOrder[0])
			l.alertIDOrder = l.alertIDOrder[1:]
		}
	}
	d.Alert.Summary += wording.MissingClause(&d.Alert) + wording.IncidentClause(&d.Alert)
	if d.Show {
		l.keepAlert(d.Alert)
	}
	return d.Alert, d.Deliver
}

// idOf returns the id under which a finding was alerted: its own, or that of what it joined.
func (l *ledger) idOf(finding string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.alertIDs[finding], finding)
}

// latestOn returns the latest event of a finding that holds on any of some resources, those on limits first, with the
// finding's id.
func (l *ledger) latestOn(resources ...string) (e alerting.Event, id string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range []alerting.Kind{alerting.Limit, alerting.Trend} {
		for _, resource := range resources {
			key := findingKey{resource, kind}
			if e, ok := l.firing[key]; ok {
				return e, l.ids[key], true
			}
		}
	}
	return alerting.Event{}, "", false
}

// holding returns the alerts on the findings that hold, as short as the next life needs them. A state has room for so
// many, and says what it left out.
func (l *ledger) holding() (all []alerting.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.fires {
		a = a.Clone()
		a.Evidence, a.Parts, a.Profiles, a.Missing, a.Labels, a.Resources = nil, nil, nil, nil, nil, nil
		a.Sites = a.Sites[:min(len(a.Sites), 1)] // by which an incident is known
		a.Known, a.Incident = !l.incidents.Delivered(a.ID, a.Kind), l.incidents.Of(a.ID)
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b alerting.Alert) int { // what others joined comes first, as its id is theirs
		return cmp.Or(cmp.Compare(min(1, len(l.alertIDs[a.ID])), min(1, len(l.alertIDs[b.ID]))), a.Time.Compare(b.Time),
			cmp.Compare(a.ID, b.ID))
	})
	for i := range all { // the identity of an incident outlives the finding that it began with
		if id := l.alertIDs[all[i].ID]; id != "" && !slices.ContainsFunc(all, func(a alerting.Alert) bool {
			return a.ID == id
		}) {
			all[i].ID = id
		}
	}
	return all
}

// maxFingerprints is how many the next life knows.
const maxFingerprints = 200

// fingerprints returns those that had an incident.
func (l *ledger) fingerprints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.incidents.Seen(maxFingerprints)
}

// saw takes the fingerprints that had an incident in an earlier life.
func (l *ledger) saw(fingerprints []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.incidents.Saw(fingerprints)
}

// resume takes the alerts that holding returned in an earlier life, and returns those of incidents that were told, and
// those that go to people now: on what is not one of the known leaks any more, and the end of what is one now.
func (l *ledger) resume(alerts []alerting.Alert) (delivered, now []alerting.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range alerts {
		l.ids[findingKey{a.Resource, a.Kind}], l.fires[a.ID], l.earlier[a.ID] = a.ID, a, a.Process
		d := l.incidents.Observe(a)
		news := d.Alert
		switch {
		case !a.Known:
			delivered = append(delivered, d.Alert)
			news = incident.Withdrawn(d.Alert)
			if d.Deliver || slices.ContainsFunc(now, func(b alerting.Alert) bool { return b.ID == d.Alert.ID }) {
				continue
			}
		case !d.Deliver:
			continue
		}
		now = append(now, l.asNews(news))
	}
	return delivered, now
}

// inherited returns the latest alerts on the findings that hold since an earlier life.
func (l *ledger) inherited() (all []alerting.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.earlier {
		if a, holds := l.fires[id]; holds {
			all = append(all, a)
		}
	}
	return all
}

// know sets which fingerprints are known, and returns the alerts that go to people for it.
func (l *ledger) know(fingerprints []string) []alerting.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.incidents.Know(fingerprints)
	for i := range now {
		now[i] = l.asNews(now[i])
	}
	return now
}

// asNews returns an alert that goes to people as another one is known than before, and keeps it. It needs l.mu.
func (l *ledger) asNews(a alerting.Alert) alerting.Alert {
	a.Summary += wording.MissingClause(&a) + wording.IncidentClause(&a)
	if a.Status == alerting.Resolved {
		a.Summary += "; it is one of known_leaks now and goes on"
	}
	l.keepAlert(a)
	return a
}

// withholds reports whether an alert on growth of a resource is withheld although lines leak that are not known.
func (l *ledger) withholds(resource string, leaking []alerting.Site) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.incidents.Withholds(l.ids[findingKey{resource, alerting.Trend}], resource, leaking)
}

// keepAlert needs l.mu.
func (l *ledger) keepAlert(a alerting.Alert) {
	again := func(before alerting.Alert) bool {
		return before.ID == a.ID && before.Status == a.Status && before.Resource == a.Resource &&
			before.Kind == a.Kind && before.Time.Equal(a.Time)
	}
	if i := slices.IndexFunc(l.history, again); i >= 0 {
		l.history[i] = a
		return
	}
	l.history = append(l.history, a)
	l.trim()
}

// trim needs l.mu.
func (l *ledger) trim() {
	if extra := len(l.history) - l.limit; extra > 0 {
		l.history = slices.Clone(l.history[extra:])
	}
}

// keep sets how many alerts the history holds at most.
func (l *ledger) keep(limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	l.trim()
}

// delivered returns the latest alerts that were delivered, oldest first.
func (l *ledger) delivered() []alerting.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]alerting.Alert(nil), l.history...)
}

// latest returns when each resource last had an alert.
func (l *ledger) latest() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	latest := make(map[string]time.Time, len(l.lastAlert))
	for resource, at := range l.lastAlert {
		latest[resource] = at
	}
	return latest
}
