package alerting

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// health is how a sink's last attempt went.
type health uint8

const (
	healthy health = iota
	retrying
	refusing
)

// outlet is one sink, and what is to be delivered to it on each finding.
type outlet struct {
	name string
	sink Sink
	wake chan struct{} // holds a token when there may be more to tell
	turn chan struct{} // holds a token while a goroutine serves the sink

	findings map[string]*finding // those with alerts that wait, and those that the sink knows to fire
	queue    []*finding          // those with alerts that wait, by seq
	waiting  int                 // alerts of these
	seq      uint64              // the latest that was given
	receiver uint64              // counts up when the receiver is another one
	streak   int                 // refusals since the last success
	refusals int                 // of these, those of what was offered again
	offerAt  time.Time           // what was refused is not offered again before

	calls      uint64 // made so far
	inCall     bool
	sending    health
	refreshing health
	overflows  bool // alerts were lost since the queue was last empty
	lost       bool // alerts were lost since the last report
	stats      SinkStats
}

// finding is what a sink has received of one finding, and what waits for it.
type finding struct {
	id        string
	alerts    []waitingAlert // oldest first
	seq       uint64         // of the first of them; a new one when it was refused
	sending   bool           // the first of them
	delivered bool           // the sink took an alert that fires, and none since that is resolved
	refusals  int            // of alerts that fire, since the last success
	due       time.Time      // of one that was refused; zero for now
}

type waitingAlert struct {
	alert    *Alert // never written to
	seq      uint64
	attempts int
}

// The methods of outlet need the dispatcher's mutex.

// push has the sink be told of an alert. Where it is told in time, it gets every alert of a finding, in order; once
// queueSize alerts wait or the receiver refuses them, what waits of a finding gives way to its latest alert. The end of
// what it was never told is nothing to tell.
func (o *outlet) push(a *Alert) {
	f := o.findings[a.ID]
	resolved := a.Status == Resolved
	switch {
	case f == nil && resolved:
		o.stats.Dropped++
		return
	case f == nil:
		o.makeRoom()
		f = &finding{id: a.ID}
		o.findings[a.ID] = f
	case resolved && !f.delivered && !f.sending && f.refusals > 0:
		o.stats.Failed += uint64(len(f.alerts)) + 1
		o.remove(f)
		return
	case f.refusals > 0 || o.waiting >= queueSize:
		o.stats.Dropped += uint64(o.cut(f))
		if resolved && !f.delivered && !f.sending {
			o.stats.Dropped++
			o.remove(f)
			return
		}
	}
	o.seq++
	f.alerts = append(f.alerts, waitingAlert{alert: a, seq: o.seq})
	f.due = time.Time{} // it is news
	o.waiting++
	if len(f.alerts) == 1 {
		o.place(f)
	}
}

// cut removes what waits of a finding, but for what is being sent, and returns how many alerts that were.
func (o *outlet) cut(f *finding) (removed int) {
	keep := 0
	if f.sending {
		keep = 1
	}
	removed = len(f.alerts) - keep
	if removed <= 0 {
		return 0
	}
	f.alerts = slices.Delete(f.alerts, keep, len(f.alerts))
	o.waiting -= removed
	if keep == 0 {
		o.unplace(f)
	}
	return removed
}

// makeRoom drops a finding where there are too many: first one of which only the resolved alert is left, else the
// oldest that waits.
func (o *outlet) makeRoom() {
	if len(o.findings) < maxFindings {
		return
	}
	o.lost = true
	if len(o.findings) > len(o.queue) {
		for id, f := range o.findings {
			if len(f.alerts) == 0 {
				delete(o.findings, id)
				return
			}
		}
	}
	oldest := o.queue[0]
	if oldest.sending {
		oldest = o.queue[1]
	}
	o.stats.Dropped += uint64(len(oldest.alerts))
	o.remove(oldest)
}

// place puts a finding into the queue, by its first alert.
func (o *outlet) place(f *finding) {
	f.seq = f.alerts[0].seq
	at, _ := slices.BinarySearchFunc(o.queue, f.seq, bySeq)
	o.queue = slices.Insert(o.queue, at, f)
}

// unplace takes a finding out of the queue.
func (o *outlet) unplace(f *finding) {
	if at, ok := slices.BinarySearchFunc(o.queue, f.seq, bySeq); ok {
		o.queue = slices.Delete(o.queue, at, at+1)
	}
}

func bySeq(f *finding, seq uint64) int { return cmp.Compare(f.seq, seq) }

