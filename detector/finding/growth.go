// Package finding holds the one life of a finding: growth is watched, suspected, confirmed, followed and ended, rated, and alerted when it is
// news. Totals and lines of code live by the same rules. It decides from floors and instants alone; what it says are reasons and figures.
package finding

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/trend"
)

// confirmations is how many judgments of one width in a row it takes: one may be a bucket that happened to end high.
const confirmations = 2

// newHigh is the share of the growth by which a floor must exceed the highest before it.
const newHigh = .02

// Change is what a judgment made of a growth.
type Change uint8

// The changes. GaveBack and CameToRest end the finding.
const (
	Unchanged Change = iota
	Began
	GaveBack   // more than half of the growth was given back
	CameToRest // no new high for as long as the growth had lasted
)

// Growth is the growth of one series. The zero value is one of which nothing is known. It is not safe for concurrent use.
type Growth struct {
	streak     [trend.Widths]int8 // sustained judgments in a row
	suspicious [trend.Widths]int8
	latest     [trend.Widths]trend.Climb

	active bool
	climb  trend.Climb
	width  int     // index of the width that fired
	high   float64 // highest floor since
	highAt int64
}

// Judge looks at the widths of which a bucket closed at an instant (unix nanoseconds), a bit set, and moves the growth on. judge returns the
// verdict on the windows of one width.
func (g *Growth) Judge(l *trend.Ladder, at int64, closed uint8, judge func(w int) trend.Climb) Change {
	change := Unchanged
	for w := range trend.Widths {
		if closed&(1<<w) == 0 {
			continue
		}
		climb := judge(w)
		g.latest[w] = climb
		count(&g.streak[w], climb.Reason == trend.Sustained)
		count(&g.suspicious[w], climb.Suspect)
		if g.active {
			if ended := g.follow(l, at, w, climb); ended != Unchanged {
				change = ended
			}
		}
	}
	if g.active {
		return change
	}
	// The widest climb tells best since when.
	for w := trend.Widths - 1; w >= 0; w-- {
		if g.streak[w] >= confirmations {
			g.begin(at, w, g.latest[w])
			return Began
		}
	}
	return change
}

func count(streak *int8, holds bool) {
	switch {
	case !holds:
		*streak = 0
	case *streak < confirmations:
		*streak++
	}
}

func (g *Growth) begin(at int64, w int, climb trend.Climb) {
	g.active, g.climb, g.width = true, climb, w
	g.high, g.highAt = climb.Base+climb.Rise, at
}

// Prove begins a finding of growth that needs no confirmation, by what is known of its climb. One that holds goes on.
func (g *Growth) Prove(at int64, climb trend.Climb) {
	if !g.active {
		g.begin(at, 0, climb)
	}
}

// follow updates a finding by the floor that closed, and ends it when the growth was given back or came to rest.
func (g *Growth) follow(l *trend.Ladder, at int64, w int, climb trend.Climb) Change {
	// What a finding rests on does not shrink while it lasts.
	if climb.Reason == trend.Sustained && climb.Window >= g.climb.Window {
		first := &g.climb
		if first.Since < climb.Since {
			climb.Since, climb.Base = first.Since, first.Base
		}
		climb.Level = min(climb.Level, first.Level) // a wide bucket keeps the level at its end, which lies within the climb
		g.climb = climb
	}
	floor, ok := l.Floor(g.width)
	if w != g.width || !ok {
		return Unchanged
	}
	// Noise goes on to set highs when growth has come to rest; they count once they add up to something.
	if floor > g.high+newHigh*(g.high-g.climb.Base) {
		g.high, g.highAt = floor, at
	}
	switch {
	case g.GivenBack(floor):
		g.end()
		return GaveBack
	case at-g.highAt > g.highAt-g.climb.Since:
		g.end()
		return CameToRest
	}
	return Unchanged
}

// GivenBack reports whether a value is below half of the growth. A finding ends when a minimum is.
func (g *Growth) GivenBack(value float64) bool { return value < g.climb.Base+(g.high-g.climb.Base)/2 }

// end forgets the finding and the judgments that confirmed it; its climb is kept for what is said of the end.
func (g *Growth) end() {
	g.active, g.streak = false, [trend.Widths]int8{}
}

// Forget ends a finding and drops the judgments that led to it, as at a restart.
func (g *Growth) Forget() { *g = Growth{} }

// Active reports whether a finding holds.
func (g *Growth) Active() bool { return g.active }

// Suspected reports whether growth has the shape of a leak and lacks only the duration.
func (g *Growth) Suspected() bool {
	for _, n := range g.suspicious {
		if n >= confirmations {
			return true
		}
	}
	return false
}

// Climb returns the growth of the finding that holds, or of the one that ended last.
func (g *Growth) Climb() trend.Climb { return g.climb }

// Latest returns the latest judgment at index w.
func (g *Growth) Latest(w int) trend.Climb { return g.latest[w] }

// Since returns when the growth of the finding began, unix nanoseconds.
func (g *Growth) Since() int64 { return g.climb.Since }

// Grew returns how long the growth of the finding has lasted: to its latest new high.
func (g *Growth) Grew() time.Duration { return time.Duration(g.highAt - g.climb.Since) }

// Nats returns the evidence of the widths on which growth passes every test now: trend.Fit.Nats, summed up.
func (g *Growth) Nats() (sum float64) {
	for i := range g.latest {
		if c := &g.latest[i]; c.Reason == trend.Sustained {
			sum += c.Fit.Nats()
		}
	}
	return sum
}

// Nearest returns the latest judgment that came closest to a leak: a suspicious one if there is any.
func (g *Growth) Nearest() trend.Climb {
	best := g.latest[0]
	for _, c := range g.latest[1:] {
		nearer := c.Reason > best.Reason || c.Reason == best.Reason && c.Growth > best.Growth
		if c.Suspect && !best.Suspect || c.Suspect == best.Suspect && nearer {
			best = c
		}
	}
	return best
}

// EvidenceOf returns the figures of a climb as alerts carry them.
func EvidenceOf(c *trend.Climb) *alerting.Evidence {
	return &alerting.Evidence{
		Window:          c.Window.Round(time.Millisecond).String(),
		Points:          c.Points,
		EffectivePoints: c.Fit.EffectivePoints,
		Floor:           c.Width.Seconds(),
		Rise:            c.Rise,
		Growth:          c.Growth,
		R2:              c.Fit.R2,
		T:               c.Fit.T,
		LoadShare:       c.Kept,
	}
}
