package evidence

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
)

const (
	// maxWait is how long an alert waits for its evidence at most, counted from the decision.
	maxWait = 5 * time.Second
	// maxLate is how long after the decision the evidence may still come: the alert is delivered once more then.
	maxLate = time.Minute
	// grace is how long the evidence of the last alerts may take once the work is to end.
	grace = time.Second
	// afterPanic is how long the task rests after a panic.
	afterPanic = time.Minute
)

// Source adds what it knows of a finding to an alert that fires, as where in the code the growth is: it writes to the
// fields of the alert that carry evidence, and may add to the summary. It is called from one goroutine at a time, never
// from the one that samples. It should return soon after ctx has ended. What takes longer than the alert may wait is
// missing in it, and the alert is delivered again when it is there; after a minute, or when the finding is over or
// alerted again, ctx ends. An error says what is missing: it is in the alert, and is logged when it changes.
type Source func(ctx context.Context, a *alerting.Alert) error

// named is a Source and what was last wrong with it.
type named struct {
	name    string
	add     Source
	problem guard.News // touched by the goroutine that works alone
}

// Queue holds alerts back, in their order, until their evidence is there or the time for it is over, and then delivers
// them. Its methods are safe for concurrent use.
type Queue struct {
	logger  *logrus.Logger
	deliver func(alerting.Alert)
	wake    chan struct{} // holds a token when alerts may have joined those that wait
	work    chan struct{} // holds a token when there may be new requests
	turn    chan struct{} // holds a token while a goroutine works for the evidence: one that hangs outlives its run

	mu       sync.Mutex // held while an alert is delivered, so that none overtakes another
	sources  []*named
	waiting  []awaiting                      // oldest first; the first one is being served while the queue is active
	firing   []alerting.Alert                // the latest on each finding, as it was put, oldest first
	requests []*request                      // for which not all evidence is there, oldest first
	active   bool                            // alerts are accepted
	task     func(context.Context) time.Time // nil for none
	urgent   []func(context.Context)         // what goes before all else

	due     time.Time  // when the task is to be called; touched by the goroutine that works alone, like problem
	problem guard.News // what was wrong with the task

	panics atomic.Uint64
}

// awaiting is an alert on its way, and until when it may wait.
type awaiting struct {
	alert    alerting.Alert
	deadline time.Time
	request  *request // for its evidence; nil where none is requested
}

// NewQueue returns a queue that starts nothing until Start: alerts go to deliver at once. deliver is called by one
// goroutine at a time, and must not call the queue.
func NewQueue(logger *logrus.Logger, deliver func(alerting.Alert)) *Queue {
	return &Queue{
		logger: logger, deliver: deliver,
		wake: make(chan struct{}, 1), work: make(chan struct{}, 1), turn: make(chan struct{}, 1),
	}
}

// Add has every alert that fires from now on go to a source, after those that were added before. The name is for the
// log.
func (q *Queue) Add(name string, s Source) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sources = append(q.sources, &named{name: name, add: s})
}

// Meanwhile has the goroutine that works for the evidence call a task from the next Start on, at once and then whenever
// it asks to be called again. It replaces the task before.
func (q *Queue) Meanwhile(task func(context.Context) (next time.Time)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.task = task
}

// Urgently has the goroutine that works for the evidence call f as soon as it is done with what it does now. Until
// Start there is none, and f waits for it.
func (q *Queue) Urgently(f func(ctx context.Context)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.urgent = append(q.urgent, f)
	signal(q.work)
}

// Panics returns how often a source or the task panicked, or ended the goroutine that called it.
func (q *Queue) Panics() uint64 { return q.panics.Load() }

// Put delivers an alert, or lets it wait for its evidence. None overtakes another: firing and resolved of a finding
// keep their order.
func (q *Queue) Put(a alerting.Alert) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.outdate(a.ID)
	q.remember(a)
	if len(q.waiting) == 0 && (!q.active || a.Status == alerting.Resolved || len(q.sources) == 0) {
		q.deliver(a)
		return
	}
	now := time.Now()
	w := awaiting{alert: a, deadline: now.Add(maxWait)}
	if !q.active {
		w.deadline = now.Add(grace)
	}
	if a.Status == alerting.Firing && len(q.sources) > 0 {
		w.request = newRequest(a, q.sources, now)
	}
	q.waiting = append(q.waiting, w)
	signal(q.wake)
}

