package detector

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// confirmations is how many judgments of one width in a row it takes: one may be a bucket that happened to end high.
const confirmations = 2

// growsAgain is the share of the patience asked of a process that grew before its last restart too.
const growsAgain = .5

// newHigh is the share of the growth by which a floor must exceed the highest before it.
const newHigh = .02

// offsets are added to the level when growth is measured, so that a few units over next to nothing are no growth.
const (
	countOffset = 4
	bytesOffset = 1 << 20
)

// tracker follows one resource.
type tracker struct {
	resource  sampler.Resource
	ceiling   sampler.Ceiling
	threshold threshold
	offset    float64

	value    float64
	previous float64 // the reading of the sample before
	fresh    bool    // whether that was read
	at       int64   // of the latest reading
	average  baseline.EWMA
	start    baseline.Start
	ladder   *trend.Ladder

	judgments
	grewBefore bool // whether the process before the last restart ended in growth

	growth   growth
	limit    finding
	lastTold [2]told // by kind of alert
	found    [2]int  // findings since the detector began, by kind of alert
}

// judgments are the latest verdicts on each width.
type judgments struct {
	streak     [trend.Widths]int8 // sustained judgments in a row
	suspicious [trend.Widths]int8
	latest     [trend.Widths]trend.Climb
}

// growth is the trend finding and what it rests on.
type growth struct {
	finding
	climb  trend.Climb
	width  int     // index of the width that fired
	high   float64 // highest floor since
	highAt int64
}

// told is what was last alerted of one kind.
type told struct {
	ever     bool
	at       int64
	severity alerting.Severity
}

// finding is one condition of one resource, and what was said of it.
type finding struct {
	active    bool
	since     int64
	severity  alerting.Severity
	level     float64 // that was passed, for a limit
	announced bool
	told      alerting.Severity // severity that was announced
	calm      int8              // samples in a row in which the condition did not hold
}

func newTracker(d *Detector, resource string) *tracker {
	r, _ := sampler.Lookup(resource)
	t := &tracker{resource: r, ceiling: d.ceilingOf(resource), offset: countOffset}
	if r.Unit == "bytes" {
		t.offset = bytesOffset
	}
	t.threshold = thresholdOf(d.config, resource)
	t.reset(d)
	return t
}

// reset forgets what was learned, but for the growth that a restart cuts off. What was alerted is kept, for the cooldown.
func (t *tracker) reset(d *Detector) {
	t.grewBefore = t.growth.active || t.suspected()
	t.average = baseline.NewEWMA(d.halfLife())
	t.start = baseline.Start{}
	t.fresh = false
	t.growth, t.limit = growth{}, finding{}
	t.newLadder(d)
}

func (t *tracker) newLadder(d *Detector) {
	t.ladder = nil
	if t.resource.Kind == sampler.Gauge && !t.resource.Context {
		t.ladder = trend.NewLadder(d.epoch, d.scale)
	}
	t.judgments = judgments{}
}

func (t *tracker) reconfigure(d *Detector, old Config, rescaled bool) {
	t.average.SetHalfLife(d.halfLife())
	threshold := thresholdOf(d.config, t.resource.Name)
	if threshold != t.threshold || d.config.GrowthRateThreshold != old.GrowthRateThreshold {
		t.threshold = threshold
		if !t.levelLimit().over {
			t.resolve(d, d.last, alerting.Limit, &t.limit, "the limit changed")
		}
	}
	if !d.config.Adaptive.Enabled || rescaled {
		t.forgetTrend(d, d.last, "the configuration changed")
	}
	if rescaled {
		t.newLadder(d)
	}
}

// forgetTrend ends the trend finding and drops the verdicts that led to it. The floors stay.
func (t *tracker) forgetTrend(d *Detector, at int64, why string) {
	t.resolve(d, at, alerting.Trend, &t.growth.finding, why)
	t.growth, t.judgments = growth{}, judgments{}
	t.average.Freeze(false)
}

func (d *Detector) halfLife() time.Duration { return stretch(d.config.Adaptive.HalfLife, d.scale) }

// stretch multiplies a duration and keeps it within what a positive duration can be.
func stretch(length time.Duration, factor float64) time.Duration {
	stretched := float64(length) * factor
	if stretched >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(1, time.Duration(stretched))
}

