package alerting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// alerts that wait for one sink before they give way to the latest of their findings
	queueSize       = 100
	attemptTimeout  = 10 * time.Second // of one Send or Refresh
	firstRetry      = time.Second
	lastRetry       = time.Minute // retries come no further apart
	maxTurns        = 10          // attempts after which an alert lets others go first
	refreshInterval = time.Minute
	defaultDrain    = 5 * time.Second
	grace           = time.Second // for a sink to return once its time is over
	firstOffer      = time.Minute // after the first refusal of an alert
	lastOffer       = 5 * time.Minute
	maxFindings     = 1 << 14 // that are known at one time, by each sink and over all
	maxErrorText    = 300     // bytes of an error that are kept and logged
)

// NamedSink is a Sink and the name by which log and statistics call it.
type NamedSink struct {
	Name string
	Sink Sink
}

// SinkStats says how one sink fares. The counts are since NewDispatcher. Of the alerts that were notified, those that
// are not queued were sent, dropped or have failed.
type SinkStats struct {
	Name    string `json:"name"`
	Sent    uint64 `json:"sent"`    // alerts delivered
	Retried uint64 `json:"retried"` // attempts beyond the first of an alert
	Refused uint64 `json:"refused"` // attempts that ended in a final error or a panic
	// alerts that gave way to a later one of their finding, or for which there was no room
	Dropped uint64 `json:"dropped"`
	Failed  uint64 `json:"failed"`  // alerts given up, as they were refused and their finding is over
	Panics  uint64 `json:"panics"`  // of the sink
	Queued  int    `json:"queued"`  // alerts that wait or are being sent, those that were refused too; 0 to 16,484
	Waiting int    `json:"waiting"` // of these, the refused ones: they are offered again while their finding holds
	Failing bool   `json:"failing"` // the last attempt failed
	Stuck   bool   `json:"stuck"`   // the sink does not return although its time is over
	// LastError is why the latest attempt failed that did.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Dispatcher delivers alerts to its sinks. All its methods are safe for concurrent use.
type Dispatcher struct {
	// DrainTimeout is how long Run goes on delivering what is queued after its context has ended. 0 means 5 s, a
	// negative value not at all. Set it before Run.
	DrainTimeout time.Duration

	lines *logQueue
	log   *logrus.Logger // whose lines go through that queue
	sinks []*outlet

	// guards what follows, and the lower half of each outlet; never held during a call to a sink or the logger
	mu      sync.Mutex
	running bool
	firing  map[string]*Alert // the latest of each finding that holds, by id
}

// NewDispatcher returns a Dispatcher that starts nothing until Run. The logger takes the warnings about sinks that
// fail; nil means none. Like a sink, it may block and panic: see Logger.
func NewDispatcher(logger *logrus.Logger, sinks ...NamedSink) *Dispatcher {
	if logger == nil {
		logger = logrus.New()
		logger.SetOutput(io.Discard)
	}
	lines := newLogQueue(logger)
	d := &Dispatcher{lines: lines, log: lines.logger(), firing: map[string]*Alert{}}
	for _, s := range sinks {
		d.sinks = append(d.sinks, &outlet{
			name: s.Name, sink: s.Sink, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
			findings: map[string]*finding{}, stats: SinkStats{Name: s.Name},
		})
	}
	return d
}

// Logger returns a logger that passes its lines on to the logger of NewDispatcher: in their order, as of the time when
// they were logged, and at that logger's level. It never blocks and does not panic, whatever the other and its hooks
// do. Where 256 lines wait, the oldest is dropped and counted: see LogStats.
func (d *Dispatcher) Logger() *logrus.Logger { return d.log }

// LogStats returns the statistics of the lines of Logger and of the Dispatcher itself.
func (d *Dispatcher) LogStats() LogStats { return d.lines.snapshot() }

// FlushLog waits until the lines of Logger are written: for 5 s at most, and not for a logger that has not returned for
// a second. The error says how many lines are left; they are written once the logger returns.
func (d *Dispatcher) FlushLog() error { return d.lines.flush() }

// Notify queues a copy of the alert for every sink and returns at once, whether Run is active or not. An empty Version
// is filled in.
//
// No alert is lost while its finding holds: where more than 100 wait for a sink, or the sink refuses them, the latest
// of each finding is kept, for 16,384 findings. A sink that accepted none of a finding's alerts does not get its
// resolved one.
func (d *Dispatcher) Notify(a Alert) {
	a = a.Clone()
	if a.Version == "" {
		a.Version = Version
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.Status == Resolved {
		delete(d.firing, a.ID)
	} else {
		d.firing[a.ID] = &a
		for id := range d.firing {
			if len(d.firing) <= maxFindings {
				break
			}
			if id != a.ID {
				delete(d.firing, id)
			}
		}
	}
	for _, o := range d.sinks {
		o.push(&a)
		o.rouse()
	}
}

// Resume takes firing alerts that another Dispatcher has delivered, as one of a process that has ended: they are not
// delivered again, but their resolved alerts are. untold says which sinks, by name, have not had an alert and get it
// now; nil means none.
func (d *Dispatcher) Resume(untold func(sink string, a *Alert) bool, alerts ...Alert) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range alerts {
		a = a.Clone()
		d.firing[a.ID] = &a
		for _, o := range d.sinks {
			switch {
			case o.findings[a.ID] != nil:
			case untold != nil && untold(o.name, &a):
				o.push(&a)
				o.rouse()
			default:
				o.makeRoom()
				o.findings[a.ID] = &finding{id: a.ID, delivered: true}
			}
		}
	}
}

// Told reports whether a sink has accepted a firing alert with this ID, and no resolved one since.
func (d *Dispatcher) Told(sink, id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.sinks {
		if f := o.findings[id]; o.name == sink && f != nil {
			return f.delivered
		}
	}
	return false
}

// Renew sends a sink the alerts of all active findings again, as when it now delivers to another receiver. An unknown
// name does nothing.
func (d *Dispatcher) Renew(sink string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	holding := slices.SortedFunc(maps.Values(d.firing), func(a, b *Alert) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	for _, o := range d.sinks {
		if o.name == sink {
			o.renew(holding)
			o.rouse()
		}
	}
}

func (d *Dispatcher) isFiring(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.firing[id]
	return ok
}

// Stats returns the state of each sink, in the order given to NewDispatcher.
func (d *Dispatcher) Stats() []SinkStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	stats := make([]SinkStats, 0, len(d.sinks))
	for _, o := range d.sinks {
		s := o.stats
		s.Queued, s.Waiting = o.waiting, o.offered()
		s.Failing = o.sending != healthy || o.refreshing != healthy
		stats = append(stats, s)
	}
	return stats
}

// Run delivers alerts until ctx ends, then goes on for up to DrainTimeout with what is queued, and returns after its
// goroutines have ended: at once where nothing is queued. Each sink has one goroutine. An attempt may take 10 s; after
// one that failed the next comes in 0.5 to 1 s, then in twice that, and so on up to a minute, until the sink takes the
// alert, returns a final error, or newer alerts push it out of the queue. What is left at the end stays queued for the
// next Run, and its number is logged. With a context that has already ended, Run only drains.
//
// A sink that ignores its context cannot be stopped: Run logs its name, leaves its goroutine behind and returns a
// second after the drain's end. The next Run calls that sink only after it has returned.
//
// The error is nil, unless another Run is active. Run may be called again after it has returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.running {
		d.mu.Unlock()
		return errors.New("alerting: the dispatcher is already running")
	}
	d.running = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.running = false
		d.mu.Unlock()
	}()
	drain := d.DrainTimeout
	switch {
	case drain == 0:
		drain = defaultDrain
	case drain < 0:
		drain = 0
	}

	hard, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with the drain
	defer cancel()
	ended := make([]chan struct{}, len(d.sinks))
	for i, o := range d.sinks {
		ended[i] = make(chan struct{})
		w := &worker{d: d, outlet: o, hard: hard, drain: drain}
		go w.serve(ctx, ended[i])
	}

	<-ctx.Done()
	if drain == 0 {
		cancel()
	}
	drained := time.AfterFunc(drain, cancel)
	defer drained.Stop()
	overdue := make(chan struct{})
	late := time.AfterFunc(drain+grace, func() { close(overdue) })
	defer late.Stop()
	for i, o := range d.sinks {
		select {
		case <-ended[i]:
		case <-overdue:
			select {
			case <-ended[i]:
			default:
				d.stuck(o, 0)
			}
		}
	}
	d.logUndelivered()
	_ = d.FlushLog() // what is left is counted
	return nil
}

func (d *Dispatcher) logUndelivered() {
	d.mu.Lock()
	var sinks []string
	total := 0
	for _, o := range d.sinks {
		if n := o.waiting; n > 0 {
			total += n
			sinks = append(sinks, fmt.Sprintf("%s: %d", o.name, n))
		}
	}
	d.mu.Unlock()
	if total > 0 {
		d.log.WithFields(logrus.Fields{"undelivered": total, "sinks": strings.Join(sinks, ", ")}).
			Warn("alerting: stopped before all alerts were delivered")
	}
}

// stuck notes that a call to the sink does not return: the call of that number, or with 0 any.
func (d *Dispatcher) stuck(o *outlet, call uint64) {
	d.mu.Lock()
	news := o.inCall && (call == 0 || call == o.calls) && !o.stats.Stuck
	if news {
		o.stats.Stuck = true
	}
	d.mu.Unlock()
	if news {
		d.log.WithField("sink", o.name).Warn("alerting: the sink does not return although its time is over; its " +
			"alerts wait")
	}
}
