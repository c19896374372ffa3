package engine

import (
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/trend"
)

// Verdict is the answer to whoever asks whether a resource leaks.
type Verdict uint8

// The verdicts.
const (
	Unjudged Verdict = iota // nothing can be said: Reason says why
	OK                      // watched for long enough, and not growing in a way that may still become a leak
	Early                   // growth that may still become one, or too short a time to call any
	Suspect                 // the shape of a leak, not for long enough
	Leak                    // sustained growth
	Limit                   // a hard limit is passed
)

var verdicts = [...]string{Unjudged: "unjudged", OK: "ok", Early: "early", Suspect: "suspect", Leak: "leak",
	Limit: "limit"}

// String returns the verdict as the fields of JSON have it.
func (v Verdict) String() string { return verdicts[v] }

// MarshalText returns the verdict as the fields of JSON have it.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// callableAt returns when a window of growth that goes on at its rate could be called, unix nanoseconds: by its next
// judgment at the earliest. ok is false where it tells of no rate, which leaves the next judgment.
func callableAt(c *trend.Growth, params *trend.Params, now int64) (at int64, ok bool) {
	after, ok := c.CalledAfter(params.Scale)
	at = now
	if ok {
		at = max(at, c.Since+int64(after))
	}
	return at + int64(c.Width), ok
}

// early returns the window of growth that could be called first of those that may still become a leak, and when, unix
// nanoseconds; ok is false where there is none. now is the latest sample.
func early(g *finding.Growth, params *trend.Params, now int64) (nearest trend.Growth, callable int64, ok bool) {
	for w := range trend.Widths {
		if !g.Growing(w) {
			continue
		}
		c := g.Latest(w)
		at, _ := callableAt(&c, params, now)
		if !ok || at < callable {
			nearest, callable, ok = c, at, true
		}
	}
	return nearest, callable, ok
}

// smallShare is the share of the minimum growth from which on growth of the shape of a leak may still become one: a
// watch that begins late in a leak sees little of it against the level that it has reached.
const smallShare = .25

// smallPatience is the share of the required duration that is asked of such growth to be suspected, and wholeWatch the
// hours of a watch below which it shrinks with them: growth at a rate is told as soon at each.
const (
	smallPatience = 1. / 3
	wholeWatch    = 12
)

// In that time growth of any shape may become a leak that is at least climbingShare of the minimum growth and has been
// at rest for less than climbingRest of its window.
const (
	climbingShare = .75
	climbingRest  = .3
)

// faint returns the window of growth that is too small to be called, or below what was seen before without being known
// to come back from there, but else is suspected, and when it could be called, unix nanoseconds, 0 where that is not
// known; ok is false where there is none. age is that of the process in nanoseconds, now the latest sample.
func faint(s *Series, params trend.Params, load *trend.Ladder, age, now int64) (nearest trend.Growth, callable int64,
	ok bool) {
	minGrowth := params.MinGrowth
	known := highest(s, age, func(p *past) bool { return p.harmless(minGrowth, params.Offset) })
	params.Known, params.HasKnown, params.Regrowth = known.level, known.ok, true
	params.MinGrowth *= smallShare
	watched := min(1, time.Duration(now-s.began).Hours()/params.Scale/wholeWatch)
	patience := smallPatience * watched
	params.Required = finding.Stretch(params.Required, patience)
	for w := range trend.Widths {
		c := s.ladder.Judge(w, params, load)
		climbing := watched < 1 && c.Growth >= climbingShare*minGrowth && c.Rest > 0 && c.Rest < climbingRest &&
			finding.MayBecome(&c)
		if !c.Suspect && !climbing {
			continue
		}
		c.Need /= patience
		at, _ := callableAt(&c, &params, now)
		at = max(at, c.Since+int64(float64(c.Window)*minGrowth/c.Growth))
		if s.growth.Latest(w).Reason == trend.SeenBefore {
			c.Reason, at = trend.SeenBefore, 0
		}
		if !ok || at < callable {
			nearest, callable, ok = c, at, true
		}
	}
	return nearest, callable, ok
}

// judged fills in the verdict on a series of which no finding holds, by the reason that it has. fainter returns what is
// known of growth that is.
func (st *Status) judged(g *finding.Growth, params *trend.Params, now int64, watched time.Duration,
	fainter func() (nearest trend.Growth, callable int64, ok bool)) {
	st.Verdict = Unjudged
	switch st.Reason {
	case TooShort:
		st.Verdict, st.Callable = Early, finding.Instant(now+int64(st.Soonest-watched))
	case TrendOff:
		st.Verdict = OK
	case NotALeak:
		st.Verdict = OK
		if st.State == Suspected {
			st.Verdict = Suspect
			if at, ok := callableAt(&st.Nearest, params, now); ok {
				st.Callable = finding.Instant(at)
			}
			return
		}
		c, at, ok := early(g, params, now)
		if !ok {
			c, at, ok = fainter()
		}
		if ok {
			st.Verdict, st.Nearest, st.Since = Early, c, finding.Instant(c.Since)
			if c.Reason == trend.Uneven { // a step tells of no rate
				return
			}
			st.SlopePerHour = c.Rate() * 3600
			if at != 0 {
				st.Callable = finding.Instant(at)
			}
		}
	}
}
