package detector

import (
	"math"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Evidence adds what it knows of a finding to a firing alert.
type Evidence = evidence.Source

// ProfileSource takes profiles of the watched process.
type ProfileSource = evidence.ProfileSource

// EvidenceCost is what the profiles cost the watched process.
type EvidenceCost = evidence.Cost

// Capture is a file that was written as evidence of a finding.
type Capture = evidence.Capture

// crowdedShare is the share of a limit of memory from which evidence that takes memory itself is left out.
const crowdedShare = .8

// forEvidence is what the monitor knows, as the evidence sees it.
type forEvidence struct{ m *state }

func (v forEvidence) View() evidence.View {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	now := evidence.View{
		Config: m.detector.Config(), Scale: m.detector.engine.Scale(), Time: m.latest.Time, Judged: m.judged,
		Restarts: m.detector.engine.Restarts(), CPU: math.NaN(),
	}
	now.Goroutines, _ = m.latest.Value(sampler.Goroutines)
	if cpu, ok := m.latest.Value(sampler.CPUSeconds); ok {
		now.CPU = cpu
	}
	for _, c := range m.latest.Ceilings {
		if c.Resource == sampler.RSSBytes || c.Resource == sampler.HeapLiveBytes ||
			c.Resource == sampler.HeapInuseBytes {
			value, read := m.latest.Value(c.Resource)
			now.Crowded = now.Crowded || read && c.Level > 0 && value > crowdedShare*c.Level
		}
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

func (v forEvidence) Again(a *alerting.Alert) { v.m.queue.Again(a) }

func (v forEvidence) OnLines(a *alerting.Alert) bool {
	m := v.m
	m.mu.Lock()
	defer m.mu.Unlock()
	l, t := m.leaks[a.Resource], m.detector.engine.Of(a.Resource)
	return a.Kind == alerting.Trend && l != nil && l.Active() && (t == nil || !t.Growth().Active())
}
