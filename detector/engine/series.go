package engine

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// growsAgain is the share of the required duration for a process that grew before its last restart too.
const growsAgain = .5

// Each finding that took itself back without a restart adds once the required duration of its series, up to a maximum.
const maxRetracted = 3

// shortestTooth is how long growth lasts at the least that may have been a life of its own.
const shortestTooth = float64(2 * time.Hour)

// ownShare of the moving level is the offset of a series that is no count and in no unit that is known: it follows the
// scale of its own.
const ownShare = .05

// offsets are added to the level when growth is measured, so that a few units over next to nothing are no growth.
const (
	countOffset = 4
	bytesOffset = 1 << 20
)

// Series follows one resource of a process: its level, its minimums and its findings. Others read it between two
// samples.
type Series struct {
	resource  sampler.Resource
	ceiling   sampler.Ceiling
	percent   bool // of something whole
	threshold Threshold
	offset    float64

	value    float64
	first    float64 // first reading of this life...
	hasFirst bool    // ...if there was any
	previous float64 // the reading of the sample before
	fresh    bool    // whether that was read
	at       int64   // of the latest reading
	sample   int64   // number of the sample that it was in
	unread   bool    // whether it was not read for so long that all was forgotten
	average  baseline.EWMA
	start    baseline.Start
	assumed  float64 // level at the start of earlier lives, until this one has settled
	assumes  bool    // whether there were any
	ladder   *trend.Ladder
	track    lives.Track     // of this life
	clock    lives.Clock     // over the lives
	past     []past          // the lives before
	seen     known           // of them
	reviewed bool            // whether a finding of theirs was looked at in their light
	reported *alerting.Lives // of the finding of growth; nil where nothing is known of lives before
	began    int64           // from when on the ladder knows: since the process started, or may have

	growth     finding.Growth
	saw        finding.Saw // while nothing tells of restarts
	known      bool        // whether the resource is in the table of those that leaktrend knows
	fractional bool        // whether a value of an unknown one was no whole number: not a count
	retracted  int         // findings that growth given back, or at rest, ended
	refuted    time.Time   // when the latest was
	grewBefore bool        // whether it grew before a fall that may have been a restart
	severity   alerting.Severity
	notice     finding.Notice
	limit      limit
	jumped     jump                // the latest reading's, as far as it counts
	pending    jump                // that has not outlasted a burst yet
	cooldown   [2]finding.Cooldown // by kind of alert
	found      [2]int              // findings since the engine began, by kind of alert
}

func newSeries(e *Engine, resource string) *Series {
	r, known := e.described[resource]
	if !known {
		r, _ = sampler.Lookup(resource)
	}
	s := &Series{resource: r, ceiling: e.ceilingOf(resource), offset: countOffset,
		percent: isPercent(resource)}
	_, s.known = sampler.Lookup(resource)
	if r.Unit == "bytes" {
		s.offset = bytesOffset
	}
	s.threshold = thresholdOf(e, resource)
	s.reset(e)
	inherit(e, s)
	return s
}

// reset forgets what was learned. What was alerted is kept, for the cooldown.
func (s *Series) reset(e *Engine) {
	s.grewBefore, s.hasFirst = false, false
	s.average = baseline.NewEWMA(e.halfLife())
	s.start = baseline.Start{}
	s.fresh = false
	s.limit, s.jumped, s.pending = limit{}, jump{}, jump{}
	s.forgetGrowth()
	s.newLadder(e)
	s.track = lives.NewTrack(e.scale)
}

func (s *Series) newLadder(e *Engine) {
	s.ladder, s.began = nil, e.epoch
	if s.resource.Kind == sampler.Gauge && !s.resource.Context {
		s.ladder = trend.NewLadder(e.epoch, e.scale)
	}
	s.forgetGrowth()
}

func (s *Series) forgetGrowth() {
	s.growth.Forget()
	s.severity, s.notice, s.reported = 0, finding.Notice{}, nil
}

func (s *Series) reconfigure(e *Engine, old Config, rescaled bool) {
	s.average.SetHalfLife(e.halfLife())
	if e.config.GrowthRateThreshold != old.GrowthRateThreshold {
		s.pending = jump{}
		if !s.levelLimit().over {
			s.resolveLimit(e, e.last, LimitChanged)
		}
	}
	s.setThreshold(e, e.last)
	if !e.config.Adaptive.Enabled || rescaled {
		s.forgetTrend(e, e.last, ConfigChanged)
	}
	if rescaled {
		s.newLadder(e)
		s.track, s.past = lives.NewTrack(e.scale), nil
	}
}