// remove forgets a finding.
func (o *outlet) remove(f *finding) {
	if len(f.alerts) > 0 {
		o.unplace(f)
		o.waiting -= len(f.alerts)
		f.alerts = nil
	}
	delete(o.findings, f.id)
}

// next returns the finding whose turn it is. Without one, at is when one will be due, zero where none waits. Alerts go
// in order of age, but one that fails again and again lets others go first, so that a receiver that chokes on it still
// gets the rest. Alerts of one finding keep their order.
func (o *outlet) next(now time.Time) (best *finding, at time.Time) {
	for _, f := range o.queue {
		due := f.due
		if !due.IsZero() && due.Before(o.offerAt) {
			due = o.offerAt
		}
		if due.After(now) {
			if at.IsZero() || due.Before(at) {
				at = due
			}
			continue
		}
		if best == nil || f.turns() < best.turns() {
			best = f
		}
		if best.turns() == 0 {
			break
		}
	}
	return best, at
}

func (f *finding) turns() int { return f.alerts[0].attempts / maxTurns }

// shift takes the first alert of a finding out of the queue.
func (o *outlet) shift(f *finding) {
	o.unplace(f)
	f.alerts = slices.Delete(f.alerts, 0, 1)
	o.waiting--
	switch {
	case len(f.alerts) > 0:
		o.place(f)
	case !f.delivered:
		delete(o.findings, f.id)
	}
}

// succeeded records that the sink took the first alert of a finding.
func (o *outlet) succeeded(f *finding, now time.Time) {
	o.stats.Sent++
	f.delivered = f.alerts[0].alert.Status != Resolved
	f.refusals, f.due = 0, time.Time{}
	o.shift(f)
	refusing := o.streak > 1 // the receiver, not one alert
	o.streak, o.refusals, o.offerAt = 0, 0, time.Time{}
	if !refusing {
		return
	}
	for _, f := range o.queue { // the others need not wait long
		if soon := now.Add(firstOffer); f.due.After(soon) {
			f.due = soon
		}
	}
}

// refused records that the sink refused the first alert of a finding. It is offered again, unless it is over.
func (o *outlet) refused(f *finding, now time.Time) {
	resolved := f.alerts[0].alert.Status == Resolved
	switch latest := f.alerts[len(f.alerts)-1].alert; {
	case resolved:
		o.stats.Failed++
		f.delivered = false
		o.shift(f)
		return
	case latest.Status == Resolved && !f.delivered:
		o.stats.Failed += uint64(len(f.alerts))
		o.remove(f)
		return
	}
	f.refusals++
	if len(f.alerts) > 1 {
		o.stats.Dropped++
		o.shift(f)
	} else {
		again := !f.due.IsZero()
		f.due = now.Add(untilOffer(f.refusals))
		o.unplace(f)
		o.seq++
		f.alerts[0].seq, f.alerts[0].attempts = o.seq, 0
		o.place(f)
		if again || o.refusals == 0 {
			o.refusals++
		}
	}
	o.streak++
	// One finding at a time finds out whether the receiver still refuses.
	o.offerAt = now.Add(untilOffer(o.refusals))
}

// untilOffer returns the wait after so many refusals in a row: 1, 2, 4 and then 5 minutes, the first ones up to a
// quarter longer.
func untilOffer(refusals int) time.Duration {
	d := lastOffer
	if refusals < 4 {
		d = firstOffer << max(refusals-1, 0)
	}
	return min(d+rand.N(d/4+1), lastOffer)
}

// offerAll has what was refused be offered once more without delay.
func (o *outlet) offerAll(now time.Time) {
	o.offerAt = time.Time{}
	for _, f := range o.queue {
		if f.due.After(now) {
			f.due = now
		}
	}
}

// renew delivers all active findings to a new receiver, which knows of none yet.
func (o *outlet) renew(holding []*Alert) {
	o.receiver++
	o.streak, o.refusals, o.offerAt = 0, 0, time.Time{}
	for _, f := range o.findings {
		f.delivered, f.refusals, f.due = false, 0, time.Time{}
		if !f.sending && (len(f.alerts) == 0 || f.alerts[0].alert.Status == Resolved) {
			o.stats.Dropped += uint64(len(f.alerts))
			o.remove(f)
		}
	}
	for _, a := range holding {
		if o.findings[a.ID] == nil {
			o.push(a)
		}
	}
}

// rouse has the goroutine that serves the sink look again.
func (o *outlet) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// offered returns how many alerts wait that were refused.
func (o *outlet) offered() (n int) {
	for _, f := range o.queue {
		if f.refusals > 0 {
			n++
		}
	}
	return n
}
