package fleet

import (
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
)

// What leaktrend rules has a Prometheus record of each process: its minimums, and while growth is seen that.
const (
	recordedFloors = `{__name__=~"leaktrend:.+:floor"}`
	recordedClimbs = `{__name__=~"leaktrend:.+:climb_.+"}`
)

// quiet are jobs that recording rules watch and saw no growth in, of which nothing but the names is read.
type quiet struct {
	jobs       int
	hypotheses map[string]int // resources of groups, a group for each job
}

// evident returns the jobs of which something has to be read: those in which the rules saw growth within the time of the
// scan, and those that they do not watch. Of the others it notes which resources they have.
func evident(src *source, outers []string, shard Shard, values func(label, selector string) ([]string, error)) (kept []string, q quiet, err error) {
	watched, err := values(src.outer, recordedFloors)
	if err != nil {
		return nil, q, err
	}
	climbing, err := values(src.outer, recordedClimbs)
	if err != nil {
		return nil, q, err
	}
	q.hypotheses = map[string]int{}
	for _, outer := range outers {
		if !slices.Contains(watched, outer) || slices.Contains(climbing, outer) {
			kept = append(kept, outer)
			continue
		}
		if !shard.holds(outer) {
			continue
		}
		q.jobs++
		for _, selector := range src.with(equals(src.outer, outer)) {
			names, err := values(model.MetricNameLabel, selector)
			if err != nil {
				return nil, q, err
			}
			for _, r := range rolesOf(names, nil, src.container) {
				q.hypotheses[r.Resource]++
			}
		}
	}
	return kept, q, nil
}

// hint says what was not read; "" = nothing.
func (q *quiet) hint() string {
	switch q.jobs {
	case 0:
		return ""
	case 1:
		return "1 job in which the recording rules saw no growth was not read"
	}
	return fmt.Sprintf("%d jobs in which the recording rules saw no growth were not read", q.jobs)
}
