package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	queueSize       = 100              // alerts that wait for one sink
	attemptTimeout  = 10 * time.Second // of one Send or Refresh
	firstRetry      = time.Second
	lastRetry       = time.Minute // retries come no further apart
	patience        = 10          // attempts after which an alert lets others go first
	refreshInterval = time.Minute
	defaultDrain    = 5 * time.Second
	grace           = time.Second // for a sink to return once its time is over
	maxFiring       = 1000        // findings that are known to hold at one time
	maxErrorText    = 300         // bytes of an error that are kept and logged
)

// NamedSink is a Sink and the name by which log and statistics call it.
type NamedSink struct {
	Name string
	Sink Sink
}

// SinkStats says how one sink fares. The counts are since NewDispatcher.
type SinkStats struct {
	Name        string    `json:"name"`
	Sent        uint64    `json:"sent"`    // alerts delivered
	Retried     uint64    `json:"retried"` // attempts beyond the first of an alert
	Dropped     uint64    `json:"dropped"` // alerts pushed out of the full queue
	Failed      uint64    `json:"failed"`  // alerts given up after a final error or a panic
	Queued      int       `json:"queued"`  // alerts that wait or are being sent, 0 to 101
	Failing     bool      `json:"failing"` // the last attempt failed
	Stuck       bool      `json:"stuck"`   // the sink does not return although its time is over
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Dispatcher delivers alerts to its sinks. All its methods are safe for concurrent use.
type Dispatcher struct {
	// DrainTimeout is how long Run goes on delivering what is queued after its context has ended. 0 means 5 s, a negative
	// value not at all. Set it before Run.
	DrainTimeout time.Duration

	logger *logrus.Logger
	sinks  []*outlet

	mu      sync.Mutex // guards what follows, and the lower half of each outlet; never held during a call to a sink or the logger
	running bool
	firing  map[string]struct{} // ids of the findings that hold
}

// health is how a sink's last attempt went.
type health uint8

const (
	healthy health = iota
	retrying
	rejecting
)

// outlet is one sink with its queue.
type outlet struct {
	name string
	sink Sink
	wake chan struct{} // holds a token when the queue may have grown
	turn chan struct{} // holds a token while a goroutine serves the sink

	queue         []pending // oldest first
	current       *Alert    // being sent; still in the queue unless pushed out
	pushedOut     bool      // current has left the queue for newer alerts
	calls         uint64    // calls made so far
	inCall        bool
	sending       health
	refreshing    health
	overflows     bool   // alerts were dropped since the queue was last empty
	droppedBefore uint64 // before the queue was last empty
	stats         SinkStats
}

type pending struct {
	alert    *Alert // never written to; also its identity in the queue
	attempts int
}

// NewDispatcher returns a Dispatcher that starts nothing until Run. The logger takes the warnings about sinks that fail; nil
// means none.
func NewDispatcher(logger *logrus.Logger, sinks ...NamedSink) *Dispatcher {
	if logger == nil {
		logger = logrus.New()
		logger.SetOutput(io.Discard)
	}
	d := &Dispatcher{logger: logger, firing: map[string]struct{}{}}
	for _, s := range sinks {
		d.sinks = append(d.sinks, &outlet{
			name: s.Name, sink: s.Sink, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), stats: SinkStats{Name: s.Name},
		})
	}
	return d
}

// Notify queues a copy of the alert for every sink and returns at once, whether Run is active or not. Where 100 alerts
// wait for a sink already, the oldest of them is dropped and counted. An empty Version is filled in.
func (d *Dispatcher) Notify(a Alert) {
	a = a.Clone()
	if a.Version == "" {
		a.Version = Version
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.Status == Resolved {
		delete(d.firing, a.ID)
	} else {
		d.firing[a.ID] = struct{}{}
		for id := range d.firing {
			if len(d.firing) <= maxFiring {
				break
			}
			if id != a.ID {
				delete(d.firing, id)
			}
		}
	}
	for _, o := range d.sinks {
		o.push(&a)
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

func (d *Dispatcher) isFiring(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.firing[id]
	return ok
}

// Stats returns the state of each sink, in the order given to NewDispatcher.
func (d *Dispatcher) Stats() []SinkStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	stats := make([]SinkStats, 0, len(d.sinks))
	for _, o := range d.sinks {
		s := o.stats
		s.Queued = o.waiting()
		s.Failing = o.sending != healthy || o.refreshing != healthy
		stats = append(stats, s)
	}
	return stats
}

// Run delivers alerts until ctx ends, then goes on for up to DrainTimeout with what is queued, and returns after its
// goroutines have ended: at once where nothing is queued. Each sink has one goroutine. An attempt may take 10 s; after one
// that failed the next comes in 0.5 to 1 s, then in twice that, and so on up to a minute, until the sink takes the alert, returns a
// final error, or newer alerts push it out of the queue. What is left at the end stays queued for the next Run, and its
// number is logged. With a context that has already ended, Run only drains.
//
// A sink that ignores its context cannot be stopped: Run logs its name, leaves its goroutine behind and returns a second after
// the drain's end. The next Run calls that sink only after it has returned.
//
// The error is nil, unless another Run is active. Run may be called again after it has returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.running {
		d.mu.Unlock()
		return errors.New("alerting: the dispatcher is already running")
	}
	d.running = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.running = false
		d.mu.Unlock()
	}()
	drain := d.DrainTimeout
	switch {
	case drain == 0:
		drain = defaultDrain
	case drain < 0:
		drain = 0
	}

	hard, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with the drain
	defer cancel()
	ended := make([]chan struct{}, len(d.sinks))
	for i, o := range d.sinks {
		ended[i] = make(chan struct{})
		go func() {
			defer close(ended[i])
			w := worker{d: d, outlet: o, hard: hard, drain: drain}
			w.run(ctx)
		}()
	}

	<-ctx.Done()
	if drain == 0 {
		cancel()
	}
	drained := time.AfterFunc(drain, cancel)
	defer drained.Stop()
	overdue := make(chan struct{})
	late := time.AfterFunc(drain+grace, func() { close(overdue) })
	defer late.Stop()
	for i, o := range d.sinks {
		select {
		case <-ended[i]:
		case <-overdue:
			select {
			case <-ended[i]:
			default:
				d.stuck(o, 0)
			}
		}
	}
	d.logUndelivered()
	return nil
}

