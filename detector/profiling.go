package detector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// The budget of the profiles that are taken all the time.
const (
	budgetShare    = .001                  // of one core
	soakShare      = .01                   // in soak mode, where the time constants are short and the run is a test
	mostPause      = 30 * time.Millisecond // that a profile may stop the world for
	mostGoroutines = 150_000               // above which none is taken: 0.5 KB of memory each while it lasts
	slowInARow     = 3                     // profiles that stopped it for longer: one may be another's fault...
	slowSpacing    = 10                    // ...times as far apart are they then
	proofSpacing   = 10 * time.Minute      // between two asked on suspicion, scaled: each runs a garbage collection
	freshEnough    = time.Second           // age of a profile that an alert does with
	mostListed     = 10                    // sites in an alert
	leastExplained = .05                   // of the growth of memory, for a line to be listed
	mostLogged     = 5                     // sites whose stacks go to the log
	mostFrames     = 8                     // functions of a stack there
	// mostDumped is up to how many goroutines the traceback of all of them is taken: it stops the world for 8 us a goroutine and more.
	mostDumped = 1000
)

// ProfileSource takes profiles of the process that is watched. It is used by one goroutine at a time. What Profile returns is valid until its
// next call for the same kind; profile.ErrUnsupported means that there never is one of that kind.
type ProfileSource interface {
	Profile(ctx context.Context, kind profile.Kind) (*profile.Profile, error)
	// Raw takes a profile in pprof's own format, for a file.
	Raw(ctx context.Context, kind profile.Kind) ([]byte, error)
}

// dumper is a ProfileSource that can list every goroutine with its state and creator, in the text form of a traceback. It stops the world for
// as long as that takes.
type dumper interface {
	Dump(ctx context.Context) ([]byte, error)
}

// EvidenceCost is what the profiles cost the process that is watched.
type EvidenceCost = evidence.Cost

// profiling follows the lines of code of the process.
type profiling struct {
	source ProfileSource
	types  func(pcs []uintptr) []string // the Go types allocated at the innermost call of a stack; may be nil

	// For the goroutine that works for the evidence alone.
	watched    [2]watched // goroutines and heap
	started    time.Time  // of the process, as the trackers know it
	config     sites.Config
	proof      watched
	cpu, cpuAt float64
	goroutines float64          // in the latest profile: of another process their number may be known by it alone
	logged     []string         // ids of the alerts whose stacks were logged
	kept       [2][]keptProfile // of healthy times, oldest first

	mu       sync.Mutex // guards the trackers, which the accessors read, and what follows
	trackers [2]*sites.Tracker
	cost     EvidenceCost
	since    time.Time // when the cost began to count
	captures []Capture // oldest first
	captured []string  // ids of the alerts for which there are some, or should be
}

// watched is one kind of profile and when it is due.
type watched struct {
	kind     profile.Kind
	resource string
	next     time.Time
	last     time.Time
	spacing  time.Duration
	cost     movingCost
	slow     int  // profiles in a row that stopped the world for too long
	missing  bool // the process has none of this kind
	nextKept time.Time
	problem  guard.News
}

// movingCost is the processor time of a profile, averaged over the latest few: one may have met with a busy moment.
type movingCost time.Duration

func (c *movingCost) add(latest time.Duration) {
	if *c == 0 {
		*c = movingCost(latest)
	}
	*c += (movingCost(latest) - *c) / 4
}

const (
	goroutineSites = 0
	heapSites      = 1
)

func newProfiling(source ProfileSource) *profiling {
	s := &profiling{source: source}
	s.watched[goroutineSites] = watched{kind: profile.Goroutine, resource: sampler.Goroutines}
	s.watched[heapSites] = watched{kind: profile.Heap, resource: sampler.HeapLiveBytes}
	s.proof = watched{kind: profile.GoroutineLeak, resource: sampler.Goroutines}
	return s
}

