package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// nearCeiling is the share of what the process can have from which on a life that was replaced is held to have ended by
// it.
const nearCeiling = .9

// build is what the process was built from; each is empty where that is not known.
type build struct{ version, revision string }

// life is the running one.
type life struct {
	first int64     // sample, unix nanoseconds
	start time.Time // of the process; zero where that is not known
	build build     // that its latest sample was of
	// resumed are its curves until it was watched again, where it was watched before.
	resumed map[string]lives.Curve
}

// maxSetBack is how far the clock may have been set back since the lives before, as at a boot that begins with a clock
// that is wrong: what they taught is kept.
const maxSetBack = time.Hour

// beginFirst begins the first life that is watched, or goes on with the one that the record ends with.
func beginFirst(e *Engine, s *sampler.Sample, at int64) {
	e.life = life{first: at}
	if latest := e.record.Latest(); latest != nil && latest.End.Sub(s.Time) > maxSetBack {
		e.record = lives.New(e.scale) // of another time: one of the two clocks is wrong
	}
	e.record.EndBy(s.Time)
	latest := e.record.Latest()
	if latest == nil {
		e.record = lives.New(e.scale) // what is known of resources is known by lives
		return
	}
	known := !s.Start.IsZero() && !latest.Start.IsZero()
	same := known && SameProcess(latest.Start, s.Start) && SameProcess(s.Start, latest.Start) &&
		!beganSince(latest.Start, latest.End, s.Start) && samePID(latest.PID, s.PID)
	if latest.Ended == lives.Running && same {
		e.life.first = latest.First.UnixNano()
		e.life.resumed = latest.Curves
		e.record.Open = nil
		e.record.Lives = e.record.Lives[:len(e.record.Lives)-1]
		return
	}
	e.record.CloseLatest(lives.Replaced)
	for _, end := range e.record.Open {
		end.Time = finding.Instant(at)
		described, ok := e.described[end.Resource]
		if !ok {
			described, _ = sampler.Lookup(end.Resource)
		}
		e.decisions = append(e.decisions, Decision{Event: end, Described: described, Cause: Restarted})
	}
	e.record.Open = nil
}

// over returns what is known of the process over its lives, the running one among them.
func over(e *Engine) lives.Record {
	r := e.record.Clone()
	if !e.began {
		return r
	}
	current := lives.Life{
		Start: e.life.start, PID: e.pid, First: finding.Instant(e.life.first), End: finding.Instant(e.last),
		Version: e.life.build.version, Revision: e.life.build.revision, Ended: lives.Running,
		Curves: make(map[string]lives.Curve),
	}
	if r.Resources == nil {
		r.Resources = make(map[string]lives.Resource)
	}
	if latest := r.Latest(); latest != nil && current.First.Before(latest.End) {
		current.First = latest.End
	}
	r.Open = nil
	all := followed(e)
	makeRoom(r.Resources, all)
	for _, s := range all {
		name := s.resource.Name
		current.Curves[name] = curveOf(s)
		r.Resources[name] = leftBy(s)
		if s.ceiling.Level > 0 && s.value >= nearCeiling*s.ceiling.Level && current.Near == "" {
			current.Near = name
		}
		if d, alerted := s.endOfLimit(0, Restarted); alerted {
			d.Time = time.Time{}
			r.Open = append(r.Open, d.Event)
		}
	}
	r.Add(current)
	return r
}

// makeRoom forgets resources that are not followed any more, as names may change with each deploy, where there is no
// room for those that are.
func makeRoom(left map[string]lives.Resource, all []*Series) {
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(left)), func(name string) bool {
		return slices.ContainsFunc(all, func(s *Series) bool { return s.resource.Name == name })
	})
	free := lives.MaxResources - len(all)
	for _, name := range gone[:max(len(gone)-free, 0)] {
		delete(left, name)
	}
}

// maxName bounds the names of resources of which lives have curves: all of them are kept in a small file.
const maxName = 200

// followed returns the series of which lives have curves, in order of appearance: those that are judged, of resources
// that leaktrend knows first where there are too many.
func followed(e *Engine) []*Series {
	var all []*Series
	known := 0
	for _, s := range e.series {
		if s.ladder != nil && !s.unread && len(s.resource.Name) <= maxName && !s.standsIn(e) {
			all = append(all, s)
			if s.known {
				known++
			}
		}
	}
	free := lives.MaxResources - known
	return slices.DeleteFunc(all, func(s *Series) bool {
		if !s.known {
			free--
		}
		return !s.known && free < 0
	})
}

