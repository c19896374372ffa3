package fleet

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/detector/lives"
)

// precedent is a life of a process of a workload, as far as it was seen.
type precedent struct {
	first, last time.Time
	curves      map[string]lives.Curve // over its age, by resource; nil = unknown
}

const (
	// asOld is the share of the age of a process from which on an earlier one was as old: what became of its growth
	// tells.
	asOld = .9
	// longEnough is the share of it from which on a life that did not grow tells that this one leaks.
	longEnough = 1. / 3
	// likeThis is the share of the growth of a replica that a life shows up to the same age which grew like it.
	likeThis = .5
	// sinceBegin is the share of its age within which the growth of a cache or a warm-up begins.
	sinceBegin = .5
)

// mayFill reports whether the growth of a replica may be that of a cache or a warm-up which restarts cut off: it grew
// for most of its life and took over from processes of which none was seen to grow as old and otherwise, or another one
// took over while it grew. It leaks where a process of the same workload stayed where it was at the same age, unless
// one before that had grown: a cache does not fill on a day without load.
func (r *Replica) mayFill(resource string, others []precedent) bool {
	age := r.Last.Sub(r.began)
	if !r.Ended && r.Since.Sub(r.began) > time.Duration(sinceBegin*float64(age)) {
		return false
	}
	cut := false
	var grew time.Time // when the first one began that grew like this one
	for i := range others {
		p := &others[i]
		if !p.first.Equal(r.began) && (grew.IsZero() || p.first.Before(grew)) && p.grewLike(r, resource) {
			grew = p.first
		}
	}
	for i := range others {
		p := &others[i]
		earlier := p.first.Before(r.began)
		if !earlier && !r.Ended {
			continue
		}
		seen := p.last.Sub(p.first)
		between := earlier && !grew.IsZero() && grew.Before(p.first)
		if seen >= time.Duration(longEnough*float64(age)) && !between && p.stayed(r, resource) ||
			!r.Ended && seen >= time.Duration(asOld*float64(age)) && !p.grewLike(r, resource) {
			return false
		}
		if r.Ended {
			cut = cut || p.first.After(r.began) && p.first.Sub(r.Last).Abs() <= handover
		} else {
			cut = cut || !p.last.After(r.began.Add(handover))
		}
	}
	return cut
}

// stayed reports whether a life stayed where it was, and below what a replica has grown to, at the ages at which that
// grew.
func (p *precedent) stayed(r *Replica, resource string) bool {
	other, ok := p.curves[resource]
	if !ok || r.curve == nil || r.Evidence == nil {
		return false
	}
	if highest, _ := other.Highest(); highest >= r.base+backtest.StandsShare*r.Evidence.Rise {
		return false
	}
	theirs, ours, ok := p.beside(r, &other)
	return ok && theirs < goneBack*ours
}

// grewLike reports whether a life grew like a replica up to the same age.
func (p *precedent) grewLike(r *Replica, resource string) bool {
	other, ok := p.curves[resource]
	if !ok || r.curve == nil || r.Evidence == nil {
		return false
	}
	theirs, ours, ok := p.beside(r, &other)
	return ok && theirs >= likeThis*ours
}

// beside returns by how much a life and a replica rose up to the age that both reached, where the replica grew by then.
func (p *precedent) beside(r *Replica, other *lives.Curve) (theirs, ours float64, ok bool) {
	age := r.Last.Sub(r.began)
	seen := min(p.last.Sub(p.first), age)
	theirs, read := rose(other, seen)
	ours, known := rose(r.curve, seen)
	return theirs, ours, read && known && ours >= goneBack*r.Evidence.Rise*seen.Hours()/age.Hours()
}

// rose returns how much the lowest levels of a life rose up to an age, from the first quarter of that to the last.
func rose(c *lives.Curve, age time.Duration) (rise float64, ok bool) {
	first, last := math.Inf(1), math.Inf(1)
	for i := range c.Floors {
		level, read := c.Level(i)
		switch share := c.Age(i) / age.Seconds(); {
		case !read:
		case share <= .25:
			first = min(first, level)
		case share >= .75 && share <= 1:
			last = min(last, level)
		}
	}
	return last - first, !math.IsInf(first, 1) && !math.IsInf(last, 1)
}