func (d *Dispatcher) logUndelivered() {
	d.mu.Lock()
	var sinks []string
	total := 0
	for _, o := range d.sinks {
		if n := o.waiting(); n > 0 {
			total += n
			sinks = append(sinks, fmt.Sprintf("%s: %d", o.name, n))
		}
	}
	d.mu.Unlock()
	if total > 0 {
		d.logger.WithFields(logrus.Fields{"undelivered": total, "sinks": strings.Join(sinks, ", ")}).
			Warn("alerting: stopped before all alerts were delivered")
	}
}

// stuck notes that a call to the sink does not return: the call of that number, or with 0 any.
func (d *Dispatcher) stuck(o *outlet, call uint64) {
	d.mu.Lock()
	news := o.inCall && (call == 0 || call == o.calls) && !o.stats.Stuck
	if news {
		o.stats.Stuck = true
	}
	d.mu.Unlock()
	if news {
		d.logger.WithField("sink", o.name).Warn("alerting: the sink does not return although its time is over; its alerts wait")
	}
}

// The methods of outlet need the dispatcher's mutex.

func (o *outlet) push(a *Alert) {
	if len(o.queue) == queueSize {
		if o.queue[0].alert == o.current {
			o.pushedOut = true // whether it counts as dropped is known after the attempt
		} else {
			o.stats.Dropped++
		}
		o.queue = slices.Delete(o.queue, 0, 1)
	}
	o.queue = append(o.queue, pending{alert: a})
}

func (o *outlet) waiting() int {
	n := len(o.queue)
	if o.pushedOut {
		n++
	}
	return n
}

// next returns the index of the alert whose turn it is, or -1. Alerts go in order of age, but one that fails again and
// again lets others go first, so that a receiver that chokes on it still gets the rest. Alerts of one finding keep their order.
func (o *outlet) next() int {
	best := -1
	for i, p := range o.queue {
		if best >= 0 && p.attempts/patience >= o.queue[best].attempts/patience {
			continue
		}
		if !slices.ContainsFunc(o.queue[:i], func(q pending) bool { return q.alert.ID == p.alert.ID }) {
			best = i
		}
	}
	return best
}

// outcome of one call to a sink.
type outcome struct {
	failed bool
	final  bool
	after  time.Duration // asked for by the receiver
	text   string        // redacted
	stack  []byte        // of a panic
}

// worker serves one sink during one Run.
type worker struct {
	d *Dispatcher
	*outlet
	hard  context.Context // of all calls; ends with the drain
	drain time.Duration
}

