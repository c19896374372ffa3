package detector

import (
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/page"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/sites"
)

// Handler returns the live page of the monitor: plots over the past that is kept, sites, alerts, captures and what the monitor costs. Mount it
// below any path that ends in a slash, as in
//
//	mux.Handle("/debug/leaks/", monitor.Handler())
//
// with or without http.StripPrefix. At "status" below that path is the same as JSON, for programs.
//
// The page only reads: it answers GET and HEAD alone, and the only files that it hands out are the captures that the monitor wrote. It names the lines
// of code of the process, so it belongs where net/http/pprof does: on an address that only its operators reach. Rendering never delays the
// sampling.
func (m *ResourceMonitor) Handler() http.Handler { return page.New(shown{m}) }

// shown is the monitor as its page sees it. The lock is held only while something is copied, a resource at a time.
type shown struct{ m *ResourceMonitor }

func (s shown) Status() page.Status {
	m := s.m
	m.mu.Lock()
	config := m.detector.Config()
	d := page.Status{
		Version: page.Version, Time: m.latest.Time, Process: m.process,
		Interval: config.CheckInterval.Seconds(), Soak: config.Adaptive.Soak.Seconds(),
	}
	d.Process.Start = m.latest.Start
	if !m.started.IsZero() {
		d.Started = m.started.Round(0).UTC()
	}
	m.mu.Unlock()
	d.Healthy, d.Delivery, d.Cost = true, m.Delivery(), m.CheckCost()
	d.Resources, d.Alerts = []page.Resource{}, append([]alerting.Alert{}, m.History()...) // [] rather than null
	d.Sites, d.Captures = append([]sites.Status{}, m.Sites()...), append([]evidence.Capture{}, m.Captures()...)
	d.Evidence = m.EvidenceCost()
	for _, s := range m.Status() {
		one := page.Resource{
			Resource: s.Resource.Name, Unit: s.Resource.Unit, State: s.State.String(), Trend: s.Trend, Limit: s.Limit, Value: s.Value,
			Baseline: s.Baseline, Deviation: s.Deviation, Start: s.Start, SlopePerHour: s.SlopePerHour, Since: s.Since, Exhaustion: s.Exhaustion,
			Judged: s.Judged, Why: s.Why, Leaks: s.Leaks, LimitsPassed: s.LimitsPassed,
		}
		if s.State == Firing {
			one.Severity = &s.Severity
			d.Healthy = false
		}
		d.Resources = append(d.Resources, one)
	}
	return d
}

func (s shown) Plot(resource string, from time.Time) *plot.Chart {
	m := s.m
	bins := history.Bins(m.Past(resource, from))
	if len(bins) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	chart := m.plots.chart(m.detector, m.detector.number(resource), bins)
	history.Clip(&chart)
	return &chart
}
