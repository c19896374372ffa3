package evidence

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	// maxBreakdowns is how many breakdowns of healthy times are kept of a resource, and maxRead how many descriptors or
	// threads are read for one of them; maxReadForAlert for an alert.
	maxBreakdowns   = 6
	maxRead         = 1000
	maxReadForAlert = 10000
	// keepBound is how long one of healthy times may take.
	keepBound = 100 * time.Millisecond
	// keepShare is the share of one core that healthy times may cost.
	keepShare = 1e-4
	// maxParts is how many parts an alert lists.
	maxParts = 5
)

// partResources are those that have parts.
var partResources = [...]string{sampler.OpenFDs, sampler.Threads, sampler.RSSBytes}

// Parts finds what descriptors, threads and parts of resident memory grew, from what they were in healthy times. Its
// methods are safe for concurrent use.
type Parts struct {
	monitor Monitor

	mu       sync.Mutex
	source   breakdown.Process
	restarts int // of the process when they were kept
	kept     [len(partResources)]keptParts
}

// keptParts are breakdowns of healthy times, oldest first.
type keptParts struct {
	list  []*breakdown.Breakdown
	start *breakdown.Breakdown // of when the start had settled; nil before
	next  time.Time            // when the next is due
}

// NewParts returns what finds the parts of the process that a monitor watches.
func NewParts(monitor Monitor) *Parts { return &Parts{monitor: monitor} }

// Keep takes a breakdown of the process when one is due and the resource is healthy: at the first sample, when the
// start has settled, and then rarely. A panic is an error.
func (p *Parts) Keep(ctx context.Context, process breakdown.Process) error {
	return guard.Do(func() error {
		p.mu.Lock()
		p.source = process
		p.mu.Unlock()
		for i := range partResources {
			p.read(ctx, process, i)
		}
		return nil
	})
}

// read reads the breakdown of one resource, where that is due.
func (p *Parts) read(ctx context.Context, process breakdown.Process, i int) {
	now := p.monitor.View()
	r, ok := p.monitor.Resource(partResources[i])
	if !ok || r.Unwell || !p.due(i, now.Time, now.Restarts, r.Settled) && !p.better(i, process) {
		return
	}
	start := time.Now()
	bounded, cancel := context.WithTimeout(ctx, keepBound)
	one, err := breakdown.Read(bounded, process, partResources[i], maxRead)
	cancel()
	cost := time.Since(start)
	if err == nil {
		one.Time = now.Time // by the clock of the samples
	}
	spacing := max(finding.Stretch(2*trend.FinestWidth, now.Scale), time.Duration(float64(cost)/keepShare))
	p.keep(i, one, r.Settled, now.Time.Add(spacing))
}

// due reports whether a breakdown is to be made. With a new process all that was kept is void.
func (p *Parts) due(i int, at time.Time, restarts int, settled bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if restarts != p.restarts {
		p.restarts, p.kept = restarts, [len(partResources)]keptParts{}
	}
	k := &p.kept[i]
	return settled && k.start == nil || !at.Before(k.next)
}

// reader is a process whose runtime can split its memory by use, once it can be read.
type reader interface {
	GoMemory() (m breakdown.GoMemory, ok bool)
}

// better reports whether the first breakdown of memory can be replaced by a more detailed one: that of a Go program
// which could not be read just after it had started.
func (p *Parts) better(i int, process breakdown.Process) bool {
	r, ok := process.(reader)
	if !ok || partResources[i] != sampler.RSSBytes {
		return false
	}
	p.mu.Lock()
	only := len(p.kept[i].list) == 1 && !p.kept[i].list[0].Split()
	p.mu.Unlock()
	if !only {
		return false
	}
	_, ok = r.GoMemory()
	return ok
}