// maxFiring bounds the alerts that can come again.
const maxFiring = 32

// remember keeps an alert that fires as the latest on its finding. It needs q.mu.
func (q *Queue) remember(a alerting.Alert) {
	q.firing = slices.DeleteFunc(q.firing, func(other alerting.Alert) bool { return other.ID == a.ID })
	if a.Status == alerting.Firing {
		q.firing = append(q.firing, a)
		q.firing = q.firing[max(0, len(q.firing)-maxFiring):]
	}
}

// Again delivers an alert again, with the evidence that there is then, where it is the latest on a finding that holds.
func (q *Queue) Again(a *alerting.Alert) {
	q.mu.Lock()
	i := slices.IndexFunc(q.firing, func(latest alerting.Alert) bool {
		return latest.ID == a.ID && latest.Time.Equal(a.Time)
	})
	if i < 0 || !q.active {
		q.mu.Unlock()
		return
	}
	latest := q.firing[i].Clone()
	q.mu.Unlock()
	q.Put(latest)
}

// InTurn calls f while no alert is delivered. f must not call the queue.
func (q *Queue) InTurn(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}

// outdate has no alert of a finding be delivered again behind one that is newer. It needs q.mu.
func (q *Queue) outdate(id string) {
	for i := range q.waiting {
		if r := q.waiting[i].request; r != nil && r.alert.ID == id {
			r.outdate()
		}
	}
	for _, r := range q.requests {
		if r.alert.ID == id {
			r.outdate()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Start starts accepting alerts and gathering their evidence. The function that it returns stops both after the waiting
// alerts were delivered: within a second, or two where a source of evidence does not return; it reports whether that
// did.
func (q *Queue) Start() (end func() (returned bool)) {
	q.mu.Lock()
	q.active = true
	task := q.task
	q.mu.Unlock()

	working, endWork := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go q.answerInTurn(working, task, time.Time{}, worked)
	over := make(chan struct{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		q.serve(over)
	}()
	return func() bool {
		q.mu.Lock()
		last := time.Now().Add(grace)
		for i := range q.waiting {
			if w := &q.waiting[i]; w.deadline.After(last) {
				w.deadline = last
			}
		}
		q.active = false // what comes now goes out at once, behind what waits
		q.mu.Unlock()
		close(over)
		<-served
		q.mu.Lock()
		for _, r := range q.requests {
			r.outdate()
		}
		q.requests = nil
		q.mu.Unlock()
		endWork()
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case <-worked:
			return true
		case <-late.C:
			return false
		}
	}
}

// serve delivers the alerts that wait, one after the other, until over is closed and none is left.
func (q *Queue) serve(over <-chan struct{}) {
	for {
		q.mu.Lock()
		var next awaiting
		waits := len(q.waiting) > 0
		if waits {
			next = q.waiting[0]
			if next.request != nil {
				q.requests = append(q.requests, next.request)
				signal(q.work)
			}
		}
		q.mu.Unlock()
		if !waits {
			select {
			case <-q.wake:
				continue
			case <-over:
				return
			}
		}
		a := next.alert
		if next.request != nil {
			next.wait(over)
		}
		q.mu.Lock()
		q.waiting = q.waiting[1:]
		if len(q.waiting) == 0 {
			q.waiting = nil
		}
		if next.request != nil {
			a = next.request.deliver()
		}
		q.deliver(a)
		q.mu.Unlock()
	}
}

// wait returns when the evidence of an alert is there, or the time that the alert may wait is over.
func (w *awaiting) wait(over <-chan struct{}) {
	deadline := time.NewTimer(time.Until(w.deadline))
	defer deadline.Stop()
	for {
		select {
		case <-w.request.answered:
			return
		case <-deadline.C:
			return
		case <-over:
			over = nil
			deadline.Reset(min(grace, time.Until(w.deadline)))
		}
	}
}

// answerInTurn answers once no other goroutine does, and closes worked after that. due is when the task is to be
// called. Where a source ends the goroutine, another one goes on.
func (q *Queue) answerInTurn(ctx context.Context, task func(context.Context) time.Time, due time.Time,
	worked chan<- struct{}) {
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		close(worked)
		return
	}
	q.due = due
	returned := false
	defer func() {
		next := q.due
		<-q.turn
		if returned {
			close(worked)
			return
		}
		q.panics.Add(1)
		q.logger.Error("Resource monitor: a source of evidence ended the goroutine that called it")
		go q.answerInTurn(ctx, task, next, worked)
	}()
	q.answer(ctx, task)
	returned = true
}

// answer has the sources add to the alerts that request evidence, and calls the task when it is due, until ctx ends.
func (q *Queue) answer(ctx context.Context, task func(context.Context) time.Time) {
	due := time.NewTimer(time.Until(q.due))
	defer due.Stop()
	if task == nil {
		due.Stop()
	}
	for ctx.Err() == nil {
		if f := q.nextUrgent(); f != nil {
			if err := guard.Do(func() error { f(ctx); return nil }); err != nil {
				q.panics.Add(1)
				guard.Entry(q.logger, err).Error("Resource monitor: the work for evidence failed")
			}
			continue
		}
		if r := q.next(); r != nil {
			q.gather(r)
			continue
		}
		select {
		case <-ctx.Done():
		case <-q.work:
		case <-due.C:
			due.Reset(q.call(ctx, task))
		}
	}
}

// call calls the task, and returns how long to wait until the next time.
func (q *Queue) call(ctx context.Context, task func(context.Context) time.Time) time.Duration {
	q.due = time.Now().Add(afterPanic) // unless it returns another time
	err := guard.Do(func() error {
		q.due = task(ctx)
		return nil
	})
	if guard.IsPanic(err) {
		q.panics.Add(1)
	}
	if q.problem.ChangedError(err) && err != nil {
		guard.Entry(q.logger, err).Error("Resource monitor: the work for evidence failed")
	}
	return max(time.Until(q.due), time.Millisecond)
}

func (q *Queue) nextUrgent() func(context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.urgent) == 0 {
		return nil
	}
	f := q.urgent[0]
	q.urgent = q.urgent[1:]
	return f
}

// next returns the request that has waited longest, nil where there is none.
func (q *Queue) next() *request {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.requests) == 0 {
		return nil
	}
	return q.requests[0]
}

