package detector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/page"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/self"
	"github.com/mdzesseis/leaktrend/trend"
)

// ResourceMonitor watches the process that it runs in, or another Source. All its methods are safe for concurrent use,
// in any order and any number of times.
//
// It costs the host one goroutine that samples, one for each way of delivery, and a few descriptors while it runs.
// Nothing that goes wrong in it reaches the host: a sample that fails is logged once, a sink that hangs delays only
// itself, a hook that panics is logged.
//
// A sample that is not newer than the one before, as a Source may give that was opened anew after the clock was set
// back, is not judged.
type ResourceMonitor struct {
	logger     *logrus.Logger
	state      *state
	loop       *loop
	dispatcher *alerting.Dispatcher
	channel    *alerting.ChannelSink
	webhook    webhook.Slot
	onAlert    atomic.Pointer[func(alerting.Alert)]
	active     atomic.Pointer[activity]

	life sync.Mutex // guards Start and Stop
	own  *activity  // that Start began
}

// activity is one run of the loop.
type activity struct {
	ctx    context.Context // ended once the loop is to end, or has
	cancel context.CancelFunc
	ended  chan struct{} // closed once all is over
}

func newActivity(ctx context.Context) *activity {
	ctx, cancel := context.WithCancel(ctx)
	return &activity{ctx, cancel, make(chan struct{})}
}

// alertChannelSize is how many unread alerts GetAlertChannel holds.
const alertChannelSize = 100

// NewMonitor returns a monitor that starts nothing yet. logger takes its alerts and warnings; nil means the standard
// logger. The error says what is wrong with the configuration.
func NewMonitor(config Config, logger *logrus.Logger) (*ResourceMonitor, error) {
	m, err := newMonitor(config, logger, alerting.ThisProcess(), func() (sampler.Source, error) { return self.New() })
	if err != nil {
		return nil, err
	}
	m.FollowSites(profile.NewSelf())
	m.state.lines.NameTypes()
	return m, nil
}

// NewSourceMonitor returns a monitor of a Source, which stays the caller's to close: another process, or an endpoint.
// process goes into the alerts.
func NewSourceMonitor(source sampler.Source, process alerting.Process, config Config, logger *logrus.Logger) (*ResourceMonitor, error) {
	return newMonitor(config, logger, process, func() (sampler.Source, error) { return keptOpen{source}, nil })
}

// keptOpen hides that a Source can be closed.
type keptOpen struct{ sampler.Source }

func newMonitor(config Config, logger *logrus.Logger, process alerting.Process, open func() (sampler.Source, error)) (*ResourceMonitor, error) {
	if logger == nil {
		logger = logrus.StandardLogger()
	}
	d, err := New(config)
	if err != nil {
		return nil, err
	}
	m := &ResourceMonitor{logger: logger, channel: alerting.NewChannelSink(alertChannelSize)}
	if err := useWebhook(&m.webhook, config, nil); err != nil {
		return nil, err
	}
	warnOfSoak(logger, config)
	m.dispatcher = alerting.NewDispatcher(logger,
		alerting.NamedSink{Name: "log", Sink: alerting.NewLogSink(logger)},
		alerting.NamedSink{Name: "channel", Sink: m.channel},
		alerting.NamedSink{Name: "hook", Sink: alerting.SinkFunc(func(a alerting.Alert) {
			if hook := m.onAlert.Load(); hook != nil && *hook != nil {
				(*hook)(a)
			}
		})},
		alerting.NamedSink{Name: "webhook", Sink: &m.webhook},
	)
	ledger := newLedger(config.MaxAlertHistory)
	deliver := func(a alerting.Alert) {
		ledger.deliver(a)
		m.dispatcher.Notify(a)
	}
	m.state = &state{
		process: process, ledger: ledger, queue: evidence.NewQueue(logger, deliver),
		leaks: make(map[string]*sites.Leak), detector: d, plots: NewHistory(0),
	}
	m.loop = &loop{
		logger: logger, state: m.state, open: open, reloaded: make(chan struct{}, 1), parts: evidence.NewParts(forEvidence{m.state}),
	}
	return m, nil
}

