package evidence

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler/callgraph"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

const (
	maxCallers  = 3                // lines that are named as callers...
	maxGuesses  = 8                // ...and lines that may be callers
	maxGroups   = 3                // libraries that are examined
	enoughKept  = 1.9              // samples of the heap that prove memory to be kept: one may be there by chance
	pooledKept  = 8                // samples of memory that a pool may have passed on
	outweighs   = 2                // times the memory of lines of other functions
	sureAnyway  = 3.9              // samples that suffice although no call in the code leads there
	perCall     = 1 << 10          // minimum of bytes that a call allocates which starts goroutines...
	perOpening  = 1 << 7           // ...and one that opens a descriptor
	minExpected = 3                // samples of these, for lines of which there is none to have made no call
	maxReads    = 4                // of the program's code...
	readSpacing = 10 * time.Minute // ...in this time, scaled
)

// tracer finds the lines of the application on whose behalf a library waits, opens or keeps. Only the goroutine that
// gathers evidence uses it.
type tracer struct {
	monitor  Monitor
	profiler *profiler
	callers  *callers
	parts    *Parts // what descriptors are; nil where that is not known

	targets []*target // what the lines of the latest alert are to lead to
	unnamed []unnamed // alerts that name no line of the application yet, oldest first

	readsCode bool // of this program
	leads     map[string]callgraph.Leads
	graph     *callgraph.Graph // while an alert is examined
	reads     []time.Time
}

// forget drops what was found of another process.
func (t *tracer) forget() {
	t.callers.forget()
	t.unnamed = nil
}

// begin starts work on an alert; the returned function ends it.
func (t *tracer) begin() (end func()) {
	t.targets = nil
	return func() { t.graph = nil } // it takes some megabytes
}

// poolPackage pools the connections of all its drivers.
const poolPackage = "database/sql"

// target is what lines of the application are to lead to.
type target struct {
	functions map[string]bool                    // that create what leaks
	library   string                             // whose functions these are
	opens     bool                               // what leaks are descriptors
	count     float64                            // that leaked, and as many calls at least
	lines     map[callgraph.Place]callgraph.Line // that lead there by the program's code
	complete  bool                               // no others do
}

// through reports whether a line was seen on the way into the library, or to a descriptor.
func (w *target) through(s profile.Site) bool {
	return s.Application && (w.library != "" && s.CallsInto(w.library) || w.opens && s.Opens())
}

// leads reports whether a line leads there by the program's code.
func (w *target) leads(s profile.Site) bool {
	_, leads := w.lines[callgraph.Place{File: s.File, Line: s.Line}]
	return leads
}

// candidate is a line of the application that may have called.
type candidate struct {
	sites.Grown
	leads     bool            // by the program's code
	depth     int             // calls from there, by the program's code
	calleeAt  callgraph.Place // the entry of what it calls
	there     bool            // it was seen on the way to the very functions
	kept      float64         // samples of the heap that it keeps live from there, of those that came with the growth
	allocated float64         // bytes that it allocated on the way since then, live or not
}

// callersOf are lines of the application that called for what leaks, and how that is known: "" where it is not sure
// which of them it was.
type callersOf struct {
	lines   []candidate
	knownBy string
}

// decide finds which candidates made the calls. complete is whether no other line leads there than those that do so by
// the program's code, sampled whether a line that called as often as there are leaks was seen by what it allocated.
func decide(all []candidate, complete, sampled bool) (c callersOf) {
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.kept, a.kept), trueFirst(a.leads, b.leads), trueFirst(a.there, b.there),
			a.depth-b.depth,
			cmp.Compare(b.allocated, a.allocated), cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	leads := slices.ContainsFunc(all, func(k candidate) bool { return k.leads })
	enough := float64(enoughKept)
	if len(all) > 0 && profile.PackageOf(all[0].Via) == poolPackage {
		enough = pooledKept
	}
	if len(all) > 0 && all[0].kept >= enough && (all[0].leads || !leads || !complete || all[0].kept >= sureAnyway) {
		others := slices.IndexFunc(all, func(k candidate) bool { return k.Function != all[0].Function })
		if others < 0 || all[0].kept >= outweighs*all[others].kept {
			kept := slices.DeleteFunc(all, func(k candidate) bool {
				return k.kept == 0 || k.kept*outweighs < all[0].kept
			})
			return callersOf{kept[:min(len(kept), maxCallers)], sites.ByMemory}
		}
	}
	there := slices.ContainsFunc(all, func(k candidate) bool { return k.there })
	all = slices.DeleteFunc(all, func(k candidate) bool {
		switch {
		case k.kept >= enoughKept:
			return false
		case leads:
			return !k.leads && (complete || !k.there)
		case there:
			return !k.there
		}
		return k.allocated == 0
	})
	c.lines = all[:min(len(all), maxGuesses)]
	if slices.ContainsFunc(all, func(k candidate) bool { return k.Function != all[0].Function }) {
		return c
	}
	switch {
	case leads && complete:
		c.knownBy = sites.ByCode
	case sampled && slices.ContainsFunc(all, func(k candidate) bool { return k.allocated > 0 }):
		c.knownBy = sites.ByAllocations
	}
	if c.knownBy != "" {
		c.lines = c.lines[:min(len(c.lines), maxCallers)]
	}
	return c
}

