package detector

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
)

// loop takes the samples of a monitor and has them judged. Its methods are for the goroutine that samples.
type loop struct {
	logger *logrus.Logger
	state  *state
	// called when sampling begins; what it returns is closed when sampling ends
	open     func() (sampler.Source, error)
	reloaded chan struct{} // holds a token when there is a new configuration to look at
	// holds a token while a goroutine samples: one that hangs outlives its run
	turn       chan struct{}
	inside     *guard.Inside
	hooks      checkHooks
	hook       *hookCaller // of this run
	counters   checkCounters
	problem    guard.News // what was wrong with the last check
	overflow   sync.Once  // said that there are too many resources
	parts      *evidence.Parts
	partsAdded sync.Once // as evidence, once there are any
}

// reload has the loop look at the configuration.
func (l *loop) reload() {
	select {
	case l.reloaded <- struct{}{}:
	default:
	}
}

// serve runs the loop when it is its turn, and sends what it returned. Where a source ends the goroutine, it goes on
// with another one an interval later.
func (l *loop) serve(ctx context.Context, ended chan<- error) {
	select {
	case l.turn <- struct{}{}:
	default: // a former run left its goroutine in the source
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			ended <- nil
			return
		}
	}
	leave := l.inside.Enter()
	l.hook = newHookCaller(&l.hooks, l.state, l.inside)
	var err error
	returned := false
	defer func() {
		l.hook.end()
		leave()
		<-l.turn
		if returned {
			ended <- err
			return
		}
		l.report(errSourceExited)
		go l.resume(ctx, ended)
	}()
	err = l.run(ctx)
	returned = true
}

var errSourceExited = errors.New("the source ended the goroutine that called it")

// resume serves an interval later.
func (l *loop) resume(ctx context.Context, ended chan<- error) {
	wait := time.NewTimer(l.state.config().CheckInterval)
	defer wait.Stop()
	select {
	case <-wait.C:
		l.serve(ctx, ended)
	case <-ctx.Done():
		ended <- nil
	}
}

// run samples at once and then at every interval, and follows reloads, until ctx or the source ends.
func (l *loop) run(ctx context.Context) error {
	var (
		source   sampler.Source
		scratch  sampler.Sample
		interval time.Duration
		ticker   = time.NewTicker(time.Hour)
	)
	defer ticker.Stop()
	shut := func() {
		opened := source
		source = nil
		if c, ok := opened.(io.Closer); ok {
			_ = guard.Do(c.Close) // there is nobody left who would need it
		}
	}
	defer func() { shut() }()

	tick := func() error {
		start, ended := time.Now(), false
		err := guard.Do(func() error {
			err := l.check(ctx, &source, &scratch)
			ended = errors.Is(err, io.EOF)
			return err
		})
		l.counters.account(time.Since(start))
		switch {
		case ended:
			return err
		case ctx.Err() != nil:
			return nil // what failed was cut short
		}
		if failed := l.keepParts(ctx, source); err == nil {
			err = failed
		}
		l.report(err)
		return nil
	}
	adjust := func() error {
		config := l.state.config()
		switch {
		case !config.Enabled:
			shut()
			ticker.Stop()
			interval = 0
		case config.CheckInterval != interval:
			interval = config.CheckInterval
			ticker.Reset(interval)
			return tick()
		}
		return nil
	}
	for err := adjust(); ; {
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.reloaded:
			err = adjust()
		case <-ticker.C:
			err = tick()
		}
	}
}

// check takes one sample and judges it. The error says what is missing, and wraps io.EOF when the source has ended.
func (l *loop) check(ctx context.Context, source *sampler.Source, scratch *sampler.Sample) error {
	if *source == nil {
		opened, err := l.open()
		if err != nil {
			return err
		}
		*source = opened
	}
	start := time.Now()
	err := (*source).Sample(ctx, scratch)
	read := time.Now()
	scratch.Readings = slices.DeleteFunc(scratch.Readings, notFinite)
	if errors.Is(err, io.EOF) || ctx.Err() != nil || len(scratch.Readings) == 0 {
		l.counters.spent(start, read, read)
		return err
	}
	l.state.describe(*source)
	if err := l.state.leaps(scratch); err != nil {
		return err
	}
	late := l.state.judge(scratch)
	if kept, overflows := l.state.places(); overflows {
		l.overflow.Do(func() {
			l.logger.Warnf("Resource monitor: more than %d resources are read; those that came first are judged "+
				"while they are read, the rest is not",
				kept)
		})
	}
	l.counters.spent(start, read, time.Now())
	if late != nil {
		return late
	}
	failed := l.hook.call(ctx, &l.state.latest) // which only this goroutine writes to
	return errors.Join(err, l.state.lackOfLoad(), failed)
}

// notFinite reports whether a reading is none, which a source may give that fills in its Sample without Add.
func notFinite(r sampler.Reading) bool { return math.IsNaN(r.Value) || math.IsInf(r.Value, 0) }

// report counts a check, and logs what was wrong with it when that changes.
func (l *loop) report(err error) {
	l.counters.checks.Add(1)
	if err != nil {
		l.counters.incomplete.Add(1)
		if guard.IsPanic(err) || errors.Is(err, errSourceExited) || errors.Is(err, errHookExited) {
			l.counters.panics.Add(1)
		}
	}
	changed := l.problem.ChangedError(err)
	switch {
	case !changed:
	case err == nil:
		l.logger.Info("Resource monitor: checks are complete again")
	case guard.IsPanic(err):
		guard.Entry(l.logger, err).Error("Resource monitor: a check failed")
	default:
		l.logger.WithError(err).Warn("Resource monitor: a check is incomplete")
	}
}

// keepParts has the descriptors and threads looked at, where the source knows what they are.
func (l *loop) keepParts(ctx context.Context, source sampler.Source) error {
	if kept, ok := source.(keptOpen); ok {
		source = kept.Source
	}
	process, ok := source.(breakdown.Process)
	if !ok {
		return nil
	}
	l.partsAdded.Do(func() { l.state.queue.Add("parts", l.parts.Add) })
	return l.parts.Keep(ctx, process)
}
