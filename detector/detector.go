// Package detector decides whether a process leaks. Detector judges samples and reports its decisions in sentences.
// ResourceMonitor runs it inside a service, with evidence, delivery and a live page. This package has the names that
// a service uses: these two, the API of the monitors that they replace, and aliases of what the packages below
// define. The decisions are made in engine and sites, and the sentences in wording.
package detector

import (
	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/wording"
	"github.com/mdzesseis/leaktrend/sampler"
)

// State is the verdict on one resource.
type State = engine.State

// The states.
const (
	Learning  State = engine.Learning
	Healthy   State = engine.Healthy
	Suspected State = engine.Suspected
	Firing    State = engine.Firing
)

// Verdict is the answer to whoever asks whether a resource leaks.
type Verdict = engine.Verdict

// The verdicts.
const (
	Unjudged Verdict = engine.Unjudged
	OK       Verdict = engine.OK
	Early    Verdict = engine.Early
	Suspect  Verdict = engine.Suspect
	Leak     Verdict = engine.Leak
	Limit    Verdict = engine.Limit
)

// Status is what the detector makes of one resource at the latest sample.
type Status = engine.Status

// Detector judges the samples of one process, and says in sentences what it decides. The time of the samples is its
// only clock. It is not safe for concurrent use.
type Detector struct {
	engine *engine.Engine
	config Config
	events []alerting.Event
	builds bool // the samples tell what the process runs
}

// New returns a Detector for one process. The configuration must be valid; see Config.Validate.
func New(config Config) (*Detector, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Detector{engine: engine.New(config.Engine()), config: config}, nil
}

// Describe sets the description of a resource, where more is known than its name says: a declared type, or what its
// values show. It applies to a resource that was not read yet.
func (d *Detector) Describe(r sampler.Resource) { d.engine.Describe(r) }

// Identify sets the version of the process and the revision of its source, from the next sample on. Each may be empty.
// Those that a sample carries take precedence.
func (d *Detector) Identify(version, revision string) { d.engine.Identify(version, revision) }

// Lives returns what is known of the process over its lives, the running one among them: a copy.
func (d *Detector) Lives() lives.Record { return d.engine.Lives() }

// Restore loads what Lives returned in an earlier life. It must be called before the first sample. The error says why
// the record cannot be used; nothing is loaded then.
func (d *Detector) Restore(r lives.Record) error { return d.engine.Restore(r) }

// Observe judges the next sample and returns the events that follow: usually none. The returned events are valid until
// the next call. A sample that is not newer than the one before is ignored.
func (d *Detector) Observe(s *sampler.Sample) []alerting.Event {
	if d.builds = d.builds || s.Version != "" || s.Revision != ""; d.builds {
		d.engine.Identify(s.Version, s.Revision)
	}
	return d.worded(d.engine.Observe(s))
}

// Reconfigure takes a new configuration from the next sample on and keeps what was learned. Only a change of the soak
// length discards the minimums, as their widths depend on it. The returned events end findings that the new
// configuration no longer supports.
func (d *Detector) Reconfigure(config Config) ([]alerting.Event, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	d.config = config
	return d.worded(d.engine.Reconfigure(config.Engine())), nil
}

// worded returns the events of decisions, with their sentences.
func (d *Detector) worded(decisions []engine.Decision) []alerting.Event {
	d.events = d.events[:0]
	for i := range decisions {
		e := decisions[i].Event
		e.Summary = wording.Summary(&decisions[i])
		d.events = append(d.events, e)
	}
	if len(decisions) == 0 {
		return nil
	}
	return d.events
}

// Status returns the state of every resource seen: those of the resource table in its order, then others in order of
// appearance.
func (d *Detector) Status() []Status {
	all := d.engine.Status()
	for i := range all {
		d.engine.Foresee(&all[i])
		all[i].Why = wording.Why(&all[i])
	}
	return all
}

// Verdicts returns what Status does, for whoever judges many processes: without Why and Doubles, which cost more than
// the verdict, and with a Callable that is only a first estimate.
func (d *Detector) Verdicts() []Status { return d.engine.Status() }

// LeftOut returns how many readings were not judged so far: of the resources that leaktrend does not know, the first
// 4,096 are judged, for as long as they are read.
func (d *Detector) LeftOut() uint64 { return d.engine.LeftOut() }

// Config returns the configuration in force.
func (d *Detector) Config() Config { return d.config }