// trueFirst orders by a condition: what it holds for comes first.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// who returns the lines of the application that called for what grew since an instant.
func (t *tracer) who(ctx context.Context, to *target, since time.Time, now View) callersOf {
	t.profiler.refresh(ctx, heapSites, now)
	t.leading(to, now)
	t.targets = append(t.targets, to)
	found := t.keeping(to, since)
	if !since.IsZero() {
		since = now.ago(since)
	}
	for _, one := range t.callers.of(ctx, to, since) {
		k := found.at(one.site.Frame, to)
		k.allocated, k.there, k.Via = one.bytes, one.there, cmp.Or(k.Via, one.site.Callee)
	}
	return found.decide(to, t.profiler.resolution())
}

// candidates are lines that may have called. A function literal that is inlined in several functions has several names.
type candidates map[callgraph.Place]*candidate

func (c candidates) at(f profile.Frame, to *target) *candidate {
	at := callgraph.Place{File: f.File, Line: f.Line}
	k := c[at]
	if k == nil {
		line, leads := to.lines[at]
		k = &candidate{leads: leads, depth: line.Depth, calleeAt: line.CalleeAt}
		k.Function, k.File, k.Line, k.Via = f.Function, f.File, f.Line, line.Callee
		c[at] = k
	}
	return k
}

func (c candidates) decide(to *target, resolution float64) callersOf {
	all := make([]candidate, 0, len(c))
	for _, k := range c {
		all = append(all, *k)
	}
	each := float64(perCall)
	if to.opens {
		each = perOpening
	}
	return decide(all, to.complete, to.count*each >= minExpected*resolution)
}

// keeping returns the lines that lead there by the program's code, and those that keep memory from there that came
// since an instant.
func (t *tracer) keeping(to *target, since time.Time) candidates {
	found := make(candidates)
	for _, line := range to.lines {
		found.at(profile.Frame{Function: line.Function, File: line.File, Line: line.Line}, to)
	}
	live := t.profiler.list(heapSites, since, func(s profile.Site) bool { return to.leads(s) || to.through(s) })
	for _, g := range live.grown {
		k := found.at(g.Profile.Frame, to)
		via := cmp.Or(k.Via, g.Profile.Callee)
		k.Grown, k.Via, k.kept = g, via, g.Samples
	}
	return found
}

// unnamed is an alert that names no line of the application yet, and what such a line is to lead to.
type unnamed struct {
	alert   alerting.Alert
	since   time.Time
	targets []*target
	tries   int
}

const (
	maxUnnamed = 8
	maxTries   = 3 // to name a line that seemed to be known
)

// awaitName keeps an alert that names no line of the application, for when one becomes known.
func (t *tracer) awaitName(a *alerting.Alert, grown []sites.Grown, since time.Time) {
	tries := 0
	t.unnamed = slices.DeleteFunc(t.unnamed, func(u unnamed) bool {
		if u.alert.ID == a.ID {
			tries = u.tries
		}
		return u.alert.ID == a.ID
	})
	if len(t.targets) > 0 && !namesOwn(grown) && tries < maxTries {
		t.unnamed = append(t.unnamed, unnamed{a.Clone(), since, t.targets, tries})
		t.unnamed = t.unnamed[max(0, len(t.unnamed)-maxUnnamed):]
	}
}

