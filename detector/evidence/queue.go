package evidence

import (
	"context"
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
	// grace is how long the evidence of the last alerts may take once the work is to end.
	grace = time.Second
)

// Source adds what it knows of a finding to an alert that fires, as where in the code the growth is: it writes to the
// fields of the alert that carry evidence, and may add to the summary. It is called from one goroutine at a time, never
// from the one that samples. It should return soon after ctx has ended; what is not there by then is not in the alert.
// An error says what is missing, and is logged when it changes.
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
	wake    chan struct{} // holds a token when the queue may have grown
	turn    chan struct{} // holds a token while a goroutine works for the evidence: one that hangs outlives its run

	mu      sync.Mutex // held while an alert is delivered, so that none overtakes another
	sources []*named
	waiting []awaiting                      // oldest first; the first one is being served while the queue is active
	active  bool                            // alerts are taken in
	task    func(context.Context) time.Time // nil for none
}

// awaiting is an alert on its way, and until when it may wait.
type awaiting struct {
	alert    alerting.Alert
	deadline time.Time
}

// NewQueue returns a queue that starts nothing until Start: alerts go to deliver at once. deliver is called by one
// goroutine at a time, and must not call the queue.
func NewQueue(logger *logrus.Logger, deliver func(alerting.Alert)) *Queue {
	return &Queue{logger: logger, deliver: deliver, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
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

// Put delivers an alert, or lets it wait for its evidence. None overtakes another: firing and resolved of a finding
// keep their order.
func (q *Queue) Put(a alerting.Alert) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 && (!q.active || a.Status == alerting.Resolved || len(q.sources) == 0) {
		q.deliver(a)
		return
	}
	q.waiting = append(q.waiting, awaiting{a, time.Now().Add(maxWait)})
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// request asks the worker for the evidence of one alert.
type request struct {
	ctx     context.Context
	alert   alerting.Alert
	answer  chan alerting.Alert // takes one without blocking
	partial atomic.Pointer[alerting.Alert]
}

// Start begins to take alerts in, and the work for their evidence. The function that it returns ends both, after what
// waits was delivered: a second later at most.
func (q *Queue) Start() (end func()) {
	q.mu.Lock()
	q.active = true
	task := q.task
	q.mu.Unlock()

	work := make(chan *request)
	working, endWork := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		select {
		case q.turn <- struct{}{}:
			defer func() { <-q.turn }()
			q.work(working, work, task)
		case <-working.Done():
		}
	}()
	over := make(chan struct{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		q.serve(work, over)
	}()
	return func() {
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
		endWork()
		select {
		case <-worked:
		case <-time.After(grace):
			q.logger.Warn("Resource monitor: the work for evidence does not return and is left behind")
		}
	}
}

// serve delivers the alerts that wait, one after the other, until over is closed and none is left.
func (q *Queue) serve(work chan<- *request, over <-chan struct{}) {
	for {
		q.mu.Lock()
		var next awaiting
		waits := len(q.waiting) > 0
		if waits {
			next = q.waiting[0]
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
		if a.Status == alerting.Firing {
			a = complete(next, work, over)
		}
		q.mu.Lock()
		q.waiting = q.waiting[1:]
		if len(q.waiting) == 0 {
			q.waiting = nil
		}
		q.deliver(a)
		q.mu.Unlock()
	}
}

// complete returns the alert with its evidence, or with as much of it as there is when its time is over.
func complete(next awaiting, work chan<- *request, over <-chan struct{}) alerting.Alert {
	ctx, cancel := context.WithDeadline(context.Background(), next.deadline)
	defer cancel()
	r := &request{ctx: ctx, alert: next.alert.Clone(), answer: make(chan alerting.Alert, 1)}
	for sent := false; ; {
		put := work
		if sent {
			put = nil
		}
		select {
		case put <- r:
			sent = true
		case a := <-r.answer:
			return a
		case <-ctx.Done():
			if partial := r.partial.Load(); partial != nil {
				return *partial
			}
			return next.alert
		case <-over:
			over = nil
			end := time.AfterFunc(grace, cancel)
			defer end.Stop()
		}
	}
}

// work answers requests, and calls the task when it is due, until ctx ends.
func (q *Queue) work(ctx context.Context, requests <-chan *request, task func(context.Context) time.Time) {
	due := time.NewTimer(0)
	defer due.Stop()
	if task == nil {
		due.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-requests:
			q.answer(r)
		case <-due.C:
			due.Reset(max(time.Until(task(ctx)), time.Millisecond))
		}
	}
}

// answer has every source add to one alert.
func (q *Queue) answer(r *request) {
	q.mu.Lock()
	sources := q.sources
	q.mu.Unlock()
	for _, s := range sources {
		if r.ctx.Err() != nil {
			break
		}
		changed := r.alert.Clone()
		err := guard.Do(func() error { return s.add(r.ctx, &changed) })
		if !guard.IsPanic(err) { // what was found counts, beside an error too
			r.alert = changed
			partial := changed.Clone()
			r.partial.Store(&partial)
		}
		if s.problem.ChangedError(err) && err != nil {
			guard.Entry(q.logger, err).Warnf("Resource monitor: evidence is incomplete (%s)", s.name)
		}
	}
	r.answer <- r.alert
}
