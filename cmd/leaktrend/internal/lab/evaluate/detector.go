package evaluate

import (
	"context"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// TrendOnly returns the configuration without alarms from limits. The trend still knows the ceilings.
func TrendOnly(c detector.Config) detector.Config {
	c.AlertOnThreshold = false
	return c
}

// LimitsOnly returns the configuration without the trend: the configured thresholds, or the ceilings where there are
// none.
func LimitsOnly(c detector.Config) detector.Config {
	c.Adaptive.Enabled = false
	return c
}

// Detector returns the detector itself as a Method. given says that the configuration is the user's: its soak setting
// then holds, else that of each recording. The error says that the configuration is not valid.
func Detector(name string, c detector.Config, given bool) (Method, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &detectorMethod{name: name, config: c, given: given}, nil
}

type detectorMethod struct {
	name   string
	config detector.Config
	given  bool
}

func (m *detectorMethod) Name() string { return m.name }

// Run returns the begin of each finding. An alert that only raises the severity of one is no further alarm.
func (m *detectorMethod) Run(r *dataset.Recording) []Firing {
	c := m.config
	if !m.given {
		c.Adaptive.Soak = r.Soak
	}
	d, err := detector.New(c)
	if err != nil {
		panic(err) // the loaders refuse a soak setting that a detector does not take
	}
	for _, described := range r.Described {
		d.Describe(described)
	}
	type finding struct {
		resource string
		kind     alerting.Kind
	}
	open := make(map[finding]bool)
	var (
		firings []Firing
		sample  sampler.Sample
		source  = r.Source()
	)
	for source.Sample(context.Background(), &sample) == nil {
		for _, e := range d.Observe(&sample) {
			f := finding{e.Resource, e.Kind}
			if e.Status == alerting.Firing && !open[f] {
				firings = append(firings, Firing{e.Resource, e.Time.UnixNano()})
			}
			open[f] = e.Status == alerting.Firing
		}
	}
	return firings
}
