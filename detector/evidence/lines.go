package evidence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/callgraph"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// Lines follows the lines of code of a process: alerts name those that grew, and what they show by themselves goes to
// the monitor. Only the goroutine that gathers evidence calls its methods, except where noted.
type Lines struct {
	logger   *logrus.Logger
	monitor  Monitor
	profiler *profiler
	captures *captures
	tracer   *tracer
	holders  holders
	types    func(pcs []uintptr) []string // the Go types allocated at the innermost call of a stack; may be nil
	logged   []string                     // ids of the alerts whose stacks were logged
}

const (
	maxWay  = 32      // functions on the way to a line that are kept
	minEach = 100     // bytes of heap that each of some goroutines has, for the heap to be theirs: half of a descriptor
	maxEach = 1 << 20 // and at most
)

// NewLines returns what follows the lines of a process by its profiles. It starts nothing: see Work, Add and Capture.
func NewLines(source ProfileSource, monitor Monitor, logger *logrus.Logger) *Lines {
	p := newProfiler(source, logger)
	l := &Lines{
		logger: logger, monitor: monitor, profiler: p, captures: &captures{profiler: p},
		tracer: &tracer{monitor: monitor, profiler: p, callers: &callers{profiler: p},
			leads: make(map[string]callgraph.Leads)},
	}
	if h, ok := source.(holder); ok {
		l.holders.search.Store(&search{find: h.Holder})
	}
	return l
}

// KnowParts has the lines be found that open descriptors of the kinds that grew. Call it before anything else.
func (l *Lines) KnowParts(parts *Parts) { l.tracer.parts = parts }

// ReadProgram has the Go types be named that this process allocates at a line, and the lines be found that lead into a
// library by the program's code. Call it before anything else.
func (l *Lines) ReadProgram() { l.types, l.tracer.readsCode = newTypes(), true }

// Sites returns the lines of code that are followed, goroutines before memory. It is safe for concurrent use.
func (l *Lines) Sites() []sites.Status { return l.profiler.statuses() }

// Cost returns what the profiles have cost so far. It is safe for concurrent use.
func (l *Lines) Cost() Cost { return l.profiler.spent() }

// Captures returns the latest files that were written, oldest first. It is safe for concurrent use.
func (l *Lines) Captures() []Capture { return l.captures.list() }

// Culprit returns the line that made the most of the growth of a resource since an instant; ok is false where none is
// known. It is safe for concurrent use.
func (l *Lines) Culprit(resource string, since time.Time) (line profile.Frame, ok bool) {
	i, ok := kindOf(resource)
	if !ok {
		return profile.Frame{}, false
	}
	grown := l.profiler.list(i, since, nil).grown
	if len(grown) == 0 {
		return profile.Frame{}, false
	}
	return sites.FrameOf(&grown[0].Site), true
}

// absent reports whether the process has no profiles now.
func (l *Lines) absent() bool {
	c, ok := l.profiler.source.(changing)
	return ok && !c.Present()
}

// Work takes the profiles that are due, and delivers what they show. It returns when to come again.
func (l *Lines) Work(ctx context.Context) (next time.Time) {
	p, now := l.profiler, l.monitor.View()
	interval := now.Config.CheckInterval
	if !now.Config.Enabled || l.absent() {
		return time.Now().Add(interval)
	}
	l.renew(now)
	for i := range p.watched {
		if time.Now().Before(p.watched[i].next) || ctx.Err() != nil {
			continue
		}
		if p.collect(ctx, i, now) {
			l.deliver(i)
			l.captures.keepBefore(ctx, i, now)
			if i == heapSites {
				l.tracer.nameLate()
			}
		}
	}
	l.tracer.callers.keep(ctx, now)
	suspected := now.Suspected || p.suspected(goroutineSites)
	if suspected && !p.proof.missing && !time.Now().Before(p.proof.next) && ctx.Err() == nil {
		if p.prove(ctx, now) {
			l.deliver(goroutineSites)
		}
	}
	next = p.watched[0].next
	if other := p.watched[1].next; other.Before(next) {
		next = other
	}
	return next
}

