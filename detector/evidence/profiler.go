package evidence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/callgraph"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// The budget of the profiles that are taken all the time.
const (
	budgetShare   = .001                  // of one core
	soakShare     = .01                   // in soak mode, where the time constants are short and the run is a test
	maxPause      = 30 * time.Millisecond // that a profile may stop the world for
	maxGoroutines = 150_000               // maximum for a profile: 0.5 KB of memory each while it lasts
	pauseEach     = 10 * time.Microsecond // maximum that one goroutine adds, on a slow machine
	slowInARow    = 3                     // profiles that stopped it for longer: one may be another's fault...
	slowSpacing   = 10                    // ...times as far apart are they then
	proofSpacing  = 10 * time.Minute      // between two on suspicion, scaled: each runs a garbage collection
	freshEnough   = time.Second           // age of a profile that an alert does with
	maxListed     = 10                    // sites in an alert
	minExplained  = .05                   // of the growth of memory, for a line to be listed
	maxLogged     = 5                     // sites whose stacks go to the log
	maxFrames     = 8                     // functions of a stack there
	// maxDumped is up to how many goroutines the traceback of all of them is taken: it stops the world for 8 us a
	// goroutine and more.
	maxDumped = 1000
)

// ProfileSource takes profiles of the process that is watched. It is used by one goroutine at a time. What Profile
// returns is valid until its next call for the same kind; profile.ErrUnsupported means that there never is one of that
// kind.
type ProfileSource interface {
	Profile(ctx context.Context, kind profile.Kind) (*profile.Profile, error)
	// Raw takes a profile in pprof's own format, for a file.
	Raw(ctx context.Context, kind profile.Kind) ([]byte, error)
}

// dumper is a ProfileSource that can list every goroutine with its state and creator, in the text form of a traceback.
// It stops the world for as long as that takes.
type dumper interface {
	Dump(ctx context.Context) ([]byte, error)
}

// passing is an error that comes and goes with the load of a process: its text is the same each time.
type passing interface {
	error
	Passes()
}

// changing is a ProfileSource whose process may run a program without profiles at times, or may not be read. While it
// is not present, no profile is requested, and no alert reports one as missing.
type changing interface {
	Present() bool
}

// profiler takes profiles of the process as often as their cost allows, and follows the lines in them. Only the
// goroutine that gathers evidence calls its methods, except where noted.
type profiler struct {
	logger     *logrus.Logger
	source     ProfileSource
	watched    [2]watched // goroutines and heap
	restarts   int        // of the process, as the trackers know it
	config     sites.Config
	proof      watched
	cpu, cpuAt float64
	goroutines float64 // in the latest profile: of another process their number may be known by it alone

	mu       sync.Mutex // guards the trackers, which others read, and what follows
	trackers [2]*sites.Tracker
	renewed  engine.Cause // why the trackers are new
	cost     Cost
	since    time.Time // when the cost began to count
}

