// Package detector decides whether a process leaks. Detector is the engine: samples in, events out. ResourceMonitor runs it inside
// a service. The decisions depend on the samples and the configuration alone, so a recording gives in replay the events
// that the live run gave.
package detector

import (
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// soakSpan is the length of run that the physical time constants are made for. Soak mode scales them to its own length.
const soakSpan = 48 * time.Hour

// restartSlack is how far two readings of one process's start time may differ: it is computed from the boot time, which
// follows adjustments of the clock.
const restartSlack = 10 * time.Second

// Detector judges the samples of one process. The time of the samples is its only clock.
//
// It is not safe for concurrent use. It keeps under 8 KB per resource and does not allocate once every resource was seen.
type Detector struct {
	config Config
	scale  float64 // of all time constants; 1 outside soak mode

	epoch    int64 // first sample since the last restart, unix nanoseconds
	last     int64 // latest sample
	step     int64 // from the sample before to the latest
	gap      bool  // whether samples are missing between these two
	began    bool
	start    time.Time
	ceilings []sampler.Ceiling
	trackers []*tracker // in order of appearance
	byName   map[string]*tracker
	inOrder  []*tracker // the tracker of each reading of the latest sample: most samples have the same readings
	cpu      *tracker   // of the processor time, if that is read
	load     loadSeries
	events   []alerting.Event
}

// New returns a Detector for one process. The configuration must be valid; see Config.Validate.
func New(config Config) (*Detector, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Detector{config: config, scale: scaleOf(config), byName: make(map[string]*tracker)}, nil
}

func scaleOf(c Config) float64 {
	if c.Adaptive.Soak > 0 {
		return float64(c.Adaptive.Soak) / float64(soakSpan)
	}
	return 1
}

// Observe takes the next sample and returns what it decided: usually nothing. The returned events are valid until the next call. A
// sample that is not newer than the one before is ignored.
func (d *Detector) Observe(s *sampler.Sample) []alerting.Event {
	d.events = d.events[:0]
	at := s.Time.UnixNano()
	if d.began && at <= d.last {
		return nil
	}
	if d.began {
		step := at - d.last
		d.gap = d.step > 0 && step/2 > d.step
		d.step = step
	}
	if d.restarted(s) {
		d.restart(at)
	}
	if !s.Start.IsZero() {
		d.start = s.Start
	}
	if !d.began {
		d.began, d.epoch = true, at
	}
	d.takeCeilings(s.Ceilings)
	d.load.observe(d, s, at)
	for i, r := range s.Readings {
		t := d.trackerAt(i, r.Resource)
		t.observe(d, at, r.Value)
	}
	d.last = at
	return d.events
}

// restarted reports whether the process is another one than in the sample before.
func (d *Detector) restarted(s *sampler.Sample) bool {
	if !d.began {
		return false
	}
	if !s.Start.IsZero() && !d.start.IsZero() {
		return s.Start.Sub(d.start) > restartSlack
	}
	// A process's processor time never falls.
	if d.cpu == nil {
		return false
	}
	cpu, ok := s.Value(sampler.CPUSeconds)
	return ok && cpu < d.cpu.value
}

// restart forgets what was learned of the process that ended.
func (d *Detector) restart(at int64) {
	d.epoch = at
	d.load.reset()
	for _, t := range d.trackers {
		t.resolveAll(d, at, "the process restarted")
		t.reset(d)
	}
}

func (d *Detector) takeCeilings(ceilings []sampler.Ceiling) {
	same := len(ceilings) == len(d.ceilings) && (len(ceilings) == 0 || &ceilings[0] == &d.ceilings[0])
	if same {
		return
	}
	d.ceilings = ceilings
	for _, t := range d.trackers {
		t.ceiling = d.ceilingOf(t.resource.Name)
	}
}

func (d *Detector) ceilingOf(resource string) sampler.Ceiling {
	for _, c := range d.ceilings {
		if c.Resource == resource {
			return c
		}
	}
	return sampler.Ceiling{}
}

func (d *Detector) trackerAt(i int, resource string) *tracker {
	if i < len(d.inOrder) && d.inOrder[i].resource.Name == resource {
		return d.inOrder[i]
	}
	t := d.byName[resource]
	if t == nil {
		t = newTracker(d, resource)
		d.byName[resource] = t
		d.trackers = append(d.trackers, t)
		if resource == sampler.CPUSeconds {
			d.cpu = t
		}
	}
	if i < len(d.inOrder) {
		d.inOrder[i] = t
	} else {
		d.inOrder = append(d.inOrder, t)
	}
	return t
}

// Reconfigure takes a new configuration from the next sample on and keeps what was learned. Only another soak length starts the
// floors anew: they have another width then. The events that it returns end findings for which there is no ground any more.
func (d *Detector) Reconfigure(config Config) ([]alerting.Event, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	d.events = d.events[:0]
	old := d.config
	d.config = config
	scale := scaleOf(config)
	rescaled := scale != d.scale
	d.scale = scale
	if rescaled || old.Adaptive.Load != config.Adaptive.Load {
		d.load.reset()
	}
	if rescaled {
		d.epoch = d.last
	}
	for _, t := range d.trackers {
		t.reconfigure(d, old, rescaled)
	}
	return d.events, nil
}

// Config returns the configuration in force.
func (d *Detector) Config() Config { return d.config }

// loadSeries follows how much work the process does, as a rate where the resource is a counter.
type loadSeries struct {
	ladder *trend.Ladder
	last   float64
	at     int64
	seen   bool
}

func (l *loadSeries) reset() { *l = loadSeries{} }

func (l *loadSeries) observe(d *Detector, s *sampler.Sample, at int64) {
	name := d.config.Adaptive.Load
	if name == "" || name == config.NoLoad {
		return
	}
	value, ok := s.Value(name)
	if !ok {
		return
	}
	if l.ladder == nil {
		l.ladder = trend.NewLadder(d.epoch, d.scale)
	}
	rate, known := value, true
	if r, _ := sampler.Lookup(name); r.Kind == sampler.Counter {
		known = l.seen && value >= l.last
		rate = (value - l.last) / (float64(at-l.at) / 1e9)
	}
	l.last, l.at, l.seen = value, at, true
	if known {
		l.ladder.Add(at, rate, 0)
	}
}
