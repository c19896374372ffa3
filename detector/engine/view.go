package engine

import (
	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// What others may know of a series, between two samples.

// Resource returns what the series measures.
func (s *Series) Resource() sampler.Resource { return s.resource }

// Latest returns the latest reading and its instant, unix nanoseconds.
func (s *Series) Latest() (value float64, at int64) { return s.value, s.at }

// Judged reports whether the series has floors that are judged: not a counter, nor context.
func (s *Series) Judged() bool { return s.ladder != nil }

// Level returns the moving baseline and its standard deviation, 0 before the first reading.
func (s *Series) Level() (mean, deviation float64) {
	mean, _ = s.average.Mean()
	return mean, s.average.Deviation()
}

// Start returns the starting level, provisional until settled.
func (s *Series) Start() (level float64, settled bool) {
	level, settled, _ = s.start.Level()
	return level, settled
}

// Floors returns the ladder of a series that is judged, else nil. It must not be changed.
func (s *Series) Floors() *trend.Ladder { return s.ladder }

// Growth returns the life of its growth. It must not be changed.
func (s *Series) Growth() *finding.Growth { return &s.growth }

// Leaks reports whether growth is found, and whether it was alerted.
func (s *Series) Leaks() (holds, alerted bool) { return s.growth.Active(), s.notice.Alerted }

// Unwell reports whether the series leaks, is suspected to, or is beyond a limit.
func (s *Series) Unwell() bool { return s.growth.Active() || s.limit.active || s.growth.Suspected() }

// Found returns how many findings there were since the engine began.
func (s *Series) Found() int {
	return s.found[kindIndex(alerting.Trend)] + s.found[kindIndex(alerting.Limit)]
}

// Fails reports whether a finding of any kind holds.
func (s *Series) Fails() bool { return s.growth.Active() || s.limit.active }

// Limits returns what growth of the resource is rated by: its configured limit and its ceiling.
func (s *Series) Limits() finding.Limits {
	return finding.Limits{Growth: s.threshold.Value, Ceiling: s.ceiling}
}

// Ceiling returns the level at which the process dies of the resource; its level is 0 where that is not known.
func (s *Series) Ceiling() sampler.Ceiling { return s.ceiling }

// LimitLevel returns the level beyond which a hard limit is passed, 0 = none.
func (s *Series) LimitLevel() float64 { return s.levelLimit().level }
