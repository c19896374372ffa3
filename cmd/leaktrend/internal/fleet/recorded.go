package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// What leaktrend rules has a Prometheus record of each process: its minimums, and while growth is seen that.
const (
	recordedFloors = `{__name__=~"leaktrend:.+:floor"}`
	recordedClimbs = `{__name__=~"leaktrend:.+:climb_.+"}`
	// startTimes are what the rules need to see growth: without them they record minimums only.
	startTimes = `{__name__="process_start_time_seconds"}`
)

// quiet are jobs that recording rules watch and saw no growth in, of which nothing but the names is read.
type quiet struct {
	jobs       int
	hypotheses map[string]int // resources of groups, a group for each job
}

// evident returns the jobs of which something has to be read: those in which the rules saw growth within the time of
// the scan, and those that they do not watch since its begin, or without start times. Of the others it tells which
// resources they have. values lists those of a label in the series of a selector up to an instant of the scan.
func evident(src *source, outers []string, shard Shard, begin, end time.Time,
	values func(label, selector string, until time.Time) ([]string, error)) (kept []string, q quiet, err error) {
	watched, err := values(src.outer, recordedFloors, begin.Add(time.Hour))
	if err != nil {
		return nil, q, err
	}
	started, err := values(src.outer, startTimes, begin.Add(time.Hour))
	if err != nil {
		return nil, q, err
	}
	climbing, err := values(src.outer, recordedClimbs, end)
	if err != nil {
		return nil, q, err
	}
	q.hypotheses = map[string]int{}
	for _, outer := range outers {
		if !slices.Contains(watched, outer) || !slices.Contains(started, outer) || slices.Contains(climbing, outer) {
			kept = append(kept, outer)
			continue
		}
		if !shard.holds(outer) {
			continue
		}
		q.jobs++
		for _, selector := range src.with(equals(src.outer, outer)) {
			names, err := values(model.MetricNameLabel, selector, end)
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

// into counts the jobs that were not read in a report, with a past in which nothing would have been called, as long as
// that of the others. hypotheses are by resource.
func (q *quiet) into(r *Report, hypotheses map[string]int) {
	past := r.Past.All()
	instants := past.Instants / float64(max(r.Hypotheses, 1))
	for resource, n := range q.hypotheses {
		r.Hypotheses += n
		hypotheses[resource] += n
		r.Past.Judged(resource, instants*float64(n))
	}
	switch q.jobs {
	case 0:
	case 1:
		r.Hints = append(r.Hints, "1 job in which the recording rules saw no growth was not read")
	default:
		r.Hints = append(r.Hints, fmt.Sprintf("%d jobs in which the recording rules saw no growth were not read",
			q.jobs))
	}
}
