package replay

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Run judges the samples of one process as they come, from wherever. It is for one goroutine.
type Run struct {
	config   detector.Config
	detector *detector.Detector
	history  *detector.History // nil without charts
	result   *Result
	series   []*course
	places   map[string]int // of the resources in series
}

// NewRun returns a run that has no samples yet. name stands for its file in the result.
func NewRun(name string, config detector.Config) (*Run, error) {
	d, err := detector.New(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Run{config: config, detector: d, result: &Result{File: name}, places: map[string]int{}}, nil
}

// Describe tells what is known of resources that leaktrend does not know.
func (r *Run) Describe(resources []sampler.Resource) {
	for _, described := range resources {
		r.detector.Describe(described)
	}
}

// reconfigure goes on with another soak setting.
func (r *Run) reconfigure(soak time.Duration) error {
	r.config.Adaptive.Soak = soak
	events, err := r.detector.Reconfigure(r.config)
	if err != nil {
		return fmt.Errorf("%s: %w", r.result.File, err)
	}
	r.result.Events = append(r.result.Events, events...)
	if r.history != nil {
		r.history.Note(r.detector, events)
	}
	return nil
}

// Observe judges a sample, and returns what it decides.
func (r *Run) Observe(s *sampler.Sample) []alerting.Event {
	events := r.detector.Observe(s)
	r.result.Events = append(r.result.Events, events...)
	if r.history != nil {
		r.history.Observe(r.detector, s, events)
	}
	if r.result.Samples == 0 {
		r.result.First = s.Time
	}
	r.result.Last = s.Time
	r.result.Samples++
	for i := range s.Readings {
		reading := &s.Readings[i]
		if i == len(r.series) || r.series[i].name != reading.Resource {
			r.series = arrange(r.series, r.places, i, *reading)
		}
		r.series[i].line.Add(reading.Value)
		r.series[i].unit.add(s.Time, reading.Value)
		r.series[i].read++
	}
	return events
}

// Result returns what became of the samples so far. It is the run's until that has no more.
func (r *Run) Result() *Result {
	result := r.result
	result.Soak, result.Resources, result.Notes = r.config.Adaptive.Soak, nil, nil
	events := map[string][]alerting.Event{}
	for _, e := range result.Events {
		events[e.Resource] = append(events[e.Resource], e)
	}
	for _, status := range r.detector.Status() {
		resource := Resource{Status: status}
		if i, known := r.places[status.Resource.Name]; known {
			c := r.series[i]
			resource.First, resource.Line, resource.Read = c.first, c.line, c.read
			if note := c.unit.note(c.name); note != "" {
				result.Notes = append(result.Notes, note)
			}
		}
		resource.Events = events[status.Resource.Name]
		if r.history != nil && status.Judged {
			if chart, ok := r.history.Chart(r.detector, status.Resource.Name); ok {
				resource.Chart = &chart
			}
		}
		result.Resources = append(result.Resources, resource)
	}
	return result
}

// chartBins is how many bins a chart keeps: at least half of them are in use, which is about one a pixel.
const chartBins = 1440

// course is the shape of one resource, for display.
type course struct {
	name  string
	first float64
	read  int
	line  spark.Line
	unit  unitStep
}

// arrange brings the course of a reading to its place among the readings.
func arrange(series []*course, places map[string]int, i int, reading sampler.Reading) []*course {
	at, known := places[reading.Resource]
	if !known {
		at = len(series)
		series = append(series, &course{name: reading.Resource, first: reading.Value})
	}
	series[i], series[at] = series[at], series[i]
	places[series[i].name], places[series[at].name] = i, at
	return series
}
