package webhook

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// maxPosted is as many findings as a Dispatcher knows.
const maxPosted = 1 << 14

// postedAlert is an alert as Alertmanager holds it.
type postedAlert struct {
	labels alertLabels
	alert  alerting.Alert
	starts time.Time
	ends   time.Time // unless it is repeated
	ended  bool      // by a Refresh, while its resolved alert is on the way or lost
	number uint64    // in order of posting
}

// posted are alerts that fire, one of a finding and one under the same labels. The zero value has none.
type posted struct {
	byID     map[string]*postedAlert
	byLabels map[alertLabels]*postedAlert
	number   uint64
}

// of returns the alert of a finding.
func (h *posted) of(id string) (p *postedAlert, ok bool) {
	p, ok = h.byID[id]
	return p, ok
}

// fires reports whether there is an alert with those labels.
func (h *posted) fires(labels alertLabels) bool { return h.byLabels[labels] != nil }

// add takes the place of the alert with the same labels and, where there are too many, of the oldest.
func (h *posted) add(p postedAlert) {
	if h.byID == nil {
		h.byID, h.byLabels = make(map[string]*postedAlert), make(map[alertLabels]*postedAlert)
	}
	if same := h.byLabels[p.labels]; same != nil {
		h.remove(same.alert.ID)
	}
	if len(h.byID) == maxPosted {
		oldest := slices.MinFunc(slices.Collect(maps.Values(h.byID)), func(a, b *postedAlert) int {
			return cmp.Compare(a.number, b.number)
		})
		h.remove(oldest.alert.ID)
	}
	h.number++
	p.number = h.number
	h.byID[p.alert.ID], h.byLabels[p.labels] = &p, &p
}

// remove forgets the alert of a finding.
func (h *posted) remove(id string) {
	if p := h.byID[id]; p != nil {
		delete(h.byID, id)
		delete(h.byLabels, p.labels)
	}
}

// soonest returns all, first those that end the soonest.
func (h *posted) soonest() []*postedAlert {
	return slices.SortedFunc(maps.Values(h.byID), func(a, b *postedAlert) int {
		return cmp.Or(a.ends.Compare(b.ends), cmp.Compare(a.number, b.number))
	})
}
