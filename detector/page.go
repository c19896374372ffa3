package detector

import (
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	found "github.com/mdzesseis/leaktrend/detector/evidence"
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
	d.Sites, d.Captures = append([]sites.Status{}, m.Sites()...), append([]found.Capture{}, m.Captures()...)
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
	bins := binsOf(m.Past(resource, from))
	if len(bins) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.plots.courses[m.detector.engine.Of(resource)]
	if c == nil {
		return nil
	}
	chart := m.plots.chart(m.detector, c, bins)
	return clip(&chart)
}

// binsOf makes of what is kept what is drawn. Where the lowest and the highest value of a long stretch lay within it is not known.
func binsOf(points []Point) []plot.Bin {
	bins := make([]plot.Bin, 0, len(points))
	usual := time.Duration(math.MaxInt64)
	if n := len(points); n > 1 {
		steps := make([]time.Duration, 0, 64)
		for i := max(1, n-64); i < n; i++ {
			steps = append(steps, points[i].From.Sub(points[i-1].To))
		}
		slices.Sort(steps)
		usual = steps[len(steps)/2]
	}
	for i, p := range points {
		b := plot.Bin{
			First: p.From.UnixNano(), Last: p.To.UnixNano(), Min: p.Min, Max: p.Max, Value: p.Max, Mean: p.Baseline, Deviation: p.Deviation,
			Gap: i > 0 && p.From.Sub(points[i-1].To)/3 > usual,
		}
		b.MinAt, b.MaxAt = b.First, b.Last
		if p.Baseline == 0 && p.Deviation == 0 && p.Max != 0 {
			b.Mean = math.NaN()
		}
		bins = append(bins, b)
	}
	return bins
}

// clip drops what lies before the first sample that is drawn.
func clip(c *plot.Chart) *plot.Chart {
	from := time.Unix(0, c.Bins[0].First)
	c.Floors = slices.DeleteFunc(c.Floors, func(f plot.Floor) bool { return f.From.Before(from) })
	c.Marks = slices.DeleteFunc(c.Marks, func(m plot.Mark) bool { return m.At.Before(from) })
	c.Fits = slices.DeleteFunc(c.Fits, func(f plot.Fit) bool { return f.To.Before(from) })
	for i := range c.Fits {
		if f := &c.Fits[i]; f.From.Before(from) {
			f.Value += f.SlopePerSecond * from.Sub(f.From).Seconds()
			f.From = from
		}
	}
	return c
}
