package engine

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
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

// beginFirst begins the first life that is watched, or goes on with the one that the record ends with.
func beginFirst(e *Engine, s *sampler.Sample, at int64) {
	e.life = life{first: at}
	latest := e.record.Latest()
	if latest != nil && latest.End.Sub(s.Time) > RestartSlack {
		e.record, latest = lives.New(e.scale), nil // of another time: one of the two clocks is wrong
	}
	if latest == nil || latest.Ended != lives.Running {
		return
	}
	if !s.Start.IsZero() && !latest.Start.IsZero() && SameProcess(latest.Start, s.Start) && SameProcess(s.Start, latest.Start) {
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
		Start: e.life.start, First: finding.Instant(e.life.first), End: finding.Instant(e.last),
		Version: e.life.build.version, Revision: e.life.build.revision, Ended: lives.Running, Curves: make(map[string]lives.Curve),
	}
	if r.Resources == nil {
		r.Resources = make(map[string]lives.Resource)
	}
	if latest := r.Latest(); latest != nil && current.First.Before(latest.End) {
		current.First = latest.End
	}
	r.Open = nil
	for _, s := range followed(e) {
		name := s.resource.Name
		current.Curves[name] = curveOf(s)
		if _, known := r.Resources[name]; known || len(r.Resources) < lives.MaxResources {
			r.Resources[name] = leftBy(s)
		}
		if s.ceiling.Level > 0 && s.value >= nearCeiling*s.ceiling.Level && current.Near == "" {
			current.Near = name
		}
		if d, alerted := s.endOfGrowth(0, Restarted); alerted {
			d.Time = time.Time{}
			r.Open = append(r.Open, d.Event)
		}
		if d, alerted := s.endOfLimit(0, Restarted); alerted {
			d.Time = time.Time{}
			r.Open = append(r.Open, d.Event)
		}
	}
	r.Add(current)
	return r
}

// followed returns the series of which lives have curves, in order of appearance: those that are judged, of resources
// that leaktrend knows first where there are too many.
func followed(e *Engine) []*Series {
	var all []*Series
	known := 0
	for _, s := range e.series {
		if s.ladder != nil && !s.unread && !s.standsIn(e) {
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
	c.Grew = s.growth.Active() || s.growth.Suspected()
	return c
}

// leftBy returns what the next life is to know beyond the curve.
func leftBy(s *Series) lives.Resource {
	r := lives.Resource{TookBack: s.tookBack, Profile: s.clock.Profile()}
	for kind := range s.cooldown {
		if at, severity, ok := s.cooldown[kind].Latest(); ok {
			r.Notices[kind] = lives.Said{At: at, Severity: severity}
		}
	}
	return r
}

// inherit takes what the lives before left.
func inherit(e *Engine, s *Series) {
	name := s.resource.Name
	left := e.record.Resources[name]
	s.tookBack = left.TookBack
	s.clock = lives.NewClock(&left.Profile)
	for kind, said := range left.Notices {
		s.cooldown[kind] = finding.Cooldown{}
		if said != (lives.Said{}) {
			s.cooldown[kind].Start(said.At, said.Severity)
		}
	}
	if curve, ok := e.life.resumed[name]; ok {
		s.track = curve.Resume()
		return
	}
	if latest := e.record.Latest(); latest != nil {
		s.grewBefore = latest.Curves[name].Grew
	}
}