// curveOf returns that of the running life.
func curveOf(s *Series) lives.Curve {
	c := s.track.Curve()
	c.Start, _, _ = s.start.Level()
	c.Last = s.value
	c.Grew, c.Called = s.growth.Active() || s.growth.Suspected(), s.growth.Active()
	return c
}

// leftBy returns what the next life is to know beyond the curve.
func leftBy(s *Series) lives.Resource {
	r := lives.Resource{Retracted: s.retracted, Refuted: s.refuted, Profile: s.clock.Profile()}
	if s.notice.Alerted {
		r.Held, r.Severity, r.Lives = s.growth.Held(), s.notice.Severity, s.reported
	}
	for kind := range s.cooldown {
		if at, severity, ok := s.cooldown[kind].Latest(); ok {
			r.Notices[kind] = lives.Notice{At: at, Severity: severity}
		}
	}
	return r
}

// inherit takes what the lives before left.
func inherit(e *Engine, s *Series) {
	name := s.resource.Name
	left := e.record.Resources[name]
	s.retracted, s.refuted = left.Retracted, left.Refuted
	s.past = pastOf(e, name)
	s.seen, s.reviewed = known{}, false
	s.assumed, s.assumes = startOver(s.past)
	s.clock = lives.NewClock(&left.Profile)
	for kind, notice := range left.Notices {
		s.cooldown[kind] = finding.Cooldown{}
		if notice != (lives.Notice{}) {
			s.cooldown[kind].Start(notice.At, notice.Severity)
		}
	}
	curve, continues := e.life.resumed[name]
	if left.Held != nil && e.config.Adaptive.Enabled {
		if continues {
			s.growth.Resume(left.Held)
		} else {
			s.growth.ResumeAfterRestart(left.Held, e.record.Latest().First.UnixNano(), e.life.first)
		}
		s.severity, s.notice, s.reported = left.Severity, finding.Notice{Alerted: true, Severity: left.Severity},
			left.Lives
	}
	if continues {
		s.track = curve.Resume()
		return
	}
}

// review ends a finding of the lives before, once in each life, where those that came to an end since it began show
// that the growth levels off with the age.
func review(e *Engine, s *Series, at int64) {
	if s.reviewed {
		return
	}
	s.reviewed = true
	if !s.growth.HeldOver() {
		return
	}
	j := beginJudge(e, s)
	for i := range s.past {
		if p := &s.past[i]; p.life.End.UnixNano() > s.growth.Onset().At {
			j.Add(p.number, p.life, &p.curve)
		}
	}
	if j.LevelsOff() {
		s.retract(at)
		s.resolveGrowth(e, at, LevelsOff)
		s.growth.Forget()
	}
}

// beginJudge returns the judge of growth over lives, without any, by what the series is judged by.
func beginJudge(e *Engine, s *Series) *lives.Judge {
	params := s.params(e)
	e.judge.Begin(lives.Params{
		Required: params.Required, MinGrowth: params.MinGrowth, Offset: params.Offset, Scale: params.Scale,
		Retracted: min(s.retracted, maxRetracted), Refuted: s.refuted,
	})
	return &e.judge
}

// livesWidth is the index of the width whose closing has the lives judged: every 80 minutes.
const livesWidth = 2

// judgeLives begins a finding where each of the latest lives grew, the running one among them.
func judgeLives(e *Engine, s *Series, at int64) (began bool) {
	held := s.growth.Active()
	if held && !s.growth.HeldOver() || len(s.past) < 2 {
		return false
	}
	j := beginJudge(e, s)
	for i := range s.past {
		p := &s.past[i]
		j.Add(p.number, p.life, &p.curve)
	}
	j.AddRunning(len(e.record.Lives), finding.Instant(e.life.first), &s.track)
	g, ok := j.Over()
	if !ok {
		return false
	}
	since := e.life.first
	if g.Since < len(e.record.Lives) {
		since = e.record.Lives[g.Since].First.UnixNano()
	}
	g.Running.Since = at - int64(g.Running.Window)
	s.growth.ProveOver(s.ladder, g.Running, trend.Onset{At: since, Error: max(1, g.Running.Width)})
	s.reported = &alerting.Lives{
		Grew: g.Lives, LowPerDay: g.Low, HighPerDay: g.High, Growth: g.Growth, LastShare: g.Shares[len(g.Shares)-1],
		T:        g.Fit.T,
		Versions: versionsOf(e, func(i int) bool { return i >= g.Since }),
		Before:   versionsOf(e, func(i int) bool { return slices.Contains(g.Before, i) }),
	}
	return !held
}

