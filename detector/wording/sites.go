package wording

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// Place names a line of code as people do: conn.go:42.
func Place(s *alerting.Site) string { return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line) }

// SiteClause tells in words what the first site of an alert made of the growth: growth and total are in the unit of the
// sites. An alert on that very line names it already.
func SiteClause(a *alerting.Alert, growth, total float64) string {
	if len(a.Sites) == 0 {
		return ""
	}
	s := &a.Sites[0]
	var parts []string
	goroutines := s.Bytes == 0
	switch {
	case strings.Contains(a.Summary, Place(s)):
	// what opens, of which it is not known who called it
	case s.Count == 0 && s.Bytes == 0 && s.Via == "" && growth == 0:
	case isMemory(a.Resource) && s.Resource == sampler.Goroutines:
		bytes, _ := sampler.Lookup(sampler.HeapLiveBytes)
		parts = append(parts, fmt.Sprintf("%s of the %s are the memory of the goroutines that leak at %s",
			bytes.Format(growth), bytes.Format(max(growth, total)), Place(s)))
	default:
		parts = append(parts, Place(s)+" "+made(a, s, growth, total))
	}
	if goroutines && s.OldestSeconds >= 1 {
		oldest := sampler.FormatDuration(time.Duration(s.OldestSeconds * 1e9).Round(time.Second))
		parts = append(parts, "the oldest has waited "+oldest+onWhat(s.WaitReason))
	}
	switch several := oneOf(a.Sites); {
	case several == "" || strings.Contains(a.Summary, several):
	case strings.Contains(several, ", "):
		parts = append(parts, "called from one of "+several)
	default:
		parts = append(parts, "perhaps called from "+several)
	}
	if s.Proven && goroutines {
		parts = append(parts, "proven: nothing can wake them")
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, ", ")
}

// maxPlaces is how many lines are named of which one is that of a leak.
const maxPlaces = 4

// oneOf names the lines of which one is that of a leak.
func oneOf(all []alerting.Site) string {
	var places []string
	for i := range all {
		if all[i].KnownBy == sites.ByNone {
			places = append(places, Place(&all[i]))
		}
	}
	if more := len(places) - maxPlaces; more > 1 {
		places = append(places[:maxPlaces], fmt.Sprintf("%d others", more))
	}
	return strings.Join(places, ", ")
}

// HolderClause tells in words what keeps alive what a site of an alert has allocated, or the descriptors open that it
// is on.
func HolderClause(a *alerting.Alert) string {
	if a.Holder != "" {
		return "; kept open by " + a.Holder
	}
	for i := range a.Sites {
		switch s := &a.Sites[i]; {
		case s.Holder == "":
		case i == 0:
			return ", kept by " + s.Holder
		default:
			return "; what " + Place(s) + " allocated is kept by " + s.Holder
		}
	}
	return ""
}

// isMemory reports whether the lines of a resource are those of live memory.
func isMemory(resource string) bool {
	return resource == sampler.HeapLiveBytes || resource == sampler.HeapInuseBytes || resource == sampler.RSSBytes
}

// onWhat says what goroutines wait for, where that is worth a word.
func onWhat(reason string) string {
	switch reason {
	case "":
		return ""
	case "chan receive":
		return " to receive from a channel"
	case "chan send":
		return " to send to a channel"
	}
	return " (" + reason + ")"
}

