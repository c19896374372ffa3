package detector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/self"
	"github.com/mdzesseis/leaktrend/trend"
)

// ResourceMonitor watches the process that it runs in, or another Source. All its methods are safe for concurrent use, in any order and any
// number of times.
//
// It costs the host one goroutine that samples, one for each way of delivery, and a few descriptors while it runs. Nothing that goes wrong
// in it reaches the host: a sample that fails is logged once, a sink that hangs delays only itself, a hook that panics is logged.
//
// A sample that is not newer than the one before, as a Source may give that was opened anew after the clock was set back, is not judged.
type ResourceMonitor struct {
	logger     *logrus.Logger
	dispatcher *alerting.Dispatcher
	channel    *alerting.ChannelSink
	webhook    webhook.Slot
	process    alerting.Process
	parts      *evidence.Parts
	partsAdded sync.Once // as evidence, once there are any
	queue      *evidence.Queue
	ledger     *ledger
	onAlert    atomic.Pointer[func(alerting.Alert)]
	onSample   atomic.Pointer[func(*sampler.Sample)]
	reloaded   chan struct{} // holds a token when the loop has a new configuration to look at
	active     atomic.Pointer[activity]
	open       func() (sampler.Source, error) // called when sampling begins; what it returns is closed when sampling ends

	life sync.Mutex // guards Start and Stop
	own  *activity  // that Start began

	counters checkCounters

	mu       sync.Mutex             // guards what follows
	lines    *evidence.Lines        // set before the first run; nil where no profiles are taken
	leaks    map[string]*sites.Leak // that lines of code show, by resource
	detector *Detector
	started  time.Time
	latest   sampler.Sample
	before   sampler.Sample // the sample before the latest, for rates
	checked  guard.News     // what was wrong with the last check
	record   history.Record
	plots    *History // without the shapes, which the record keeps
	cost     Cost
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

// NewMonitor returns a monitor that starts nothing yet. logger takes its alerts and warnings; nil means the standard logger. The error
// says what is wrong with the configuration.
func NewMonitor(config Config, logger *logrus.Logger) (*ResourceMonitor, error) {
	m, err := newMonitor(config, logger, alerting.ThisProcess(), func() (sampler.Source, error) { return self.New() })
	if err != nil {
		return nil, err
	}
	m.FollowSites(profile.NewSelf())
	m.lines.NameTypes()
	return m, nil
}

// NewSourceMonitor returns a monitor of a Source, which stays the caller's to close: another process, or an endpoint. process goes into the alerts.
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
	m := &ResourceMonitor{
		logger:   logger,
		channel:  alerting.NewChannelSink(alertChannelSize),
		process:  process,
		open:     open,
		reloaded: make(chan struct{}, 1),
		detector: d,
		leaks:    make(map[string]*sites.Leak),
		ledger:   newLedger(config.MaxAlertHistory),
		plots:    NewHistory(0),
	}
	m.queue, m.parts = evidence.NewQueue(logger, m.deliver), evidence.NewParts(forEvidence{m})
	if err := m.setWebhook(config); err != nil {
		return nil, err
	}
	m.warnOfSoak(config)
	m.dispatcher = alerting.NewDispatcher(logger,
		alerting.NamedSink{Name: "log", Sink: alerting.NewLogSink(logger)},
		alerting.NamedSink{Name: "channel", Sink: m.channel},
		alerting.NamedSink{Name: "hook", Sink: alerting.SinkFunc(m.callHook)},
		alerting.NamedSink{Name: "webhook", Sink: &m.webhook},
	)
	return m, nil
}

// warnOfSoak says so when samples come too seldom for the floors of a soak run.
func (m *ResourceMonitor) warnOfSoak(config Config) {
	width := finding.Stretch(trend.FinestWidth, config.Adaptive.Scale())
	if config.Adaptive.Soak > 0 && config.CheckInterval > width {
		m.logger.WithFields(logrus.Fields{"soak": config.Adaptive.Soak, "check_interval": config.CheckInterval}).
			Warnf("Resource monitor: for this soak, check_interval should be %s or less", sampler.ShortDuration(width.Round(time.Millisecond)))
	}
}

// OnAlert sets the function that is called with every alert, on a goroutine of its own; nil for none. It replaces the one before.
func (m *ResourceMonitor) OnAlert(hook func(alerting.Alert)) { m.onAlert.Store(&hook) }

