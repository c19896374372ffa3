// Package engine decides whether a process leaks: samples in, decisions out. Decisions depend only on the samples
// and the configuration, so a replay gives what the live run gave. Reasons and figures belong here; sentences are
// composed in wording, and nothing here knows files, network, log or clock.
package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// SoakSpan is the length of run that the physical time constants are made for. Soak mode scales them to its own length.
const SoakSpan = 48 * time.Hour

// RestartSlack is how far two readings of one process's start time may differ: it is computed from the boot time, which
// follows adjustments of the clock.
const RestartSlack = 10 * time.Second

// startJitter is how far they may differ within seconds of the start, where nothing set the clock: the boot time is
// known to the second.
const startJitter = 2 * time.Second

// Engine judges the samples of one process. The time of the samples is its only clock.
//
// It is not safe for concurrent use. It keeps under 8 KB per resource and does not allocate once every resource was
// seen.
type Engine struct {
	config Config
	scale  float64 // of all time constants; 1 outside soak mode

	epoch    int64 // first sample since the last restart, unix nanoseconds
	last     int64 // latest sample
	step     int64 // from the sample before to the latest
	gap      bool  // whether samples are missing between these two
	began    bool
	restarts int
	start    time.Time
	pid      int
	build    build
	life     life
	record   lives.Record // of the lives before
	judge    lives.Judge
	ceilings []sampler.Ceiling
	series   []*Series // in order of appearance
	byName   map[string]*Series
	// the series of each reading of the latest sample: most samples have the same readings
	inOrder   []*Series
	described map[string]sampler.Resource // what is known of resources beyond their names
	cpu       *Series                     // of the processor time, if that is read
	load      loadSeries
	places    places
	memory    int // place in memoryResources of the one that the memory threshold is compared with; none: their number

	decisions []Decision
}

// New returns an Engine for one process. The configuration must be valid.
func New(config Config) *Engine {
	scale := config.Adaptive.Scale()
	return &Engine{config: config, scale: scale, byName: make(map[string]*Series), record: lives.New(scale),
		memory: len(memoryResources)}
}

// Describe sets the description of a resource, where more is known than its name says: a declared type, or what its
// values show. It counts for a resource that was not read yet.
func (e *Engine) Describe(r sampler.Resource) {
	if e.described == nil {
		e.described = make(map[string]sampler.Resource)
	}
	if _, described := e.described[r.Name]; described || len(e.described) < maxDescribed {
		e.described[r.Name] = r
	}
}

// Identify tells the version of the process and the revision of its source, from the next sample on. Each may be empty.
func (e *Engine) Identify(version, revision string) { e.build = build{version, revision} }

// Restore takes what is known of the lives before, and must be called before the first sample. Where the latest one of
// the record still runs, by its start time, it goes on. The error says why the record cannot be used, and leaves the
// engine as it was.
func (e *Engine) Restore(r lives.Record) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if e.began {
		return errors.New("engine: restored after the first sample")
	}
	if r.Scale != e.scale {
		return fmt.Errorf("engine: restored with time constants scaled by %v, not %v", r.Scale, e.scale)
	}
	e.record = r.Clone()
	return nil
}

// Lives returns what is known of the process over its lives, the running one among them: a copy.
func (e *Engine) Lives() lives.Record { return over(e) }

// Observe takes the next sample and returns what it decided: usually nothing. The returned decisions are valid until
// the next call. A sample that is not newer than the one before is ignored.
func (e *Engine) Observe(s *sampler.Sample) []Decision {
	e.decisions = e.decisions[:0]
	at := s.Time.UnixNano()
	if e.began && at <= e.last {
		return nil
	}
	if e.began {
		step := at - e.last
		e.gap = e.step > 0 && step/2 > e.step
		e.step = step
	}
	if e.restarted(s) {
		e.restart(at)
	}
	if !e.began {
		e.began, e.epoch = true, at
		beginFirst(e, s, at)
	}
	if !s.Start.IsZero() {
		e.start, e.life.start = s.Start, s.Start
	}
	if s.PID != 0 {
		e.pid = s.PID
	}
	e.life.build = e.build
	e.setCeilings(s.Ceilings)
	limitMemory(e, s, at)
	e.load.observe(e, s, at)
	e.places.samples++
	for i, r := range s.Readings {
		if series := e.seriesAt(i, r.Resource); series != nil {
			series.observe(e, at, r.Value)
			series.sample, series.unread = e.places.samples, false
		}
	}
	e.inOrder = e.inOrder[:len(s.Readings)]
	e.places.endUnread(e, at)
	e.last = at
	return e.decisions
}

