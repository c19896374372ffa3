// Package finding holds the one life of a finding: growth is watched, suspected, confirmed, followed and ended,
// rated, and alerted when it is news. Totals and lines of code live by the same rules. It decides from the judgments
// of package trend and their instants alone; what it says are reasons and figures, never sentences.
package finding

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/trend"
)

// confirmations is how many judgments of one width in a row it takes: one may be a bucket that happened to end high.
const confirmations = 2

// restShare is the share of the growth that may come after a series has come to rest: noise goes on to add to it.
const restShare = .1

// onLine is the share of what growth at the confirmed rate would have added by now: a series that has so much goes on
// growing, whatever a peak of the load on top of it hides.
const onLine = .75

// Change is what a judgment made of a growth.
type Change uint8

// The changes. Those below Began end the finding.
const (
	Unchanged Change = iota
	Began
	GaveBack   // more than half of the growth was given back
	CameToRest // nine tenths of the growth have been there for longer than they took to come
	StayedDown // after what may have been a restart there was less than half of the growth for as long as it took
)

// Growth is the growth of one series. The zero value is one of which nothing is known. It is not safe for concurrent
// use.
type Growth struct {
	streak     [trend.Widths]int8 // sustained judgments in a row
	suspicious [trend.Widths]int8
	growing    [trend.Widths]int8 // judgments in a row of growth that may still become a leak
	latest     [trend.Widths]trend.Growth

	active   bool
	measured trend.Growth // of the widest window that confirmed it
	width    int          // index of the width that fired
	from     int64        // start of the earliest window that confirmed it
	base     float64      // from which the growth counts: of that window
	top      float64      // highest level that passed the tests, or lay on the line that did
	rate     float64      // slope when it was found, per second; 0 = unknown
	onset    trend.Onset  // the most exact estimate so far
	restedAt int64        // since when nine tenths of the growth are there for good
	fellAt   int64        // when the growth was gone within one reading, as at a restart; 0 = it was not
	over     bool         // whether that was at a restart that is known
	grewFor  int64        // how long it had grown before, nanoseconds
	bottom   float64      // lowest minimum since then
	resumed  int          // times that it was seen again after that
	high     float64      // latest minimum since then
}

// Held is a finding that holds, for whoever goes on with it. Instants are unix nanoseconds, levels in the unit of the
// series.
type Held struct {
	Measured trend.Growth `json:"measured"`
	Onset    trend.Onset  `json:"onset"`
	Width    int          `json:"width"`
	From     int64        `json:"from"`
	Base     float64      `json:"base"`
	Top      float64      `json:"top"`
	Rate     float64      `json:"rate"`
	RestedAt int64        `json:"rested_at"`
	FellAt   int64        `json:"fell_at,omitempty"`
	Over     bool         `json:"over,omitempty"` // that was at a restart that is known
	GrewFor  int64        `json:"took,omitempty"`
	Regrown  bool         `json:"regrown,omitempty"` // as far as half of what had grown, since it fell
}

// Held returns the finding that holds, or nil.
func (g *Growth) Held() *Held {
	if !g.active {
		return nil
	}
	return &Held{
		Measured: g.measured, Onset: g.onset, Width: g.width, From: g.from, Base: g.base, Top: g.top, Rate: g.rate,
		RestedAt: g.restedAt,
		FellAt:   g.fellAt, Over: g.over, GrewFor: g.grewFor, Regrown: g.regrown(),
	}
}

// Valid reports whether it holds together, as what was read from a file may not.
func (h *Held) Valid() bool {
	for _, v := range []float64{h.Base, h.Top, h.Rate, h.Measured.Level, h.Measured.Rise, h.Measured.Fit.Slope} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return h.Width >= 0 && h.Width < trend.Widths && h.GrewFor >= 0
}

// Resume continues a finding that Held returned.
func (g *Growth) Resume(h *Held) {
	*g = Growth{
		active: true, measured: h.Measured, onset: h.Onset, width: h.Width, from: h.From, base: h.Base, top: h.Top,
		rate:     h.Rate,
		restedAt: h.RestedAt, fellAt: h.FellAt, over: h.Over, grewFor: h.GrewFor, bottom: math.Inf(1),
	}
}

// ResumeAfterRestart continues a finding of the life before, which was watched from an instant on, at the first instant
// of the next one, unix nanoseconds: it holds until the growth is seen again, or has not been seen for as long as it
// took.
func (g *Growth) ResumeAfterRestart(h *Held, from, at int64) {
	g.Resume(h)
	g.over = true
	switch {
	case g.fellAt == 0:
		g.fellAt, g.grewFor = at, at-max(g.onset.At, from)
	case h.Regrown:
		g.fellAt, g.grewFor = at, at-g.fellAt
	}
}