// warnOfSoak says so when samples come too seldom for the minimums of a soak run.
func warnOfSoak(logger *logrus.Logger, config Config) {
	width := finding.Stretch(trend.FinestWidth, config.Adaptive.Scale())
	if config.Adaptive.Soak > 0 && config.CheckInterval > width {
		logger.WithFields(logrus.Fields{"soak": config.Adaptive.Soak, "check_interval": config.CheckInterval}).
			Warnf("Resource monitor: for this soak, check_interval should be %s or less", sampler.ShortDuration(width.Round(time.Millisecond)))
	}
}

// OnAlert sets the function that is called with every alert, on a goroutine of its own; nil for none. It replaces the
// one before.
func (m *ResourceMonitor) OnAlert(hook func(alerting.Alert)) { m.onAlert.Store(&hook) }

// OnSample sets the function that is called with every sample once it was judged, and before the next one is taken; nil
// for none. It must not keep the sample (see Sample.Clone), nor call Stop, which waits for it.
func (m *ResourceMonitor) OnSample(hook func(*sampler.Sample)) { m.loop.onSample.Store(&hook) }

// GetAlertChannel returns the channel on which alerts arrive. It holds 100 alerts; unread ones beyond that push out the
// oldest. It is never closed, as the monitor may be started again.
func (m *ResourceMonitor) GetAlertChannel() <-chan alerting.Alert { return m.channel.C() }

// Start begins to watch and returns at once, or after what Run or a Source that has ended left to deliver. On a monitor
// that is running it does nothing.
func (m *ResourceMonitor) Start() error {
	m.life.Lock()
	defer m.life.Unlock()
	a := newActivity(context.Background())
	for !m.active.CompareAndSwap(nil, a) {
		switch other := m.active.Load(); {
		case other == nil:
		case other.ctx.Err() == nil:
			a.cancel()
			return nil
		default:
			<-other.ended
		}
	}
	m.own = a
	go func() {
		if err := m.run(a); err != nil {
			m.logger.WithError(err).Warn("Resource monitor: there is nothing left to watch")
		}
	}()
	return nil
}

// Stop ends what Start began, and returns after the last sample was judged and its alerts were delivered, or 6 s later
// where a receiver does not answer. On a monitor that is not running it does nothing. Alerts that hold are not resolved
// by it.
func (m *ResourceMonitor) Stop() error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.own == nil {
		return nil
	}
	m.own.cancel()
	<-m.own.ended
	m.own = nil
	return nil
}

// Run watches until ctx ends, and returns after all its goroutines have. It fails at once when the monitor is running.
// When the Source has ended, the error wraps io.EOF.
func (m *ResourceMonitor) Run(ctx context.Context) error {
	a := newActivity(ctx)
	if !m.active.CompareAndSwap(nil, a) {
		a.cancel()
		return errors.New("leaktrend: the monitor is already running")
	}
	return m.run(a)
}

func (m *ResourceMonitor) run(a *activity) error {
	defer close(a.ended)
	defer m.active.Store(nil)
	m.state.mu.Lock()
	m.state.started = time.Now()
	config := m.state.detector.Config()
	m.state.mu.Unlock()
	m.logger.WithFields(inForce(config)).Info("Resource monitor started")

	delivery, endDelivery := context.WithCancel(context.WithoutCancel(a.ctx))
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		if err := m.dispatcher.Run(delivery); err != nil {
			m.logger.WithError(err).Error("Resource monitor cannot deliver alerts")
		}
	}()
	endEvidence := m.state.queue.Start()
	err := m.loop.run(a.ctx)
	a.cancel()
	endEvidence()
	endDelivery()
	<-delivered
	m.logger.Info("Resource monitor stopped")
	return err
}

// Reload takes a new configuration while the monitor runs, and keeps what was learned. On an error the old one stays in
// force.
func (m *ResourceMonitor) Reload(config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	err := m.state.reconfigure(config, func(old Config) error {
		if config.AlertWebhookURL == old.AlertWebhookURL && config.AlertWebhookFormat == old.AlertWebhookFormat {
			return nil
		}
		return useWebhook(&m.webhook, config, m.state.ledger.held())
	})
	m.loop.reload()
	return err
}