// renew starts over where the process or the time constants have changed.
func (l *Lines) renew(now View) {
	if l.profiler.renew(now) {
		l.captures.forget()
		l.tracer.forget()
	}
}

// deliver hands over what the lines of a kind show.
func (l *Lines) deliver(i int) {
	l.monitor.Deliver(l.profiler.findings(i))
}

// kindOf returns which sites explain a resource; ok is false where none do.
func kindOf(resource string) (i int, ok bool) {
	switch resource {
	case sampler.Goroutines, sampler.StackBytes, sampler.Threads:
		return goroutineSites, true
	case sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.RSSBytes, sampler.OpenFDs:
		return heapSites, true
	}
	return 0, false
}

// Add is a Source: it adds to an alert the lines of code that grew.
func (l *Lines) Add(ctx context.Context, a *alerting.Alert) error {
	i, ok := kindOf(a.Resource)
	if !ok || l.absent() {
		return nil
	}
	now := l.monitor.View()
	if l.profiler.trackers[0] == nil {
		l.renew(now)
	}
	since := a.Since
	if a.Kind == alerting.Limit {
		since = time.Time{} // a limit is passed at an instant: what grew before is what counts
	}
	defer l.tracer.begin()()
	l.profiler.refresh(ctx, i, now)
	if i == goroutineSites {
		l.profiler.confirm(ctx, now)
	}
	var listed growth
	switch {
	case a.Resource == sampler.OpenFDs:
		listed = l.tracer.descriptors(ctx, a, since, now)
	case a.Resource == sampler.Threads:
		listed = l.tracer.threads(ctx, since, now)
	case l.monitor.OnLines(a):
		// The lines that leak, whatever else has grown more.
		listed = l.profiler.list(i, since, nil)
		listed.grown = l.profiler.leakingFirst(i, listed.grown)
		if i == goroutineSites {
			listed = l.tracer.throughLibrary(ctx, listed, since, now)
		}
	case i == goroutineSites:
		listed = l.tracer.throughLibrary(ctx, l.profiler.list(i, since, nil), since, now)
	default:
		listed = l.profiler.list(i, since, nil)
		l.behind(a, listed.total)
		listed.grown = slices.DeleteFunc(listed.grown, func(g sites.Grown) bool {
			return isChance(&g, l.profiler.resolution())
		})
		scaleDown(&listed, a)
		listed.total = max(listed.total, a.Value-a.Baseline)
		// The live heap may be a small part of resident memory: growth that it does not explain is not blamed on it.
		listed.grown = slices.DeleteFunc(listed.grown, func(g sites.Grown) bool {
			return g.Growth < minExplained*listed.total
		})
		for i := range listed.grown {
			listed.grown[i].Share = listed.grown[i].Growth / max(listed.total, listed.grown[i].Growth)
		}
		// The buffers of a connection that is not closed, or the descriptors of goroutines, are not caused by that
		// line.
		slices.SortStableFunc(listed.grown, func(a, b sites.Grown) int {
			return cmp.Compare(standardLast(&a.Profile), standardLast(&b.Profile))
		})
		ownFirst(listed.grown)
		listed.grown = sharedPool(listed.grown)
		listed = l.ofGoroutines(ctx, listed, since, now)
	}
	l.tracer.awaitName(a, listed.grown, since)
	boundShares(listed.grown)
	stale := l.stale(a, i, now, listed.grown)
	if beyond := l.profiler.beyond(i); beyond != "" {
		a.Missing = append(a.Missing, alerting.Missing{What: "sites", Why: beyond})
	}
	for _, g := range listed.grown {
		if l.types != nil && g.Bytes > 0 {
			for _, stack := range g.Profile.Stacks(4) {
				for _, name := range l.types(stack.PCs) {
					if !slices.Contains(g.Types, name) {
						g.Types = append(g.Types, name)
					}
				}
			}
		}
		locate(&g, a.Resource)
		if a.Kind == alerting.Trend && g.Resource == "" {
			g.Bound(a.Value-a.Baseline, a.SlopePerHour)
		}
		a.Sites = append(a.Sites, g.Site)
	}
	if len(listed.grown) > 0 && !stale {
		a.Summary += wording.SiteClause(a, listed.grown[0].Growth, listed.total)
	}
	if now.Config.StackTraceOnLeak && !slices.Contains(l.logged, a.ID) {
		l.logged = append(l.logged, a.ID)
		l.logged = l.logged[max(0, len(l.logged)-maxRemembered):]
		l.logStacks(a, listed.grown)
	}
	return nil
}

