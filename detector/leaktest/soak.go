package leaktest

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/self"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	minSoak = 10 * time.Second
	// soakRate is every how many bytes the heap is sampled in a soak: that costs a few percent of a service that does
	// nothing but allocate.
	soakRate = 32 << 10
	// maxShare is the share of its time that a soak spends on one of its measures at most.
	maxShare = .05
	// maxNamed is how many lines of one resource are named.
	maxNamed = 3
)

// Soak watches the test's own process, with the service that runs in it under load, as one that is to run for d, 10
// seconds or more. It returns at once; when the test is over, it fails with what has leaked until then: sustained
// growth of goroutines, live memory or open descriptors that never came back, by the rules that hold for a service in
// production over days, with all times scaled to d. AllowFunction is the one option that counts.
//
// The load must go on for about d, and evenly: what still grows when it ends looks like a leak, and a test that ends
// before anything could be told fails. Garbage is collected all the while, so that live memory is known, which costs a
// twentieth of the time at most. A test of the same binary that runs beside is watched too.
func Soak(t TestingT, d time.Duration, opts ...Option) {
	t.Helper()
	if d < minSoak {
		t.Errorf("a soak of %s: it takes %s or more to tell a leak", d, minSoak)
		return
	}
	source, err := self.New()
	if err != nil {
		t.Errorf("soak: %v", err)
		return
	}
	s := newSoak(source, d, optionsOf(opts))
	s.caller = caller()
	restore := sampleEvery(soakRate)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Add(1)
	go func() {
		defer ended.Done()
		s.watch(ctx)
	}()
	t.Cleanup(func() {
		t.Helper()
		cancel()
		ended.Wait()
		s.step(context.Background(), true)
		restore()
		_ = source.Close()
		s.conclude(t)
	})
}

// soak is one call of Soak.
type soak struct {
	options
	length   time.Duration
	caller   profile.Frame
	source   sampler.Source
	started  time.Time
	interval time.Duration

	sample   sampler.Sample
	engine   *engine.Engine
	fired    map[string]alerting.Event // the latest decision on what fires, by resource
	profiles *profile.Self
	lines    [2]tracked
	gc       throttle
}

// tracked are the lines of one kind.
type tracked struct {
	kind    profile.Kind
	tracker *sites.Tracker
	throttle
}

// throttle has something done no more often than it may cost.
type throttle struct{ next time.Time }

// do does it if it is due, or must be done.
func (p *throttle) do(must bool, f func()) {
	start := time.Now()
	if !must && start.Before(p.next) {
		return
	}
	f()
	p.next = start.Add(time.Duration(float64(time.Since(start)) / maxShare))
}

func newSoak(source sampler.Source, d time.Duration, o options) *soak {
	c := config.Default()
	c.Adaptive.Soak = d
	c.Adaptive.Load = engine.NoLoad // the collections would count as load
	scale := c.Adaptive.Scale()
	s := &soak{
		options: o, length: d, source: source, started: time.Now(), engine: engine.New(c.Engine()),
		interval: max(finding.Stretch(trend.FinestWidth, scale)/2, 2*time.Millisecond),
		fired:    make(map[string]alerting.Event), profiles: profile.NewSelf(),
	}
	followed := sites.Config{
		Scale: scale, Patience: time.Duration(float64(c.Adaptive.Patience) / c.Adaptive.Sensitivity),
		MinGrowth: c.Adaptive.MinGrowth, HalfLife: c.Adaptive.HalfLife,
	}
	for i, kind := range []profile.Kind{profile.Goroutine, profile.Heap} {
		s.lines[i] = tracked{kind: kind, tracker: sites.NewTracker(kind, followed)}
	}
	return s
}

func (s *soak) watch(ctx context.Context) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.step(ctx, false)
		}
	}
}

// watched are the resources that tell of a leak in a test.
var watched = []string{sampler.Goroutines, sampler.HeapLiveBytes, sampler.OpenFDs}

