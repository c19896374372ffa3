package leaktest

import (
	"context"
	"errors"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/self"
)

// kind is what a line of code has.
type kind uint8

const (
	waiting  kind = iota // goroutines
	own                  // goroutines with the label of the check
	proven               // goroutines of which the runtime has proven that nothing wakes them
	ownProof             // of those with the label
	memory               // bytes in use
)

// place is a line of code, or where goroutines that began with one function wait at several lines, that function.
type place struct {
	kind  kind
	frame profile.Frame
	entry string
}

// line is what was found at a place at each stock.
type line struct {
	place
	site    profile.Site // of the latest stock that had it
	values  series
	objects series // of memory
}

// stock is what a process has, as it was at each time that stock was taken.
type stock struct {
	options
	label    string
	profiles *profile.Self
	source   *self.Source
	sample   sampler.Sample
	live     [1]metrics.Sample
	dropped  map[*uintptr]bool // stacks that are left out, or not, by their first entry

	goroutinesOnly bool

	rounds      int
	lines       map[place]*line
	heap        series // all of it, without what this package keeps
	descriptors series
	before, now *breakdown.Breakdown // of descriptors
	goroutines  int
	resolution  float64 // bytes that one sample of the heap stands for
	provable    bool
	beside      string // a test that ran beside this one
}

// labelKey is the label that goroutines of a check have.
const labelKey = "leaktest"

// maxExamined is how many descriptors are looked at to tell what they are.
const maxExamined = 2000

func newStock(o options, label string) *stock {
	s := &stock{
		options: o, label: label, profiles: profile.NewSelf(), dropped: make(map[*uintptr]bool),
		lines: make(map[place]*line), provable: true,
	}
	s.live[0].Name = "/gc/heap/live:bytes"
	// What cannot be opened is not read, and what is not read is not judged.
	s.source, _ = self.New()
	return s
}

func (s *stock) close() {
	if s.source != nil {
		_ = s.source.Close()
	}
}

// quiesce waits until no goroutine ends any more, for a second at most.
func quiesce() {
	calm := 0
	for start := time.Now(); time.Since(start) < time.Second; {
		n := runtime.NumGoroutine()
		time.Sleep(time.Millisecond)
		if runtime.NumGoroutine() < n {
			calm = 0
		} else if calm++; calm == 2 {
			return
		}
	}
}

// maxFinalizing is how long finalizers and cleanups are waited for: they run at once, but for a busy machine.
const maxFinalizing = 500 * time.Millisecond

// maxYields is how often they are given way before: in a bubble of synctest no time passes while they run.
const maxYields = 200_000

// collect frees what nothing refers to, with what the pools keep for the next round, what finalizers close and what
// cleanups let go.
func collect() {
	type garbage struct{ _ *byte }
	var finalized, cleaned atomic.Bool
	runtime.SetFinalizer(new(garbage), func(*garbage) { finalized.Store(true) })
	runtime.AddCleanup(new(garbage), func(ran *atomic.Bool) { ran.Store(true) }, &cleaned)
	runtime.GC()
	ran := func() bool { return finalized.Load() && cleaned.Load() && noneQueued() }
	for yielded := 0; yielded < maxYields && !ran(); yielded++ {
		runtime.Gosched()
	}
	for over := time.Now().Add(maxFinalizing); !ran() && time.Now().Before(over); {
		time.Sleep(200 * time.Microsecond)
	}
	runtime.GC()
}

// noneQueued reports whether all finalizers and cleanups have run that wait for it; true before Go 1.26, which does not
// tell.
func noneQueued() bool {
	queues := [...]metrics.Sample{
		{Name: "/gc/finalizers/queued:finalizers"}, {Name: "/gc/finalizers/executed:finalizers"},
		{Name: "/gc/cleanups/queued:cleanups"}, {Name: "/gc/cleanups/executed:cleanups"},
	}
	metrics.Read(queues[:])
	for i := 0; i < len(queues); i += 2 {
		queued, executed := queues[i].Value, queues[i+1].Value
		if queued.Kind() == metrics.KindUint64 && executed.Kind() == metrics.KindUint64 &&
			executed.Uint64() < queued.Uint64() {
			return false
		}
	}
	return true
}

// measure records what there is after a round.
func (s *stock) measure() {
	quiesce()
	collect()
	if !s.goroutinesOnly {
		s.measureMemory()
		s.measureDescriptors()
	}
	s.measureGoroutines()
	s.proveGoroutines()
	s.rounds++
	s.pad()
}

