package fleet

import (
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

// stay is one life of a process of a workload, of one resource.
type stay struct {
	labels      map[string]string
	metric      string
	first, last time.Time
	version     string
	ends        bool
	curve       lives.Curve
	limit       float64  // at its end; 0 = none is known
	begins      *process // what tells of restarts at its begin, where that is the scan's; else nil
	hash        uint64   // of the labels
}

func (s *stay) hours() float64 { return s.last.Sub(s.first).Hours() }

// curvesOf returns the curves of a life over its age, by resource: nil for one that tells nothing beside others, as it
// is too short or lasted for the whole scan.
func curvesOf(p *process, l *life, g prom.Grid) map[string]lives.Curve {
	whole := !l.ends && !l.first.After(g.At(min(1, g.N-1)))
	if whole || l.length() < shortestStay {
		return nil
	}
	curves := make(map[string]lives.Curve, len(p.readings))
	for k := range p.readings {
		track := lives.NewTrack(1)
		latest, seen := 0., false
		for i, v := range p.readings[k].values {
			if at := g.At(i); !math.IsNaN(v) && !at.Before(l.first) && !at.After(l.last) {
				track.Add(int64(at.Sub(l.first)), v)
				latest, seen = v, true
			}
		}
		if seen {
			curve := track.Curve()
			curve.Last = latest
			curves[p.readings[k].resource] = curve
		}
	}
	return curves
}

// hitLimit reports whether a life ended near the limit of what it could have.
func (s *stay) hitLimit() bool { return s.ends && s.limit > 0 && s.curve.Last >= nearLimit*s.limit }

// goesOn reports whether a young life grows like those before it, as far as can be seen.
func (s *stay) goesOn(perDay float64, r sampler.Resource) bool {
	first, _ := s.curve.Level(0)
	due := goneBack * perDay * s.hours() / 24
	return due < offsetOf(r) || s.curve.Last-first >= due
}

// levels returns what a life had at its begin, at an age in hours, and at its end: the lowest that it had from there
// on.
func (s *stay) levels(age float64) (first, early, late float64, ok bool) {
	first, early, late = math.NaN(), math.Inf(1), math.Inf(1)
	n := len(s.curve.Floors)
	for i := range n {
		level, read := s.curve.Level(i)
		if !read {
			continue
		}
		if math.IsNaN(first) {
			first = level
		}
		if at := s.curve.Age(i) / time.Hour.Seconds(); at >= age*.85 || i == n-1 {
			early = min(early, level)
		}
		if i >= n-max(n/8, 1) {
			late = min(late, level)
		}
	}
	return first, early, late, !math.IsNaN(first) && !math.IsInf(early, 1) && !math.IsInf(late, 1)
}

// growth returns by how much a life ended higher than it began, as a share of the level there.
func (s *stay) growth(r sampler.Resource) (share float64, ok bool) {
	first, _, late, ok := s.levels(0)
	return (late - first) / (max(first, 0) + offsetOf(r)), ok
}

func (s *stay) grew(r sampler.Resource) bool {
	share, ok := s.growth(r)
	return ok && share >= minGrown
}

// minGrown is a share of the level below which the growth of a life is none.
const minGrown = .08

// prepend puts the curve of an earlier part of a life before it.
func (s *stay) prepend(first time.Time, before *lives.Curve) {
	track := before.Resume()
	later := s.first.Sub(first)
	for i := range s.curve.Floors {
		if level, ok := s.curve.Level(i); ok {
			track.Add(int64(later)+int64(s.curve.Age(i)*float64(time.Second)), level)
		}
	}
	curve := track.Curve()
	curve.Last = s.curve.Last
	s.curve, s.first, s.begins = curve, first, nil
}

// span is a time in which something ran.
type span struct{ first, last time.Time }

// spans are in order of time, and further apart than a handover.
type spans []span

// with returns the spans and one more, joined with those that are near to it.
func (all spans) with(s span) spans {
	from, _ := slices.BinarySearchFunc(all, s.first.Add(-handover), func(o span, t time.Time) int {
		return o.last.Compare(t)
	})
	to := from
	for to < len(all) && !all[to].first.After(s.last.Add(handover)) {
		if all[to].first.Before(s.first) {
			s.first = all[to].first
		}
		if all[to].last.After(s.last) {
			s.last = all[to].last
		}
		to++
	}
	return slices.Replace(all, from, to, s)
}

// apart returns the time between the end of a life and a later instant, or by which they overlap: of what one of the
// spans fills, a handover. ok is false where it is more.
func (all spans) apart(end, at time.Time) (apart time.Duration, ok bool) {
	if apart = at.Sub(end).Abs(); apart <= handover || at.Before(end) {
		return apart, apart <= handover
	}
	i, _ := slices.BinarySearchFunc(all, end, func(o span, t time.Time) int { return o.last.Compare(t) })
	return handover, i < len(all) && !all[i].first.After(end.Add(handover)) && !at.After(all[i].last.Add(handover))
}