func (t *tracker) observe(d *Detector, at int64, value float64) {
	t.previous, t.fresh = t.value, t.fresh && t.at == d.last && !d.gap
	t.value = value
	if t.ladder == nil {
		t.at = at
		return
	}
	t.start.Observe(at, value)
	level, seen := t.average.Mean()
	if !seen {
		level = value
	}
	closed := t.ladder.Add(at, value, level)
	t.average.Observe(at, value)
	t.checkLimits(d, at, closed != 0)
	if closed != 0 && d.config.Adaptive.Enabled {
		t.judge(d, at, closed)
	}
	if t.growth.active && (closed != 0 || !t.growth.announced) {
		t.announceGrowth(d, at)
	}
	t.at, t.fresh = at, true
}

// standsIn reports whether this resource only stands in for one that is read here.
func (t *tracker) standsIn(d *Detector) bool {
	return t.resource.StandsInFor != "" && d.byName[t.resource.StandsInFor] != nil
}

// judge looks at the widths of which a bucket closed, and moves the trend finding on.
func (t *tracker) judge(d *Detector, at int64, closed uint8) {
	if t.standsIn(d) {
		t.forgetTrend(d, at, "the resource that it stands in for is read now")
		return
	}
	params := trend.Params{
		Patience:    stretch(d.config.Adaptive.Patience, 1/d.config.Adaptive.Sensitivity),
		LeastGrowth: d.config.Adaptive.LeastGrowth,
		Offset:      t.offset,
		Ceiling:     t.ceiling.Level,
		Scale:       d.scale,
		// Processor time is at hand in most samples, but what it says of connections or memory is unknown.
		LoadDrives: d.config.Adaptive.Load != sampler.CPUSeconds,
	}
	if t.grewBefore {
		params.Patience = stretch(params.Patience, growsAgain)
	}
	for w := range trend.Widths {
		if closed&(1<<w) == 0 {
			continue
		}
		climb := t.ladder.Judge(w, params, d.load.ladder)
		t.latest[w] = climb
		count(&t.streak[w], climb.Reason == trend.Sustained)
		count(&t.suspicious[w], climb.Suspect)
		if t.growth.active {
			t.follow(d, at, w, climb)
		}
	}
	if !t.growth.active {
		// The widest climb tells best since when.
		for w := trend.Widths - 1; w >= 0; w-- {
			if t.streak[w] >= confirmations {
				t.fire(at, w)
				break
			}
		}
	}
	t.average.Freeze(t.growth.active || t.suspected())
}

func count(streak *int8, holds bool) {
	switch {
	case !holds:
		*streak = 0
	case *streak < confirmations:
		*streak++
	}
}

// suspected reports whether growth has the shape of a leak and lacks only the patience.
func (t *tracker) suspected() bool {
	for _, n := range t.suspicious {
		if n >= confirmations {
			return true
		}
	}
	return false
}

func (t *tracker) fire(at int64, w int) {
	climb := t.latest[w]
	t.growth = growth{
		finding: finding{active: true, since: climb.Since},
		climb:   climb,
		width:   w,
		high:    climb.Base + climb.Rise,
		highAt:  at,
	}
	t.found[kindIndex(alerting.Trend)]++
}

// follow updates a firing finding by the floor that closed, and ends it when the growth was given back or came to rest.
func (t *tracker) follow(d *Detector, at int64, w int, climb trend.Climb) {
	g := &t.growth
	if climb.Reason == trend.Sustained && w >= g.width {
		first := &g.climb
		if first.Since < climb.Since {
			climb.Since, climb.Base = first.Since, first.Base
		}
		climb.Level = min(climb.Level, first.Level) // a wide bucket keeps the level at its end, which lies within the climb
		g.climb, g.since = climb, climb.Since
	}
	floor, ok := t.ladder.Floor(g.width)
	if w != g.width || !ok {
		return
	}
	// Noise goes on to set highs when growth has come to rest; they count once they add up to something.
	if floor > g.high+newHigh*(g.high-g.climb.Base) {
		g.high, g.highAt = floor, at
	}
	switch {
	case floor < g.climb.Base+(g.high-g.climb.Base)/2:
		t.resolve(d, at, alerting.Trend, &g.finding, "more than half of the growth was given back")
	case at-g.highAt > g.highAt-g.since:
		t.resolve(d, at, alerting.Trend, &g.finding, "no new high for as long as the growth had lasted")
	}
	if !g.active {
		t.streak = [trend.Widths]int8{}
	}
}

