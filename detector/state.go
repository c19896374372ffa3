package detector

import (
	"cmp"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
)

// state is what a monitor knows of the process that it watches and of what it found there, and where its alerts go. It
// is safe for concurrent use.
type state struct {
	process alerting.Process
	ledger  *ledger
	queue   *evidence.Queue
	notify  func(alerting.Alert)
	logger  *logrus.Logger
	webhook webhookOf
	lines   atomic.Pointer[evidence.Lines] // nil where no profiles are taken

	mu       sync.Mutex             // guards what follows
	leaks    map[string]*sites.Leak // that lines of code show, by resource
	detector *Detector
	started  time.Time
	awaited  time.Time // since when sampling is to go on, or to go on otherwise
	memory   memory
	first    time.Time // of the samples
	recorded bool      // an event was
	latest   sampler.Sample
	judged   time.Time      // when the latest sample was, by the clock of this process
	before   sampler.Sample // the sample before the latest, for rates
	ahead    time.Time      // of the sample before this one, if that was left out for being far ahead
	record   history.Record
	plots    *History // without the shapes, which the record keeps
	last     lastWords
}

// config returns the configuration in force.
func (m *state) config() Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.detector.Config()
}

// stallGrace is how much later than two intervals after the one before a sample may be judged.
const stallGrace = 10 * time.Second

// stalled reports whether samples should be judged and are not. It needs m.mu.
func (m *state) stalled() bool {
	config := m.detector.Config()
	since := m.awaited
	if m.judged.After(since) {
		since = m.judged
	}
	return config.Enabled && time.Since(since) > 2*config.CheckInterval+stallGrace
}

// describer is a Source that knows more of its resources than their names tell.
type describer interface{ Resources() []sampler.Resource }

// describe passes on what a source knows of the resources of its latest sample.
func (m *state) describe(source sampler.Source) {
	if kept, ok := source.(keptOpen); ok {
		source = kept.Source
	}
	d, ok := source.(describer)
	if !ok {
		return
	}
	resources := d.Resources() // which is the source's, and may hang
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range resources {
		m.detector.Describe(r)
	}
}

// farAhead of the clock a sample must not be on its own: after a single one, a year ahead, all that follow would be
// taken for older ones.
const farAhead = time.Hour

// leaps returns an error for a sample that is far ahead of the one before it for the time between them, unless it is
// the second in a row.
func (m *state) leaps(s *sampler.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	second := !m.ahead.IsZero() && s.Time.After(m.ahead)
	m.ahead = time.Time{}
	if m.latest.Time.IsZero() || s.Time.Sub(m.latest.Time)-time.Since(m.judged) <= farAhead || second {
		return nil
	}
	m.ahead = s.Time
	return fmt.Errorf("the sample of %s is far ahead of that of %s for the time between them: left out, unless the "+
		"next one is ahead, too",
		s.Time.Format(time.RFC3339), m.latest.Time.Format(time.RFC3339))
}

// judge passes the sample to the detector. It takes the sample's memory and leaves that of an older one.
func (m *state) judge(s *sampler.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.Time.Round(0).After(m.latest.Time) {
		return fmt.Errorf("the sample of %s is not newer than that of %s, as when the clock was set back",
			s.Time.Format(time.RFC3339), m.latest.Time.Format(time.RFC3339))
	}
	if m.first.IsZero() {
		m.first = s.Time
	}
	m.memory.keepEarly(s, m.detector.Config().StateDir != "" || m.detector.Config().HistoryFrom != "")
	events := m.detector.Observe(s)
	m.remember(s.Time.UnixNano())
	m.plots.Observe(m.detector, s, nil)
	*s, m.latest, m.before = m.before, *s, m.latest
	m.judged = time.Now()
	m.recordTotals(events)
	m.memory.endGroundless()
	m.last.check(m)
	return nil
}

// remember keeps what the detector observed at an instant. It needs m.mu.
func (m *state) remember(at int64) {
	m.record.Begin(at)
	for number, t := range m.detector.engine.All() {
		if value, read := t.Latest(); read == at {
			level, deviation := t.Level()
			m.record.Put(number, t.Resource().Name, value, level, deviation)
		}
	}
}

// recordTotals makes alerts of what the detector decided. It needs m.mu.
func (m *state) recordTotals(events []alerting.Event) {
	for i := range events {
		if m.merge(&events[i]) {
			m.recordEvent(events[i])
		}
	}
}

// recordEvent makes an alert of an event and hands it on: under m.mu, so that none overtakes another of its finding.
func (m *state) recordEvent(e alerting.Event) {
	m.plots.Note(m.detector, []alerting.Event{e})
	m.recorded = true
	process := m.process
	process.Instance, process.Start = m.detector.Config().Instance, m.latest.Start
	if m.latest.Version != "" || m.latest.Revision != "" {
		process.Version, process.Revision = cmp.Or(m.latest.Version, process.Version), m.latest.Revision
	}
	m.queue.Put(m.ledger.record(e, process))
}

// reconfigure takes a new, valid configuration and keeps what was learned. change is called with the one before, and
// may refuse it.
func (m *state) reconfigure(config Config, change func(old Config) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := change(m.detector.Config()); err != nil {
		return err
	}
	events, err := m.detector.Reconfigure(config)
	m.awaited = time.Now()
	m.recordTotals(events)
	m.ledger.keep(m.detector.Config().MaxAlertHistory)
	m.queue.InTurn(func() {
		for _, a := range m.ledger.know(m.detector.Config().KnownFingerprints()) {
			m.notify(a)
		}
	})
	return err
}

// past returns what is kept of a resource from an instant on, the zero time for all.
func (m *state) past(resource string, since time.Time) []Point {
	from := int64(math.MinInt64)
	if !since.IsZero() {
		from = since.UnixNano()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if number := m.detector.number(resource); number >= 0 {
		return m.record.Points(number, from)
	}
	return nil
}

// status returns the verdict on every resource at the latest sample.
func (m *state) status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.overlay(m.detector.Status())
}

// lackOfLoad is an error while nothing was read of a load that the user named.
func (m *state) lackOfLoad() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.detector.Config().Adaptive.NamedLoad()
	if name == "" || m.detector.engine.LoadIsRead() {
		return nil
	}
	return fmt.Errorf("adaptive.load: %s is not read here, so growth is judged without it", name)
}

// places returns how many resources are followed, and whether some readings were not judged, as there were more.
func (m *state) places() (kept int, overflows bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.detector.engine.All()), m.detector.engine.LeftOut() > 0
}