// stale reports whether the latest profile of a kind is older than the growth of an alert, as when there are too many
// goroutines to take another. Lines that grew until then are listed, but not blamed.
func (l *Lines) stale(a *alerting.Alert, i int, now View, grown []sites.Grown) bool {
	if a.Resource == sampler.OpenFDs && slices.ContainsFunc(grown, func(g sites.Grown) bool {
		return g.Count > 0 && g.Bytes == 0
	}) {
		i = goroutineSites // by which these are known
	}
	w := &l.profiler.watched[i]
	if now.Judged.IsZero() || !w.collected.Before(now.ago(a.Since)) {
		return false
	}
	for i := range grown {
		grown[i].Share = 0
	}
	a.Missing = append(a.Missing, alerting.Missing{What: "sites", Why: wording.BeforeGrowth(w.collected, w.note)})
	return true
}

// ownFirst puts the application's line with the most memory before a library's that allocates on its behalf in
// goroutines of its own, where it keeps much of that from there, too.
func ownFirst(grown []sites.Grown) {
	if len(grown) == 0 || grown[0].Profile.Application || grown[0].Profile.Standard() {
		return
	}
	library := grown[0].Profile.Module()
	i := slices.IndexFunc(grown, func(g sites.Grown) bool {
		return g.Profile.Application && g.Samples >= enoughKept && g.Growth >= grown[0].Growth/2 &&
			g.Profile.CallsInto(library)
	})
	if i > 0 {
		own := grown[i]
		copy(grown[1:i+1], grown[:i])
		grown[0] = own
	}
}

// isPooled reports whether memory that a line keeps may belong to connections that a library passes on to other lines:
// all drivers of database/sql have it pool them, and their buffers are most of it.
func isPooled(g *sites.Grown) bool {
	return g.Profile.Application && (g.Profile.Opens() || profile.PackageOf(g.Profile.Callee) == poolPackage)
}

// sharedPool puts what opened connections before lines of several functions that keep as much memory of these: where a
// library pools them, the line that opened one need not be the one that does not give it back.
func sharedPool(grown []sites.Grown) []sites.Grown {
	if len(grown) == 0 || !isPooled(&grown[0]) {
		return grown
	}
	first := grown[0].Profile
	largest := grown[0].Growth
	shares := func(g *sites.Grown) bool {
		return isPooled(g) && g.Growth*outweighs > largest
	}
	others := func(g sites.Grown) bool { return shares(&g) && g.Function != first.Function }
	stack := first.Frames()
	at := slices.Index(stack, first.Frame)
	if at < 1 || !slices.ContainsFunc(grown, others) {
		return grown
	}
	opener := sites.Grown{Site: alerting.Site{Function: stack[at-1].Function, File: stack[at-1].File,
		Line: stack[at-1].Line}}
	for i := range grown {
		if g := &grown[i]; shares(g) {
			opener.Bytes, opener.Growth, opener.Share = opener.Bytes+g.Bytes, opener.Growth+g.Growth,
				opener.Share+g.Share
			g.Share, g.KnownBy = 0, sites.ByNone
		}
	}
	return append([]sites.Grown{opener}, grown[:min(len(grown), maxListed-1)]...)
}