// retake takes the latest stock again.
func (s *stock) retake() {
	s.rounds--
	for _, l := range s.lines {
		l.values, l.objects = l.values[:min(s.rounds, len(l.values))], l.objects[:min(s.rounds, len(l.objects))]
	}
	s.heap, s.descriptors = s.heap[:min(s.rounds, len(s.heap))], s.descriptors[:min(s.rounds, len(s.descriptors))]
	s.measure()
}

// pad notes that there is nothing any more at lines that were not seen.
func (s *stock) pad() {
	for _, l := range s.lines {
		if len(l.values) < s.rounds {
			l.values.put(s.rounds-1, 0)
			l.objects.put(s.rounds-1, 0)
		}
	}
}

func (s *stock) at(p place, site profile.Site) *line {
	l := s.lines[p]
	if l == nil {
		l = &line{place: p}
		s.lines[p] = l
	}
	l.site = site
	return l
}

func (s *stock) measureMemory() {
	p, err := s.profiles.Profile(context.Background(), profile.Heap)
	if err != nil {
		return
	}
	metrics.Read(s.live[:])
	s.resolution = p.Resolution
	all := 0.
	if s.live[0].Value.Kind() == metrics.KindUint64 {
		all = float64(s.live[0].Value.Uint64())
	}
	for _, site := range p.Sites {
		count, size := s.amount(&site)
		all -= site.Bytes - size
		if count > 0 {
			l := s.at(place{kind: memory, frame: site.Frame}, site)
			l.values.put(s.rounds, size)
			l.objects.put(s.rounds, count)
		}
	}
	s.heap.put(s.rounds, all)
}

func (s *stock) measureGoroutines() {
	if p, err := s.profiles.Profile(context.Background(), profile.Goroutine); err == nil {
		s.goroutines = int(p.Count)
		s.add(waiting, p)
		if test := besideOf(p); test != "" {
			s.beside = test
		}
	}
	if p, err := s.profiles.Labelled(profile.Goroutine, labelKey, s.label); err == nil {
		s.add(own, p)
	}
}

// proveGoroutines has the runtime look for goroutines that nothing can wake.
func (s *stock) proveGoroutines() {
	if !s.provable {
		return
	}
	var p *profile.Profile
	var err error
	k := proven
	if s.beside == "" {
		p, err = s.profiles.Profile(context.Background(), profile.GoroutineLeak)
	} else {
		k = ownProof
		p, err = s.profiles.Labelled(profile.GoroutineLeak, labelKey, s.label)
	}
	if err == nil {
		s.add(k, p)
	} else {
		s.provable = !errors.Is(err, profile.ErrUnsupported)
	}
}

// add counts the goroutines of a profile, by line and by the function that they began with.
func (s *stock) add(k kind, p *profile.Profile) {
	for _, site := range p.Sites {
		count, _ := s.amount(&site)
		if count == 0 {
			continue
		}
		s.at(place{kind: k, frame: site.Frame}, site).values.put(s.rounds, count)
		entry := s.lines[place{kind: k, entry: site.Entry}]
		if entry == nil || entry.site.Count < site.Count || len(entry.values) <= s.rounds {
			entry = s.at(place{kind: k, entry: site.Entry}, site)
		}
		sum := count
		if len(entry.values) > s.rounds {
			sum += entry.values[s.rounds]
		}
		entry.values.put(s.rounds, sum)
	}
}

func (s *stock) measureDescriptors() {
	if s.source == nil {
		return
	}
	// An error names what could not be read, which is then not in the sample.
	_ = s.source.Sample(context.Background(), &s.sample)
	if n, ok := s.sample.Value(sampler.OpenFDs); ok {
		s.descriptors.put(s.rounds, n)
	}
	if p, ok := any(s.source).(breakdown.Process); ok {
		if b, err := breakdown.Read(context.Background(), p, sampler.OpenFDs, maxExamined); err == nil {
			s.now = b
			if s.rounds == 0 {
				s.before = b
			}
		}
	}
}

// amount returns what a site has, without the stacks that are left out.
func (s *stock) amount(site *profile.Site) (count, bytes float64) {
	for _, stack := range site.Stacks(math.MaxInt) {
		if !s.drops(site, stack) {
			count += stack.Count
			bytes += stack.Bytes
		}
	}
	return count, bytes
}

// stackOf returns the stack of a line on which most is, of those that count.
func (s *stock) stackOf(l *line) []profile.Frame {
	for _, stack := range l.site.Stacks(math.MaxInt) {
		if !s.drops(&l.site, stack) {
			return stack.Frames()
		}
	}
	return nil
}

