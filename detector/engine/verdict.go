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

var verdicts = [...]string{Unjudged: "unjudged", OK: "ok", Early: "early", Suspect: "suspect", Leak: "leak", Limit: "limit"}

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

// judged fills in the verdict on a series of which no finding holds, by the reason that it has.
func (st *Status) judged(g *finding.Growth, params *trend.Params, now int64, watched time.Duration) {
	st.Verdict = Unjudged
	switch st.Reason {
	case TooShort:
		st.Verdict, st.Callable = Early, finding.Instant(now+int64(st.Soonest-watched))
	case TrendOff:
		st.Verdict = OK
	case NotALeak:
		st.Verdict, st.Doubles = OK, params.Doubling(watched)
		if st.State == Suspected {
			st.Verdict = Suspect
			if at, ok := callableAt(&st.Nearest, params, now); ok {
				st.Callable = finding.Instant(at)
			}
			return
		}
		if c, at, ok := early(g, params, now); ok {
			st.Verdict, st.Nearest, st.Since = Early, c, finding.Instant(c.Since)
			if c.Reason != trend.Uneven { // a step tells of no rate
				st.Callable, st.SlopePerHour = finding.Instant(at), c.Rise/c.Window.Hours()
			}
		}
	}
}