// SameProcess reports whether two start times, as read at two instants, are of one process. A time that is not known
// tells nothing: true.
func SameProcess(before, after time.Time) bool {
	return before.IsZero() || after.IsZero() || after.Sub(before) <= RestartSlack
}

// beganSince reports whether a process cannot be the one before, which was seen at an instant and had started earlier:
// it started after that. So the lives of a crash loop are told apart that are shorter than RestartSlack.
func beganSince(before, seen, after time.Time) bool {
	return !before.IsZero() && after.After(seen) && after.Sub(before) > startJitter
}

// samePID reports whether two processes, of which at least one was read, may be one by their numbers. One that is not
// known tells nothing.
func samePID(before, after int) bool { return before == 0 || after == 0 || before == after }

// restarted reports whether the process is another one than in the sample before.
func (e *Engine) restarted(s *sampler.Sample) bool {
	if !e.began {
		return false
	}
	if !samePID(e.pid, s.PID) {
		return true
	}
	cpu, ok := s.Value(sampler.CPUSeconds)
	ok = ok && e.cpu != nil
	if !s.Start.IsZero() && !e.start.IsZero() {
		// The start is reckoned from the clock: where that is set the start steps, however far. Whoever had started
		// before the sample before, and has used no less than was used by then, is the same.
		continues := ok && cpu >= e.cpu.value && s.Start.UnixNano() <= e.last
		another := !SameProcess(e.start, s.Start) || beganSince(e.start, finding.Instant(e.last), s.Start)
		return another && !continues || !s.Start.Equal(e.start) && ok && cpu < e.cpu.value
	}
	if e.start.IsZero() && s.Start.UnixNano() > e.last && !s.Start.IsZero() && !(ok && cpu >= e.cpu.value) {
		return true // it was not known when the one before had started, but this one did since
	}
	// A process's processor time never falls.
	return ok && cpu < e.cpu.value
}

// Restarts returns how often the process was found to be another one than before.
func (e *Engine) Restarts() int { return e.restarts }

// restartsUnknown reports whether nothing that is read tells of restarts.
func (e *Engine) restartsUnknown() bool { return e.cpu == nil && e.start.IsZero() }

// restart forgets what was learned of the process that ended.
func (e *Engine) restart(at int64) {
	e.record = over(e)
	e.record.CloseLatest(lives.Replaced)
	e.record.Open = nil
	e.life = life{first: at}
	e.epoch = at
	e.restarts++
	e.pid = 0
	e.load.reset()
	for _, s := range e.series {
		s.resolveLimit(e, at, Restarted)
		s.reset(e)
		inherit(e, s)
	}
}

func (e *Engine) setCeilings(ceilings []sampler.Ceiling) {
	same := len(ceilings) == len(e.ceilings) && (len(ceilings) == 0 || &ceilings[0] == &e.ceilings[0])
	if same {
		return
	}
	e.ceilings = ceilings
	for _, s := range e.series {
		s.ceiling = e.ceilingOf(s.resource.Name)
	}
}

func (e *Engine) ceilingOf(resource string) sampler.Ceiling {
	for _, c := range e.ceilings {
		if c.Resource == resource {
			return c
		}
	}
	return sampler.Ceiling{}
}