// made says what a site made of the growth of an alert's resource.
func made(a *alerting.Alert, s *alerting.Site, growth, total float64) string {
	resource := a.Resource
	if s.Bytes == 0 && s.Via == "" && resource == sampler.Threads {
		return fmt.Sprintf("accounts for %.0f of the %.0f new goroutines that keep a thread", growth,
			max(growth, total))
	}
	if s.Bytes == 0 && s.Via == "" && resource == sampler.OpenFDs && s.CalledFrom == "" {
		counts, _ := sampler.Lookup(sampler.Goroutines)
		return fmt.Sprintf("may hold them: %s of the %s goroutines that came meanwhile are there",
			counts.Format(math.Round(growth)), counts.Format(math.Round(max(growth, total))))
	}
	if s.Bytes == 0 && s.Via == "" {
		counts, _ := sampler.Lookup(sampler.Goroutines)
		return fmt.Sprintf("accounts for %s of the %s new goroutines", counts.Format(math.Round(growth)),
			counts.Format(math.Round(max(growth, total))))
	}
	if s.Via != "" && s.KnownBy == sites.ByCode {
		return fmt.Sprintf("called %s: nothing else in the program leads there", shortName(s.Via))
	}
	if s.Via != "" && s.Bytes == 0 {
		return fmt.Sprintf("called %s meanwhile, as its allocations show as far as they are sampled", shortName(s.Via))
	}
	if s.Via != "" && resource == sampler.OpenFDs {
		return fmt.Sprintf("opened %s with %s, as far as the heap is sampled", muchOf(s.Share), shortName(s.Via))
	}
	if s.Via != "" {
		return fmt.Sprintf("started %s through %s, as far as the heap is sampled", muchOf(s.Share), shortName(s.Via))
	}
	bytes, _ := sampler.Lookup(sampler.HeapLiveBytes)
	as := ""
	if len(s.Types) > 0 {
		as = " as " + s.Types[0]
	}
	grown := bytes.Growth(a.Value, a.Baseline)
	switch {
	case resource == sampler.HeapLiveBytes:
		return keeps(bytes, growth, max(growth, total), "of new live heap") + as + asOfCollection
	case growth > muchMore*grown: // of memory that is not all resident, or took the place of garbage
		return fmt.Sprintf("keeps at least %s of new live heap%s%s, more than %s is above its baseline",
			bytes.Format(growth), as, asOfCollection, resource)
	}
	return keeps(bytes, min(growth, grown), grown, "by which "+resource+" is above its baseline") + as + asOfCollection
}

// muchOf says how many of the new descriptors or threads are a line's, by its share of what leads to them; 0 where no
// other line was seen to.
func muchOf(share float64) string {
	if share > 0 && share <= .5 {
		return fmt.Sprintf("%.0f %% of them", 100*share)
	}
	return "most of them"
}

// asOfCollection says of which instant figures from a profile of the heap are: what was allocated since is not in it.
const asOfCollection = ", as of the last collection"

// keeps says how much of some bytes a line keeps: at least, where it may be more.
func keeps(bytes sampler.Resource, growth, total float64, what string) string {
	mine, all := bytes.Format(growth), bytes.Format(total)
	if mine == all {
		return "keeps all of the " + all + " " + what
	}
	return fmt.Sprintf("keeps at least %s of the %s %s", mine, all, what)
}

// muchMore is from where on new live heap is more than growth by more than their errors: the heap is sampled, and both
// are of different instants.
const muchMore = 1.25

// shortName drops the path before a function's package.
func shortName(function string) string {
	path := profile.PackageOf(function)
	return function[strings.LastIndexByte(path, '/')+1:]
}

// StackLine writes the way to a site, innermost function first, without the runtime's own: at most limit functions.
func StackLine(stack []profile.Frame, limit int) string {
	var b strings.Builder
	for _, f := range stack {
		if path := profile.PackageOf(f.Function); path == "runtime" || strings.HasPrefix(path, "internal/runtime") {
			continue
		}
		if limit--; limit < 0 {
			b.WriteString(" < ...")
			break
		}
		if b.Len() > 0 {
			b.WriteString(" < ")
		}
		fmt.Fprintf(&b, "%s (%s:%d)", shortName(f.Function), filepath.Base(f.File), f.Line)
	}
	return b.String()
}

// SiteSummary says in a sentence that a line leaks although the total does not show it, since when.
func SiteSummary(e *alerting.Event, s *alerting.Site, since time.Time) string {
	r, _ := sampler.Lookup(e.Resource)
	now := s.Count
	if r.Unit == "bytes" {
		now = s.Bytes
	}
	return fmt.Sprintf("%s leak at one line of code: %s at %s for %s, %s there of %s in all (since %s)",
		e.Resource, r.FormatPerHour(s.GrowthPerHour), Place(s), sampler.FormatDuration(e.Time.Sub(since)),
		r.Format(now), r.Format(e.Value), since.Format("2006-01-02 15:04:05 MST")) + timeLeft(e, r)
}

// SitesResolved says in a sentence that no line of a resource leaks any more, and how that came: s is the line that had
// grown fastest.
func SitesResolved(e *alerting.Event, s *alerting.Site, cause engine.Cause) string {
	why := ends[cause]
	if cause == engine.GaveBack || cause == engine.CameToRest {
		why = "at " + Place(s) + " " + why
	}
	r, _ := sampler.Lookup(e.Resource)
	return resolved(e, r, why)
}

// SiteWhy says as a clause that a line grows.
func SiteWhy(s *alerting.Site) string {
	why := "grows at " + Place(s)
	if s.Proven && s.Bytes == 0 {
		why += ", proven to be leaked"
	}
	return why
}