// OnSample sets the function that is called with every sample once it was judged, and before the next one is taken; nil for none. It must
// not keep the sample (see Sample.Clone), nor call Stop, which waits for it.
func (m *ResourceMonitor) OnSample(hook func(*sampler.Sample)) { m.onSample.Store(&hook) }

// GetAlertChannel returns the channel on which alerts arrive. It holds 100 alerts; unread ones beyond that push out the oldest. It is never
// closed, as the monitor may be started again.
func (m *ResourceMonitor) GetAlertChannel() <-chan alerting.Alert { return m.channel.C() }

func (m *ResourceMonitor) callHook(a alerting.Alert) {
	if hook := m.onAlert.Load(); hook != nil && *hook != nil {
		(*hook)(a)
	}
}

// Start begins to watch and returns at once, or after what Run or a Source that has ended left to deliver. On a monitor that is running
// it does nothing.
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

// Stop ends what Start began, and returns after the last sample was judged and its alerts were delivered, or 6 s later where a receiver does
// not answer. On a monitor that is not running it does nothing. Alerts that hold are not resolved by it.
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

// Run watches until ctx ends, and returns after all its goroutines have. It fails at once when the monitor is running. When the Source has
// ended, the error wraps io.EOF.
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
	m.mu.Lock()
	m.started = time.Now()
	config := m.detector.Config()
	m.mu.Unlock()
	m.logger.WithFields(logrus.Fields{
		"enabled": config.Enabled, "check_interval": config.CheckInterval, "adaptive": config.Adaptive.Enabled,
	}).Info("Resource monitor started")

	delivery, endDelivery := context.WithCancel(context.WithoutCancel(a.ctx))
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		if err := m.dispatcher.Run(delivery); err != nil {
			m.logger.WithError(err).Error("Resource monitor cannot deliver alerts")
		}
	}()
	endEvidence := m.queue.Start()
	err := m.loop(a.ctx)
	a.cancel()
	endEvidence()
	endDelivery()
	<-delivered
	m.logger.Info("Resource monitor stopped")
	return err
}

// loop samples at once and then at every interval, and follows reloads, until ctx or the source ends.
func (m *ResourceMonitor) loop(ctx context.Context) error {
	var (
		source   sampler.Source
		scratch  sampler.Sample
		interval time.Duration
		ticker   = time.NewTicker(time.Hour)
	)
	defer ticker.Stop()
	shut := func() {
		if c, ok := source.(io.Closer); ok {
			c.Close()
		}
		source = nil
	}
	defer func() { shut() }()

	tick := func() error {
		began := time.Now()
		err := guard.Do(func() error { return m.check(ctx, &source, &scratch) })
		m.account(time.Since(began))
		switch {
		case errors.Is(err, io.EOF):
			return err
		case ctx.Err() != nil:
			return nil // what failed was cut short
		}
		if failed := m.keepParts(ctx, source); err == nil {
			err = failed
		}
		m.report(err)
		return nil
	}
	adjust := func() error {
		m.mu.Lock()
		config := m.detector.Config()
		m.mu.Unlock()
		switch {
		case !config.Enabled:
			shut()
			ticker.Stop()
			interval = 0
		case config.CheckInterval != interval:
			interval = config.CheckInterval
			ticker.Reset(interval)
			return tick()
		}
		return nil
	}
	for err := adjust(); ; {
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.reloaded:
			err = adjust()
		case <-ticker.C:
			err = tick()
		}
	}
}

// check takes one sample and judges it. The error says what is missing, and wraps io.EOF when the source has ended.
func (m *ResourceMonitor) check(ctx context.Context, source *sampler.Source, scratch *sampler.Sample) error {
	if *source == nil {
		opened, err := m.open()
		if err != nil {
			return err
		}
		*source = opened
	}
	began := time.Now()
	err := (*source).Sample(ctx, scratch)
	read := time.Now()
	if errors.Is(err, io.EOF) || ctx.Err() != nil || len(scratch.Readings) == 0 {
		m.counters.spent(began, read, read)
		return err
	}
	late := m.judge(scratch)
	m.counters.spent(began, read, time.Now())
	if late != nil {
		return late
	}
	if hook := m.onSample.Load(); hook != nil && *hook != nil {
		(*hook)(&m.latest) // which only this goroutine writes to
	}
	return errors.Join(err, m.lackOfLoad())
}

// lackOfLoad is an error while nothing was read of a load that the user named.
func (m *ResourceMonitor) lackOfLoad() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.detector.Config().Adaptive.NamedLoad()
	if name == "" || m.detector.engine.LoadIsRead() {
		return nil
	}
	return fmt.Errorf("adaptive.load: %s is not read here, so growth is judged without it", name)
}