// Judge looks at the widths of which a bucket closed at an instant (unix nanoseconds), a bit set, and moves the growth
// on. judge returns the verdict on the windows of one width.
func (g *Growth) Judge(l *trend.Ladder, at int64, closed uint8, judge func(w int) trend.Growth) Change {
	change := Unchanged
	for w := range trend.Widths {
		if closed&(1<<w) == 0 {
			continue
		}
		measured := &g.latest[w]
		*measured = judge(w)
		count(&g.streak[w], measured.Reason == trend.Sustained)
		count(&g.suspicious[w], measured.Suspect)
		count(&g.growing[w], MayBecome(measured))
		if g.active && g.fellAt == 0 {
			if ended := g.follow(l, at, w, measured); ended != Unchanged {
				change = ended
			}
		}
	}
	if g.active && g.fellAt == 0 {
		return change
	}
	// The widest growth tells best since when.
	for w := trend.Widths - 1; w >= 0; w-- {
		if g.streak[w] < confirmations {
			continue
		}
		if g.fellAt != 0 {
			g.resume(l, w)
			return Unchanged
		}
		g.begin(l, w, g.latest[w])
		return Began
	}
	if g.fellAt != 0 && g.stayedDown(l, at) {
		g.end()
		return StayedDown
	}
	return change
}

// Falls reports whether a finding holds whose growth is gone from one value to the next, read at an instant (unix
// nanoseconds): where nothing tells of restarts, that may be one.
func (g *Growth) Falls(at int64, before, after float64) bool {
	return g.active && g.fellAt == 0 && !g.GivenBack(at, before) && g.GivenBack(at, after)
}

// Interrupt tells that what may have been a restart took the growth at an instant, unix nanoseconds. The finding holds
// on until it has grown again, or has not for as long as before. The ladder that is judged must start over.
func (g *Growth) Interrupt(at int64, value float64) {
	g.fellAt, g.grewFor, g.bottom = at, at-g.onset.At, value
	g.streak, g.suspicious, g.growing = [trend.Widths]int8{}, [trend.Widths]int8{}, [trend.Widths]int8{}
	g.latest = [trend.Widths]trend.Growth{}
}

// resume goes on with a finding whose growth was seen again after what may have been a restart. It is one leak: it
// began when it was first found.
func (g *Growth) resume(l *trend.Ladder, w int) {
	onset, found, resumed := g.onset, g.latest[w], g.resumed
	g.begin(l, w, found)
	g.onset, g.fellAt, g.over, g.resumed = onset, 0, false, resumed+1
}

// Resumed returns how many times the growth of the finding was seen again after it was gone, as at a restart.
func (g *Growth) Resumed() int { return g.resumed }

// stayedDown reports whether there was no growth to speak of since it fell, for as long as it had lasted before.
func (g *Growth) stayedDown(l *trend.Ladder, at int64) bool {
	minimum, ok := l.Minimum(0)
	if !ok {
		return false
	}
	g.bottom, g.high = min(g.bottom, minimum), minimum
	return at-g.fellAt > g.grewFor && minimum-g.bottom < (g.top-g.base)/2
}

// regrown reports whether half of the growth was seen again since it fell.
func (g *Growth) regrown() bool { return g.fellAt != 0 && g.high-g.bottom >= (g.top-g.base)/2 }

// Fell returns when the growth of the finding that holds was gone within one reading, unix nanoseconds; ok is false
// where it was not, or has been seen again since.
func (g *Growth) Fell() (at int64, ok bool) { return g.fellAt, g.active && g.fellAt != 0 }

// HeldOver reports whether the finding is of the life before, and was not seen again in this one.
func (g *Growth) HeldOver() bool { return g.over }

// What growth may still become a leak.
const (
	stillGrows = .6  // share of a window for which its growth may have been at rest...
	oneStep    = .05 // ...or this much, if it came in a single step...
	// ...and in several any, as long as the next is due: this many times the time between the two latest
	nextStep = 2.2
)

// MayBecome reports whether a window of growth may still become a leak: it is material, no return to what was there
// before, and not at rest. A heap that is read after each collection grows in steps that double, and so do the times
// between them.
func MayBecome(c *trend.Growth) bool {
	switch {
	case c.Reason < trend.TooRecent:
		return false
	case c.Steps == 1:
		return c.Rest <= oneStep
	case c.Steps > 1 && c.Pause <= nextStep:
		return true
	}
	return c.Rest <= stillGrows
}

func count(streak *int8, holds bool) {
	switch {
	case !holds:
		*streak = 0
	case *streak < confirmations:
		*streak++
	}
}

func (g *Growth) begin(l *trend.Ladder, w int, measured trend.Growth) {
	g.active, g.measured, g.width = true, measured, w
	g.from, g.base, g.top, g.rate = measured.Since, measured.Base, measured.Base+measured.Rise, measured.Fit.Slope
	g.onset, g.restedAt, g.resumed = trend.Onset{}, measured.Since, 0
	g.estimate(l)
}

// Prove begins a finding of growth that needs no confirmation, by what is known of its growth. One that holds goes on.
func (g *Growth) Prove(l *trend.Ladder, measured trend.Growth) {
	if !g.active {
		g.begin(l, 0, measured)
	}
}