// gather has every source add to one alert, and delivers the alert again where what was missing in it has come.
func (q *Queue) gather(r *request) {
	defer q.complete(r)
	for len(r.lacking) > 0 && r.ctx.Err() == nil {
		s := r.lacking[0]
		changed := r.alert.Clone()
		err := guard.Do(func() error { return s.add(r.ctx, &changed) })
		if errors.Is(err, context.Canceled) {
			err = context.DeadlineExceeded // its time is over, as the finding is
		}
		q.mu.Lock()
		if guard.IsPanic(err) {
			q.panics.Add(1)
		} else { // what was found counts, beside an error too
			r.alert = changed
		}
		if err == nil || r.ctx.Err() == nil {
			r.lacking = r.lacking[1:]
			if err != nil {
				r.alert.Missing = append(r.alert.Missing, alerting.Missing{What: s.name, Why: err.Error()})
			}
		}
		q.mu.Unlock()
		if s.problem.ChangedError(err) && err != nil {
			guard.Entry(q.logger, err).Warnf("Resource monitor: evidence is incomplete (%s)", s.name)
		}
	}
}

// complete ends the work for one alert, also where a source has ended the goroutine.
func (q *Queue) complete(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests = slices.DeleteFunc(q.requests, func(other *request) bool { return other == r })
	close(r.answered)
	if r.delivered && !r.outdated && r.amount() > r.had {
		q.deliver(r.deliver())
	}
	r.cancel()
}
