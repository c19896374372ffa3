package detector

import (
	"strconv"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/page"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
)

// shown is the monitor as its page sees it. The lock is held only while something is copied, a resource at a time.
type shown struct{ m *ResourceMonitor }

func (s shown) Version() string {
	s.m.state.mu.Lock()
	at := s.m.state.latest.Time
	s.m.state.mu.Unlock()
	alerts := s.m.History()
	version := strconv.FormatInt(at.UnixNano(), 36) + " " + strconv.Itoa(len(alerts))
	if len(alerts) > 0 {
		version += " " + alerts[len(alerts)-1].ID + " " + string(alerts[len(alerts)-1].Status)
	}
	return version
}

func (s shown) Status() page.Status {
	m, known := s.m, s.m.state
	known.mu.Lock()
	config := known.detector.Config()
	d := page.Status{
		Version: page.Version, Time: known.latest.Time, Process: known.process,
		Interval: config.CheckInterval.Seconds(), Soak: config.Adaptive.Soak.Seconds(),
	}
	d.Process.Start = known.latest.Start
	if !known.started.IsZero() {
		d.Started = known.started.Round(0).UTC()
	}
	known.mu.Unlock()
	d.Stalled = m.isStalled()
	d.Healthy, d.Delivery, d.Cost = !d.Stalled, m.Delivery(), m.CheckCost()
	d.Log, d.Panics = m.LogStats(), m.Checks().Panics
	d.Resources, d.Alerts = []page.Resource{}, append([]alerting.Alert{}, m.History()...) // [] rather than null
	d.Sites, d.Captures = append([]sites.Status{}, m.Sites()...), append([]evidence.Capture{}, m.Captures()...)
	d.Evidence = m.EvidenceCost()
	if config.Captures() && known.lines.Load() != nil {
		kept := evidence.Directory(config.ProfileDir, config.ProfileMaxMB)
		d.Kept = &kept
	}
	if m.uploads.Posts() {
		posted := m.uploads.Stats()
		d.Uploads = &posted
	}
	for _, s := range m.Status() {
		boundSites(d.Sites, &s)
		one := page.Resource{
			Resource: s.Resource.Name, Unit: s.Resource.Unit, State: s.State.String(), Trend: s.Trend, Limit: s.Limit,
			Value:    s.Value,
			Baseline: s.Baseline, Deviation: s.Deviation, Start: s.Start, SlopePerHour: s.SlopePerHour,
			Since: s.Since, SinceError: s.SinceError.Seconds(), Exhaustion: s.Exhaustion,
			Verdict: s.Verdict.String(), Callable: s.Callable, Judged: s.Judged, Why: s.Why, Leaks: s.Leaks,
			LimitsPassed: s.LimitsPassed,
		}
		if s.State == Firing {
			one.Severity = &s.Severity
			d.Healthy = false
		}
		d.Resources = append(d.Resources, one)
	}
	return d
}

// boundSites keeps what the page says of the lines from being more than what it says of their total: that is known by
// more and better readings.
func boundSites(all []sites.Status, total *Status) {
	for i := range all {
		site := &all[i]
		if site.Resource != total.Resource.Name || !total.Trend {
			continue
		}
		bounded := sites.Grown{Site: site.Site}
		bounded.Bytes = min(bounded.Bytes, total.Value)
		bounded.Bound(total.Value-total.Baseline, total.SlopePerHour)
		site.Site = bounded.Site
	}
}

func (s shown) Plot(resource string, from time.Time) *plot.Chart {
	known := s.m.state
	bins := history.Bins(known.past(resource, from))
	if len(bins) == 0 {
		return nil
	}
	var layers []plot.Layer
	if resource == sampler.RSSBytes {
		layers = memoryLayers(bins, func(part string) []plot.Bin { return history.Bins(known.past(part, from)) })
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	chart := known.plots.chart(known.detector, known.detector.number(resource), bins)
	chart.Layers = layers
	history.Clip(&chart)
	return &chart
}