// forgetTrend ends the trend finding and drops the verdicts that led to it. The minimums stay.
func (s *Series) forgetTrend(e *Engine, at int64, why Cause) {
	s.resolveGrowth(e, at, why)
	s.forgetGrowth()
	s.average.Freeze(false)
}

func (s *Series) observe(e *Engine, at int64, value float64) {
	s.previous, s.fresh = s.value, s.fresh && s.at == e.last && !e.gap
	s.value = value
	if !s.hasFirst {
		s.first, s.hasFirst = value, true
	}
	if s.ladder == nil {
		s.at = at
		return
	}
	s.start.Observe(at, value)
	s.track.Add(at-e.life.first, value)
	s.clock.Add(at, value)
	s.fractional = s.fractional || !s.known && value != math.Trunc(value)
	if e.restartsUnknown() && s.saw.Observe(at, value, s.offsetNow(), int64(e.scale*shortestTooth)) &&
		s.growth.Falls(at, s.previous, value) {
		s.ladder, s.began = trend.NewLadder(e.epoch, e.scale), at
		s.growth.Interrupt(at, value)
		s.grewBefore = true
	}
	level, seen := s.average.Mean()
	if !seen {
		level = value
	}
	closed := s.ladder.Add(at, value, level)
	s.average.Observe(at, value)
	s.checkLimits(e, at, closed != 0)
	if closed != 0 && e.config.Adaptive.Enabled {
		s.judge(e, at, closed)
	}
	if s.growth.Active() && (closed != 0 || !s.notice.Alerted) {
		s.alertGrowth(e, at)
	}
	s.at, s.fresh = at, true
}

// standsIn reports whether this resource only stands in for one that is read here.
func (s *Series) standsIn(e *Engine) bool {
	return s.resource.StandsInFor != "" && e.byName[s.resource.StandsInFor] != nil
}

// judge looks at the widths of which a bucket closed, and moves the trend finding on.
func (s *Series) judge(e *Engine, at int64, closed uint8) {
	if s.standsIn(e) {
		s.forgetTrend(e, at, StandInEnds)
		return
	}
	params := s.params(e)
	if len(s.past) > 0 {
		if closed&(1<<knownWidth) != 0 || !s.seen.ok {
			s.seen = knownLevel(e, s, at)
		}
		params.Known, params.HasKnown = s.seen.level, s.seen.ok
	}
	review(e, s, at)
	over := s.growth.HeldOver()
	change := s.growth.Judge(s.ladder, at, closed, func(w int) trend.Growth {
		g := s.ladder.Judge(w, params, e.load.ladder)
		if g.Reason == trend.Sustained && s.warmsUp(e, at) {
			g.Reason, g.Suspect = trend.TooRecent, true
		}
		return g
	})
	switch change {
	case finding.Began:
		reportLives(e, s)
		s.severity = alerting.Warning
		s.found[kindIndex(alerting.Trend)]++
	case finding.GaveBack:
		s.retract(at)
		s.resolveGrowth(e, at, GaveBack)
	case finding.CameToRest:
		s.retract(at)
		s.resolveGrowth(e, at, CameToRest)
	case finding.StayedDown:
		s.retract(at)
		if over {
			s.reported = ended(e, s.reported)
			s.resolveGrowth(e, at, NotAgain)
		} else {
			s.resolveGrowth(e, at, StayedDown)
		}
	}
	if closed&(1<<livesWidth) != 0 && judgeLives(e, s, at) {
		s.severity = alerting.Warning
		s.found[kindIndex(alerting.Trend)]++
	}
	s.average.Freeze(s.growth.Active() || s.growth.Suspected())
}

// warmUp is how long the memory of a process may grow evenly while its runtime sizes its heap, as V8's does. Unlike the
// time constants it does not depend on how long a test run is.
const warmUp = 30 * time.Second

// warmsUp reports whether growth is not called yet because the process has just started: in soak mode, where it would
// be called within seconds. What leaks is still growing by then.
func (s *Series) warmsUp(e *Engine, at int64) bool {
	return e.scale < 1 && s.resource.Name == sampler.RSSBytes && !e.start.IsZero() &&
		at-e.start.UnixNano() < int64(warmUp)
}