// useWebhook puts the webhook of a configuration into its slot, with the alerts that it lacks.
func useWebhook(slot *webhook.Slot, config Config, missing []alerting.Alert) error {
	var w *webhook.Webhook
	if config.AlertWebhookURL != "" {
		var err error
		w, err = webhook.New(webhook.Config{URL: config.AlertWebhookURL, Format: config.AlertWebhookFormat})
		if err != nil {
			return fmt.Errorf("alert_webhook_url: %w", err)
		}
	}
	slot.Use(w, missing)
	return nil
}

// Status returns the verdict on every resource at the latest sample.
func (m *ResourceMonitor) Status() []Status { return m.state.status() }

// History returns the latest alerts, oldest first: at most max_alert_history of them.
func (m *ResourceMonitor) History() []alerting.Alert { return m.state.ledger.delivered() }

// Delivery returns how each way of delivery fares.
func (m *ResourceMonitor) Delivery() []alerting.SinkStats { return m.dispatcher.Stats() }

// Point is a stretch of the past of one resource.
type Point = history.Point

// Past returns what is kept of the past of a resource, oldest first, from an instant on; the zero time means all. The
// latest 1024 samples are there as they were read, those before as the extremes of longer stretches. It is empty for a
// resource that was never read.
func (m *ResourceMonitor) Past(resource string, since time.Time) []Point {
	return m.state.past(resource, since)
}

// Handler returns the live page of the monitor: plots over the past that is kept, sites, alerts, captures and what the
// monitor costs. Mount it below any path that ends in a slash, as in
//
//	mux.Handle("/debug/leaks/", monitor.Handler())
//
// with or without http.StripPrefix. At "status" below that path is the same as JSON, for programs.
//
// The page only reads: it answers GET and HEAD alone, and the only files that it hands out are the captures that the
// monitor wrote. It names the lines of code of the process, so it belongs where net/http/pprof does: on an address that
// only its operators reach. Rendering never delays the sampling.
func (m *ResourceMonitor) Handler() http.Handler { return page.New(shown{m}) }

// Checks returns what the checks came to so far.
func (m *ResourceMonitor) Checks() CheckStats {
	s := CheckStats{
		Checks:     m.loop.counters.checks.Load(),
		Incomplete: m.loop.counters.incomplete.Load(),
		Reading:    time.Duration(m.loop.counters.reading.Load()),
		Judging:    time.Duration(m.loop.counters.judging.Load()),
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	s.Last, s.LeftOut = m.state.latest.Time, m.state.detector.engine.LeftOut()
	if config := m.state.detector.Config(); config.Enabled {
		s.Interval = config.CheckInterval
	}
	return s
}

// CheckCost returns what the checks have cost since the monitor was made.
func (m *ResourceMonitor) CheckCost() Cost {
	c := m.loop.counters.spentSoFar()
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	c.HistoryBytes = m.state.record.Bytes()
	return c
}

// AddEvidence has every alert that fires from now on go to e, after the evidence that was added before. The name is for
// the log.
func (m *ResourceMonitor) AddEvidence(name string, e Evidence) { m.state.queue.Add(name, e) }

// FollowSites has the monitor follow the lines of code of the process that it watches: alerts name the lines that grew,
// and a line that leaks below a total that hides it is an alert of its own. A monitor of this process does so from the
// start. Call it before Start or Run.
func (m *ResourceMonitor) FollowSites(source ProfileSource) {
	lines := evidence.NewLines(source, forEvidence{m.state}, m.logger)
	m.state.mu.Lock()
	m.state.lines = lines
	m.state.mu.Unlock()
	m.state.queue.Meanwhile(lines.Work)
	m.AddEvidence("sites", lines.Add)
	m.AddEvidence("captures", lines.Capture)
}

// Sites returns the lines of code that are followed, goroutines before memory.
func (m *ResourceMonitor) Sites() []sites.Status {
	if m.state.lines == nil {
		return nil
	}
	return m.state.lines.Sites()
}

// EvidenceCost returns what the profiles have cost so far.
func (m *ResourceMonitor) EvidenceCost() EvidenceCost {
	if m.state.lines == nil {
		return EvidenceCost{}
	}
	return m.state.lines.Cost()
}

// Captures returns the latest files that were written as evidence, oldest first.
func (m *ResourceMonitor) Captures() []Capture {
	if m.state.lines == nil {
		return nil
	}
	return m.state.lines.Captures()
}