// step takes a sample and the profiles that are due, or all.
func (s *soak) step(ctx context.Context, all bool) {
	s.gc.do(all, collect)
	// An error names what could not be read, which is then not in the sample.
	_ = s.source.Sample(ctx, &s.sample)
	seen := sampler.Sample{Time: s.sample.Time, Start: s.sample.Start}
	for _, resource := range watched {
		if v, ok := s.sample.Value(resource); ok {
			seen.Add(resource, v)
		}
	}
	for _, d := range s.engine.Observe(&seen) {
		if d.Kind == alerting.Trend {
			s.fired[d.Resource] = d.Event
		}
	}
	for i := range s.lines {
		l := &s.lines[i]
		l.do(all, func() {
			if p, err := s.profiles.Profile(ctx, l.kind); err == nil {
				l.tracker.Observe(p, math.NaN())
			}
		})
	}
}

// conclude fails the test with what has leaked.
func (s *soak) conclude(t TestingT) {
	t.Helper()
	r := &report{caller: s.caller}
	tooShort := time.Duration(0)
	for _, status := range s.engine.Status() {
		switch {
		case status.Reason == engine.TooShort || status.Reason == engine.TooFew:
			tooShort = max(tooShort, status.Soonest)
		case status.State == engine.Firing:
			if f, ok := s.total(&status); ok {
				r.findings = append(r.findings, f)
			}
		}
	}
	for i := range s.lines {
		for _, found := range s.lines[i].tracker.Leaking(maxNamed) {
			if f, ok := s.line(&found); ok && !r.names(f.at) {
				r.findings = append(r.findings, f)
			}
		}
	}
	watched := sampler.FormatDuration(time.Since(s.started))
	switch f, _ := t.(interface {
		Failed() bool
		Skipped() bool
	}); {
	case len(r.findings) > 0:
		r.headline = fmt.Sprintf("leak: sustained growth in a soak of %s", watched)
		annotate(r)
		t.Errorf("%s", r.text())
	case tooShort > 0 && (f == nil || !f.Failed() && !f.Skipped()):
		t.Errorf("the test was over after %s of the %s that it was to be watched for: no leak can be told in less "+
			"than %s",
			watched, sampler.FormatDuration(s.length), sampler.FormatDuration(tooShort))
	}
}

// total returns what is to be said of a resource that leaks; ok is false where it is allowed.
func (s *soak) total(status *engine.Status) (f leak, ok bool) {
	r := status.Resource
	f = leak{at: s.caller, text: fmt.Sprintf("%s went from %s to %s in %s", r.Name, r.Format(s.fired[r.Name].Baseline),
		r.Format(status.Value),
		sampler.FormatDuration(status.At.Sub(status.Since)))}
	l, keep := &s.lines[1], func(profile.Site) bool { return true }
	switch r.Name {
	case sampler.Goroutines:
		l = &s.lines[0]
	case sampler.OpenFDs:
		keep = func(p profile.Site) bool { return p.Descriptor }
	}
	allowed := 0.
	for _, g := range l.tracker.Growing(status.Since, maxNamed, keep) {
		stack := g.Profile.Frames()
		if s.allows(stack) {
			allowed += g.Share
			continue
		}
		at := profile.Frame{Function: g.Function, File: g.File, Line: g.Line}
		if len(f.stack) == 0 {
			f.at, f.stack = at, printed(stack)
		}
		f.text += fmt.Sprintf("; %.0f %% of it at %s:%d", 100*g.Share, shown(at.File), at.Line)
	}
	return f, allowed < .5
}

// line returns what is to be said of a line that leaks by itself.
func (s *soak) line(g *sites.Grown) (f leak, ok bool) {
	stack := g.Profile.Frames()
	f = leak{at: profile.Frame{Function: g.Function, File: g.File, Line: g.Line}, stack: printed(stack)}
	if g.Bytes > 0 {
		f.text = fmt.Sprintf("%s more memory stays in use, %s from here", bytesText(g.Growth), bytesText(g.Bytes))
	} else {
		f.text = fmt.Sprintf("%s here", plural(int(g.Growth), "more goroutine waits", "more goroutines wait"))
	}
	return f, !s.allows(stack)
}