// nameLate has alerts be delivered again whose line has become known by the memory that it keeps.
func (t *tracer) nameLate() {
	for i := range t.unnamed {
		u := &t.unnamed[i]
		for _, to := range u.targets {
			if t.keeping(to, u.since).decide(to, t.profiler.resolution()).knownBy == sites.ByMemory &&
				u.tries < maxTries {
				u.tries++
				t.monitor.Again(&u.alert)
				break
			}
		}
	}
}

// leading finds the lines that lead to the functions, in the code of this program.
func (t *tracer) leading(to *target, now View) {
	to.lines = make(map[callgraph.Place]callgraph.Line)
	if !t.readsCode || len(to.functions) == 0 {
		return
	}
	names := make([]string, 0, len(to.functions))
	for f := range to.functions {
		names = append(names, f)
	}
	slices.Sort(names)
	key := strings.Join(names, " ")
	leads, known := t.leads[key]
	if !known {
		graph := t.code(now)
		if graph == nil {
			return
		}
		// what too many lines lead to is not informative
		leads, _ = graph.Leading(names, func(function, file string) bool {
			return profile.Frame{Function: function, File: file}.IsApplication() && !sites.IsOurs(function)
		}, closesItself)
		if len(t.leads) >= maxRemembered {
			clear(t.leads)
		}
		t.leads[key] = leads
	}
	for _, line := range leads.Lines {
		to.lines[callgraph.Place{File: line.File, Line: line.Line}] = line
	}
	to.complete = len(leads.Lines) > 0 && len(leads.Ends) == 0
	for _, f := range leads.Ends {
		to.functions[f] = true // who passes by there is seen by what it allocates
	}
}

// code returns the calls in this program's code, for as long as one alert is examined; nil where it cannot be read, or
// was read too often recently.
func (t *tracer) code(now View) *callgraph.Graph {
	if t.graph != nil {
		return t.graph
	}
	at := time.Now()
	t.reads = slices.DeleteFunc(t.reads, func(before time.Time) bool {
		return at.Sub(before) > finding.Stretch(readSpacing, now.Scale)
	})
	if len(t.reads) >= maxReads {
		return nil
	}
	t.reads = append(t.reads, at)
	t.graph = t.profiler.readCode()
	return t.graph
}

// closers are functions that close or wait for what they open.
var closers = map[string]bool{
	"os.ReadFile": true, "os.WriteFile": true, "os.ReadDir": true, "os.CopyFS": true, "os.RemoveAll": true,
	"os.Truncate": true, "os.MkdirTemp": true,
	"os/exec.(*Cmd).Run": true, "os/exec.(*Cmd).Output": true, "os/exec.(*Cmd).CombinedOutput": true,
	"os/exec.(*Cmd).Wait":   true,
	"path/filepath.WalkDir": true, "path/filepath.Walk": true, "path/filepath.Glob": true, "io/fs.ReadFile": true,
	"io/fs.ReadDir":                true,
	"net.(*Resolver).LookupIPAddr": true, "net.(*Resolver).lookupIPAddr": true,
	"net.(*Resolver).goLookupIPCNAMEOrder": true,
	"net.(*Resolver).exchange":             true, "time.LoadLocation": true, "mime.initMime": true,
}

func closesItself(function string) bool { return closers[function] }

// creators returns the functions that created the goroutines at a line: by what encloses the function literal or the go
// statement that they began with, and by a dump.
func creators(g *sites.Grown, into map[string]bool) {
	if outer := callgraph.Enclosing(g.Profile.Entry); outer != "" {
		into[outer] = true
	}
	if by, _, found := strings.Cut(g.CreatedBy, " "); found {
		into[by] = true
	}
}

// throughLibrary puts the application's lines before the goroutines of a library that wait on its behalf, where it is
// sure which ones called, and behind them where it is not.
func (t *tracer) throughLibrary(ctx context.Context, waiting growth, since time.Time, now View) growth {
	addDetails(ctx, t.profiler, waiting.grown, now)
	if len(waiting.grown) == 0 || waiting.grown[0].Profile.Application {
		return waiting
	}
	first := &waiting.grown[0]
	var best callersOf
	examined := 0
	for i := range waiting.grown {
		module := waiting.grown[i].Profile.Module()
		again := slices.ContainsFunc(waiting.grown[:i], func(g sites.Grown) bool {
			return g.Profile.Module() == module
		})
		if waiting.grown[i].Profile.Application || again || waiting.grown[i].Growth < first.Growth/2 ||
			examined == maxGroups {
			continue
		}
		examined++
		to := target{functions: make(map[string]bool), library: module, count: waiting.grown[i].Growth}
		for k := range waiting.grown {
			if g := &waiting.grown[k]; g.Profile.Module() == module && g.Growth >= first.Growth/2 {
				creators(g, to.functions)
			}
		}
		c := t.who(ctx, &to, since, now)
		if c.knownBy != "" || len(best.lines) == 0 {
			best = c
		}
		if c.knownBy != "" {
			break
		}
	}
	return best.beside(waiting)
}

