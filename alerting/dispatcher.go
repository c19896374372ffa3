package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	queueSize       = 100              // alerts that wait for one sink
	attemptTimeout  = 10 * time.Second // of one Send or Refresh
	firstRetry      = time.Second
	lastRetry       = time.Minute // retries come no further apart
	maxTurns        = 10          // attempts after which an alert lets others go first
	refreshInterval = time.Minute
	defaultDrain    = 5 * time.Second
	grace           = time.Second // for a sink to return once its time is over
	maxFiring       = 1000        // findings that are known to hold at one time
	maxErrorText    = 300         // bytes of an error that are kept and logged
)

// NamedSink is a Sink and the name by which log and statistics call it.
type NamedSink struct {
	Name string
	Sink Sink
}

// SinkStats says how one sink fares. The counts are since NewDispatcher.
type SinkStats struct {
	Name        string    `json:"name"`
	Sent        uint64    `json:"sent"`    // alerts delivered
	Retried     uint64    `json:"retried"` // attempts beyond the first of an alert
	Dropped     uint64    `json:"dropped"` // alerts pushed out of the full queue
	Failed      uint64    `json:"failed"`  // alerts given up after a final error or a panic
	Queued      int       `json:"queued"`  // alerts that wait or are being sent, 0 to 101
	Failing     bool      `json:"failing"` // the last attempt failed
	Stuck       bool      `json:"stuck"`   // the sink does not return although its time is over
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Dispatcher delivers alerts to its sinks. All its methods are safe for concurrent use.
type Dispatcher struct {
	// DrainTimeout is how long Run goes on delivering what is queued after its context has ended. 0 means 5 s, a
	// negative value not at all. Set it before Run.
	DrainTimeout time.Duration

	logger *logrus.Logger
	sinks  []*outlet

	mu      sync.Mutex // guards what follows, and the lower half of each outlet; never held during a call to a sink or the logger
	running bool
	firing  map[string]struct{} // ids of the findings that hold
}

// NewDispatcher returns a Dispatcher that starts nothing until Run. The logger takes the warnings about sinks that
// fail; nil means none.
func NewDispatcher(logger *logrus.Logger, sinks ...NamedSink) *Dispatcher {
	if logger == nil {
		logger = logrus.New()
		logger.SetOutput(io.Discard)
	}
	d := &Dispatcher{logger: logger, firing: map[string]struct{}{}}
	for _, s := range sinks {
		d.sinks = append(d.sinks, &outlet{
			name: s.Name, sink: s.Sink, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), stats: SinkStats{Name: s.Name},
		})
	}
	return d
}

// Notify queues a copy of the alert for every sink and returns at once, whether Run is active or not. Where 100 alerts
// wait for a sink already, the oldest of them is dropped and counted. An empty Version is filled in.
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
		d.firing[a.ID] = struct{}{}
		for id := range d.firing {
			if len(d.firing) <= maxFiring {
				break
			}
			if id != a.ID {
				delete(d.firing, id)
			}
		}
	}
	for _, o := range d.sinks {
		o.push(&a)
		select {
		case o.wake <- struct{}{}:
		default:
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
		s.Queued = o.waiting()
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
		go func() {
			defer close(ended[i])
			w := worker{d: d, outlet: o, hard: hard, drain: drain}
			w.run(ctx)
		}()
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
	return nil
}

func (d *Dispatcher) logUndelivered() {
	d.mu.Lock()
	var sinks []string
	total := 0
	for _, o := range d.sinks {
		if n := o.waiting(); n > 0 {
			total += n
			sinks = append(sinks, fmt.Sprintf("%s: %d", o.name, n))
		}
	}
	d.mu.Unlock()
	if total > 0 {
		d.logger.WithFields(logrus.Fields{"undelivered": total, "sinks": strings.Join(sinks, ", ")}).
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
		d.logger.WithField("sink", o.name).Warn("alerting: the sink does not return although its time is over; its alerts wait")
	}
}