// keep stores a breakdown, nil if that failed. Where there is no room, it drops the one whose neighbours are closest
// for their age, never the first.
func (p *Parts) keep(i int, one *breakdown.Breakdown, settled bool, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := &p.kept[i]
	k.next = next
	if one == nil {
		return
	}
	if settled && k.start == nil {
		k.start = one
	}
	if len(k.list) == 1 && one.Split() && !k.list[0].Split() {
		if k.start == k.list[0] {
			k.start = one
		}
		k.list = k.list[:0]
	}
	k.list = append(k.list, one)
	if len(k.list) <= maxBreakdowns {
		return
	}
	densest, minGap := 0, math.Inf(1)
	for j := 1; j < len(k.list)-1; j++ {
		gap := k.list[j+1].Time.Sub(k.list[j-1].Time).Seconds() / one.Time.Sub(k.list[j].Time).Seconds()
		if gap < minGap {
			densest, minGap = j, gap
		}
	}
	k.list = slices.Delete(k.list, densest, densest+1)
}

// before returns the breakdown to compare with: for a limit, which is measured from the settled start, the one of then;
// for a trend the latest that is not younger than the growth. nil if none was kept.
func (p *Parts) before(i int, a *alerting.Alert) *breakdown.Breakdown {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.kept[i].list
	if len(list) == 0 {
		return nil
	}
	best := list[0]
	if start := p.kept[i].start; start != nil && a.Kind == alerting.Limit {
		best = start
	}
	for _, b := range list {
		if a.Kind == alerting.Trend && !b.Time.After(a.Since) {
			best = b
		}
	}
	return best
}

// partsGrown is what a resource grew by.
type partsGrown struct {
	parts     []breakdown.Part
	since     time.Time // of the breakdown it is compared with; zero where there is none
	estimated bool
	goHeap    bool // whether the process has one
}

// find breaks down the growth of an alert's resource, at no more than limit of its descriptors or threads. The error
// wraps errors.ErrUnsupported where a process or a resource has no parts.
func (p *Parts) find(ctx context.Context, a *alerting.Alert, limit int) (g partsGrown, err error) {
	i := slices.Index(partResources[:], a.Resource)
	p.mu.Lock()
	source := p.source
	p.mu.Unlock()
	if i < 0 || source == nil {
		return g, errors.ErrUnsupported
	}
	now, err := breakdown.Read(ctx, source, a.Resource, limit)
	if err != nil {
		return g, err
	}
	before := p.before(i, a)
	g.parts, g.estimated, g.goHeap = now.Parts(before), now.Seen < now.Total, now.Has(wording.GoHeap)
	if before != nil {
		g.goHeap = g.goHeap && now.Split() == before.Split()
		g.since, g.estimated = before.Time, g.estimated || before.Seen < before.Total
	}
	return g, nil
}

// majority returns the kind of more than half of the descriptors that an alert is on, as in tcp, and by how many those
// grew; "" and the growth of all where there is no such kind, or it is not known.
func (p *Parts) majority(ctx context.Context, a *alerting.Alert) (kind string, growth float64) {
	growth = a.Value - a.Baseline
	if p == nil {
		return "", growth
	}
	if grown, err := p.find(ctx, a, maxRead); err == nil && len(grown.parts) > 0 && grown.parts[0].Share > .5 {
		kind = grown.parts[0].What
		if grown.parts[0].Growth > 0 {
			growth = grown.parts[0].Growth
		}
	}
	return kind, growth
}

// Add is a Source: it adds the parts that grew, and the first of them to the summary.
func (p *Parts) Add(ctx context.Context, a *alerting.Alert) error {
	grown, err := p.find(ctx, a, maxReadForAlert)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, part := range grown.parts[:min(len(grown.parts), maxParts)] {
		one := alerting.Part{
			What: part.What, Detail: part.Detail, Share: part.Share,
			Count: math.Round(part.Count), Growth: math.Round(part.Growth), Estimated: grown.estimated,
		}
		if part.Growth != 0 {
			one.Since = grown.since
		}
		if a.Resource == sampler.RSSBytes {
			one.Unit = "bytes"
		}
		a.Parts = append(a.Parts, one)
	}
	if len(a.Parts) > 0 {
		a.Summary += "; " + wording.PartClause(a, grown.goHeap)
	}
	return nil
}
