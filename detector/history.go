package detector

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// maxTraces bounds of how many resources beside those that leaktrend knows a live monitor keeps minimums and marks:
// there are no plots of more.
const maxTraces = 512

// maxRestarts bounds how many restarts are marked.
const maxRestarts = 64

// History keeps what the plots of a detector's resources show, in a fixed amount of memory a resource: the shape of the
// samples and of the baseline, the minimums, the fitted lines of the findings, and what was alerted. It is not safe for
// concurrent use.
type History struct {
	bins   int              // of each shape; 0 = the shapes are kept elsewhere
	shapes []*history.Shape // by the number of the resource, like the next
	traces []*history.Trace
	of     []*engine.Series // that they are the shapes and traces of
	starts []time.Time      // of other processes than the first
	epoch  int64
}

// NewHistory returns an empty history that keeps the shape of each resource in a number of bins, at least 2, of 88
// bytes each. The minimums take up to 20 KB more.
func NewHistory(bins int) *History { return &History{bins: bins} }

// Observe adds a sample and the events that it led to. Call it after each Observe of the detector, with the same sample
// and the events that it returned, and always with the same detector.
func (h *History) Observe(d *Detector, s *sampler.Sample, events []alerting.Event) {
	at, epoch := d.engine.Last(), d.engine.Epoch()
	if s.Time.UnixNano() != at {
		return // the detector ignored it
	}
	if h.epoch != 0 && epoch != h.epoch && epoch == at {
		h.starts = append(h.starts[max(0, len(h.starts)-maxRestarts+1):], s.Time)
	}
	h.epoch = epoch
	for number, t := range d.engine.All() {
		if number == len(h.traces) {
			h.traces, h.of = append(h.traces, nil), append(h.of, nil)
			if h.bins > 0 {
				h.shapes = append(h.shapes, nil)
			}
		}
		if h.of[number] != t { // new, or in the place of one that is not read any more
			h.of[number], h.traces[number] = t, nil
			if h.bins > 0 {
				h.shapes[number] = history.NewShape(h.bins)
			}
			if _, known := sampler.Lookup(t.Resource().Name); known || h.bins > 0 || number < maxTraces {
				h.traces[number] = new(history.Trace)
			}
		}
		value, read := t.Latest()
		if read != at {
			continue
		}
		if h.bins > 0 {
			o := history.Observation{At: at, Value: value, Mean: math.NaN()}
			if t.Judged() {
				o.Mean, o.Deviation = t.Level()
			}
			h.shapes[number].Add(o)
		}
		if h.traces[number] != nil {
			h.traces[number].Observe(t.Minimums(), t.Growth())
		}
	}
	h.Note(d, events)
}

// Note adds events that come without a sample, such as those of a new configuration.
func (h *History) Note(d *Detector, events []alerting.Event) {
	for i := range events {
		e := &events[i]
		number := d.number(e.Resource)
		if number < 0 || number >= len(h.traces) || h.traces[number] == nil {
			continue
		}
		mark := plot.Mark{At: e.Time, Kind: plot.Firing, Label: e.Severity.String(), Text: e.Summary}
		if e.Status == alerting.Resolved {
			mark.Kind, mark.Label = plot.Resolved, "resolved"
		}
		h.traces[number].Mark(mark)
	}
}

// Bins returns the shape of a resource, for a spark line; nil where it was never read.
func (h *History) Bins(d *Detector, resource string) []plot.Bin {
	if number := d.number(resource); number >= 0 && number < len(h.shapes) {
		return h.shapes[number].Bins()
	}
	return nil
}

// Chart describes the plot of a resource; ok is false where it was never read.
func (h *History) Chart(d *Detector, resource string) (chart plot.Chart, ok bool) {
	number := d.number(resource)
	if number < 0 || number >= len(h.traces) {
		return plot.Chart{}, false
	}
	chart = h.chart(d, number, h.Bins(d, resource))
	if resource == sampler.RSSBytes {
		chart.Layers = memoryLayers(chart.Bins, func(part string) []plot.Bin { return h.Bins(d, part) })
	}
	return chart, true
}

// chart describes a plot of some bins.
func (h *History) chart(d *Detector, number int, bins []plot.Bin) plot.Chart {
	t := d.engine.All()[number]
	status := d.engine.StatusOf(t)
	chart := plot.Chart{Title: status.Resource.Name, Desc: wording.Why(&status), Resource: status.Resource, Bins: bins}
	for _, at := range h.starts {
		chart.Marks = append(chart.Marks, plot.Mark{At: at, Kind: plot.Restart, Label: "restart",
			Text: "the process restarted"})
	}
	if h.traces[number] != nil {
		h.traces[number].Draw(&chart, t.Growth())
	}
	if ceiling := t.Ceiling().Level; ceiling > 0 {
		chart.Ceiling = plot.Level{Value: ceiling, Name: "limit"}
	}
	if limit := t.LimitLevel(); limit > 0 && t.Judged() {
		chart.Limit = plot.Level{Value: limit, Name: "alert at"}
	}
	if e := status.Exhaustion; e != nil {
		chart.Exhaustion = e.At
	}
	return chart
}

// number returns the place of a resource in the order of appearance, -1 where it was never read.
func (d *Detector) number(resource string) int {
	return slices.IndexFunc(d.engine.All(), func(t *engine.Series) bool { return t.Resource().Name == resource })
}