// report counts a check, and logs what was wrong with it when that changes.
func (m *ResourceMonitor) report(err error) {
	m.counters.checks.Add(1)
	if err != nil {
		m.counters.incomplete.Add(1)
	}
	m.mu.Lock()
	changed := m.checked.ChangedError(err)
	m.mu.Unlock()
	switch {
	case !changed:
	case err == nil:
		m.logger.Info("Resource monitor: checks are complete again")
	case guard.IsPanic(err):
		guard.Entry(m.logger, err).Error("Resource monitor: a check failed")
	default:
		m.logger.WithError(err).Warn("Resource monitor: a check is incomplete")
	}
}

// judge passes the sample to the detector. It takes the sample's memory and leaves that of an older one.
func (m *ResourceMonitor) judge(s *sampler.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.Time.Round(0).After(m.latest.Time) {
		return fmt.Errorf("the sample of %s is not newer than that of %s, as when the clock was set back",
			s.Time.Format(time.RFC3339), m.latest.Time.Format(time.RFC3339))
	}
	events := m.detector.Observe(s)
	m.remember(s.Time.UnixNano())
	m.plots.Observe(m.detector, s, nil)
	*s, m.latest, m.before = m.before, *s, m.latest
	m.recordTotals(events)
	return nil
}

// remember keeps what the detector observed at an instant. It needs m.mu.
func (m *ResourceMonitor) remember(at int64) {
	m.record.Begin(at)
	for number, t := range m.detector.engine.All() {
		if value, read := t.Latest(); read == at {
			level, deviation := t.Level()
			m.record.Put(number, t.Resource().Name, value, level, deviation)
		}
	}
}

// Point is a stretch of the past of one resource.
type Point = history.Point

// Past returns what is kept of the past of a resource, oldest first, from an instant on; the zero time means all. The latest 1024 samples are
// there as they were read, those before as the extremes of longer stretches. It is empty for a resource that was never read.
func (m *ResourceMonitor) Past(resource string, since time.Time) []Point {
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

// recordTotals makes alerts of what the detector decided. It needs m.mu.
func (m *ResourceMonitor) recordTotals(events []alerting.Event) {
	for i := range events {
		if m.merge(&events[i]) {
			m.recordEvent(events[i])
		}
	}
}

// recordEvent makes an alert of an event and hands it on: under m.mu, so that none overtakes another of its finding.
func (m *ResourceMonitor) recordEvent(e alerting.Event) {
	m.plots.Note(m.detector, []alerting.Event{e})
	process := m.process
	process.Start = m.latest.Start
	m.queue.Put(m.ledger.record(e, process))
}

func (m *ResourceMonitor) deliver(a alerting.Alert) {
	m.ledger.deliver(a)
	m.dispatcher.Notify(a)
}

// Reload takes a new configuration while the monitor runs, and keeps what was learned. On an error the old one stays in force.
func (m *ResourceMonitor) Reload(config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.detector.Config()
	if config.AlertWebhookURL != old.AlertWebhookURL || config.AlertWebhookFormat != old.AlertWebhookFormat {
		if err := m.setWebhook(config); err != nil {
			return err
		}
	}
	events, err := m.detector.Reconfigure(config)
	m.recordTotals(events)
	m.ledger.keep(m.detector.Config().MaxAlertHistory)
	select {
	case m.reloaded <- struct{}{}:
	default:
	}
	return err
}

// setWebhook needs m.mu, or a monitor that nobody else knows yet.
func (m *ResourceMonitor) setWebhook(config Config) error {
	var w *webhook.Webhook
	if config.AlertWebhookURL != "" {
		var err error
		w, err = webhook.New(webhook.Config{URL: config.AlertWebhookURL, Format: config.AlertWebhookFormat})
		if err != nil {
			return fmt.Errorf("alert_webhook_url: %w", err)
		}
	}
	m.webhook.Use(w, m.ledger.held())
	return nil
}

// Status returns the verdict on every resource at the latest sample.
func (m *ResourceMonitor) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.overlay(m.detector.Status())
}

// History returns the latest alerts, oldest first: at most max_alert_history of them.
func (m *ResourceMonitor) History() []alerting.Alert { return m.ledger.delivered() }

// Delivery returns how each way of delivery fares.
func (m *ResourceMonitor) Delivery() []alerting.SinkStats { return m.dispatcher.Stats() }