// retract raises the bar for the next finding.
func (s *Series) retract(at int64) {
	s.retracted++
	s.refuted = finding.Instant(at)
}

// offsetNow returns what is added to the level when growth is measured.
func (s *Series) offsetNow() float64 {
	if s.fractional && s.resource.Unit == "" {
		mean, _ := s.average.Mean()
		return max(ownShare*math.Abs(mean), math.SmallestNonzeroFloat64)
	}
	return s.offset
}

// params returns the constants of the verdict on this series.
func (s *Series) params(e *Engine) trend.Params {
	params := trend.Params{
		Required:  finding.Stretch(e.config.Adaptive.Patience, 1/e.config.Adaptive.Sensitivity),
		MinGrowth: e.config.Adaptive.MinGrowth,
		Offset:    s.offsetNow(),
		Ceiling:   s.ceiling.Level,
		Scale:     e.scale,
		// Processor time is at hand in most samples, but what it says of connections or memory is unknown.
		LoadDrives:  e.config.Adaptive.Load != sampler.CPUSeconds,
		StrongEarns: true,
	}
	params.Required = finding.Stretch(params.Required, 1+float64(min(maxRetracted, s.retracted)))
	if s.grewBefore {
		params.Required = finding.Stretch(params.Required, growsAgain)
	}
	return params
}

// alertGrowth rates the trend finding and alerts what is news. It is called when a bucket closes: time runs out between
// the closings of the width that fired too.
func (s *Series) alertGrowth(e *Engine, at int64) {
	measured := s.growth.Measured()
	s.severity = max(s.severity, s.Limits().Rate(s.value-measured.Level, s.value, s.rate()))
	if !s.notice.Due(&s.cooldown[kindIndex(alerting.Trend)], at, s.severity, e.config.AlertCooldown) {
		return
	}
	why := Grew
	if s.reported != nil && s.reported.Grew > 0 {
		why = GrewInEachLife
	}
	d := s.decision(at, alerting.Trend, alerting.Firing, why)
	d.Lives = s.reported
	d.Severity, d.Since = s.severity, finding.Instant(s.growth.Onset().At)
	d.SinceError, d.SinceFirst = s.growth.Onset().Error.Seconds(), s.grewFromFirst(e, at)
	d.Baseline, d.Evidence = measured.Level, finding.EvidenceOf(&measured)
	d.Exhaustion = s.exhaustion(at)
	e.decisions = append(e.decisions, d)
}

// hardly is which part of the time watched is as good as nothing: an onset so soon after the first reading cannot be
// told from it.
const hardly = 20

// grewFromFirst reports whether growth may have begun before the first reading: it was there from that on, and the
// process had run before, as far as is known.
func (s *Series) grewFromFirst(e *Engine, at int64) bool {
	watched, onset := finding.Instant(at).Sub(finding.Instant(s.began)), finding.Instant(s.growth.Onset().At)
	soon := watched / hardly
	young := !e.start.IsZero() && finding.Instant(s.began).Sub(e.start) <= max(soon, RestartSlack)
	return !young && onset.Sub(finding.Instant(s.began)).Round(time.Millisecond) <= soon.Round(time.Millisecond)
}

func kindIndex(kind alerting.Kind) int {
	if kind == alerting.Limit {
		return 1
	}
	return 0
}

// resolveGrowth ends the trend finding, and says so if it had been alerted.
func (s *Series) resolveGrowth(e *Engine, at int64, why Cause) {
	if d, alerted := s.endOfGrowth(at, why); alerted {
		e.decisions = append(e.decisions, d)
	}
	s.severity, s.notice, s.reported = 0, finding.Notice{}, nil
}

// endOfGrowth returns the decision that ends the trend finding; ok is false where it was not alerted.
func (s *Series) endOfGrowth(at int64, why Cause) (d Decision, ok bool) {
	if !s.notice.Alerted {
		return Decision{}, false
	}
	measured := s.growth.Measured()
	d = s.decision(at, alerting.Trend, alerting.Resolved, why)
	d.Severity, d.Since, d.Baseline = s.notice.Severity, finding.Instant(s.growth.Onset().At), measured.Level
	d.SinceError = s.growth.Onset().Error.Seconds()
	d.SlopePerHour, d.Lives = measured.Fit.Slope*3600, s.reported
	return d, true
}

func (s *Series) resolveAll(e *Engine, at int64, why Cause) {
	s.resolveGrowth(e, at, why)
	s.resolveLimit(e, at, why)
}

