package detector

import (
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// ledger keeps account of the alerts: under which identity a finding is known, and what was delivered. It is safe for
// concurrent use.
type ledger struct {
	mu        sync.Mutex
	limit     int // of the history
	ids       map[findingKey]string
	history   []alerting.Alert     // delivered, oldest first
	lastAlert map[string]time.Time // by resource
}

// findingKey identifies a finding while it holds.
type findingKey struct {
	resource string
	kind     alerting.Kind
}

func newLedger(limit int) *ledger {
	return &ledger{
		limit: limit, ids: make(map[findingKey]string),
		lastAlert: make(map[string]time.Time),
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
		l.ids[key] = id
		l.lastAlert[e.Resource] = e.Time
	} else {
		delete(l.ids, key)
	}
	return alerting.Alert{Version: alerting.Version, ID: id, Event: e, Process: process}
}

// deliver keeps account of an alert that is on its way to people. One that comes again, with evidence that it had
// lacked, takes its place in the history.
func (l *ledger) deliver(a alerting.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := func(before alerting.Alert) bool {
		return before.ID == a.ID && before.Status == a.Status && before.Time.Equal(a.Time)
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