// beside puts the lines that called in the list of what waits, opens or keeps for them.
func (c *callersOf) beside(waiting growth) growth {
	if len(c.lines) == 0 {
		return waiting
	}
	whole, sum := 0., 0.
	for i := range c.lines {
		sum += max(c.lines[i].kept, c.lines[i].allocated)
	}
	if len(waiting.grown) > 0 {
		whole = waiting.grown[0].Share
	}
	var called []sites.Grown
	for i := range c.lines {
		k := &c.lines[i]
		k.KnownBy, k.Share = cmp.Or(c.knownBy, sites.ByNone), 0
		if c.knownBy != "" && sum > 0 {
			k.Share = whole * max(k.kept, k.allocated) / sum
		} else if c.knownBy != "" && i == 0 {
			k.Share = whole
		}
		if len(waiting.grown) > 0 { // they are the same
			waiting.grown[0].Share = max(0, waiting.grown[0].Share-k.Share)
		}
		called = append(called, k.Grown)
	}
	if c.knownBy == "" {
		if len(waiting.grown) == 0 {
			first := c.lines[0]
			if first.calleeAt.File == "" {
				return waiting
			}
			opener := sites.Grown{Site: alerting.Site{Function: first.Via, File: first.calleeAt.File,
				Line: first.calleeAt.Line}}
			waiting.grown = append(waiting.grown, opener)
		}
		waiting.grown = slices.Insert(waiting.grown, 1, called...)
	} else {
		if len(waiting.grown) > 0 {
			waiting.grown[0].CalledFrom = calledFrom(&called[0].Site)
			waiting.grown[0].KnownBy = c.knownBy
		}
		waiting.grown = append(called, waiting.grown...)
	}
	waiting.grown = waiting.grown[:min(len(waiting.grown), maxListed)]
	return waiting
}

// descriptors lists the lines that opened what descriptors grew by: those whose memory proves it, those that lead to
// what waits for them, or to what opens such ones.
func (t *tracer) descriptors(ctx context.Context, a *alerting.Alert, since time.Time, now View) growth {
	to := target{opens: true, count: a.Value - a.Baseline}
	if t.parts != nil {
		to.functions = t.parts.opening(ctx, a)
	}
	opened := t.who(ctx, &to, since, now)
	held := t.profiler.list(heapSites, since, func(p profile.Site) bool { return p.Descriptor && !p.Application })
	if opened.knownBy == sites.ByMemory {
		return opened.beside(held)
	}
	t.profiler.refresh(ctx, goroutineSites, now)
	if waiting := t.profiler.list(goroutineSites, since, nil); waiting.total >= (a.Value-a.Baseline)/2 {
		if waiting = t.throughLibrary(ctx, waiting, since, now); namesOwn(waiting.grown) || opened.knownBy == "" {
			return waiting
		}
	}
	return opened.beside(held)
}

// threads lists the lines of goroutines that keep a thread: in a system call, or locked to it.
func (t *tracer) threads(ctx context.Context, since time.Time, now View) growth {
	all := t.profiler.list(goroutineSites, since, nil)
	locked := addDetails(ctx, t.profiler, all.grown, now)
	keeping := growth{}
	for _, g := range all.grown {
		if g.WaitReason == systemCall || locked[g.Profile.Frame] >= g.Count/2 && locked[g.Profile.Frame] > 0 {
			keeping.grown = append(keeping.grown, g)
			keeping.total += g.Growth
		}
	}
	for i := range keeping.grown {
		keeping.grown[i].Share = keeping.grown[i].Growth / keeping.total
	}
	return t.throughLibrary(ctx, keeping, since, now)
}

const systemCall = "syscall" // what a goroutine in one waits for

// namesOwn reports whether a line of the application stands first.
func namesOwn(grown []sites.Grown) bool {
	return len(grown) > 0 && sites.FrameOf(&grown[0].Site).IsApplication()
}