// seriesAt returns the series of a resource that is reading number i of the latest sample, and makes it where the
// resource is new; nil where there is no place for it.
func (e *Engine) seriesAt(i int, resource string) *Series {
	if i < len(e.inOrder) && e.inOrder[i] != nil && e.inOrder[i].resource.Name == resource {
		return e.inOrder[i]
	}
	s := e.byName[resource]
	if s == nil {
		s = e.place(resource)
	}
	if i < len(e.inOrder) {
		e.inOrder[i] = s
	} else {
		e.inOrder = append(e.inOrder, s)
	}
	return s
}

// place makes the series of a resource, in the place of one that is not read any more where there is no other.
func (e *Engine) place(resource string) *Series {
	number, ok := e.places.numberFor(resource, e.series)
	if !ok {
		e.places.leftOut++
		return nil
	}
	s := newSeries(e, resource)
	if number < len(e.series) {
		gone := e.series[number].resource.Name
		delete(e.byName, gone)
		delete(e.described, gone)
		e.series[number] = s
	} else {
		e.series = append(e.series, s)
	}
	e.byName[resource] = s
	if resource == sampler.CPUSeconds {
		e.cpu = s
	}
	return s
}

// Reconfigure takes a new, valid configuration from the next sample on and keeps what was learned. Only another soak
// length starts the minimums anew: they have another width then. The decisions that it returns end findings for which
// there is no ground any more.
func (e *Engine) Reconfigure(config Config) []Decision {
	e.decisions = e.decisions[:0]
	old := e.config
	e.config = config
	scale := config.Adaptive.Scale()
	rescaled := scale != e.scale
	e.scale = scale
	if rescaled || old.Adaptive.Load != config.Adaptive.Load {
		e.load.reset()
	}
	if rescaled {
		e.epoch = e.last
		e.record, e.life.first = lives.New(scale), e.last
	}
	for _, s := range e.series {
		s.reconfigure(e, old, rescaled)
	}
	return e.decisions
}

func (e *Engine) halfLife() time.Duration {
	return finding.Stretch(e.config.Adaptive.HalfLife, e.scale)
}

// All returns the series of the resources that are followed, in order of appearance. One that is not read any more may
// give its place, and with it its number, to a new one. It must not be changed.
func (e *Engine) All() []*Series { return e.series }

// Of returns the series of a resource, or nil where it was never read.
func (e *Engine) Of(resource string) *Series { return e.byName[resource] }

// LeftOut returns how many readings were not judged since the engine began, as there were too many resources.
func (e *Engine) LeftOut() uint64 { return e.places.leftOut }

// Epoch returns the time of the first sample since the last restart, and Last that of the latest sample, unix
// nanoseconds.
func (e *Engine) Epoch() int64 { return e.epoch }

// Last returns the time of the latest sample, unix nanoseconds.
func (e *Engine) Last() int64 { return e.last }

// Scale returns the factor on all time constants.
func (e *Engine) Scale() float64 { return e.scale }

// LoadIsRead reports whether the resource that measures load was read.
func (e *Engine) LoadIsRead() bool { return e.load.ladder != nil }

// loadSeries follows how much work the process does, as a rate where the resource is a counter.
type loadSeries struct {
	ladder  *trend.Ladder
	counter bool // what it is read from
	last    float64
	at      int64
	seen    bool
}

func (l *loadSeries) reset() { *l = loadSeries{} }

func (l *loadSeries) observe(e *Engine, s *sampler.Sample, at int64) {
	name := e.config.Adaptive.Load
	if name == "" || name == NoLoad {
		return
	}
	value, ok := s.Value(name)
	if !ok {
		return
	}
	if l.ladder == nil {
		r, _ := sampler.Lookup(name)
		l.ladder, l.counter = trend.NewLadder(e.epoch, e.scale), r.Kind == sampler.Counter
	}
	rate, known := value, true
	if l.counter {
		known = l.seen && value >= l.last
		rate = (value - l.last) / (float64(at-l.at) / 1e9)
	}
	l.last, l.at, l.seen = value, at, true
	if known {
		l.ladder.Add(at, rate, 0)
	}
}
