package engine

import (
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// maxResources bounds the resources that leaktrend does not know, of an endpoint with thousands of metrics or with
	// labels that change: 8 KB each. Those that it knows always have a place.
	maxResources = 4096
	// maxDescribed bounds what is known of such resources beyond their names.
	maxDescribed = 4 * maxResources
	// spareAfter samples without it, a resource of which nothing was found gives its place to a new one.
	spareAfter = 10
	// unreadSpan is how long a resource is not read before its findings end, at the scale of the engine.
	unreadSpan = 24 * time.Hour
)

// places says which resources are followed: those that were first keep their places, for as long as they are read.
type places struct {
	samples int64  // so far
	foreign int    // resources that leaktrend does not know
	leftOut uint64 // readings without a place so far

	spare   []int // numbers of series that may go, the one that was not read for longest at the end
	listed  int64 // sample at which these were listed
	checked int64 // instant at which what is not read any more was looked for, unix nanoseconds
}

// numberFor returns the number under which a new series of a resource is kept, that of one which has to go where there
// is no other; ok is false where all are in use.
func (p *places) numberFor(resource string, series []*Series) (number int, ok bool) {
	if _, known := sampler.Lookup(resource); known {
		return len(series), true
	}
	if p.foreign < maxResources {
		p.foreign++
		return len(series), true
	}
	if p.listed != p.samples {
		p.listed, p.spare = p.samples, p.spare[:0]
		for number, s := range series {
			if !s.known && p.samples-s.sample > spareAfter && s.Found() == 0 && !s.Unwell() {
				p.spare = append(p.spare, number)
			}
		}
		slices.SortStableFunc(p.spare, func(a, b int) int { return int(series[b].sample - series[a].sample) })
	}
	if len(p.spare) == 0 {
		return 0, false
	}
	number = p.spare[len(p.spare)-1]
	p.spare = p.spare[:len(p.spare)-1]
	return number, true
}

// endUnread ends the findings on what is not read any more. It looks for them now and then.
func (p *places) endUnread(e *Engine, at int64) {
	span := int64(finding.Stretch(unreadSpan, e.scale))
	if at-p.checked < span/16 {
		return
	}
	p.checked = at
	for _, s := range e.series {
		if s.unread || at-s.at < span || p.samples-s.sample <= spareAfter {
			continue
		}
		s.resolveAll(e, at, Unread)
		s.reset(e)
		s.grewBefore, s.unread = false, true
	}
}