// announceGrowth rates the trend finding and tells of it what is news. It is called when a bucket closes: time runs out between the
// closings of the width that fired too.
func (t *tracker) announceGrowth(d *Detector, at int64) {
	g := &t.growth
	g.severity = max(g.severity, t.urgency())
	if limit := t.threshold.value; limit > 0 {
		g.severity = max(g.severity, severityOfShare((t.value-g.climb.Level)/limit))
	}
	if !t.tell(d, at, alerting.Trend, &g.finding) {
		return
	}
	e := t.event(at, alerting.Trend, alerting.Firing, &g.finding)
	e.Baseline = g.climb.Level
	e.Evidence = evidence(&g.climb)
	e.Summary = t.growthSummary(&e)
	d.events = append(d.events, e)
}

// tell decides whether a finding that holds is news: at its start and when its severity rises. Within the cooldown after an alert of the same
// kind only a higher severity is; a finding that still holds when the cooldown ends is told then.
func (t *tracker) tell(d *Detector, at int64, kind alerting.Kind, f *finding) bool {
	if kind == alerting.Limit && !d.config.AlertOnThreshold {
		return false
	}
	if f.announced && f.severity <= f.told {
		return false
	}
	last := &t.lastTold[kindIndex(kind)]
	if !f.announced && last.ever && f.severity <= last.severity && at-last.at < int64(d.config.AlertCooldown) {
		return false
	}
	*last = told{ever: true, at: at, severity: f.severity}
	f.announced, f.told = true, f.severity
	return true
}

func kindIndex(kind alerting.Kind) int {
	if kind == alerting.Limit {
		return 1
	}
	return 0
}

// resolve ends a finding, and says so if it had been announced.
func (t *tracker) resolve(d *Detector, at int64, kind alerting.Kind, f *finding, why string) {
	if f.announced {
		e := t.event(at, kind, alerting.Resolved, f)
		e.Severity = f.told
		if kind == alerting.Trend {
			e.Baseline = t.growth.climb.Level
		}
		e.Summary = t.resolvedSummary(&e, why)
		d.events = append(d.events, e)
	}
	*f = finding{}
}

func (t *tracker) resolveAll(d *Detector, at int64, why string) {
	t.resolve(d, at, alerting.Trend, &t.growth.finding, why)
	t.resolve(d, at, alerting.Limit, &t.limit, why)
}

func (t *tracker) event(at int64, kind alerting.Kind, status alerting.Status, f *finding) alerting.Event {
	start, _, _ := t.start.Level()
	e := alerting.Event{
		Time:         instant(at),
		Status:       status,
		Kind:         kind,
		Resource:     t.resource.Name,
		Severity:     f.severity,
		Value:        t.value,
		Baseline:     start,
		SlopePerHour: t.pace() * 3600,
		Since:        instant(f.since),
		Threshold:    f.level,
	}
	if status == alerting.Firing {
		e.Exhaustion = t.exhaustion(at)
	}
	return e
}

// pace returns the slope in units per second: that of the climb while there is one, else that of the latest floors.
func (t *tracker) pace() float64 {
	if t.growth.active {
		return t.growth.climb.Fit.Slope
	}
	slope, _ := t.ladder.Pace()
	return slope
}

// exhaustion returns when the ceiling is reached at the present pace, or nil where there is no ceiling or no growth.
func (t *tracker) exhaustion(at int64) *alerting.Exhaustion {
	left, ok := t.secondsLeft()
	if !ok {
		return nil
	}
	return &alerting.Exhaustion{
		Limit:  t.ceiling.Level,
		Source: t.ceiling.Source,
		At:     instant(at + int64(left*1e9)).Truncate(time.Millisecond),
	}
}

// secondsLeft returns the time until the ceiling is reached; ok is false where there is no ceiling, no growth, or a century left.
func (t *tracker) secondsLeft() (left float64, ok bool) {
	if t.ceiling.Level <= 0 {
		return 0, false
	}
	pace := t.pace()
	if pace <= 0 {
		return 0, false
	}
	left = max(0, (t.ceiling.Level-t.value)/pace)
	const century = 100 * 365 * 24 * 3600
	return left, left <= century
}

// urgency rates the time that is left.
func (t *tracker) urgency() alerting.Severity {
	switch left, ok := t.secondsLeft(); {
	case ok && left < 3600:
		return alerting.Critical
	case ok && left < 24*3600:
		return alerting.High
	}
	return alerting.Warning
}

// severityOfShare rates growth as a share of its configured limit. It is the growth that counts, never the absolute value.
func severityOfShare(share float64) alerting.Severity {
	switch {
	case share >= 2:
		return alerting.Critical
	case share >= 1.5:
		return alerting.High
	}
	return alerting.Warning
}

func evidence(c *trend.Climb) *alerting.Evidence {
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

func instant(at int64) time.Time { return time.Unix(0, at).UTC() }
