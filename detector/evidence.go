package detector

import (
	"context"
	"math"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
)

// Evidence adds what it knows of a finding to an alert that fires.
type Evidence = evidence.Source

// ProfileSource takes profiles of the process that is watched.
type ProfileSource = evidence.ProfileSource

// EvidenceCost is what the profiles cost the process that is watched.
type EvidenceCost = evidence.Cost

// Capture is a file that was written as evidence of a finding.
type Capture = evidence.Capture

// AddEvidence has every alert that fires from now on go to e, after the evidence that was added before. The name is for the log.
func (m *ResourceMonitor) AddEvidence(name string, e Evidence) { m.queue.Add(name, e) }

// FollowSites has the monitor follow the lines of code of the process that it watches: alerts name the lines that grew, and a line that
// leaks below a total that hides it is an alert of its own. A monitor of this process does so from the start. Call it before Start or Run.
func (m *ResourceMonitor) FollowSites(source ProfileSource) {
	lines := evidence.NewLines(source, forEvidence{m}, m.logger)
	m.mu.Lock()
	m.lines = lines
	m.mu.Unlock()
	m.queue.Meanwhile(lines.Work)
	m.AddEvidence("sites", lines.Add)
	m.AddEvidence("captures", lines.Capture)
}

// Sites returns the lines of code that are followed, goroutines before memory.
func (m *ResourceMonitor) Sites() []sites.Status {
	if m.lines == nil {
		return nil
	}
	return m.lines.Sites()
}

// EvidenceCost returns what the profiles have cost so far.
func (m *ResourceMonitor) EvidenceCost() EvidenceCost {
	if m.lines == nil {
		return EvidenceCost{}
	}
	return m.lines.Cost()
}

// Captures returns the latest files that were written as evidence, oldest first.
func (m *ResourceMonitor) Captures() []Capture {
	if m.lines == nil {
		return nil
	}
	return m.lines.Captures()
}

// keepParts has the descriptors and threads looked at, where the source can tell what they are. It belongs to the loop.
func (m *ResourceMonitor) keepParts(ctx context.Context, source sampler.Source) error {
	if kept, ok := source.(keptOpen); ok {
		source = kept.Source
	}
	process, ok := source.(breakdown.Process)
	if !ok {
		return nil
	}
	m.partsAdded.Do(func() { m.AddEvidence("what the descriptors and threads are", m.parts.Add) })
	return m.parts.Keep(ctx, process)
}

// forEvidence is the monitor as the evidence sees it.
type forEvidence struct{ m *ResourceMonitor }

func (v forEvidence) View() evidence.View {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	now := evidence.View{
		Config: m.detector.Config(), Scale: m.detector.engine.Scale(), Time: m.latest.Time, Start: m.latest.Start, CPU: math.NaN(),
	}
	now.Goroutines, _ = m.latest.Value(sampler.Goroutines)
	if cpu, ok := m.latest.Value(sampler.CPUSeconds); ok {
		now.CPU = cpu
	}
	for _, t := range m.detector.engine.All() {
		if t.Unwell() {
			now.Unwell = true
			now.Suspected = now.Suspected || t.Resource().Name == sampler.Goroutines
		}
	}
	return now
}

func (v forEvidence) Resource(name string) (r evidence.Resource, ok bool) {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.detector.engine.Of(name)
	if t == nil {
		return r, false
	}
	_, r.Settled = t.Start()
	r.Unwell = t.Unwell()
	return r, true
}

func (v forEvidence) OnLines(a *alerting.Alert) bool {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	l, t := m.leaks[a.Resource], m.detector.engine.Of(a.Resource)
	return a.Kind == alerting.Trend && l != nil && l.Active() && (t == nil || !t.Growth().Active())
}