// reportLives notes, for growth that was found within this life, what the lives before were.
func reportLives(e *Engine, s *Series) {
	s.reported = nil
	params := s.params(e)
	before := versionsOf(e, func(i int) bool {
		return slices.ContainsFunc(s.past, func(p past) bool { return p.number == i && !p.grew(&params) })
	})
	if len(before) > 0 {
		s.reported = &alerting.Lives{Versions: versionsOf(e, func(i int) bool { return i == len(e.record.Lives) }),
			Before: before}
	}
}

// versionsOf returns the versions of some lives, by their numbers, in order of time; the running one has the highest.
func versionsOf(e *Engine, of func(number int) bool) (all []alerting.LivesOf) {
	for i := range len(e.record.Lives) + 1 {
		if !of(i) {
			continue
		}
		next := alerting.LivesOf{
			Version: e.life.build.version, Revision: e.life.build.revision, Since: finding.Instant(e.life.first),
			Lives: 1,
		}
		if i < len(e.record.Lives) {
			life := &e.record.Lives[i]
			if life.Count > 0 {
				continue
			}
			next.Version, next.Revision, next.Since = life.Version, life.Revision, life.First
		}
		if n := len(all); n > 0 && all[n-1].Version == next.Version {
			all[n-1].Lives++
			continue
		}
		all = append(all, next)
	}
	return all
}

// ended returns what was reported of the lives, with the version in which the growth was not seen again.
func ended(e *Engine, reported *alerting.Lives) *alerting.Lives {
	var with alerting.Lives
	if reported != nil {
		with = *reported
	}
	with.Ended = &versionsOf(e, func(i int) bool { return i == len(e.record.Lives) })[0]
	return &with
}

// past is the curve of an earlier life.
type past struct {
	number int // in the record
	life   *lives.Life
	curve  lives.Curve
	high   known // the highest floor
	rested bool  // whether it levelled off
}

// grew reports whether the life ended in growth, or in what was cut off before it could be called one.
func (p *past) grew(params *trend.Params) bool {
	first, _ := p.curve.Level(0)
	material := p.high.level-first >= params.MinGrowth*(max(first, 0)+params.Offset)
	return p.curve.Grew || material && p.curve.CutOff()
}

// pastOf returns the curves that earlier lives had of a resource, the oldest first.
func pastOf(e *Engine, resource string) (all []past) {
	for i := range e.record.Lives {
		life := &e.record.Lives[i]
		if curve, watched := life.Curves[resource]; watched {
			level, ok := curve.Highest()
			all = append(all, past{i, life, curve, known{level, ok}, curve.Levelled()})
		}
	}
	return all
}

// known is the highest level that earlier lives had by the age of this one.
type known struct {
	level float64
	ok    bool // whether there were any
}

// knownWidth is the index of the width whose closing has the level looked at anew: every 20 minutes.
const knownWidth = 1

// knownLevel returns what is known by an instant: what a life had by that age, at any age where it levelled off and no
// leak was found in it, or where it was before a finding was taken back.
func knownLevel(e *Engine, s *Series, at int64) known {
	return highest(s, at-e.life.first, func(*past) bool { return true })
}

// highest returns the highest level that is known by an age of a life, in nanoseconds, of the lives before that count.
func highest(s *Series, age int64, counts func(p *past) bool) (k known) {
	for i := range s.past {
		p := &s.past[i]
		if !counts(p) {
			continue
		}
		high := p.high
		if !(p.rested && !p.curve.Called) && p.life.End.After(s.refuted) {
			high.level, high.ok = p.curve.Known(float64(age) / 1e9)
		}
		if high.ok && (!k.ok || high.level > k.level) {
			k = high
		}
	}
	return k
}

// harmless reports whether what a life reached was no leak, for all that was seen of it: it levelled off, or came back
// to where it began but for less than the minimum growth.
func (p *past) harmless(minGrowth, offset float64) bool {
	if p.curve.Called {
		return false
	}
	first, _ := p.curve.Level(0)
	grown := p.curve.Grown()
	return p.rested && grown > 0 || grown <= minGrowth*(max(first, 0)+offset)
}

// startOver returns the level at which the latest lives settled after their start: the median of up to nine; ok is
// false where there were none.
func startOver(all []past) (level float64, ok bool) {
	const maxLives = 9
	all = all[max(0, len(all)-maxLives):]
	if len(all) == 0 {
		return 0, false
	}
	var starts [maxLives]float64
	for i := range all {
		starts[i] = all[i].curve.Start
	}
	slices.Sort(starts[:len(all)])
	return starts[len(all)/2], true
}
