package detector

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

const (
	keptFloors = 256 // of each width
	keptFits   = 16  // of findings that are over
	keptMarks  = 64
	// shownFloors is how many floors a plot shows at most, unless a fitted line rests on them.
	shownFloors = 160
)

// History keeps what the plots of a detector's resources show, in a fixed amount of memory a resource: the course of the samples and of the
// baseline, the floors, the fitted lines of the findings, and what was alerted. It is not safe for concurrent use.
type History struct {
	bins    int
	courses map[*engine.Series]*course
	inOrder []*course // the course of each reading of the latest sample
	starts  []time.Time
	epoch   int64
}

// course is the history of one resource.
type course struct {
	tracked *engine.Series
	series  *plot.Series
	ladder  *trend.Ladder // whose floors are taken
	closed  [trend.Widths]int64
	floors  [trend.Widths][]floor
	current trend.Climb // of the finding that holds
	fits    []plot.Fit  // of those that are over
	marks   []plot.Mark
}

// floor is a floor by the start of its bucket, unix nanoseconds.
type floor struct {
	from  int64
	value float64
}

// NewHistory returns an empty history that keeps the shape of each resource in so many bins, at least 2, of
// 88 bytes each. The floors take up to 20 KB more.
func NewHistory(bins int) *History {
	return &History{bins: bins, courses: make(map[*engine.Series]*course)}
}

// Observe takes what the detector made of a sample. It is called after each Observe of the detector, with the same sample and the
// events that it returned, and always with the same detector.
func (h *History) Observe(d *Detector, s *sampler.Sample, events []alerting.Event) {
	at := s.Time.UnixNano()
	if at != d.engine.Last() {
		return // the detector ignored it
	}
	if h.epoch != 0 && d.engine.Epoch() != h.epoch && d.engine.Epoch() == at {
		h.starts = keep(h.starts, s.Time, keptMarks)
	}
	h.epoch = d.engine.Epoch()
	for i := range s.Readings {
		t := d.engine.SeriesAt(i, s.Readings[i].Resource)
		if i == len(h.inOrder) || h.inOrder[i].tracked != t {
			h.arrange(i, t)
		}
		h.inOrder[i].observe(at)
	}
	h.Note(d, events)
}

// Note takes events that come without a sample, as those of a new configuration.
func (h *History) Note(d *Detector, events []alerting.Event) {
	for i := range events {
		e := &events[i]
		c := h.courses[d.engine.Of(e.Resource)]
		if c == nil {
			continue
		}
		mark := plot.Mark{At: e.Time, Kind: plot.Firing, Label: e.Severity.String(), Text: e.Summary}
		if e.Status == alerting.Resolved {
			mark.Kind, mark.Label = plot.Resolved, "resolved"
		}
		c.marks = keep(c.marks, mark, keptMarks)
	}
}

// arrange brings the course of a resource to its place among the readings.
func (h *History) arrange(i int, t *engine.Series) {
	c := h.courses[t]
	if c == nil {
		c = &course{tracked: t}
		if h.bins > 0 {
			c.series = plot.NewSeries(h.bins)
		}
		h.courses[t] = c
	}
	if i < len(h.inOrder) {
		h.inOrder[i] = c
	} else {
		h.inOrder = append(h.inOrder, c)
	}
}

// keep appends a value and drops the oldest beyond so many.
func keep[T any](all []T, value T, most int) []T {
	if len(all) >= most {
		all = slices.Delete(all, 0, 1)
	}
	return append(all, value)
}

func (c *course) observe(at int64) {
	t := c.tracked
	value, _ := t.Latest()
	o := plot.Observation{At: at, Value: value, Mean: math.NaN()}
	if t.Judged() {
		o.Mean, o.Deviation = t.Level()
	}
	if c.series != nil {
		c.series.Add(o)
	}
	if !t.Judged() {
		return
	}
	if floors := t.Floors(); floors != c.ladder || floors.Closed(0) != c.closed[0] {
		c.takeFloors()
	}
	switch g := t.Growth(); {
	case g.Active() && g.Climb().Fit != c.current.Fit:
		c.current = g.Climb()
		// A climb that goes on keeps its beginning; the line was fitted over its latest window alone.
		for w := range trend.Widths {
			if latest := g.Latest(w); latest.Fit == c.current.Fit {
				c.current.Since = latest.Since
			}
		}
	case !g.Active() && c.current.Points > 0:
		c.fits = keep(c.fits, fitOf(&c.current), keptFits)
		c.current = trend.Climb{}
	}
}

