package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

const (
	callersEvery = time.Hour // between two profiles of allocations, scaled
	// maxWays is how many stacks of a line are searched for what it calls.
	maxWays = 32
)

// callers finds which lines of the application called into a library, by what they allocated there, live or not: a line
// that has a library open, dial or subscribe allocates at each call, whatever becomes of the result. Only the goroutine
// that gathers evidence uses it.
type callers struct {
	profiler *profiler
	kept     []allocated // oldest first
	next     time.Time
	missing  bool // the process has no such profile
}

// allocated is what the lines of the application had allocated by an instant.
type allocated struct {
	time  time.Time
	bytes map[profile.Frame]float64
}

// forget drops what was kept of another process.
func (c *callers) forget() { *c = callers{profiler: c.profiler} }

// keep takes a profile of allocations when one is due and nothing is suspected, so that there is one from before any
// growth.
func (c *callers) keep(ctx context.Context, now View) {
	if c.missing || time.Now().Before(c.next) || now.Unwell && len(c.kept) > 0 || ctx.Err() != nil {
		return
	}
	p, err := c.collect(ctx)
	c.next = time.Now().Add(finding.Stretch(callersEvery, now.Scale))
	if err != nil {
		return // the profile of live memory reports what is wrong
	}
	c.next = time.Now().Add(max(finding.Stretch(callersEvery, now.Scale),
		time.Duration(float64(p.Cost.CPU)/now.share())))
	snapshot := allocated{time.Now(), make(map[profile.Frame]float64)}
	for i := range p.Sites {
		if s := &p.Sites[i]; s.Application {
			snapshot.bytes[s.Frame] = s.Bytes
		}
	}
	if c.kept = append(c.kept, snapshot); len(c.kept) > maxKept {
		c.kept = slices.Delete(c.kept, 1, 2)
	}
}

func (c *callers) collect(ctx context.Context) (*profile.Profile, error) {
	p, err := c.profiler.source.Profile(ctx, profile.Allocs)
	if err != nil {
		c.missing = errors.Is(err, profile.ErrUnsupported)
		return nil, err
	}
	c.profiler.mu.Lock()
	c.profiler.account(p)
	c.profiler.mu.Unlock()
	return p, nil
}

// calling is what a line of the application allocated on the way to the target.
type calling struct {
	site  profile.Site
	bytes float64 // since the growth began
	// there is whether it was seen on the way to the very functions, not only in their library.
	there bool
}

// of returns the lines of the application that were on the way to something since an instant.
func (c *callers) of(ctx context.Context, to *target, since time.Time) (all []calling) {
	if c.missing || ctx.Err() != nil {
		return nil
	}
	p, err := c.collect(ctx)
	if err != nil {
		return nil
	}
	var before map[profile.Frame]float64
	for i, k := range c.kept {
		if i == 0 || !k.time.After(since) {
			before = k.bytes
		}
	}
	for i := range p.Sites {
		s := &p.Sites[i]
		if !s.Application || sites.IsOurs(s.Function) {
			continue
		}
		there := passes(s, to.functions)
		if !there && !to.leads(*s) && !to.through(*s) {
			continue
		}
		// One sample of the heap proves that the line called.
		if grown := s.Bytes - before[s.Frame]; grown >= p.Resolution/2 {
			all = append(all, calling{*s, grown, there})
		}
	}
	return all
}

// passes reports whether a line leads through any of some functions on one of its stacks.
func passes(s *profile.Site, functions map[string]bool) bool {
	if len(functions) == 0 {
		return false
	}
	on := func(stack []profile.Frame) bool {
		for _, f := range stack {
			if f == s.Frame {
				return false
			}
			if functions[f.Function] {
				return true
			}
		}
		return false
	}
	stacks := s.Stacks(maxWays)
	if len(stacks) == 0 { // of another process
		return on(s.Frames())
	}
	return slices.ContainsFunc(stacks, func(stack profile.Stack) bool { return on(stack.Frames()) })
}

// calledFrom names a line as CalledFrom of a site does.
func calledFrom(s *alerting.Site) string { return fmt.Sprintf("%s %s:%d", s.Function, s.File, s.Line) }