// ProveOver begins a finding that rests on earlier lives too, whose growth began at the onset. One of the life before
// that was not seen again yet goes on; any other that holds stays as it is.
func (g *Growth) ProveOver(l *trend.Ladder, measured trend.Growth, onset trend.Onset) {
	if g.active && !g.over {
		return
	}
	if g.active && g.onset.At < onset.At {
		onset = g.onset
	}
	g.begin(l, 0, measured)
	g.onset, g.fellAt, g.over = onset, 0, false
}

// estimate makes the onset more exact, by the window that confirmed the growth.
func (g *Growth) estimate(l *trend.Ladder) {
	o, ok := trend.EstimateOnset(l, g.measured.Since, g.measured.Since+int64(g.measured.Window))
	if !ok && g.onset == (trend.Onset{}) {
		o, ok = trend.Onset{At: g.measured.Since, Error: max(1, g.measured.Window)}, true
	}
	if ok && o.Sharper(g.onset) {
		g.onset = o
	}
}

// confirm takes a judgment that confirms the growth over a window that is no shorter than the one before: what a
// finding rests on does not shrink while it lasts.
func (g *Growth) confirm(l *trend.Ladder, measured trend.Growth) {
	if measured.Since < g.from {
		g.from, g.base = measured.Since, measured.Base
	}
	g.top = max(g.top, measured.Base+measured.Rise)
	// a wide bucket keeps the level at its end, which lies within the growth
	measured.Level = min(measured.Level, g.measured.Level)
	g.measured = measured
	g.estimate(l)
}

// follow updates a finding by the minimum that closed, and ends it when the growth was given back or came to rest. What
// is followed is what never came back: a peak of the load on top of a leak is no growth, and its end gives nothing
// back.
func (g *Growth) follow(l *trend.Ladder, at int64, w int, measured *trend.Growth) Change {
	if measured.Reason == trend.Sustained && measured.Window >= g.measured.Window {
		g.confirm(l, *measured)
	}
	minimum, ok := l.Minimum(g.width)
	if w != g.width || !ok {
		return Unchanged
	}
	grown, line := minimum-g.base, g.measured.Fit.Slope*g.lasted(at)
	g.top = max(g.top, g.base+min(grown, line))
	if g.GivenBack(at, minimum) {
		g.end()
		return GaveBack
	}
	if rested, ok := l.HeldSince(minimum - restShare*grown); ok {
		g.restedAt = max(g.restedAt, rested)
	}
	if at-g.restedAt > g.restedAt-g.onset.At && (line == 0 || grown < onLine*line) {
		g.end()
		return CameToRest
	}
	return Unchanged
}

// lasted returns the seconds from the onset to an instant.
func (g *Growth) lasted(at int64) float64 { return float64(at-g.onset.At) / 1e9 }

// GivenBack reports whether a value at an instant (unix nanoseconds) is below half of the growth, and of what growth at
// the rate at which it was found would have added by then. A finding ends when a minimum is.
func (g *Growth) GivenBack(at int64, value float64) bool {
	growth := g.top - g.base
	if g.rate > 0 {
		growth = min(growth, g.rate*g.lasted(at))
	}
	return value-g.base < growth/2
}

// end forgets the finding and the judgments that confirmed it; its growth is kept for what is said of the end.
func (g *Growth) end() {
	g.active, g.streak, g.fellAt, g.over = false, [trend.Widths]int8{}, 0, false
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

// Growing reports whether growth at index w may still become a leak. What would be suspected, or lacks nothing but time
// so far, need not be seen twice.
func (g *Growth) Growing(w int) bool {
	c := &g.latest[w]
	return g.growing[w] >= confirmations || c.Suspect || c.Reason == trend.TooRecent && MayBecome(c)
}

// Measured returns the growth of the finding that holds, or of the one that ended last.
func (g *Growth) Measured() trend.Growth { return g.measured }

// Latest returns the latest judgment at index w.
func (g *Growth) Latest(w int) trend.Growth { return g.latest[w] }

// Onset returns when the growth of the finding that holds, or that ended last, began.
func (g *Growth) Onset() trend.Onset { return g.onset }

// Grew returns how long the growth of the finding has lasted: the time from its onset until nine tenths of it were
// there, and a ninth.
func (g *Growth) Grew() time.Duration {
	return max(0, time.Duration(float64(g.restedAt-g.onset.At)/(1-restShare)))
}

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
func (g *Growth) Nearest() trend.Growth {
	best := g.latest[0]
	for _, c := range g.latest[1:] {
		nearer := c.Reason > best.Reason || c.Reason == best.Reason && c.Growth > best.Growth
		if c.Suspect && !best.Suspect || c.Suspect == best.Suspect && nearer {
			best = c
		}
	}
	return best
}

// EvidenceOf returns the figures of growth as alerts carry them.
func EvidenceOf(c *trend.Growth) *alerting.Evidence {
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