// takeFloors takes the floors that closed since the sample before.
func (c *course) takeFloors() {
	l := c.tracked.Floors()
	if l != c.ladder {
		if c.ladder != nil && c.ladder.Width(0) != l.Width(0) {
			c.floors = [trend.Widths][]floor{}
		}
		c.ladder, c.closed = l, [trend.Widths]int64{}
	}
	for w := range trend.Widths {
		width := l.Width(w)
		closed := l.Closed(w)
		for n := max(c.closed[w], closed-trend.Buckets); n < closed; n++ {
			if value, ok := l.FloorAt(w, n); ok {
				c.floors[w] = keep(c.floors[w], floor{l.Epoch() + n*width, value}, keptFloors)
			}
		}
		c.closed[w] = closed
	}
}

// fitOf returns the fitted line of a climb over its window.
func fitOf(c *trend.Climb) plot.Fit {
	return plot.Fit{
		From: finding.Instant(c.Since), To: finding.Instant(c.Since + int64(c.Window)), Value: c.Fit.Intercept, SlopePerSecond: c.Fit.Slope,
	}
}

// Bins returns the shape of a resource, for a spark line; nil where it was never read.
func (h *History) Bins(d *Detector, resource string) []plot.Bin {
	c := h.courses[d.engine.Of(resource)]
	if c == nil {
		return nil
	}
	return c.series.Bins()
}

// Chart describes the plot of a resource; ok is false where it was never read.
func (h *History) Chart(d *Detector, resource string) (chart plot.Chart, ok bool) {
	c := h.courses[d.engine.Of(resource)]
	if c == nil {
		return plot.Chart{}, false
	}
	return h.chart(d, c, c.series.Bins()), true
}

// chart describes a plot of some bins.
func (h *History) chart(d *Detector, c *course, bins []plot.Bin) plot.Chart {
	t := c.tracked
	status := d.engine.StatusOf(t)
	chart := plot.Chart{
		Title:    t.Resource().Name,
		Desc:     wording.Why(&status),
		Resource: t.Resource(),
		Bins:     bins,
		Fits:     slices.Clone(c.fits),
		Marks:    slices.Clone(c.marks),
	}
	for _, at := range h.starts {
		chart.Marks = append(chart.Marks, plot.Mark{At: at, Kind: plot.Restart, Label: "restart", Text: "the process restarted"})
	}
	slices.SortStableFunc(chart.Marks, func(a, b plot.Mark) int { return a.At.Compare(b.At) })
	climb := c.current
	if climb.Points == 0 && t.Growth().Suspected() {
		climb = t.Growth().Nearest()
	}
	if climb.Points > 0 {
		chart.Fits = append(chart.Fits, fitOf(&climb))
	}
	chart.Floors = c.shown(chart.Bins, climb.Width)
	if ceiling := t.Ceiling().Level; ceiling > 0 {
		chart.Ceiling = plot.Level{Value: ceiling, Name: "ceiling"}
	}
	if limit := t.LimitLevel(); limit > 0 && t.Judged() {
		chart.Limit = plot.Level{Value: limit, Name: "limit"}
	}
	if e := status.Exhaustion; e != nil {
		chart.Exhaustion = e.At
	}
	return chart
}

// shown returns the floors of the width that a fitted line rests on or, where these are too many or there is no line, of the finest
// width that shows them apart.
func (c *course) shown(bins []plot.Bin, fitted time.Duration) (shown []plot.Floor) {
	if c.ladder == nil || len(bins) == 0 {
		return nil
	}
	span := bins[len(bins)-1].Last - bins[0].First
	best := trend.Widths - 1
	for w := trend.Widths - 1; w >= 0; w-- {
		width := c.ladder.Width(w)
		if span/width <= shownFloors && width >= int64(fitted) || width == int64(fitted) && span/width < keptFloors {
			best = w
		}
	}
	width := c.ladder.Width(best)
	for _, f := range c.floors[best] {
		shown = append(shown, plot.Floor{From: finding.Instant(f.from), To: finding.Instant(f.from + width), Value: f.value})
	}
	return shown
}
