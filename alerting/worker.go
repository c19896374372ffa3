package alerting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
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

	draining bool
	drained  time.Time // when the drain ends
}

// serve runs the worker when it is its turn, also where a sink ends the goroutine that calls it.
func (w *worker) serve(ctx context.Context, ended chan<- struct{}) {
	over := false
	defer func() {
		if over {
			close(ended)
			return
		}
		go w.serve(ctx, ended)
	}()
	select {
	case w.turn <- struct{}{}:
	default: // a former Run left its goroutine in the sink
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			over = true
			return
		}
	}
	defer func() { <-w.turn }()
	w.run(ctx)
	over = true
	if s, ok := w.sink.(interface{ CloseIdleConnections() }); ok {
		w.closeIdle(s)
	}
}

// run tells the sink what it is to be told, until ctx and the drain have ended.
func (w *worker) run(ctx context.Context) {
	refresher, refreshes := w.sink.(Refresher)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var (
		stop      = ctx.Done()
		refreshAt = time.Now().Add(refreshInterval)
		retryAt   time.Time
		failures  int // since the last success
	)
	for {
		now := time.Now()
		if !w.draining && ctx.Err() != nil {
			w.draining, w.drained = true, now.Add(w.drain)
			retryAt, failures = time.Time{}, 0 // the last chance is now
			w.d.mu.Lock()
			w.offerAll(now)
			w.d.mu.Unlock()
		}
		if w.hard.Err() != nil {
			return
		}
		if w.draining {
			stop, refreshes = nil, false
		}
		if refreshes && !now.Before(refreshAt) {
			w.refresh(refresher)
			refreshAt = now.Add(refreshInterval)
			continue
		}
		w.d.mu.Lock()
		f, at := w.next(now)
		w.d.mu.Unlock()
		if w.draining && (f == nil || retryAt.After(w.drained)) {
			return
		}
		if f != nil && !now.Before(retryAt) {
			switch out := w.send(f); {
			case !out.failed:
				failures = 0
			case !out.final:
				failures++
				retryAt = time.Now().Add(max(backoff(failures), min(out.after, lastRetry)))
			}
			continue
		}
		if f != nil {
			at = retryAt
		}
		if refreshes && (at.IsZero() || refreshAt.Before(at)) {
			at = refreshAt
		}
		var timeout <-chan time.Time
		if !at.IsZero() {
			timer.Reset(at.Sub(now))
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

// send makes one attempt with the first alert of a finding, and records how it went.
func (w *worker) send(f *finding) outcome {
	w.d.mu.Lock()
	first := &f.alerts[0]
	if first.attempts++; first.attempts > 1 || !f.due.IsZero() {
		w.stats.Retried++
	}
	f.sending = true
	a, receiver := first.alert, w.receiver
	w.d.mu.Unlock()
	return w.call(func(ctx context.Context) error { return w.sink.Send(ctx, a.Clone()) }, func(out outcome) {
		w.d.mu.Lock()
		f.sending = false
		switch now := time.Now(); {
		case out.failed && !out.final:
		case receiver != w.receiver && a.Status != Resolved: // the answer is of one that is not asked any more
			f.alerts[0].attempts = 0
		case !out.failed:
			w.succeeded(f, now)
		default:
			w.refused(f, now)
		}
		if out.final {
			w.stats.Refused++
		}
		w.d.mu.Unlock()
		w.report(out, &w.sending, "sending alerts")
	})
}

func (w *worker) refresh(r Refresher) {
	w.call(func(ctx context.Context) error { return r.Refresh(ctx, w.d.isFiring) }, func(out outcome) {
		w.report(out, &w.refreshing, "repeating alerts")
	})
}

func (w *worker) closeIdle(s interface{ CloseIdleConnections() }) {
	w.call(func(context.Context) error { s.CloseIdleConnections(); return nil }, func(out outcome) {
		w.report(out, new(health), "closing connections")
	})
}

// call runs f within the time of one attempt. A panic is a refusal. What came of it goes to done, also where f ends
// this goroutine.
func (w *worker) call(f func(context.Context) error, done func(outcome)) (out outcome) {
	w.d.mu.Lock()
	w.calls++
	w.inCall = true
	number := w.calls
	w.d.mu.Unlock()
	late := time.AfterFunc(attemptTimeout+grace, func() { w.d.stuck(w.outlet, number) })
	ctx, cancel := context.WithTimeout(w.hard, attemptTimeout)
	returned := false
	defer func() {
		if r := recover(); r != nil {
			out = outcome{failed: true, final: true, text: clip(fmt.Sprintf("panic: %v", r)), stack: debug.Stack()}
		} else if !returned {
			out = outcome{failed: true, final: true, text: "the sink ended the goroutine that called it"}
		}
		cancel()
		late.Stop()
		w.d.mu.Lock()
		w.inCall, w.stats.Stuck = false, false
		if !returned {
			w.stats.Panics++
		}
		w.d.mu.Unlock()
		done(out)
	}()
	if err := f(ctx); err != nil {
		out = outcome{failed: true, final: IsFinal(err), text: clip(err.Error())}
		var later *RetryAfterError
		if errors.As(err, &later) {
			out.after = later.After
		}
	}
	returned = true
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

// report logs a change in the sink's health, the first alert that is lost, and a panic that differs from the one
// before.
func (w *worker) report(out outcome, state *health, what string) {
	now := healthy
	switch {
	case out.failed && out.final:
		now = refusing
	case out.failed && w.hard.Err() != nil:
		return // cut short by the end of Run, which logs what is left
	case out.failed:
		now = retrying
	}
	w.d.mu.Lock()
	changed := now != *state
	*state = now
	panicked := out.stack != nil && out.text != w.stats.LastError
	if out.failed {
		w.stats.LastError, w.stats.LastErrorAt = out.text, time.Now()
	}
	overflow := w.lost && !w.overflows
	w.overflows = len(w.queue) > 0 && (w.overflows || w.lost)
	w.lost = false
	dropped := w.stats.Dropped
	w.d.mu.Unlock()

	log := w.d.log.WithFields(logrus.Fields{"sink": w.name, "dropped": dropped})
	switch {
	case panicked:
		log.WithFields(logrus.Fields{"error": out.text, "stack": string(out.stack)}).Errorf("alerting: %s: the sink "+
			"panicked", what)
	case !changed || out.stack != nil:
	case now == refusing:
		log.WithField("error", out.text).Warn("alerting: the receiver refuses alerts; those that still hold are sent " +
			"again every 1 to 5 minutes")
	case now == retrying:
		log.WithField("error", out.text).Warnf("alerting: %s fails, retrying", what)
	default:
		log.Infof("alerting: %s works again", what)
	}
	if overflow {
		log.Warn("alerting: more findings wait for the sink than it can be told of; the oldest alerts are dropped")
	}
}