// FollowSites has the monitor follow the lines of code of the process that it watches: alerts name the lines that grew, and a line that
// leaks below a total that hides it is an alert of its own. A monitor of this process does so from the start. Call it before Start or Run.
func (m *ResourceMonitor) FollowSites(source ProfileSource) {
	m.mu.Lock()
	m.profiling = newProfiling(source)
	m.mu.Unlock()
	m.queue.Meanwhile(m.tick)
	m.AddEvidence("sites", m.addSites)
	m.AddEvidence("captures", m.addCaptures)
}

// Sites returns the lines of code that are followed, goroutines before memory.
func (m *ResourceMonitor) Sites() []sites.Status {
	s := m.profiling
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sites.Status
	for i, t := range s.trackers {
		if t != nil {
			all = append(all, t.Statuses(s.watched[i].resource)...)
		}
	}
	return all
}

// EvidenceCost returns what the profiles have cost so far.
func (m *ResourceMonitor) EvidenceCost() EvidenceCost {
	s := m.profiling
	if s == nil {
		return EvidenceCost{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cost := s.cost
	if lasted := time.Since(s.since); !s.since.IsZero() && lasted > 0 {
		cost.Share = cost.CPU.Seconds() / lasted.Seconds()
	}
	return cost
}

// situation is what the sites need to know of the detector.
type situation struct {
	config    Config
	scale     float64
	process   time.Time // start
	count     float64   // goroutines
	cpu       float64   // processor time in seconds; NaN where unknown
	at        float64   // of the latest sample, in seconds
	suspected bool      // goroutines are suspected to leak, or do
	unwell    bool      // something is suspected to leak, or does
}

func (m *ResourceMonitor) situation() situation {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := situation{config: m.detector.Config(), scale: m.detector.engine.Scale(), process: m.latest.Start, cpu: math.NaN()}
	now.count, _ = m.latest.Value(sampler.Goroutines)
	if v, ok := m.latest.Value(sampler.CPUSeconds); ok {
		now.cpu, now.at = v, float64(m.latest.Time.UnixNano())/1e9
	}
	for _, t := range m.detector.engine.All() {
		if t.Unwell() {
			now.unwell = true
			now.suspected = now.suspected || t.Resource().Name == sampler.Goroutines
		}
	}
	return now
}

// tick takes the profiles that are due, and tells what they show. It returns when to come again.
func (m *ResourceMonitor) tick(ctx context.Context) time.Time {
	s, now := m.profiling, m.situation()
	interval := now.config.CheckInterval
	if !now.config.Enabled {
		return time.Now().Add(interval)
	}
	m.renew(now)
	for i := range s.watched {
		w := &s.watched[i]
		if time.Now().Before(w.next) || ctx.Err() != nil {
			continue
		}
		if m.take(ctx, i, now) {
			m.bookSites(i)
			m.keepBefore(ctx, i, now)
		}
	}
	s.mu.Lock()
	suspected := now.suspected || s.trackers[goroutineSites].Suspected()
	s.mu.Unlock()
	if suspected && !s.proof.missing && !time.Now().Before(s.proof.next) && ctx.Err() == nil {
		if m.prove(ctx, now) {
			m.bookSites(goroutineSites)
		}
	}
	next := s.watched[0].next
	if other := s.watched[1].next; other.Before(next) {
		next = other
	}
	return next
}

// renew begins anew where the process is another one, or the time constants are.
func (m *ResourceMonitor) renew(now situation) {
	s := m.profiling
	adaptive := now.config.Adaptive
	config := sites.Config{
		Scale: now.scale, LeastGrowth: adaptive.LeastGrowth, HalfLife: adaptive.HalfLife,
		Patience: finding.Stretch(adaptive.Patience, 1/adaptive.Sensitivity),
	}
	restarted := !now.process.IsZero() && !s.started.IsZero() && !engine.SameProcess(s.started, now.process)
	if !now.process.IsZero() {
		s.started = now.process
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since = time.Now()
	}
	if s.trackers[0] != nil && config == s.config && !restarted {
		return
	}
	s.config = config
	for i := range s.trackers {
		s.trackers[i] = sites.NewTracker(s.watched[i].kind, config)
		s.watched[i].next, s.watched[i].nextKept, s.kept[i] = time.Time{}, time.Time{}, nil
	}
}

// share returns the part of one core that the profiles may take.
func (now *situation) share() float64 {
	if now.config.Adaptive.Soak > 0 {
		return soakShare
	}
	return budgetShare
}

// take takes one kind of profile, and sets when the next one is due by what it cost. It reports whether there is one.
func (m *ResourceMonitor) take(ctx context.Context, i int, now situation) bool {
	s := m.profiling
	w := &s.watched[i]
	least := max(now.config.CheckInterval, finding.Stretch(finestWidth, now.scale)/2)
	if i == goroutineSites && now.count > mostGoroutines {
		w.next = time.Now().Add(least)
		m.note(w, fmt.Sprintf("%.0f goroutines are too many for a profile of them: none is taken above %d", now.count, mostGoroutines))
		return false
	}
	p, err := s.source.Profile(ctx, w.kind)
	w.last = time.Now()
	if err != nil {
		w.next = w.last.Add(least)
		if errors.Is(err, profile.ErrUnsupported) {
			w.next = w.last.Add(24 * time.Hour)
			err = fmt.Errorf("this process has no %s profile", w.kind)
		}
		if ctx.Err() == nil {
			m.note(w, err.Error())
		}
		return false
	}
	// Each of the two kinds may use half of the budget.
	w.cost.add(p.Cost.CPU)
	w.spacing = max(least, time.Duration(float64(w.cost)/(now.share()/2)))
	if i == goroutineSites && p.Cost.Pause > mostPause {
		w.slow++
	} else {
		w.slow = 0
	}
	problem := ""
	if i == goroutineSites {
		s.goroutines = p.Count
	}
	if i == goroutineSites && p.Count > mostGoroutines {
		w.spacing *= slowSpacing
		problem = fmt.Sprintf("profiles of %.0f goroutines are taken less often: they are more than %d", p.Count, mostGoroutines)
	}
	if w.slow >= slowInARow {
		w.spacing *= slowSpacing
		problem = fmt.Sprintf("profiles of %.0f goroutines stop the world for more than %s: they are taken less often", p.Count, mostPause)
	}
	m.note(w, problem)
	w.next = w.last.Add(w.spacing)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trackers[i].Observe(p, s.loadOf(now))
	s.account(p)
	s.cost.Spacing = max(s.watched[0].spacing, s.watched[1].spacing)
	return true
}

// finestWidth is how long a floor of a site takes at a scale of 1: two profiles.
const finestWidth = 5 * time.Minute

// loadOf returns the processor time per second since it was last asked, or NaN.
func (s *profiling) loadOf(now situation) float64 {
	rate := math.NaN()
	if !math.IsNaN(now.cpu) && now.at > s.cpuAt {
		if s.cpuAt > 0 && now.cpu >= s.cpu {
			rate = (now.cpu - s.cpu) / (now.at - s.cpuAt)
		}
		s.cpu, s.cpuAt = now.cpu, now.at
	}
	return rate
}

// account adds up what a profile cost. It needs s.mu.
func (s *profiling) account(p *profile.Profile) {
	s.cost.Profiles++
	s.cost.CPU += p.Cost.CPU
	s.cost.LongestPause = max(s.cost.LongestPause, p.Cost.Pause)
}

// note keeps what is not done, and logs it when it changes.
func (m *ResourceMonitor) note(w *watched, problem string) {
	if !w.problem.Changed(problem) {
		return
	}
	m.profiling.mu.Lock()
	m.profiling.cost.Note = problem
	m.profiling.mu.Unlock()
	if problem != "" {
		m.logger.WithField("profile", string(w.kind)).Warn("Resource monitor: " + problem)
	}
}

// prove asks the runtime which goroutines are leaked. It reports whether it said so.
func (m *ResourceMonitor) prove(ctx context.Context, now situation) bool {
	s := m.profiling
	w := &s.proof
	p, err := s.source.Profile(ctx, w.kind)
	w.last = time.Now()
	if err != nil {
		w.next = w.last.Add(finding.Stretch(proofSpacing, now.scale))
		if w.missing = errors.Is(err, profile.ErrUnsupported); !w.missing && ctx.Err() == nil {
			m.note(w, err.Error())
		}
		return false
	}
	w.next = w.last.Add(max(finding.Stretch(proofSpacing, now.scale), time.Duration(float64(p.Cost.CPU)/now.share())))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trackers[goroutineSites].Prove(p)
	s.account(p)
	s.cost.Proofs++
	return true
}

// kindOf returns which sites tell of a resource; ok is false where none do.
func kindOf(resource string) (i int, ok bool) {
	switch resource {
	case sampler.Goroutines, sampler.StackBytes:
		return goroutineSites, true
	case sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.RSSBytes, sampler.OpenFDs:
		return heapSites, true
	}
	return 0, false
}

// addSites adds to an alert the lines of code that grew.
func (m *ResourceMonitor) addSites(ctx context.Context, a *alerting.Alert) error {
	i, ok := kindOf(a.Resource)
	if !ok {
		return nil
	}
	s, now := m.profiling, m.situation()
	if s.trackers[0] == nil {
		m.renew(now)
	}
	since := a.Since
	if a.Kind == alerting.Limit {
		since = time.Time{} // a limit is passed at an instant: what grew before is what counts
	}
	m.refresh(ctx, i, now)
	if i == goroutineSites {
		m.confirm(ctx, now)
	}
	var listed list
	switch {
	case a.Resource == sampler.OpenFDs:
		listed = s.list(heapSites, since, func(p profile.Site) bool { return p.Descriptor })
		if len(listed.grown) == 0 || !listed.grown[0].Profile.Application {
			// What waits for them may tell, where the sampling of the heap has seen none.
			m.refresh(ctx, goroutineSites, now)
			if waiting := s.list(goroutineSites, since, nil); waiting.total >= (a.Value-a.Baseline)/2 {
				listed = m.throughLibrary(ctx, waiting, since, now)
			}
		} else {
			for i := range listed.grown {
				listed.grown[i].Via = listed.grown[i].Profile.Callee
			}
		}
	case m.alone(a):
		// The lines that leak, whatever else has grown more.
		listed = s.list(i, since, nil)
		listed.grown = s.leakingFirst(i, listed.grown)
	case i == goroutineSites:
		listed = m.throughLibrary(ctx, s.list(i, since, nil), since, now)
	default:
		listed = s.list(i, since, nil)
		listed.total = max(listed.total, a.Value-a.Baseline)
		// Of resident memory the live heap may be the least part: what it does not explain is not blamed on it.
		listed.grown = slices.DeleteFunc(listed.grown, func(g sites.Grown) bool { return g.Growth < leastExplained*listed.total })
		for i := range listed.grown {
			listed.grown[i].Share = listed.grown[i].Growth / max(listed.total, listed.grown[i].Growth)
		}
	}
	if max(now.count, s.goroutines) <= mostDumped && slices.ContainsFunc(listed.grown, func(g sites.Grown) bool { return g.Bytes == 0 }) {
		m.addDetails(ctx, listed.grown)
	}
	for _, g := range listed.grown {
		if s.types != nil && g.Bytes > 0 {
			for _, stack := range g.Profile.Stacks(4) {
				for _, name := range s.types(stack.PCs) {
					if !slices.Contains(g.Types, name) {
						g.Types = append(g.Types, name)
					}
				}
			}
		}
		a.Sites = append(a.Sites, g.Site)
	}
	if len(listed.grown) > 0 {
		a.Summary += wording.SiteClause(a, listed.grown[0].Growth, listed.total)
	}
	if now.config.StackTraceOnLeak && !slices.Contains(s.logged, a.ID) {
		s.logged = append(s.logged, a.ID)
		s.logged = s.logged[max(0, len(s.logged)-mostCaptured):]
		m.logStacks(a, listed.grown)
	}
	return nil
}

// alone reports whether an alert is on lines of code, not on the total.
func (m *ResourceMonitor) alone(a *alerting.Alert) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, t := m.bySite[a.Resource], m.detector.engine.Of(a.Resource)
	return a.Kind == alerting.Trend && f != nil && f.active && (t == nil || !t.Growth().Active())
}

// leakingFirst puts the sites that leak by themselves before the others that grew.
func (s *profiling) leakingFirst(i int, grown []sites.Grown) []sites.Grown {
	s.mu.Lock()
	defer s.mu.Unlock()
	leaking := s.trackers[i].Leaking(mostListed)
	for _, g := range grown {
		if len(leaking) < mostListed && !slices.ContainsFunc(leaking, func(l sites.Grown) bool { return frameOf(&l.Site) == frameOf(&g.Site) }) {
			leaking = append(leaking, g)
		}
	}
	return leaking
}

// list are sites that grew, and how much all of their kind did.
type list struct {
	grown []sites.Grown
	total float64
}

func (s *profiling) list(i int, since time.Time, keep func(profile.Site) bool) list {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trackers[i]
	return list{t.Growing(since, mostListed, keep), t.Growth(since)}
}

// refresh takes a profile for an alert where the latest is not fresh.
func (m *ResourceMonitor) refresh(ctx context.Context, i int, now situation) {
	if time.Since(m.profiling.watched[i].last) > freshEnough && ctx.Err() == nil {
		m.take(ctx, i, now)
	}
}

// confirm asks for proof for an alert where the latest is not fresh.
func (m *ResourceMonitor) confirm(ctx context.Context, now situation) {
	s := m.profiling
	if !s.proof.missing && time.Since(s.proof.last) > freshEnough && ctx.Err() == nil {
		m.prove(ctx, now)
	}
}

// throughLibrary puts the application's lines before the goroutines of a library that wait on its behalf: those whose memory from that library
// grew too, as the requests of responses that are not closed.
func (m *ResourceMonitor) throughLibrary(ctx context.Context, waiting list, since time.Time, now situation) list {
	if len(waiting.grown) == 0 || waiting.grown[0].Profile.Application {
		return waiting
	}
	s := m.profiling
	m.refresh(ctx, heapSites, now)
	library := profile.PackageOf(waiting.grown[0].Function)
	callers := s.list(heapSites, since, func(p profile.Site) bool {
		return p.Application && profile.PackageOf(p.Callee) == library
	})
	part := waiting.grown[0].Share
	for i := range callers.grown {
		g := &callers.grown[i]
		g.Via, g.Share = g.Profile.Callee, g.Share*part
	}
	waiting.grown = append(callers.grown, waiting.grown...)
	waiting.grown = waiting.grown[:min(len(waiting.grown), mostListed)]
	return waiting
}

// addDetails takes age and creator of goroutines from a traceback of all of them.
func (m *ResourceMonitor) addDetails(ctx context.Context, grown []sites.Grown) {
	d, ok := m.profiling.source.(dumper)
	if !ok || ctx.Err() != nil {
		return
	}
	text, err := d.Dump(ctx)
	if err != nil {
		return // the sites themselves are there
	}
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
	}
	for i := range grown {
		s := &grown[i].Site
		at := frameOf(s)
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
}

// logStacks writes how the sites of an alert are reached, a line for each of the first few.
func (m *ResourceMonitor) logStacks(a *alerting.Alert, grown []sites.Grown) {
	for _, g := range grown[:min(len(grown), mostLogged)] {
		amount := fmt.Sprintf("%.0f goroutines", g.Count)
		if g.Bytes > 0 {
			heap, _ := sampler.Lookup(sampler.HeapLiveBytes)
			amount = heap.Format(g.Bytes) + " of live heap"
		}
		text := fmt.Sprintf("%s: %s at %s", a.Resource, amount, wording.Place(&g.Site))
		if g.WaitReason != "" {
			text += " [" + g.WaitReason + "]"
		}
		if stack := wording.StackLine(g.Profile.Frames(), mostFrames); stack != "" {
			text += ": " + stack
		}
		if g.CreatedBy != "" {
			text += ", created by " + g.CreatedBy
		}
		m.logger.WithField("alert_id", a.ID).Warn(text)
	}
}
