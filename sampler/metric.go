package sampler

import "slices"

// Metric says what a metric of the Prometheus client libraries, or of the kubelet, is here: a reading, the start time of the process in
// unix seconds, or a ceiling.
type Metric struct {
	Name     string
	Resource string   // that it is a reading of; "" if it is none
	Start    bool     // whether it is the start time
	Limits   []string // resources that it is the ceiling of
	Source   string   // of the ceiling
}

// Metrics returns the metrics that have a meaning here. Where two are readings of the same resource, the earlier one wins.
func Metrics() []Metric {
	all := make([]Metric, 0, len(metrics))
	for _, m := range metrics {
		all = append(all, Metric{m.name, m.resource, m.start, slices.Clone(m.limits), m.source})
	}
	return all
}

// Unlimited reports whether the value of a ceiling's metric means that there is none.
func Unlimited(value float64) bool { return !(value > 0 && value < unlimited) }
