// Package wording composes the sentences about decisions, from the reasons and figures of the packages that decide.
// None of those imports it. It decides nothing, and knows no clock. Tables and pages lay out its words themselves.
package wording

import (
	"fmt"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Summary returns the sentence on a decision, with its figures.
func Summary(d *engine.Decision) string {
	if d.Status == alerting.Resolved {
		return resolved(&d.Event, d.Described, ends[d.Cause]+endedWith(d.Lives))
	}
	now, start := d.Described.Format(d.Value), d.Described.Format(d.Baseline)
	switch d.Cause {
	case engine.Grew:
		return fmt.Sprintf("%s leak: %s for %s without ever coming back, %s now, baseline %s, growing since %s",
			d.Resource, d.Described.FormatPerHour(d.SlopePerHour), sampler.FormatDuration(d.Time.Sub(d.Since)),
			now, start, since(&d.Event)) + timeLeft(&d.Event, d.Described) +
			began(d.Lives)
	case engine.GrewInEachLife:
		return fmt.Sprintf("%s leak: %s; %s now", d.Resource, EachLife(d.Lives, d.Described), now) + timeLeft(&d.Event,
			d.Described)
	case engine.NearCeiling:
		return fmt.Sprintf("%s at %.0f %% of what the process can have: %s of %s",
			d.Resource, 100*d.Value/d.Ceiling, now, d.Described.Format(d.Ceiling)) + timeLeft(&d.Event, d.Described)
	case engine.GrewAtOnce:
		return fmt.Sprintf("%s grew by %.0f %% within one interval: %s now, %s before (growth_rate_threshold)",
			d.Resource, 100*(d.Beyond-d.Before)/d.Before, now, d.Described.Format(d.Before))
	}
	limit := d.Described.Format(d.Limit.Value)
	if d.Limit.Absolute {
		return fmt.Sprintf("%s above the limit: %s now, limit %s (%s), %s at the start",
			d.Resource, now, limit, d.Limit.Key, start) + timeLeft(&d.Event, d.Described)
	}
	return fmt.Sprintf("%s grew by %s above the start, more than the limit of %s (%s): %s now, %s at the start",
		d.Resource, d.Described.Format(d.Described.Growth(d.Value, d.Baseline)), limit, d.Limit.Key, now, start) +
		timeLeft(&d.Event, d.Described)
}

// since says when growth began, and of what was there from the first reading on that it may have been before.
func since(e *alerting.Event) string {
	at := sampler.FormatInstant(e.Since, "2006-01-02 15:04:05 MST")
	if e.SinceFirst {
		return "at least " + at + ", where the readings begin"
	}
	return at
}

// ends says why a finding is over, as a clause.
var ends = map[engine.Cause]string{
	engine.GaveBack:   "more than half of the growth was given back",
	engine.CameToRest: "nine tenths of the growth have been there for longer than they took to come",
	engine.LevelsOff:  "longer lives since then show that the growth levels off with the age of the process",
	engine.NotAgain:   "not there again since the restart, for as long as it had grown",
	engine.StayedDown: "gone within one reading, as after a restart, and not there again for as long as it " +
		"had grown",
	engine.BelowLimit:    "below the limit again",
	engine.LimitChanged:  "the limit changed",
	engine.ConfigChanged: "the configuration changed",
	engine.Restarted:     "the process restarted",
	engine.StandInEnds:   "the resource that it stands in for is read now",
	engine.Unread:        "not read any more, so that nobody knows whether it still holds",
}

// resolved returns the sentence on the end of a finding, for a reason given as a clause.
func resolved(e *alerting.Event, r sampler.Resource, why string) string {
	return fmt.Sprintf("%s %s resolved after %s: %s (%s now)", e.Resource, e.Kind,
		sampler.FormatDuration(e.Time.Sub(e.Since).Round(time.Millisecond)), why, r.Format(e.Value))
}

// timeLeft says as a clause when the limit is reached; "" where that is not known.
func timeLeft(e *alerting.Event, r sampler.Resource) string {
	x := e.Exhaustion
	if x == nil {
		return ""
	}
	if x.Earliest.IsZero() {
		return "; " + TimeLeft(x, r, e.Time)
	}
	return "; reaches its limit of " + r.Format(x.Limit) + " in " + between(x.Earliest.Sub(e.Time),
		x.Latest.Sub(e.Time))
}

// between says an interval of time in one unit, as in "3 to 5 days": the lower bound rounded down, the upper one up.
func between(shortest, longest time.Duration) string {
	unit, name := time.Second, "second"
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Minute, "minute"}, {time.Hour, "hour"}, {24 * time.Hour, "day"}, {365 * 24 * time.Hour, "year"}} {
		if longest >= 2*u.unit {
			unit, name = u.unit, u.name
		}
	}
	from, to := math.Floor(float64(shortest)/float64(unit)), math.Ceil(float64(longest)/float64(unit))
	if from == 0 {
		return fmt.Sprintf("at most %.0f %ss", to, name)
	}
	return fmt.Sprintf("%.0f to %.0f %ss", from, to, name)
}

// TimeLeft says how long there is left to the limit of a resource from an instant on.
func TimeLeft(x *alerting.Exhaustion, r sampler.Resource, from time.Time) string {
	return fmt.Sprintf("%s left to the limit of %s", sampler.FormatDuration(x.At.Sub(from)), r.Format(x.Limit))
}