// watched is one kind of profile and when it is due.
type watched struct {
	kind      profile.Kind
	resource  string
	next      time.Time
	last      time.Time
	collected time.Time // when the collection of the latest one started
	spacing   time.Duration
	cost      movingCost
	slow      int  // profiles in a row that stopped the world for too long
	missing   bool // the process has none of this kind
	problem   guard.News
	reported  guard.Reported
	note      string // what is not done, and why; guarded by the profiler's mutex
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

func newProfiler(source ProfileSource, logger *logrus.Logger) *profiler {
	p := &profiler{source: source, logger: logger}
	p.watched[goroutineSites] = watched{kind: profile.Goroutine, resource: sampler.Goroutines}
	p.watched[heapSites] = watched{kind: profile.Heap, resource: sampler.HeapLiveBytes}
	p.proof = watched{kind: profile.GoroutineLeak, resource: sampler.Goroutines}
	return p
}

// statuses returns the lines that are followed, goroutines before memory. It is safe for concurrent use. Lines of the
// runtime that have the memory of goroutines that grow are left out.
func (p *profiler) statuses() (all []sites.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.trackers {
		if t != nil {
			statuses := t.Statuses(p.watched[i].resource)
			all = append(all, slices.DeleteFunc(statuses, func(s sites.Status) bool {
				return (s.Leaks || s.Suspected) &&
					p.explainedByGoroutines(sites.Finding{Site: s.Site, Since: s.Since, Growth: s.Bytes})
			})...)
		}
	}
	return all
}

// spent returns what the profiles have cost so far. It is safe for concurrent use.
func (p *profiler) spent() Cost {
	p.mu.Lock()
	defer p.mu.Unlock()
	cost := p.cost
	if lasted := time.Since(p.since); !p.since.IsZero() && lasted > 0 {
		cost.Share = cost.CPU.Seconds() / lasted.Seconds()
	}
	return cost
}

// findings returns the lines of a kind that leak by themselves, what all lines of the kind have together, and how the
// finding on a line that ended last did.
func (p *profiler) findings(i int) (resource string, found []sites.Finding, total float64, ended engine.Cause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trackers[i]
	switch t.Ended() {
	case finding.GaveBack:
		ended = engine.GaveBack
	case finding.CameToRest:
		ended = engine.CameToRest
	default: // none has ended by itself
		ended = p.renewed
	}
	return p.watched[i].resource, slices.DeleteFunc(t.Findings(), p.explainedByGoroutines), t.Total(), ended
}

// explainedByGoroutines reports whether what grows at a line of the runtime or the standard library is the memory of
// goroutines that grow too, whose own line names the leak. It needs p.mu.
func (p *profiler) explainedByGoroutines(f sites.Finding) bool {
	line := profile.Site{Frame: sites.FrameOf(&f.Site)}
	t := p.trackers[goroutineSites]
	return f.Site.Bytes > 0 && line.Standard() && t != nil && isTheirMemory(f.Growth, t.Growth(f.Since))
}

// suspected reports whether a line of a kind has the shape of a leak.
func (p *profiler) suspected(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trackers[i].Suspected()
}

// renew starts over where the process or the time constants have changed. It reports whether it did.
func (p *profiler) renew(now View) bool {
	adaptive := now.Config.Adaptive
	config := sites.Config{
		Scale: now.Scale, MinGrowth: adaptive.MinGrowth, HalfLife: adaptive.HalfLife,
		Patience: finding.Stretch(adaptive.Patience, 1/adaptive.Sensitivity),
	}
	restarted := now.Restarts != p.restarts
	p.restarts = now.Restarts
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if p.trackers[0] != nil && config == p.config && !restarted {
		return false
	}
	p.config = config
	p.renewed = engine.ConfigChanged
	if restarted {
		p.renewed = engine.Restarted
	}
	for i := range p.trackers {
		p.trackers[i] = sites.NewTracker(p.watched[i].kind, config)
		p.watched[i].next, p.watched[i].collected, p.watched[i].reported = time.Time{}, time.Time{}, guard.Reported{}
	}
	return true
}

// collect collects one kind of profile, and sets when the next one is due by what it cost. It reports whether there is
// one.
func (p *profiler) collect(ctx context.Context, i int, now View) bool {
	w := &p.watched[i]
	spacing := max(now.Config.CheckInterval, finding.Stretch(finestWidth, now.Scale)/2)
	if i == goroutineSites && now.Time.IsZero() {
		w.next = time.Now().Add(min(spacing/10, time.Second)) // how many there are is not known yet
		return false
	}
	if i == goroutineSites && now.Goroutines > maxGoroutines {
		w.next = time.Now().Add(spacing)
		p.note(w, wording.NoProfile.Clause(now.Goroutines, maxGoroutines))
		return false
	}
	start := time.Now()
	collected, err := p.source.Profile(ctx, w.kind)
	w.last = time.Now()
	if err != nil {
		w.next = w.last.Add(spacing)
		if errors.Is(err, profile.ErrUnsupported) {
			w.next = w.last.Add(24 * time.Hour)
			why := strings.TrimPrefix(err.Error(), profile.ErrUnsupported.Error())
			err = fmt.Errorf("this process has no %s profile%s", w.kind, why)
		}
		if ctx.Err() == nil {
			p.fault(w, err)
		}
		return false
	}
	w.collected = start
	w.problem.Changed("")
	// Each of the two kinds may use half of the budget.
	w.cost.add(collected.Cost.CPU)
	w.spacing = max(spacing, time.Duration(float64(w.cost)/(now.share()/2)))
	if i == goroutineSites && ownPause(collected) > maxPause {
		w.slow++
	} else {
		w.slow = 0
	}
	problem := ""
	if i == goroutineSites {
		p.goroutines = collected.Count
	}
	if i == goroutineSites && collected.Count > maxGoroutines {
		w.spacing *= slowSpacing
		problem = wording.FewerProfiles.Clause(collected.Count, maxGoroutines)
	}
	if w.slow >= slowInARow {
		w.spacing *= slowSpacing
		problem = wording.SlowProfiles.Clause(collected.Count, maxPause)
	}
	w.next = w.last.Add(w.spacing)
	p.mu.Lock()
	p.trackers[i].Observe(collected, p.loadOf(now))
	p.account(collected)
	p.cost.Spacing = max(p.watched[0].spacing, p.watched[1].spacing)
	p.mu.Unlock()
	p.note(w, problem, p.beyond(i))
	return true
}

// ownPause returns how long a profile of goroutines stopped the world by its own work, at most. The runtime measures
// from the request to the end: where the process is starved of processor, or another goroutine does not stop, that is
// others' time, and fewer profiles would not make it less.
func ownPause(p *profile.Profile) time.Duration {
	return min(p.Cost.Pause, p.Cost.CPU, time.Duration(p.Count)*pauseEach)
}

// beyond returns a clause if there are more lines of a kind than are followed; "" where there are not.
func (p *profiler) beyond(i int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trackers[i]; t != nil && t.Beyond() > 0 {
		return wording.BeyondSites.Clause(float64(t.Beyond()), t.MaxSites())
	}
	return ""
}

// finestWidth is how long a minimum of a site takes at a scale of 1: two profiles.
const finestWidth = 5 * time.Minute

// loadOf returns the processor time per second since the call before, or NaN.
func (p *profiler) loadOf(now View) float64 {
	rate := math.NaN()
	if !math.IsNaN(now.CPU) && now.at() > p.cpuAt {
		if p.cpuAt > 0 && now.CPU >= p.cpu {
			rate = (now.CPU - p.cpu) / (now.at() - p.cpuAt)
		}
		p.cpu, p.cpuAt = now.CPU, now.at()
	}
	return rate
}

// account adds up what a profile cost. It needs p.mu.
func (p *profiler) account(collected *profile.Profile) {
	p.cost.Profiles++
	p.cost.CPU += collected.Cost.CPU
	p.cost.LongestPause = max(p.cost.LongestPause, collected.Cost.Pause)
}

// note keeps what is not done of a kind, in the place of what was noted before, and logs each thing once for a process:
// what comes and goes with the load is no news.
func (p *profiler) note(w *watched, problems ...string) {
	problems = slices.DeleteFunc(problems, func(problem string) bool { return problem == "" })
	p.keepNote(w, strings.Join(problems, "; "))
	for _, problem := range problems {
		if w.reported.First(problem) {
			p.warn(w, problem)
		}
	}
}

// fault records that a profile cannot be taken, and logs it when that changes. That a process was too busy for one
// comes and goes.
func (p *profiler) fault(w *watched, err error) {
	if errors.As(err, new(passing)) {
		p.note(w, err.Error())
		return
	}
	p.keepNote(w, err.Error())
	if w.problem.ChangedError(err) {
		p.warn(w, err.Error())
	}
}

func (p *profiler) keepNote(w *watched, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.note = note
	var notes []string
	for _, kind := range []*watched{&p.watched[0], &p.watched[1], &p.proof} {
		if kind.note != "" {
			notes = append(notes, kind.note)
		}
	}
	p.cost.Note = strings.Join(notes, "; ")
}

func (p *profiler) warn(w *watched, problem string) {
	p.logger.WithField("profile", string(w.kind)).Warn("Resource monitor: " + problem)
}

// prove has the runtime find which goroutines are leaked. It reports whether there was a result.
func (p *profiler) prove(ctx context.Context, now View) bool {
	w := &p.proof
	collected, err := p.source.Profile(ctx, w.kind)
	w.last = time.Now()
	if err != nil {
		w.next = w.last.Add(finding.Stretch(proofSpacing, now.Scale))
		if w.missing = errors.Is(err, profile.ErrUnsupported); !w.missing && ctx.Err() == nil {
			p.fault(w, err)
		}
		return false
	}
	w.problem.Changed("")
	p.keepNote(w, "")
	w.next = w.last.Add(max(finding.Stretch(proofSpacing, now.Scale),
		time.Duration(float64(collected.Cost.CPU)/now.share())))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trackers[goroutineSites].Prove(collected)
	p.account(collected)
	p.cost.Proofs++
	return true
}

// leakingFirst puts the sites that leak by themselves before the others that grew. The growth of others does not count
// against proven ones.
func (p *profiler) leakingFirst(i int, grown []sites.Grown) []sites.Grown {
	p.mu.Lock()
	defer p.mu.Unlock()
	leaking := p.trackers[i].Leaking(maxListed)
	proven := len(leaking) > 0 && leaking[0].Proven
	for _, g := range grown {
		listed := slices.ContainsFunc(leaking, func(l sites.Grown) bool {
			return sites.FrameOf(&l.Site) == sites.FrameOf(&g.Site)
		})
		if len(leaking) < maxListed && !listed && (g.Proven || !proven) {
			leaking = append(leaking, g)
		}
	}
	return leaking
}

// growth is sites that grew, and how much all of their kind did.
type growth struct {
	grown []sites.Grown
	total float64
}

func (p *profiler) list(i int, since time.Time, keep func(profile.Site) bool) growth {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trackers[i]
	if t == nil { // before the first profile
		return growth{}
	}
	return growth{t.Growing(since, maxListed, keep), t.Growth(since)}
}

// refresh takes a profile for an alert where the latest is not fresh, or is from before the sample that it is on.
func (p *profiler) refresh(ctx context.Context, i int, now View) {
	w := &p.watched[i]
	if (time.Since(w.last) > freshEnough || w.collected.Before(now.Judged)) && ctx.Err() == nil {
		p.collect(ctx, i, now)
	}
}

// confirm takes the proof for an alert where the latest is not fresh.
func (p *profiler) confirm(ctx context.Context, now View) {
	if !p.proof.missing && time.Since(p.proof.last) > freshEnough && ctx.Err() == nil {
		p.prove(ctx, now)
	}
}

// readCode reads the program's code; nil where it cannot be read.
func (p *profiler) readCode() *callgraph.Graph {
	start := time.Now()
	graph, err := callgraph.Read()
	p.mu.Lock()
	p.cost.CPU += time.Since(start)
	p.mu.Unlock()
	if err != nil {
		return nil
	}
	return graph
}

// resolution returns how many bytes a sample of the heap stands for, by the latest profile.
func (p *profiler) resolution() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trackers[heapSites].Resolution()
}
