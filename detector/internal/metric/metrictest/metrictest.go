// Package metrictest has the example that the tests of all ways of exporting metrics share. Only tests use it.
package metrictest

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
	"github.com/mdzesseis/leaktrend/sampler"
)

func lookup(name string) sampler.Resource {
	r, _ := sampler.Lookup(name)
	return r
}

// Snapshot returns what a monitor tells that has a resource of every state and unit, one of a unit of its own, one that
// is not judged, a name that has to be quoted, and sinks of which one does well.
func Snapshot() metric.Snapshot {
	began := time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC)
	return metric.Snapshot{
		Status: []detector.Status{
			{
				Resource: lookup(sampler.Goroutines), State: detector.Firing, Trend: true, Limit: true,
				Severity: alerting.High, Judged: true,
				Value: 2911, Baseline: 312, SlopePerHour: 1240, Since: began, Leaks: 2, LimitsPassed: 1, Memory: 6000,
			},
			{
				Resource: lookup(sampler.HeapLiveBytes), State: detector.Suspected, Verdict: detector.Suspect,
				Judged: true, Value: 3 << 20, Baseline: 1 << 20, SlopePerHour: 7200,
				Since: began.Add(time.Hour), Exhaustion: &alerting.Exhaustion{Limit: 8 << 20,
					At: began.Add(48 * time.Hour)}, Memory: 6000,
			},
			{Resource: lookup(sampler.HeapInuseBytes), State: detector.Healthy, Verdict: detector.OK, Value: 4 << 20,
				Baseline: 3 << 20, Memory: 6000},
			{Resource: lookup(sampler.StackBytes), Value: 1 << 16, Memory: 600},
			{Resource: lookup(sampler.AllocBytes), Value: 1 << 40, Memory: 600},
			{Resource: lookup(sampler.OpenFDs), State: detector.Firing, Limit: true, Judged: true, Value: 90,
				Baseline: 80, Since: began, LimitsPassed: 1, Memory: 6000},
			{ // early: neither found nor suspected, so it has no beginning and no end
				Resource: lookup("lag_seconds"), State: detector.Learning, Verdict: detector.Early, Judged: true,
				Value: 1.5, Baseline: 1.25, SlopePerHour: 36,
				Since: began, Exhaustion: &alerting.Exhaustion{Limit: 9, At: began.Add(time.Hour)}, Memory: 6000,
			},
			{Resource: sampler.Resource{Name: "pool_usage", Unit: "ratio"}, State: detector.Healthy,
				Verdict: detector.OK, Judged: true, Value: .5, Baseline: .25, Memory: 6000},
			{Resource: lookup(`queue{of="a\b` + "\xff\n" + `"}`), State: detector.Healthy, Verdict: detector.OK,
				Judged: true, Value: 7, Baseline: 7, Memory: 6000},
		},
		Delivery: []alerting.SinkStats{
			{Name: "log", Sent: 4},
			{Name: "webhook", Sent: 1, Retried: 5, Refused: 7, Dropped: 2, Failed: 3, Panics: 8, Queued: 6, Waiting: 4,
				Failing: true, Stuck: true},
		},
		Checks: detector.CheckStats{
			Checks: 1000, Incomplete: 3, Panics: 2, Reading: 3 * time.Millisecond, Judging: 1500 * time.Microsecond,
			Interval: 30 * time.Second,
			Last:     began.Add(2 * time.Hour),
		},
		Log: alerting.LogStats{Written: 9, Dropped: 10, Panics: 11, Stuck: true},
	}
}
