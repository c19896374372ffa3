package finding

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Limits are what the growth of a resource is rated by.
type Limits struct {
	Growth  float64         // that is a configured limit, in the unit of the resource; 0 = none
	Ceiling sampler.Ceiling // at which the process dies; its level is 0 where that is not known
}

// Rate rates growth by its share of the limit, and by the time until a value reaches the ceiling at a rate per second.
func (l Limits) Rate(growth, value, rate float64) alerting.Severity {
	severity := SeverityOfTime(SecondsLeft(value, rate, l.Ceiling.Level))
	if l.Growth > 0 {
		severity = max(severity, SeverityOfShare(growth/l.Growth))
	}
	return severity
}

// Slope is how fast something grows, by a regression.
type Slope struct {
	Rate float64 // per second
	T    float64 // trend.Fit.T of the rate; 0 where it is not known
}

// The bounds of the time that is left lie apart from its estimate by these shares, as logarithms: what every leak has,
// and what the regression leaves open, divided by T. Calibrated on generated leaks so that one in ten runs out before
// and one in ten after: before is further away, as levels have peaks and growth accelerates.
const (
	soonerShare, soonerOpen = .31, 12.4
	laterShare, laterOpen   = .042, 1.7
)

// Exhaustion returns when a value reaches the ceiling at a rate, or nil where there is no ceiling or no growth.
func (l Limits) Exhaustion(at time.Time, value float64, slope Slope) *alerting.Exhaustion {
	left, ok := SecondsLeft(value, slope.Rate, l.Ceiling.Level)
	if !ok {
		return nil
	}
	after := func(seconds float64) time.Time {
		return at.Add(time.Duration(min(seconds, century) * 1e9)).Truncate(time.Millisecond)
	}
	x := &alerting.Exhaustion{Limit: l.Ceiling.Level, Source: l.Ceiling.Source, At: after(left)}
	if slope.T > 0 && left > 0 {
		x.Earliest = after(left * math.Exp(-math.Hypot(soonerShare, soonerOpen/slope.T)))
		x.Latest = after(left * math.Exp(math.Hypot(laterShare, laterOpen/slope.T)))
	}
	return x
}

// SeverityOfShare rates growth as a share of its configured limit: high from 1.5 times on, critical from twice. It is
// the growth that counts, never the absolute value.
func SeverityOfShare(share float64) alerting.Severity {
	switch {
	case share >= 2:
		return alerting.Critical
	case share >= 1.5:
		return alerting.High
	}
	return alerting.Warning
}

// century is the longest time that is reckoned with, in seconds.
const century = 100 * 365 * 24 * 3600

// SecondsLeft returns the time until a value that grows by a rate per second reaches a level; ok is false where there
// is no level (0 or less), no growth, or a century left.
func SecondsLeft(value, rate, level float64) (left float64, ok bool) {
	if level <= 0 || rate <= 0 {
		return 0, false
	}
	left = max(0, (level-value)/rate)
	return left, left <= century
}

// SeverityOfTime rates the seconds that are left until exhaustion: critical below an hour, high below a day. ok says
// whether they are known.
func SeverityOfTime(left float64, ok bool) alerting.Severity {
	switch {
	case ok && left < 3600:
		return alerting.Critical
	case ok && left < 24*3600:
		return alerting.High
	}
	return alerting.Warning
}

// Instant returns the time of unix nanoseconds, in UTC.
func Instant(at int64) time.Time { return time.Unix(0, at).UTC() }

// Stretch multiplies a duration and keeps it within what a positive duration can be.
func Stretch(length time.Duration, factor float64) time.Duration {
	stretched := float64(length) * factor
	if stretched >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(1, time.Duration(stretched))
}
