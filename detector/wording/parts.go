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
// as "95 of 97 new descriptors are tcp CLOSE_WAIT to 10.0.0.5:5432".
func PartClause(a *alerting.Alert, goHeap bool) string {
	p := &a.Parts[0]
	if a.Resource == sampler.RSSBytes {
		return memoryClause(a, goHeap)
	}
	things := "threads"
	kind := p.Detail
	if a.Resource == sampler.OpenFDs {
		things = "descriptors"
		kind = kindOf(p.What, p.Detail)
	}
	n := p.Count
	r, _ := sampler.Lookup(a.Resource)
	if p.Growth != 0 {
		n, things = p.Growth, "new "+things+comparedWith(a, r, math.Round(p.Growth/p.Share))
	}
	text := fmt.Sprintf("%s of %s", r.Format(n), r.Format(math.Round(n/p.Share)))
	if p.Share == 1 {
		text = "all " + r.Format(n)
	}
	if p.Estimated {
		text = "about " + text
	}
	return text + " " + things + " are " + kind
}

// plurals are those of the kinds of descriptors that are nouns; protocols of sockets and names of the kernel stand as
// they are.
var plurals = map[string]string{
	"file": "files", "directory": "directories", "device": "devices", "fifo": "fifos", "pipe": "pipes",
	"socket": "sockets", "memfd": "memfds", "pidfd": "pidfds", "eventfd": "eventfds", "timerfd": "timerfds",
	"signalfd": "signalfds", "namespace": "namespaces",
}

// kindOf names descriptors of a kind: "deleted files in /tmp", or where all are of one file, "of the file /etc/hosts".
func kindOf(what, detail string) string {
	noun := strings.TrimPrefix(what, deletedStart)
	plural, isNoun := plurals[noun]
	switch {
	case isNoun && strings.HasPrefix(detail, "/"):
		return "of the " + what + " " + detail
	case isNoun:
		what = strings.TrimSuffix(what, noun) + plural
	}
	return strings.TrimSpace(what + " " + detail)
}

// deletedStart is how the name of the kind of a file begins that is in no directory any more.
const deletedStart = "deleted "

// comparedWith says since when growth is that its parts tell, as a clause, where that is not the growth of which the
// alert tells, nor since the onset that it names: they are compared with what was there at an earlier look, and counted
// when the alert was under way.
func comparedWith(a *alerting.Alert, r sampler.Resource, growth float64) string {
	since := a.Parts[0].Since.Truncate(time.Second)
	if since.IsZero() || since.Equal(a.Since.Truncate(time.Second)) ||
		r.Format(growth) == r.Format(r.Growth(a.Value, a.Baseline)) {
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

// memoryClause says which part of resident memory grew: "1.1 GB of the +1.2 GB are malloc (libfoo.so), not the Go
// heap".
func memoryClause(a *alerting.Alert, goHeap bool) string {
	parts := a.Parts
	p := &parts[0]
	r, _ := sampler.Lookup(sampler.RSSBytes)
	if p.Growth == 0 {
		return shareOf(r.Format(p.Count), r.Format(p.Count/p.Share)) + " are " + memoryName(p)
	}
	of := shareOf(r.Format(p.Growth), "+"+r.Format(p.Growth/p.Share)) + comparedWith(a, r, p.Growth/p.Share)
	freed := p.What == GoHeap && strings.HasPrefix(p.Detail, freedStart)
	if freed && !grows(parts, liveHeap) && !grows(parts, newerStart) {
		return "the live heap is flat: " + of + " were " + p.Detail
	}
	name := memoryName(p)
	if goHeap && p.What != GoHeap && !grows(parts, "") {
		name += ", not the Go heap"
	}
	return of + " are " + name
}

// shareOf says how much of all something is.
func shareOf(part, all string) string {
	if part == strings.TrimPrefix(all, "+") {
		return "all of the " + all
	}
	return part + " of the " + all
}

// memoryName names a part of memory in a sentence.
func memoryName(p *alerting.Part) string {
	switch {
	case p.What == GoHeap && p.Detail == liveHeap:
		return "live Go heap"
	case p.What == GoHeap && strings.HasPrefix(p.Detail, freedStart):
		return "heap of Go that was " + p.Detail
	case strings.HasPrefix(p.Detail, "/"):
		return "the " + p.What + " " + p.Detail
	}
	return strings.TrimSpace(p.What + " " + p.Detail)
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
