package wording

import (
	"fmt"
	"math"
	"strings"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// PartClause says what grew in descriptors, threads or resident memory, by the first of their parts, in a clause such as
// "95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432". goHeap says whether the process has a heap of Go.
func PartClause(resource string, parts []alerting.Part, goHeap bool) string {
	p := &parts[0]
	if resource == sampler.RSSBytes {
		return memoryClause(parts, goHeap)
	}
	plural := "threads"
	name := p.Detail
	if resource == sampler.OpenFDs {
		plural = "descriptors"
		name = p.What
		if p.Detail != "" {
			name += " " + p.Detail
		}
	}
	n := p.Count
	if p.Growth != 0 {
		n, plural = p.Growth, "new "+plural
	}
	r, _ := sampler.Lookup(resource)
	text := fmt.Sprintf("%s of %s", r.Format(n), r.Format(math.Round(n/p.Share)))
	if p.Share == 1 {
		text = "all " + r.Format(n)
	}
	if p.Estimated {
		text = "about " + text
	}
	return text + " " + plural + " are " + name
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
func memoryClause(parts []alerting.Part, goHeap bool) string {
	p := &parts[0]
	r, _ := sampler.Lookup(sampler.RSSBytes)
	name := p.What
	if p.Detail != "" {
		name += " " + p.Detail
	}
	if p.Growth == 0 {
		return fmt.Sprintf("%s of the %s are %s", r.Format(p.Count), r.Format(p.Count/p.Share), name)
	}
	of := fmt.Sprintf("of +%s, %s", r.Format(p.Growth/p.Share), r.Format(p.Growth))
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