// drops reports whether a stack is left out: one that is allowed, and memory that package testing, this package or the
// runtime keeps, which has a structure for each goroutine.
func (s *stock) drops(site *profile.Site, stack profile.Stack) bool {
	if len(stack.PCs) == 0 {
		return true
	}
	key := &stack.PCs[0]
	drop, known := s.dropped[key]
	if !known {
		frames := stack.Frames()
		drop = s.allows(frames) ||
			site.Entry == "" && (keptByRuntime(frames, site.Frame) || keptByTesting(frames, site.Frame) ||
				keptHere(frames))
		s.dropped[key] = drop
	}
	return drop
}

// ofRuntime are what the runtime has for each goroutine, or for each that waits, and keeps for the next ones: as much
// as there were at once, whoever made it; and the caches of type switches and assertions, each of which it makes at one
// of a thousand uses, so that they come for as long as a test may last.
var ofRuntime = map[string]bool{
	"runtime.malg": true, "runtime.allgadd": true, "runtime.acquireSudog": true, "runtime.newdefer": true,
	"time.Sleep":                true,
	"runtime.(*timers).addHeap": true, "runtime.typeAssert": true, "runtime.interfaceSwitch": true,
}

// keptByRuntime reports whether memory is the runtime's own.
func keptByRuntime(stack []profile.Frame, site profile.Frame) bool {
	if profile.PackageOf(site.Function) == "runtime" {
		return true
	}
	for _, f := range stack {
		if ofRuntime[f.Function] {
			return true
		}
		if f == site {
			return false
		}
	}
	return false
}

// keptByTesting reports whether memory is of package testing, on behalf of the line or not: the test's log, its
// clean-up and the names of its sub-tests last as long as the test does.
func keptByTesting(stack []profile.Frame, site profile.Frame) bool {
	for _, f := range stack {
		if profile.PackageOf(f.Function) == "testing" {
			return true
		}
		if f == site {
			return false
		}
	}
	return false
}

// isBuffer reports whether memory is that of a bytes.Buffer. One that only grows is what a test has its output in.
func isBuffer(stack []profile.Frame) bool {
	for _, f := range stack {
		if path := profile.PackageOf(f.Function); path != "runtime" && path != "bytes" {
			return false
		}
		if strings.HasPrefix(f.Function, "bytes.(*Buffer).") {
			return true
		}
	}
	return false
}

// isTimer reports whether memory is that of a timer, which the runtime keeps until it fires.
func isTimer(stack []profile.Frame) bool {
	for _, f := range stack {
		if path := profile.PackageOf(f.Function); path != "runtime" && path != "time" {
			return false
		}
		if f.Function == "time.newTimer" {
			return true
		}
	}
	return false
}

// ourPackage is the import path of this package.
const ourPackage = "github.com/mdzesseis/leaktrend/detector/leaktest"

// keptHere reports whether memory is that of this package, and not of the round that it plays.
func keptHere(stack []profile.Frame) bool {
	for _, f := range stack {
		if profile.PackageOf(f.Function) == ourPackage {
			return !strings.HasPrefix(f.Function, ourPackage+".play")
		}
	}
	return false
}

// besideOf returns the function of a test that runs beside the one that calls; "" where there is none. A test that
// waits for its turn, or for its own sub-tests, does not run.
func besideOf(p *profile.Profile) string {
	running, here, test := 0., 0., ""
	for _, site := range p.Sites {
		if site.Entry != "testing.tRunner" {
			continue
		}
		for _, stack := range site.Stacks(math.MaxInt) {
			frames := stack.Frames()
			name, calls := runningTest(frames)
			if name == "" {
				continue
			}
			running += stack.Count
			if calls {
				here = 1
			}
			if !calls || stack.Count > 1 {
				test = name
			}
		}
	}
	if running-here < 1 {
		return ""
	}
	return test
}

// runningTest returns the function of the test whose goroutine has a stack; "" where it waits. calls is whether it
// takes stock.
func runningTest(stack []profile.Frame) (test string, calls bool) {
	waits, inner := false, true
	for i, f := range stack {
		if f.Function == ourPackage+".(*stock).measureGoroutines" {
			calls = true
		}
		switch path := profile.PackageOf(f.Function); {
		case f.Function == "testing.tRunner" && i > 0:
			test = stack[i-1].Function
		case inner && path != "runtime" && path != "sync" && !strings.HasPrefix(path, "internal/"):
			waits, inner = path == "testing" || path == "testing/synctest", false
		}
	}
	if waits {
		return "", false
	}
	return test, calls
}