func standardLast(s *profile.Site) int {
	if s.Standard() {
		return 1
	}
	return 0
}

// behind notes that the heap profile shows too little of a growth to explain it: the profile is of the latest garbage
// collection, and a limit may have been passed since.
func (l *Lines) behind(a *alerting.Alert, shown float64) {
	grown := a.Value - a.Baseline
	if a.Kind != alerting.Limit || a.Resource == sampler.RSSBytes || grown <= 0 || shown >= grown/2 {
		return
	}
	r, _ := sampler.Lookup(a.Resource)
	why := wording.HeapBehind.Clause(100*max(0, shown)/grown, r.Format(grown))
	a.Missing = append(a.Missing, alerting.Missing{What: "sites", Why: why})
}

// locate sets the resource of a line's figures, where it is not the alert's, and how the line is reached.
func locate(g *sites.Grown, resource string) {
	i, of := goroutineSites, sampler.Goroutines
	if g.Bytes > 0 {
		i, of = heapSites, sampler.HeapLiveBytes
	}
	if mine, ok := kindOf(resource); g.Resource == "" && (!ok || mine != i || resource == sampler.RSSBytes ||
		resource == sampler.OpenFDs || resource == sampler.Threads) {
		g.Resource = of
	}
	for _, f := range g.Profile.Frames() {
		if len(g.Stack) == maxWay {
			break
		}
		if f.Function != g.Function && !(&profile.Site{Frame: f}).Standard() {
			g.Stack = append(g.Stack, f.Function)
		}
	}
}

// ofGoroutines names, in the place of lines of the runtime and the standard library that made most of a growth of
// memory, the line whose goroutines it is the memory of: their descriptors, and the buffers of what they wait for.
func (l *Lines) ofGoroutines(ctx context.Context, memory growth, since time.Time, now View) growth {
	theirs, others := growth{}, growth{total: memory.total}
	for _, g := range memory.grown {
		if g.Profile.Standard() {
			theirs.grown, theirs.total = append(theirs.grown, g), theirs.total+g.Growth
		} else {
			others.grown, others.total = append(others.grown, g), max(others.total, g.Growth)
		}
	}
	if len(theirs.grown) == 0 || len(others.grown) > 0 && others.grown[0].Growth > theirs.total {
		return memory
	}
	l.profiler.refresh(ctx, goroutineSites, now)
	waiting := l.tracer.throughLibrary(ctx, l.profiler.list(goroutineSites, since, nil), since, now)
	if len(waiting.grown) == 0 || !isTheirMemory(theirs.total, waiting.total) {
		return memory
	}
	line := waiting.grown[0]
	line.Growth, line.Share, line.Resource = theirs.total, theirs.total/max(memory.total, theirs.total),
		sampler.Goroutines
	others.grown = append([]sites.Grown{line}, others.grown...)
	return growth{others.grown[:min(len(others.grown), maxListed)], memory.total}
}

// isTheirMemory reports whether bytes can be the memory of goroutines: of their descriptors at least, with the buffers
// of a connection or two at most.
func isTheirMemory(bytes, goroutines float64) bool {
	return goroutines > 0 && bytes >= minEach*goroutines && bytes <= maxEach*goroutines
}

