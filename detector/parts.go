package detector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	// mostBreakdowns is how many breakdowns of healthy times are kept of a resource, and mostLooked how many descriptors or threads are looked at for
	// one of them; mostAlert for an alert.
	mostBreakdowns = 6
	mostLooked     = 1000
	mostAlert      = 10000
	// keepBound and alertBound are how long these may take.
	keepBound  = 100 * time.Millisecond
	alertBound = time.Second
	// keepShare is the share of one core that healthy times may cost.
	keepShare = 1e-4
	// mostParts is how many parts an alert lists.
	mostParts = 5
)

// breakerOf returns nil where a source cannot tell what its descriptors and threads are.
func breakerOf(s sampler.Source) breakdown.Process {
	if kept, ok := s.(keptOpen); ok {
		s = kept.Source
	}
	b, _ := s.(breakdown.Process)
	return b
}

// partResources are those that have parts.
var partResources = [...]string{sampler.OpenFDs, sampler.Threads}

// parts tells what descriptors and threads grew, from what they were in healthy times.
type parts struct {
	once sync.Once // adds the evidence

	mu      sync.Mutex
	source  breakdown.Process
	process time.Time // when it started
	kept    [len(partResources)]keptParts
}

// keptParts are breakdowns of healthy times, oldest first.
type keptParts struct {
	list  []*breakdown.Breakdown
	start *breakdown.Breakdown // of when the start had settled; nil before
	next  time.Time            // when the next is due
}

// keepParts looks at what the process is made of, when that is due and the resource is healthy: at the first sample, when the start has
// settled, and then seldom. It belongs to the loop.
func (m *ResourceMonitor) keepParts(ctx context.Context, source sampler.Source) error {
	b := breakerOf(source)
	if b == nil {
		return nil
	}
	p := &m.parts
	p.once.Do(func() { m.AddEvidence("what the descriptors and threads are", p.tell) })
	p.mu.Lock()
	p.source = b
	p.mu.Unlock()
	return guard.Do(func() error {
		m.breakDown(ctx, b)
		return nil
	})
}

// breakDown looks at each resource for which that is due.
func (m *ResourceMonitor) breakDown(ctx context.Context, b breakdown.Process) {
	p := &m.parts
	for i, resource := range partResources {
		m.mu.Lock()
		at, started, spacing := m.latest.Time, m.latest.Start, finding.Stretch(2*trend.FinestWidth, m.detector.engine.Scale())
		t := m.detector.engine.Of(resource)
		settled, growing := false, false
		if t != nil {
			_, settled = t.Start()
			growing = t.Unwell()
		}
		m.mu.Unlock()
		if t == nil || growing || !p.due(i, at, started, settled) {
			continue
		}
		begun := time.Now()
		bounded, cancel := context.WithTimeout(ctx, keepBound)
		one, err := breakdown.Read(bounded, b, resource, mostLooked)
		cancel()
		cost := time.Since(begun)
		if err == nil {
			one.Time = at // by the clock of the samples
		}
		p.keep(i, one, settled, at.Add(max(spacing, time.Duration(float64(cost)/keepShare))))
	}
}

// due reports whether a breakdown is to be made. With a new process all that was kept is void.
func (p *parts) due(i int, at, started time.Time, settled bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !started.Equal(p.process) {
		p.process, p.kept = started, [len(partResources)]keptParts{}
	}
	k := &p.kept[i]
	return settled && k.start == nil || !at.Before(k.next)
}

// keep takes a breakdown, nil if that failed. Where there is no room, the one goes whose neighbours are closest for their age; the first stays.
func (p *parts) keep(i int, one *breakdown.Breakdown, settled bool, next time.Time) {
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
	k.list = append(k.list, one)
	if len(k.list) <= mostBreakdowns {
		return
	}
	densest, least := 0, math.Inf(1)
	for j := 1; j < len(k.list)-1; j++ {
		gap := k.list[j+1].Time.Sub(k.list[j-1].Time).Seconds() / one.Time.Sub(k.list[j].Time).Seconds()
		if gap < least {
			densest, least = j, gap
		}
	}
	k.list = slices.Delete(k.list, densest, densest+1)
}

// before returns the breakdown to compare with: for a limit, which is measured from the settled start, the one of then; for a trend the latest
// that is not younger than the growth. nil if none was kept.
func (p *parts) before(i int, a *alerting.Alert) *breakdown.Breakdown {
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

// tell is the Evidence: it adds the parts that grew, and the first of them to the summary.
func (p *parts) tell(ctx context.Context, a *alerting.Alert) error {
	i := slices.Index(partResources[:], a.Resource)
	p.mu.Lock()
	source := p.source
	p.mu.Unlock()
	if i < 0 || source == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, alertBound)
	defer cancel()
	now, err := breakdown.Read(ctx, source, a.Resource, mostAlert)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	before := p.before(i, a)
	found := now.Parts(before)
	for _, part := range found[:min(len(found), mostParts)] {
		one := alerting.Part{
			What: part.What, Detail: part.Detail, Share: part.Share,
			Count: math.Round(part.Count), Growth: math.Round(part.Growth),
			Estimated: now.Seen < now.Total || before != nil && before.Seen < before.Total,
		}
		if part.Growth != 0 {
			one.Since = before.Time
		}
		a.Parts = append(a.Parts, one)
	}
	if len(a.Parts) > 0 {
		a.Summary += "; " + partSummary(a.Resource, a.Parts[0])
	}
	return nil
}

// partSummary is a clause such as "95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432".
func partSummary(resource string, p alerting.Part) string {
	plural := "threads"
	name := p.Detail
	if resource == sampler.OpenFDs {
		plural = "descriptors"
		name = p.What
		if p.Detail != "" {
			name += " " + p.Detail
		}
	}
	n := p.Count
	if p.Growth != 0 {
		n, plural = p.Growth, "new "+plural
	}
	r, _ := sampler.Lookup(resource)
	text := fmt.Sprintf("%s of %s", r.Format(n), r.Format(math.Round(n/p.Share)))
	if p.Share == 1 {
		text = "all " + r.Format(n)
	}
	if p.Estimated {
		text = "about " + text
	}
	return text + " " + plural + " are " + name
}