// decision returns one of this series without what only its kind knows.
func (s *Series) decision(at int64, kind alerting.Kind, status alerting.Status, why Cause) Decision {
	start, _ := s.Start()
	return Decision{
		Event: alerting.Event{
			Time:         finding.Instant(at),
			Status:       status,
			Kind:         kind,
			Resource:     s.resource.Name,
			Value:        s.value,
			Baseline:     start,
			SlopePerHour: s.rate() * 3600,
		},
		Described: s.resource,
		Cause:     why,
		Limit:     s.threshold,
		Ceiling:   s.ceiling.Level,
	}
}

// rate returns the slope in units per second: that of the growth while it is found, else that of the latest minimums.
func (s *Series) rate() float64 { return s.slope().Rate }

// slope returns that rate with how sure it is.
func (s *Series) slope() finding.Slope {
	if s.growth.Active() && !s.growth.HeldOver() {
		measured := s.growth.Measured()
		return finding.Slope{Rate: measured.Fit.Slope, T: measured.Fit.T}
	}
	latest, _ := s.ladder.Latest()
	return finding.Slope{Rate: latest.Slope, T: latest.T}
}

// exhaustion returns when the ceiling is reached at the present rate, or nil where there is no ceiling or no growth.
func (s *Series) exhaustion(at int64) *alerting.Exhaustion {
	return s.Limits().Exhaustion(finding.Instant(at), s.value, s.slope())
}

// urgency rates the time that is left.
func (s *Series) urgency() alerting.Severity {
	return finding.SeverityOfTime(finding.SecondsLeft(s.value, s.rate(), s.ceiling.Level))
}

var (
	seriesBytes = int(reflect.TypeFor[Series]().Size())
	ladderBytes = int(reflect.TypeFor[trend.Ladder]().Size())
)

// memory returns the bytes that are kept for the resource.
func (s *Series) memory() int {
	if s.ladder == nil {
		return seriesBytes
	}
	return seriesBytes + ladderBytes
}

// What others may know of a series, between two samples.

// Resource returns what the series measures.
func (s *Series) Resource() sampler.Resource { return s.resource }

// Latest returns the latest reading and its instant, unix nanoseconds.
func (s *Series) Latest() (value float64, at int64) { return s.value, s.at }

// Judged reports whether the series has minimums that are judged: not a counter, nor context.
func (s *Series) Judged() bool { return s.ladder != nil }

// Level returns the moving baseline and its standard deviation, 0 before the first reading.
func (s *Series) Level() (mean, deviation float64) {
	mean, _ = s.average.Mean()
	return mean, s.average.Deviation()
}

// Start returns the starting level, provisional until settled: that of earlier lives counts as settled until this one
// has.
func (s *Series) Start() (level float64, settled bool) {
	level, settled, _ = s.start.Level()
	if !settled && s.assumes {
		return max(s.assumed, level), true // a version that begins higher is no growth
	}
	return level, settled
}

// Minimums returns the ladder of a series that is judged, else nil. It must not be changed.
func (s *Series) Minimums() *trend.Ladder { return s.ladder }

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
// What is a percentage runs out at 100, which is no limit that alerts by itself.
func (s *Series) Limits() finding.Limits {
	ceiling := s.ceiling
	if ceiling.Level == 0 && s.percent && s.value <= whole {
		ceiling = sampler.Ceiling{Resource: s.resource.Name, Level: whole, Source: "100 %"}
	}
	return finding.Limits{Growth: s.threshold.Value, Ceiling: ceiling}
}

const whole = 100 // percent

// isPercent reports whether a resource is a percentage of something whole, which that of the processor time of several
// cores is not.
func isPercent(resource string) bool {
	name := strings.ToLower(resource)
	words := strings.FieldsFunc(name, func(c rune) bool { return !unicode.IsLetter(c) })
	return !slices.Contains(words, "cpu") && (strings.Contains(name, "%") ||
		slices.ContainsFunc(words, func(word string) bool {
			return word == "percent" || word == "percentage" || word == "pct"
		}))
}

// Ceiling returns the level at which the process dies of the resource; its level is 0 where that is not known.
func (s *Series) Ceiling() sampler.Ceiling { return s.ceiling }

// LimitLevel returns the level beyond which a hard limit is passed, 0 = none.
func (s *Series) LimitLevel() float64 { return s.levelLimit().level }
