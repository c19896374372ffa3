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
		if s.Resumed > 0 {
			return "sustained growth, seen again after " + restarts(s.Resumed)
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
		if !s.HasGrown {
			return fmt.Sprintf("collected only %s since the watch began: too few to tell whether it grows",
				times(s.Collections))
		}
		return fmt.Sprintf("grew, and was collected only %s since the watch began: too few to tell whether it goes on",
			times(s.Collections))
	}
	why := whyNot(s.Resource, &s.Nearest)
	if s.Verdict == engine.OK && s.Nearest.Reason == trend.TooRecent {
		why = grew(s.Resource, &s.Nearest) + ", and hardly in the rest of that time"
	}
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

// restarts writes how many: "a restart", "2 restarts".
func restarts(n int) string {
	if n == 1 {
		return "a restart"
	}
	return fmt.Sprintf("%d restarts", n)
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
	switch c.Reason {
	case trend.NotGrowing:
		return "does not grow"
	case trend.SeenBefore:
		if c.Suspect {
			return grew(r, c) + ", up to no more than it was before"
		}
		return "no higher than before"
	case trend.TooSmall:
		if max(c.Growth, riseShare(c)) < .0005 {
			return "does not grow"
		}
		if share := riseShare(c); share > max(2*c.Growth, .1) {
			return grew(r, c) + ", too little to tell from noise"
		}
		return grew(r, c)
	case trend.TooRecent:
		return grew(r, c) + ", not yet for long enough"
	case trend.Uneven:
		switch {
		case c.Suspect:
			return grew(r, c) + ", but unevenly, or ever slower: not yet for long enough"
		case c.Steps > 1:
			return grew(r, c) + " in steps, or is reaching a plateau"
		}
		return grew(r, c) + " in a step, or is reaching a plateau"
	case trend.NotSignificant:
		return grew(r, c) + " without a steady slope"
	case trend.Sustained:
		return "growth by every test, to be confirmed"
	}
	return "too little was read to tell"
}

// grew says by how much the minimum of a window did, which noise leaves below what was read last.
func grew(r sampler.Resource, c *trend.Growth) string {
	share := ""
	if s := riseShare(c); s > 0 {
		share = fmt.Sprintf(" (%s %%)", percent(100*s))
	}
	return fmt.Sprintf("its minimum grew by %s%s in %s", r.Format(c.Rise), share, sampler.FormatDuration(c.Window))
}

// riseShare returns the rise over the level before it; 0 where there was none.
func riseShare(c *trend.Growth) float64 {
	if c.Level <= 0 {
		return 0
	}
	return c.Rise / c.Level
}

// percent writes a share with a digit behind the point below ten.
func percent(p float64) string {
	if p < 9.95 {
		return fmt.Sprintf("%.1f", p)
	}
	return fmt.Sprintf("%.0f", p)
}
