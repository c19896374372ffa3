package evidence

import (
	"cmp"
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
	callersEvery = time.Hour // between two looks at what was allocated, scaled
	maxCallers   = 3         // lines that are named as callers
	minCalled    = .1        // of what was allocated through a library, for a line to be named
)

// callers tells which lines of the application called into a library by what they allocated there, live or not: a line
// that has a library open, dial or subscribe allocates at each call, whatever becomes of it. It is for the goroutine
// that works for the evidence.
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

// keep looks at what was allocated, when that is due and nothing is suspected, so that a growth has a look from before it
// began.
func (c *callers) keep(ctx context.Context, now View) {
	if c.missing || time.Now().Before(c.next) || now.Unwell && len(c.kept) > 0 || ctx.Err() != nil {
		return
	}
	p, err := c.take(ctx)
	c.next = time.Now().Add(finding.Stretch(callersEvery, now.Scale))
	if err != nil {
		return // the profile of what is live says what is wrong
	}
	c.next = time.Now().Add(max(finding.Stretch(callersEvery, now.Scale), time.Duration(float64(p.Cost.CPU)/now.share())))
	look := allocated{time.Now(), make(map[profile.Frame]float64)}
	for i := range p.Sites {
		if s := &p.Sites[i]; s.Application {
			look.bytes[s.Frame] = s.Bytes
		}
	}
	if c.kept = append(c.kept, look); len(c.kept) > maxKept {
		c.kept = slices.Delete(c.kept, 1, 2)
	}
}

func (c *callers) take(ctx context.Context) (*profile.Profile, error) {
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

// of returns the lines of the application that called into a module since an instant, those that allocated most there
// first, each with its share of what all of them did.
func (c *callers) of(ctx context.Context, module string, since time.Time) []sites.Grown {
	if c.missing || module == "" || ctx.Err() != nil {
		return nil
	}
	p, err := c.take(ctx)
	if err != nil {
		return nil
	}
	var before map[profile.Frame]float64
	for i, k := range c.kept {
		if i == 0 || !k.time.After(since) {
			before = k.bytes
		}
	}
	var all []sites.Grown
	sum := 0.
	for i := range p.Sites {
		s := &p.Sites[i]
		grown := s.Bytes - before[s.Frame]
		// One sample of the heap tells that the line called.
		if !s.Application || !s.CallsInto(module) || grown < p.Resolution/2 || sites.IsOurs(s.Function) {
			continue
		}
		all = append(all, sites.Grown{
			Site:   alerting.Site{Function: s.Function, File: s.File, Line: s.Line, Via: s.Callee},
			Growth: grown, Profile: *s,
		})
		sum += grown
	}
	slices.SortFunc(all, func(a, b sites.Grown) int {
		return cmp.Or(cmp.Compare(b.Growth, a.Growth), cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	all = all[:min(len(all), maxCallers)]
	all = slices.DeleteFunc(all, func(g sites.Grown) bool { return g.Growth < minCalled*sum })
	for i := range all {
		all[i].Share = all[i].Growth / sum
	}
	return all
}

// calledFrom names a line as CalledFrom of a site does.
func calledFrom(s *alerting.Site) string { return fmt.Sprintf("%s %s:%d", s.Function, s.File, s.Line) }
