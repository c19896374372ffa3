package wording

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// Why returns the reason of a verdict, as a clause.
func Why(s *engine.Status) string {
	switch s.Reason {
	case engine.IsCounter, engine.IsContext:
		return "not judged: " + s.Resource.Unjudged
	case engine.Leaks:
		if s.HeldOver {
			return "grew until the restart at " + s.Fell.Format("2006-01-02 15:04 MST") + ": whether it grows again " +
				"is to be seen"
		}
		if s.Lives != nil && s.Lives.Grew > 0 {
			return EachLife(s.Lives, s.Resource)
		}
		if !s.Fell.IsZero() {
			return "grew, and was gone within one reading at " + s.Fell.Format("2006-01-02 15:04 MST") +
				", taken for a restart that nothing " +
				"here tells of: whether it grows again is to be seen"
		}
		return "sustained growth that never came back"
	case engine.AboveLimit:
		return "above the hard limit"
	case engine.MayRestart:
		return fmt.Sprintf("grew and was back at its lowest level within one reading %d times: restarts that nothing "+
			"here tells of, or a cache "+
			"that is cleared; with start times it could be judged", s.Teeth)
	case engine.StandsIn:
		return "stands in for " + s.Resource.StandsInFor + ", which is read"
	case engine.TrendOff:
		return "below its limits; the trend is not judged (adaptive.enabled is false)"
	case engine.NotRead:
		return "not read any more since " + sampler.FormatInstant(s.At, "2006-01-02 15:04 MST")
	case engine.TooFew:
		return "too few samples to tell"
	case engine.TooShort:
		return "too short to tell: nothing is called in less than " + sampler.FormatDuration(s.Soonest)
	case engine.Uncollected:
		if s.Collections == 0 {
			return "no collection since the watch began: live heap is known only after one"
		}
		return fmt.Sprintf("grew, and was collected only %s since the watch began: too few to tell whether it goes on",
			times(s.Collections))
	}
	why := whyNot(s.Resource, &s.Nearest)
	switch {
	case s.Verdict == engine.OK && s.Doubles >= time.Second:
		why += "; a leak that doubles it in " + sampler.FormatDuration(s.Doubles.Truncate(precision(s.Doubles))) +
			" would have been called"
	case s.Verdict == engine.Early && s.Callable.IsZero():
		why += ", and may go on"
	case s.Verdict != engine.OK && !s.Callable.IsZero():
		why += "; called in " + sampler.FormatDuration(s.Callable.Sub(s.At).Round(time.Second)) + " at the earliest"
	}
	return why
}

// times writes how often: "once", "2 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// precision returns to what a time in which a leak would double is told: it is no exact figure.
func precision(doubles time.Duration) time.Duration {
	if doubles < time.Minute {
		return time.Second
	}
	return time.Minute
}

// IfItGoesOn says of growth that is no finding yet what it comes to at its rate: "reaches its limit of 1,024 in 13m if
// it goes on". "" where that is not known.
func IfItGoesOn(s *engine.Status) string {
	if s.Exhaustion == nil || s.Verdict != engine.Early && s.Verdict != engine.Suspect {
		return ""
	}
	return "reaches its limit of " + s.Resource.Format(s.Exhaustion.Limit) + " in " +
		sampler.FormatDuration(s.Exhaustion.At.Sub(s.At)) + " if it goes on"
}

// whyNot says in a clause why a window of growth is no leak, or not yet.
func whyNot(r sampler.Resource, c *trend.Growth) string {
	lasted := sampler.FormatDuration(c.Window)
	switch c.Reason {
	case trend.NotGrowing:
		return "does not grow"
	case trend.SeenBefore:
		if c.Suspect {
			return fmt.Sprintf("grew by %s (%.0f %%) in %s, up to no more than it was before", r.Format(c.Rise),
				100*c.Growth, lasted)
		}
		return "no higher than before"
	case trend.TooSmall:
		// the share is of the level and of what every process needs
		if c.Level > 0 && c.Rise/c.Level > max(2*c.Growth, 0.1) {
			return fmt.Sprintf("grew by no more than %s in the last %s, too little to tell from noise",
				r.Format(c.Rise), lasted)
		}
		return fmt.Sprintf("grew by no more than %.1f %% in the last %s", 100*c.Growth, lasted)
	case trend.TooRecent:
		return fmt.Sprintf("grew by %s (%.0f %%) in %s, not yet for long enough", r.Format(c.Rise), 100*c.Growth,
			lasted)
	case trend.Uneven:
		if c.Suspect {
			return fmt.Sprintf("grew by %s (%.0f %%) in %s, but unevenly, or ever slower: not yet for long enough",
				r.Format(c.Rise), 100*c.Growth, lasted)
		}
		if c.Steps > 1 {
			return fmt.Sprintf("grew by %s in %s in steps, or is reaching a plateau", r.Format(c.Rise), lasted)
		}
		return fmt.Sprintf("grew by %s in %s in a step, or is reaching a plateau", r.Format(c.Rise), lasted)
	case trend.NotSignificant:
		return fmt.Sprintf("grew by %s in %s without a steady slope", r.Format(c.Rise), lasted)
	case trend.Sustained:
		return "growth by every test, to be confirmed"
	}
	return "too little was read to tell"
}