func (w *worker) run(ctx context.Context) {
	select {
	case w.turn <- struct{}{}:
	default: // a former Run left its goroutine in the sink
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	defer func() { <-w.turn }()
	if s, ok := w.sink.(interface{ CloseIdleConnections() }); ok {
		defer s.CloseIdleConnections()
	}

	refresher, refreshes := w.sink.(Refresher)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var (
		stop      = ctx.Done()
		draining  bool
		drained   time.Time // when the drain ends
		refreshAt = time.Now().Add(refreshInterval)
		retryAt   time.Time
		failures  int // since the last success
	)
	for {
		now := time.Now()
		if !draining && ctx.Err() != nil {
			stop, draining, drained = nil, true, now.Add(w.drain)
			refreshes = false
			retryAt, failures = time.Time{}, 0 // the last chance is now
		}
		if w.hard.Err() != nil {
			return
		}
		if refreshes && !now.Before(refreshAt) {
			w.refresh(refresher)
			refreshAt = now.Add(refreshInterval)
			continue
		}
		waits := w.waits()
		if draining && (!waits || retryAt.After(drained)) {
			return
		}
		if waits && !now.Before(retryAt) {
			switch out := w.send(); {
			case !out.failed:
				failures = 0
			case !out.final:
				failures++
				retryAt = time.Now().Add(max(backoff(failures), min(out.after, lastRetry)))
			}
			continue
		}
		due := refreshAt
		if waits && (!refreshes || retryAt.Before(due)) {
			due = retryAt
		}
		var timeout <-chan time.Time
		if waits || refreshes {
			timer.Reset(due.Sub(now))
			timeout = timer.C
		}
		select {
		case <-w.wake:
		case <-timeout:
		case <-stop:
		case <-w.hard.Done():
		}
	}
}

// backoff returns the wait after so many failures in a row: a random time in the upper half of 1 s, 2 s, 4 s ... 1 min.
func backoff(failures int) time.Duration {
	d := lastRetry
	if failures < 7 {
		d = min(firstRetry<<(failures-1), lastRetry)
	}
	return d/2 + rand.N(d/2+1)
}

func (w *worker) waits() bool {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return len(w.queue) > 0
}

// send makes one attempt with the alert whose turn it is, and books how it went.
func (w *worker) send() outcome {
	w.d.mu.Lock()
	i := w.next()
	a := w.queue[i].alert
	if w.queue[i].attempts++; w.queue[i].attempts > 1 {
		w.stats.Retried++
	}
	w.current = a
	w.d.mu.Unlock()

	out := w.call(func(ctx context.Context) error { return w.sink.Send(ctx, a.Clone()) })

	w.d.mu.Lock()
	switch {
	case !out.failed:
		w.stats.Sent++
	case out.final:
		w.stats.Failed++
	case w.pushedOut:
		w.stats.Dropped++
	}
	if !out.failed || out.final {
		w.queue = slices.DeleteFunc(w.queue, func(p pending) bool { return p.alert == a })
	}
	w.current, w.pushedOut = nil, false
	w.d.mu.Unlock()
	w.report(out, &w.sending, "sending alerts")
	return out
}

func (w *worker) refresh(r Refresher) {
	out := w.call(func(ctx context.Context) error { return r.Refresh(ctx, w.d.isFiring) })
	w.report(out, &w.refreshing, "repeating alerts")
}

// call runs f within the time of one attempt. A panic is a final failure.
func (w *worker) call(f func(context.Context) error) (out outcome) {
	w.d.mu.Lock()
	w.calls++
	w.inCall = true
	number := w.calls
	w.d.mu.Unlock()
	late := time.AfterFunc(attemptTimeout+grace, func() { w.d.stuck(w.outlet, number) })
	ctx, cancel := context.WithTimeout(w.hard, attemptTimeout)
	defer func() {
		if r := recover(); r != nil {
			out = outcome{failed: true, final: true, text: clip(fmt.Sprintf("panic: %v", r)), stack: debug.Stack()}
		}
		cancel()
		late.Stop()
		w.d.mu.Lock()
		w.inCall, w.stats.Stuck = false, false
		w.d.mu.Unlock()
	}()
	err := f(ctx)
	if err == nil {
		return outcome{}
	}
	out = outcome{failed: true, final: IsFinal(err), text: clip(err.Error())}
	var later *laterError
	if errors.As(err, &later) {
		out.after = later.after
	}
	return out
}

// clip makes the text of an error fit for log and statistics.
func clip(text string) string {
	text = redact(text)
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + hidden
	}
	return text
}

// report logs a change in the sink's health, the first alert dropped from a full queue, and every panic.
func (w *worker) report(out outcome, state *health, what string) {
	now := healthy
	switch {
	case out.failed && out.final:
		now = rejecting
	case out.failed && w.hard.Err() != nil:
		return // cut short by the end of Run, which logs what is left
	case out.failed:
		now = retrying
	}
	w.d.mu.Lock()
	changed := now != *state
	*state = now
	if out.failed {
		w.stats.LastError, w.stats.LastErrorAt = out.text, time.Now()
	}
	dropped := w.stats.Dropped
	overflow := dropped > w.droppedBefore && !w.overflows
	if overflow {
		w.overflows = true
	}
	if len(w.queue) == 0 {
		w.overflows, w.droppedBefore = false, dropped
	}
	w.d.mu.Unlock()

	log := w.d.logger.WithFields(logrus.Fields{"sink": w.name, "dropped": dropped})
	switch {
	case out.stack != nil:
		log.WithFields(logrus.Fields{"error": out.text, "stack": string(out.stack)}).Errorf("alerting: %s: the sink panicked", what)
	case !changed:
	case now == rejecting:
		log.WithField("error", out.text).Warnf("alerting: %s fails for good", what)
	case now == retrying:
		log.WithField("error", out.text).Warnf("alerting: %s fails, retrying", what)
	default:
		log.Infof("alerting: %s works again", what)
	}
	if overflow {
		log.Warn("alerting: the queue is full, the oldest alerts are dropped")
	}
}
