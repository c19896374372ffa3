package incident

import (
	"fmt"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// minPlaceShare is the share of the growth from which on a line tells what the cause is.
	minPlaceShare = .2
	// minCarried is the share of the growth of resident memory that the heap must have, to be what grows.
	minCarried = .5
	// maxRatio is how many times as fast as another one a count may grow whose cause is the same.
	maxRatio = 4
	// heapPart and stackPart are what the heap of Go and stacks are called among the parts of resident memory.
	heapPart  = "Go heap"
	stackPart = "goroutine stacks"
	// onsetSlack is how far apart the onsets of one cause may be: this share of the time since.
	onsetSlack = .1
)

// sameCause reports whether two alerts of one process, of different findings, have one cause: one place in the code or,
// where the place of one of them is not known, growth that is that of the other. Two counts of neither of which the
// place is known are not made one.
func sameCause(a, b *alerting.Alert) bool {
	switch {
	case sameThing(a, b), isOfGoroutines(a, b), isOfGoroutines(b, a):
		return true
	case classOf(a.Resource) == a.Resource || classOf(b.Resource) == b.Resource:
		return false // nothing is known of what they are
	}
	one, other := placeOf(a), placeOf(b)
	if len(one.own) > 0 && len(other.own) > 0 {
		return one.meets(&other)
	}
	known := len(one.own) > 0 || len(other.own) > 0
	switch one, other := classOf(a.Resource), classOf(b.Resource); {
	case one == memoryClass && other == memoryClass && carries(a, b):
		return true
	case one == callClass && other == callClass:
		return known && together(a, b)
	}
	return areTheirStacks(a, b) || areTheirStacks(b, a) || isRuntimeOf(a, b) || isRuntimeOf(b, a)
}

// isRuntimeOf reports whether resident memory grew, at no line of its own, by what the runtime of Go has, while heap or
// goroutines grow since about the same time: the more of these live, the more is allocated from one collection to the
// next.
func isRuntimeOf(memory, live *alerting.Alert) bool {
	if memory.Resource != sampler.RSSBytes || !isHeap(live.Resource) && live.Resource != sampler.Goroutines {
		return false
	}
	share := 0.
	for i := range memory.Parts {
		if p := &memory.Parts[i]; p.Growth > 0 && (p.What == heapPart || p.What == stackPart) {
			share += p.Share
		}
	}
	place := placeOf(memory)
	return share >= minCarried && len(place.own) == 0 && sinceTogether(memory, live)
}

// areTheirStacks reports whether most of what resident memory grew by are the stacks of goroutines that grow.
func areTheirStacks(memory, goroutines *alerting.Alert) bool {
	return memory.Resource == sampler.RSSBytes && goroutines.Resource == sampler.Goroutines &&
		len(memory.Parts) > 0 && memory.Parts[0].What == stackPart
}

// sameThing reports whether two alerts are on one thing, be it measured in two ways.
func sameThing(a, b *alerting.Alert) bool {
	return a.Resource == b.Resource || isHeap(a.Resource) && isHeap(b.Resource)
}

// isOfGoroutines reports whether an alert says of a resource that it is what goroutines have that leak, and the other
// is on these. Which of their lines is the first may be another one at another time.
func isOfGoroutines(a, goroutines *alerting.Alert) bool {
	return goroutines.Resource == sampler.Goroutines && len(a.Sites) > 0 && a.Sites[0].Resource == sampler.Goroutines &&
		a.Sites[0].Share > 0
}

func isHeap(resource string) bool {
	return resource == sampler.HeapLiveBytes || resource == sampler.HeapInuseBytes
}

// place is where in the code an alert says that the growth is.
type place struct {
	own []string // functions, and lines as in "main.fetch /src/main.go:42"
	way []string // functions that called them
}

// meets reports whether one of the two is the other's, or on the way to it.
func (p *place) meets(other *place) bool {
	return slices.ContainsFunc(p.own, func(f string) bool {
		return slices.Contains(other.own, f) || slices.Contains(other.way, f)
	}) ||
		slices.ContainsFunc(other.own, func(f string) bool { return slices.Contains(p.way, f) })
}

// placeOf returns the place of the lines that made much of the growth. Every goroutine begins below main.main, so that
// tells nothing as one on the way.
func placeOf(a *alerting.Alert) (p place) {
	for i := range a.Sites {
		s := &a.Sites[i]
		if s.Share < minPlaceShare && !s.Proven {
			continue
		}
		p.own = append(p.own, s.Function, lineOf(s))
		if s.CalledFrom != "" {
			p.own = append(p.own, functionOf(s.CalledFrom), s.CalledFrom)
		}
		if s.CreatedBy != "" {
			p.way = append(p.way, s.CreatedBy)
		}
		for _, function := range s.Stack {
			if function != "main.main" {
				p.way = append(p.way, function)
			}
		}
	}
	return p
}

// lineOf names a line as CalledFrom and CreatedBy of a site do.
func lineOf(s *alerting.Site) string { return fmt.Sprintf("%s %s:%d", s.Function, s.File, s.Line) }

// carries reports whether the one of heap and resident memory is most of what the other grows by.
func carries(a, b *alerting.Alert) bool {
	heap, all := a, b
	if isHeap(b.Resource) {
		heap, all = b, a
	}
	if heap.SlopePerHour > 0 && all.SlopePerHour > 0 {
		return heap.SlopePerHour >= minCarried*all.SlopePerHour
	}
	return heap.Value-heap.Baseline >= minCarried*(all.Value-all.Baseline) && all.Value > all.Baseline
}

// together reports whether two counts grow since about the same time, at about the same rate.
func together(a, b *alerting.Alert) bool {
	one, other := a.Value-a.Baseline, b.Value-b.Baseline
	if a.SlopePerHour > 0 && b.SlopePerHour > 0 {
		one, other = a.SlopePerHour, b.SlopePerHour
	}
	if one <= 0 || other <= 0 || max(one, other) > maxRatio*min(one, other) {
		return false
	}
	return sinceTogether(a, b)
}

// sinceTogether reports whether two findings began at about the same time.
func sinceTogether(a, b *alerting.Alert) bool {
	if a.Kind != alerting.Trend || b.Kind != alerting.Trend {
		return true // a limit says when it was passed, not when the growth began
	}
	latest := a.Time
	if b.Time.After(latest) {
		latest = b.Time
	}
	slack := time.Duration(max(a.SinceError, b.SinceError)*float64(time.Second)) +
		time.Duration(onsetSlack*float64(max(latest.Sub(a.Since), latest.Sub(b.Since))))
	return a.Since.Sub(b.Since).Abs() <= slack
}
