package detector

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/plot"
	"github.com/mdzesseis/leaktrend/sampler"
)

// maxRestarts bounds how many restarts are marked.
const maxRestarts = 64

// History keeps what the plots of a detector's resources show, in a fixed amount of memory a resource: the course of the samples and of the
// baseline, the minimums, the fitted lines of the findings, and what was alerted. It is not safe for concurrent use.
type History struct {
	bins    int              // of each shape; 0 = the shapes are kept elsewhere
	shapes  []*history.Shape // by the number of the resource, like the next
	courses []*history.Course
	starts  []time.Time // of other processes than the first
	latest  int64
}

// NewHistory returns an empty history that keeps the shape of each resource in so many bins, at least 2, of
// 88 bytes each. The minimums take up to 20 KB more.
func NewHistory(bins int) *History { return &History{bins: bins} }

// Observe takes what the detector made of a sample. It is called after each Observe of the detector, with the same sample and the
// events that it returned, and always with the same detector.
func (h *History) Observe(d *Detector, s *sampler.Sample, events []alerting.Event) {
	at, restarted := d.Latest()
	if s.Time.UnixNano() != at {
		return // the detector ignored it
	}
	if restarted && h.latest != 0 && h.latest != at {
		h.starts = append(h.starts[max(0, len(h.starts)-maxRestarts+1):], s.Time)
	}
	h.latest = at
	for number := range d.Count() {
		if number == len(h.courses) {
			h.courses = append(h.courses, new(history.Course))
			if h.bins > 0 {
				h.shapes = append(h.shapes, history.NewShape(h.bins))
			}
		}
		v := d.View(number)
		if !v.Read {
			continue
		}
		if h.bins > 0 {
			o := history.Observation{At: at, Value: v.Value, Mean: math.NaN()}
			if v.Judged {
				o.Mean, o.Deviation = v.Baseline, v.Deviation
			}
			h.shapes[number].Add(o)
		}
		finding, holds := d.Finding(number)
		h.courses[number].Observe(d.Ladder(number), finding, holds)
	}
	h.Note(d, events)
}

// Note takes events that come without a sample, as those of a new configuration.
func (h *History) Note(d *Detector, events []alerting.Event) {
	for i := range events {
		e := &events[i]
		number := d.Number(e.Resource)
		if number < 0 || number >= len(h.courses) {
			continue
		}
		mark := plot.Mark{At: e.Time, Kind: plot.Firing, Label: e.Severity.String(), Text: e.Summary}
		if e.Status == alerting.Resolved {
			mark.Kind, mark.Label = plot.Resolved, "resolved"
		}
		h.courses[number].Mark(mark)
	}
}

// Bins returns the shape of a resource, for a spark line; nil where it was never read.
func (h *History) Bins(d *Detector, resource string) []plot.Bin {
	if number := d.Number(resource); number >= 0 && number < len(h.shapes) {
		return h.shapes[number].Bins()
	}
	return nil
}

// Chart describes the plot of a resource; ok is false where it was never read.
func (h *History) Chart(d *Detector, resource string) (chart plot.Chart, ok bool) {
	number := d.Number(resource)
	if number < 0 || number >= len(h.courses) {
		return plot.Chart{}, false
	}
	return h.chart(d, number, h.Bins(d, resource)), true
}

// chart describes a plot of some bins.
func (h *History) chart(d *Detector, number int, bins []plot.Bin) plot.Chart {
	status := d.status(number)
	chart := plot.Chart{Title: status.Resource.Name, Desc: status.Why, Resource: status.Resource, Bins: bins}
	for _, at := range h.starts {
		chart.Marks = append(chart.Marks, plot.Mark{At: at, Kind: plot.Restart, Label: "restart", Text: "the process restarted"})
	}
	suspicion, _ := d.Suspicion(number)
	h.courses[number].Draw(&chart, suspicion)
	limit, ceiling := d.Levels(number)
	if ceiling > 0 {
		chart.Ceiling = plot.Level{Value: ceiling, Name: "ceiling"}
	}
	if limit > 0 {
		chart.Limit = plot.Level{Value: limit, Name: "limit"}
	}
	if e := status.Exhaustion; e != nil {
		chart.Exhaustion = e.At
	}
	return chart
}
