package wording

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// PartClause says what grew in descriptors, threads or resident memory, by the first of their parts, in a clause such
// as "95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432". goHeap says whether the process has a heap of Go.
func PartClause(a *alerting.Alert, goHeap bool) string {
	p := &a.Parts[0]
	if a.Resource == sampler.RSSBytes {
		return memoryClause(a, goHeap)
	}
	plural := "threads"
	name := p.Detail
	if a.Resource == sampler.OpenFDs {
		plural = "descriptors"
		name = p.What
		if p.Detail != "" {
			name += " " + p.Detail
		}
	}
	n := p.Count
	r, _ := sampler.Lookup(a.Resource)
	if p.Growth != 0 {
		n, plural = p.Growth, "new "+plural+comparedWith(a, r, math.Round(p.Growth/p.Share))
	}
	text := fmt.Sprintf("%s of %s", r.Format(n), r.Format(math.Round(n/p.Share)))
	if p.Share == 1 {
		text = "all " + r.Format(n)
	}
	if p.Estimated {
		text = "about " + text
	}
	return text + " " + plural + " are " + name
}

// comparedWith says since when growth is that its parts tell, as a clause, where that is not the growth of which the
// alert tells: they are compared with what was there at an earlier look, and counted when the alert was under way.
func comparedWith(a *alerting.Alert, r sampler.Resource, growth float64) string {
	since := a.Parts[0].Since
	if since.IsZero() || r.Format(growth) == r.Format(r.Growth(a.Value, a.Baseline)) {
		return ""
	}
	since = since.In(a.Since.Location())
	layout := time.DateTime
	if since.Format(time.DateOnly) == a.Since.Format(time.DateOnly) {
		layout = time.TimeOnly
	}
	return " since " + since.Format(layout)
}

// GoHeap is the name of the heap of Go among the parts of memory.
const GoHeap = "Go heap"

// What tells memory of the heap that is or may be live from what was freed.
const (
	liveHeap   = "live"
	newerStart = "allocated since"
	freedStart = "freed"
)

// memoryClause says which part of resident memory grew: "of +1.2 GB, 1.1 GB are malloc (libfoo.so), not the Go heap".
func memoryClause(a *alerting.Alert, goHeap bool) string {
	parts := a.Parts
	p := &parts[0]
	r, _ := sampler.Lookup(sampler.RSSBytes)
	name := p.What
	if p.Detail != "" {
		name += " " + p.Detail
	}
	if p.Growth == 0 {
		return fmt.Sprintf("%s of the %s are %s", r.Format(p.Count), r.Format(p.Count/p.Share), name)
	}
	of := fmt.Sprintf("of +%s%s, %s", r.Format(p.Growth/p.Share), comparedWith(a, r, p.Growth/p.Share),
		r.Format(p.Growth))
	freed := p.What == GoHeap && strings.HasPrefix(p.Detail, freedStart)
	if freed && !grows(parts, liveHeap) && !grows(parts, newerStart) {
		return "the live heap is flat: " + of + " were " + p.Detail
	}
	if goHeap && p.What != GoHeap && !grows(parts, "") {
		name += ", not the Go heap"
	}
	return of + " are " + name
}

// grows reports whether a part of the heap grew, any for the empty detail.
func grows(parts []alerting.Part, detail string) bool {
	for i := range parts {
		if p := &parts[i]; p.What == GoHeap && p.Growth > 0 && strings.HasPrefix(p.Detail, detail) {
			return true
		}
	}
	return false
}
