package alerting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/sampler/redact"
)

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

// send makes one attempt with the alert whose turn it is, and records how it went.
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
	var later *RetryAfterError
	if errors.As(err, &later) {
		out.after = later.After
	}
	return out
}

// clip makes the text of an error fit for log and statistics.
func clip(text string) string {
	text = redact.Text(text)
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + redact.Mark
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
