package detector

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

const (
	// gatherBound is how long an alert waits for its evidence at most, counted from the decision.
	gatherBound = 5 * time.Second
	// gatherGrace is how long the evidence of the last alerts may take once the monitor is stopped.
	gatherGrace = time.Second
)

// Evidence adds what it knows of a finding to an alert that fires, as where in the code the growth is: it writes to the fields of the alert
// that carry evidence, and may add to the summary. It is called from one goroutine at a time, never from the one that samples. It should
// return soon after ctx has ended; what is not there by then is not told. An error says what is missing, and is logged when it changes.
type Evidence func(ctx context.Context, a *alerting.Alert) error

// AddEvidence has the monitor ask e for every alert that fires from now on, after those that were added before. The name is for the log.
func (m *ResourceMonitor) AddEvidence(name string, e Evidence) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gathering.sources = append(m.gathering.sources, &evidenceSource{name: name, ask: e})
}

// evidenceSource is an Evidence and what was last wrong with it.
type evidenceSource struct {
	name    string
	ask     Evidence
	problem string // touched by the goroutine that works alone
}

// gathering holds alerts back, in their order, until their evidence is there or the time for it is over. The monitor's mu guards it.
type gathering struct {
	sources []*evidenceSource
	queue   []awaiting    // oldest first; the first one is being served while the gatherer is busy
	wake    chan struct{} // holds a token when the queue may have grown, or the deadlines were moved
	turn    chan struct{} // holds a token while a goroutine works for the evidence: one that hangs outlives its run
	active  bool          // alerts are taken: the gatherer runs
}

// awaiting is an alert on its way, and until when it may wait.
type awaiting struct {
	alert    alerting.Alert
	deadline time.Time
}

func newGathering() gathering {
	return gathering{wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// hand delivers an alert, or lets it wait for its evidence. None overtakes another: firing and resolved of a finding keep their order. It
// needs m.mu.
func (m *ResourceMonitor) hand(a alerting.Alert) {
	g := &m.gathering
	if len(g.queue) == 0 && (!g.active || a.Status == alerting.Resolved || len(g.sources) == 0) {
		m.deliver(a)
		return
	}
	g.queue = append(g.queue, awaiting{a, time.Now().Add(gatherBound)})
	g.rouse()
}

func (g *gathering) rouse() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// deliver keeps account of an alert and hands it on. It needs m.mu.
func (m *ResourceMonitor) deliver(a alerting.Alert) {
	if a.Status == alerting.Firing {
		m.holding[a.ID] = a
	} else {
		delete(m.holding, a.ID)
	}
	m.history = append(m.history, a)
	m.trimHistory()
	m.dispatcher.Notify(a)
}

// question asks the worker for the evidence of one alert.
type question struct {
	ctx    context.Context
	alert  alerting.Alert
	answer chan alerting.Alert // takes one without blocking
	sofar  atomic.Pointer[alerting.Alert]
}

// startGathering begins to take alerts, and the work for their evidence. The function that it returns ends both, after what waits was
// delivered: a second later at most.
func (m *ResourceMonitor) startGathering() (end func()) {
	m.mu.Lock()
	m.gathering.active = true
	m.mu.Unlock()

	work := make(chan *question)
	working, endWork := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		select {
		case m.gathering.turn <- struct{}{}:
			defer func() { <-m.gathering.turn }()
			m.work(working, work)
		case <-working.Done():
		}
	}()
	over := make(chan struct{})
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		m.gather(work, over)
	}()
	return func() {
		m.mu.Lock()
		last := time.Now().Add(gatherGrace)
		for i := range m.gathering.queue {
			if w := &m.gathering.queue[i]; w.deadline.After(last) {
				w.deadline = last
			}
		}
		m.gathering.active = false // what comes now goes out at once, behind what waits
		m.mu.Unlock()
		close(over)
		<-gathered
		endWork()
		select {
		case <-worked:
		case <-time.After(gatherGrace):
			m.logger.Warn("Resource monitor: the work for evidence does not return and is left behind")
		}
	}
}

// gather serves the alerts that wait, one after the other, until over is closed and none is left.
func (m *ResourceMonitor) gather(work chan<- *question, over <-chan struct{}) {
	for {
		m.mu.Lock()
		var next awaiting
		waits := len(m.gathering.queue) > 0
		if waits {
			next = m.gathering.queue[0]
		}
		m.mu.Unlock()
		if !waits {
			select {
			case <-m.gathering.wake:
				continue
			case <-over:
				return
			}
		}
		a := next.alert
		if a.Status == alerting.Firing {
			a = m.askFor(next, work, over)
		}
		m.mu.Lock()
		m.gathering.queue = m.gathering.queue[1:]
		if len(m.gathering.queue) == 0 {
			m.gathering.queue = nil
		}
		m.deliver(a)
		m.mu.Unlock()
	}
}

// askFor returns the alert with its evidence, or with as much of it as there is when its time is over.
func (m *ResourceMonitor) askFor(next awaiting, work chan<- *question, over <-chan struct{}) alerting.Alert {
	ctx, cancel := context.WithDeadline(context.Background(), next.deadline)
	defer cancel()
	q := &question{ctx: ctx, alert: next.alert.Clone(), answer: make(chan alerting.Alert, 1)}
	for asked := false; ; {
		put := work
		if asked {
			put = nil
		}
		select {
		case put <- q:
			asked = true
		case a := <-q.answer:
			return a
		case <-ctx.Done():
			if sofar := q.sofar.Load(); sofar != nil {
				return *sofar
			}
			return next.alert
		case <-over:
			over = nil
			grace := time.AfterFunc(gatherGrace, cancel)
			defer grace.Stop()
		}
	}
}

// work answers for evidence, and takes the profiles that are due, until ctx ends.
func (m *ResourceMonitor) work(ctx context.Context, questions <-chan *question) {
	due := time.NewTimer(0)
	defer due.Stop()
	if m.profiling == nil {
		due.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-questions:
			m.answer(q)
		case <-due.C:
			due.Reset(max(time.Until(m.tick(ctx)), time.Millisecond))
		}
	}
}

// answer asks every source of evidence for one alert.
func (m *ResourceMonitor) answer(q *question) {
	m.mu.Lock()
	sources := m.gathering.sources
	m.mu.Unlock()
	for _, s := range sources {
		if q.ctx.Err() != nil {
			break
		}
		changed := q.alert.Clone()
		err := ask(q.ctx, s.ask, &changed)
		var p *panicked
		if !errors.As(err, &p) { // what was found counts, beside an error too
			q.alert = changed
			sofar := changed.Clone()
			q.sofar.Store(&sofar)
		}
		m.reportEvidence(s, err)
	}
	q.answer <- q.alert
}

// ask makes an error of a panic: what fails in the search for evidence must not cost the alert.
func ask(ctx context.Context, e Evidence, a *alerting.Alert) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r, debug.Stack()}
		}
	}()
	return e(ctx, a)
}

// reportEvidence logs what is wrong with a source of evidence, when that changes.
func (m *ResourceMonitor) reportEvidence(s *evidenceSource, err error) {
	problem := ""
	if err != nil {
		problem = strings.Map(withoutDigits, err.Error())
	}
	changed := problem != s.problem
	s.problem = problem
	if !changed || err == nil {
		return
	}
	entry := m.logger.WithError(err)
	var p *panicked
	if errors.As(err, &p) {
		entry = entry.WithField("stack", string(p.stack))
	}
	entry.Warnf("Resource monitor: evidence is incomplete (%s)", s.name)
}
