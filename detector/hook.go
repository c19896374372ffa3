package detector

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	hookTimeout = 10 * time.Second // after which the sampling goes on without OnSample
	stopGrace   = 5 * time.Second  // for the source and OnSample to return once the sampling is to end
)

var (
	errHookHangs  = errors.New("OnSample or OnLeakDetection does not return: the sampling goes on without them")
	errHookExited = errors.New("OnSample or OnLeakDetection ended the goroutine that called it")
)

// checkHooks are what OnSample and OnLeakDetection set. One call of them at a time is under way.
type checkHooks struct {
	onSample        atomic.Pointer[func(*sampler.Sample)]
	onLeakDetection atomic.Pointer[func(resourceType, component string, value float64)]
	turn            chan struct{} // holds a token during a call
}

// calls are the hooks after one check, nil where none is set.
type hookCalls struct {
	onSample        func(*sampler.Sample)
	onLeakDetection func(resourceType, component string, value float64)
}

func (h *checkHooks) calls() (c hookCalls) {
	if set := h.onSample.Load(); set != nil {
		c.onSample = *set
	}
	if set := h.onLeakDetection.Load(); set != nil {
		c.onLeakDetection = *set
	}
	return c
}

// hangs reports whether a call is under way.
func (h *checkHooks) hangs() bool { return len(h.turn) > 0 }

// hookCaller calls the hooks from a goroutine of its own during one run of the loop, so that a hook that hangs cannot
// hang the sampling. Its methods are for the goroutine that samples.
type hookCaller struct {
	hooks   *checkHooks
	state   *state
	inside  *guard.Inside
	sample  sampler.Sample // the hooks' own during a call
	calls   chan hookCalls
	answers chan hookAnswer // takes one without blocking
	late    *time.Timer
	serving bool // there is a goroutine
	busy    bool // it has not answered
}

type hookAnswer struct {
	err    error
	exited bool // the goroutine has ended
}

func newHookCaller(hooks *checkHooks, m *state, inside *guard.Inside) *hookCaller {
	late := time.NewTimer(time.Hour)
	late.Stop()
	return &hookCaller{
		hooks: hooks, state: m, inside: inside, calls: make(chan hookCalls), answers: make(chan hookAnswer, 1),
		late: late,
	}
}

// call passes a copy of a sample to the hooks, and waits for them for hookTimeout. The error is theirs, and that of the
// call before where it ended late.
func (c *hookCaller) call(ctx context.Context, s *sampler.Sample) error {
	calls := c.hooks.calls()
	if calls.onSample == nil && calls.onLeakDetection == nil {
		return nil
	}
	select {
	case c.hooks.turn <- struct{}{}:
	default:
		return errHookHangs
	}
	var late error
	if c.busy { // it returned meanwhile, and answered before it gave up its turn
		late = c.answered(<-c.answers)
	}
	readings := append(c.sample.Readings[:0], s.Readings...)
	c.sample = *s
	c.sample.Readings = readings
	if !c.serving {
		c.serving = true
		go c.serve()
	}
	c.calls <- calls
	c.busy = true
	return errors.Join(late, c.wait(ctx, hookTimeout))
}

// wait waits for an answer: so long, or for stopGrace once ctx has ended.
func (c *hookCaller) wait(ctx context.Context, patience time.Duration) error {
	c.late.Reset(patience)
	defer c.late.Stop()
	stop := ctx.Done()
	for {
		select {
		case a := <-c.answers:
			return c.answered(a)
		case <-stop:
			stop = nil
			c.late.Reset(stopGrace)
		case <-c.late.C:
			return errHookHangs
		}
	}
}

func (c *hookCaller) answered(a hookAnswer) error {
	c.busy = false
	if a.exited {
		c.serving = false
	}
	return a.err
}

// serve calls the hooks until there are no more calls.
func (c *hookCaller) serve() {
	defer c.inside.Enter()()
	for calls := range c.calls {
		c.serveOne(calls)
	}
}

func (c *hookCaller) serveOne(calls hookCalls) {
	answer := hookAnswer{err: errHookExited, exited: true}
	defer func() {
		c.answers <- answer
		<-c.hooks.turn
	}()
	err := guard.Do(func() error {
		if calls.onLeakDetection != nil {
			for _, series := range c.state.leakDetection() {
				calls.onLeakDetection(series.resourceType, component, series.value)
			}
		}
		return nil
	})
	failed := guard.Do(func() error {
		if calls.onSample != nil {
			calls.onSample(&c.sample)
		}
		return nil
	})
	answer = hookAnswer{err: errors.Join(err, failed)}
}

// end lets the goroutine end, as soon as the hooks return.
func (c *hookCaller) end() { close(c.calls) }

// foreign is a sink that calls what is not ours.
type foreign struct {
	alerting.Sink
	inside *guard.Inside
}

// Send passes the alert on.
func (f foreign) Send(ctx context.Context, a alerting.Alert) error {
	defer f.inside.Enter()()
	return f.Sink.Send(ctx, a)
}