// addDetails takes age and creator of goroutines from a traceback of all of them, where these are few. It returns how
// many at each line have a thread for themselves.
func addDetails(ctx context.Context, p *profiler, grown []sites.Grown, now View) (locked map[profile.Frame]float64) {
	d, ok := p.source.(dumper)
	counted := slices.ContainsFunc(grown, func(g sites.Grown) bool { return g.Bytes == 0 })
	if !ok || !counted || max(now.Goroutines, p.goroutines) > maxDumped || ctx.Err() != nil {
		return nil
	}
	text, err := d.Dump(ctx)
	if err != nil {
		return nil // the sites themselves are there
	}
	locked = make(map[profile.Frame]float64)
	creators := make(map[profile.Frame]map[string]int)
	oldest := make(map[profile.Frame]time.Duration)
	for _, g := range profile.ParseDump(text) {
		at := g.Site.Frame
		if creators[at] == nil {
			creators[at] = make(map[string]int)
		}
		if g.CreatedBy.Function != "" {
			creators[at][fmt.Sprintf("%s %s:%d", g.CreatedBy.Function, g.CreatedBy.File, g.CreatedBy.Line)]++
		}
		oldest[at] = max(oldest[at], g.Waited)
		if g.Locked {
			locked[at]++
		}
	}
	for i := range grown {
		s := &grown[i].Site
		at := sites.FrameOf(s)
		if s.Bytes > 0 || creators[at] == nil {
			continue
		}
		for who, n := range creators[at] {
			if best := creators[at][s.CreatedBy]; n > best || n == best && who < s.CreatedBy {
				s.CreatedBy = who
			}
		}
		if waited := oldest[at]; waited > 0 {
			s.OldestSeconds = waited.Seconds()
		}
	}
	return locked
}

// logStacks writes how the sites of an alert are reached, a line for each of the first few.
func (l *Lines) logStacks(a *alerting.Alert, grown []sites.Grown) {
	for _, g := range grown[:min(len(grown), maxLogged)] {
		amount := "1 goroutine"
		if g.Count != 1 {
			counts, _ := sampler.Lookup(sampler.Goroutines)
			amount = counts.Format(g.Count) + " goroutines"
		}
		if g.Bytes > 0 {
			heap, _ := sampler.Lookup(sampler.HeapLiveBytes)
			amount = heap.Format(g.Bytes) + " of live heap"
		}
		text := fmt.Sprintf("%s: %s at %s", a.Resource, amount, wording.Place(&g.Site))
		if g.WaitReason != "" {
			text += " [" + g.WaitReason + "]"
		}
		if stack := wording.StackLine(g.Profile.Frames(), maxFrames); stack != "" {
			text += ": " + stack
		}
		if g.CreatedBy != "" {
			text += ", created by " + g.CreatedBy
		}
		l.logger.WithField("alert_id", a.ID).Warn(text)
	}
}

// NameHolders sets the function that finds what keeps the memory of this process alive. It is called once for a
// finding, and not where the process is close to a limit. first reports whether none was set before, so that Hold is to
// be added.
func (l *Lines) NameHolders(find func(ctx context.Context, line profile.Frame) (alerting.Holder, error)) (first bool) {
	return l.holders.search.Swap(&search{find: find, here: true}) == nil
}

// Holds reports whether a function is set that finds what keeps memory alive.
func (l *Lines) Holds() bool { return l.holders.search.Load() != nil }

// Hold is a Source: it adds to an alert on memory what keeps alive what the first of its lines has allocated, and to
// one on descriptors what keeps them open.
func (l *Lines) Hold(ctx context.Context, a *alerting.Alert) error {
	now := l.monitor.View()
	i, known := kindOf(a.Resource)
	switch {
	case l.absent() || !l.Holds() || !now.Config.Holders:
		return nil
	case a.Resource == sampler.OpenFDs:
		kind, growth := l.tracer.parts.majority(ctx, a)
		return l.holders.addDescriptors(ctx, a, kind, growth, now.Crowded)
	case !known || i != heapSites:
		return nil
	}
	return l.holders.add(ctx, a, now.Crowded)
}

// Capture is a Source: it writes profiles of before and after as files, once for each finding, and names them in the
// alert. It writes none unless the configuration asks for it.
func (l *Lines) Capture(ctx context.Context, a *alerting.Alert) error {
	if l.absent() {
		return nil
	}
	return l.captures.add(ctx, a, l.monitor.View())
}
