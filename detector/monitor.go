package detector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/detector/evidence"
	"github.com/mdzesseis/leaktrend/detector/history"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/page"
	"github.com/mdzesseis/leaktrend/detector/sites"
	saved "github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/sampler/self"
)

// ResourceMonitor watches the process that it runs in, or another Source. All its methods are safe for concurrent use,
// in any order and any number of times.
//
// It costs the host a handful of goroutines, one of which samples and one for each way of delivery, and a few
// descriptors while it runs. Nothing that goes wrong in it, or in what it is given, reaches the host: a sample that
// fails is logged once; a sink, a hook, the logger or one of its hooks may hang, and delays only itself, or panic, and
// that is counted and logged; see Delivery, LogStats and Checks. Each of its methods may be called from within a hook,
// a sink or a source.
//
// A sample that is not newer than the one before is not judged, such as one of a Source that was reopened after the
// clock was set back.
type ResourceMonitor struct {
	logger     *logrus.Logger
	state      *state
	loop       *loop
	dispatcher *alerting.Dispatcher
	channel    *alerting.ChannelSink
	webhook    webhook.Slot
	uploads    webhook.Uploader
	keeper     saved.Keeper
	earlier    atomic.Pointer[earlierLives]
	onAlert    atomic.Pointer[func(alerting.Alert)]
	active     atomic.Pointer[activity]

	inside guard.Inside             // of calls to what is not ours
	life   sync.Mutex               // guards Start and Stop
	own    atomic.Pointer[activity] // that Start began
}

// webhookSink is the name of the webhook among the ways of delivery.
const webhookSink = "webhook"

// alertChannelSize is how many unread alerts GetAlertChannel holds.
const alertChannelSize = 100

// NewMonitor returns a monitor that starts nothing yet. logger gets its alerts and warnings; nil means the standard
// logger. The error says what is wrong with the configuration.
func NewMonitor(config Config, logger *logrus.Logger) (*ResourceMonitor, error) {
	m, err := newMonitor(config, logger, alerting.ThisProcess(), func() (sampler.Source, error) { return self.New() })
	if err != nil {
		return nil, err
	}
	m.FollowSites(profile.NewSelf())
	m.state.lines.Load().ReadProgram()
	return m, nil
}

// NewSourceMonitor returns a monitor of a Source, which stays the caller's to close: another process, or an endpoint.
// process goes into the alerts.
func NewSourceMonitor(source sampler.Source, process alerting.Process, config Config,
	logger *logrus.Logger) (*ResourceMonitor, error) {
	return newMonitor(config, logger, process, func() (sampler.Source, error) { return keptOpen{source}, nil })
}

// keptOpen hides that a Source can be closed.
type keptOpen struct{ sampler.Source }

func newMonitor(config Config, logger *logrus.Logger, process alerting.Process,
	open func() (sampler.Source, error)) (*ResourceMonitor, error) {
	if logger == nil {
		logger = logrus.StandardLogger()
	}
	d, err := New(config)
	if err != nil {
		return nil, err
	}
	m := &ResourceMonitor{channel: alerting.NewChannelSink(alertChannelSize)}
	if err := useWebhook(&m.webhook, config); err != nil {
		return nil, err
	}
	if err := m.uploads.Use(config.CaptureURL); err != nil {
		return nil, fmt.Errorf("capture_url: %w", err)
	}
	m.dispatcher = alerting.NewDispatcher(logger,
		alerting.NamedSink{Name: "log", Sink: foreign{alerting.NewLogSink(logger), &m.inside}},
		alerting.NamedSink{Name: "channel", Sink: m.channel},
		alerting.NamedSink{Name: "hook", Sink: foreign{alerting.SinkFunc(func(a alerting.Alert) {
			if hook := m.onAlert.Load(); hook != nil && *hook != nil {
				(*hook)(a)
			}
		}), &m.inside}},
		alerting.NamedSink{Name: webhookSink, Sink: &m.webhook},
	)
	m.logger = m.dispatcher.Logger()
	m.uploads.OnChange = logUploads(m.logger)
	ledger := newLedger(config.MaxAlertHistory)
	ledger.know(config.KnownFingerprints())
	deliver := func(a alerting.Alert) {
		if of, notify := ledger.deliver(a); notify {
			m.dispatcher.Notify(of)
		}
	}
	m.state = &state{
		process: process, ledger: ledger, queue: evidence.NewQueue(m.logger, deliver), notify: m.dispatcher.Notify,
		logger: m.logger,
		leaks:  make(map[string]*sites.Leak), detector: d, plots: NewHistory(0),
	}
	m.state.memory.of = m.state
	m.state.webhook = webhookOf{m}
	m.keeper.Logger, m.keeper.Place, m.keeper.Learn, m.keeper.Record = m.logger, m.state.memory.place,
		m.state.memory.learn, m.state.memory.toSave
	m.loop = &loop{
		logger: m.logger, state: m.state, open: open, reloaded: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		inside: &m.inside,
		hooks:  checkHooks{turn: make(chan struct{}, 1)}, parts: evidence.NewParts(forEvidence{m.state}),
	}
	m.loop.hook = newHookCaller(&m.loop.hooks, m.state, &m.inside)
	warnOfSoak(m.logger, config)
	_ = m.dispatcher.FlushLog() // what is wrong with the settings is logged before what the host logs next
	return m, nil
}

// OnAlert sets the function that is called with every alert, on a goroutine of its own; nil for none. It replaces the
// one before. An alert on which it panics is passed to it again in 1 to 5 minutes while its finding is active.
func (m *ResourceMonitor) OnAlert(hook func(alerting.Alert)) { m.onAlert.Store(&hook) }

// OnSample sets the function that is called with every sample after it was judged, and before the next one, on a
// goroutine of its own; nil for none. It must not keep the sample (see Sample.Clone). When it has not returned after 10
// s the sampling goes on without it until it does: that and its panics are logged, and its panics counted in Checks.
func (m *ResourceMonitor) OnSample(hook func(*sampler.Sample)) { m.loop.hooks.onSample.Store(&hook) }

// GetAlertChannel returns the channel on which alerts arrive. It holds 100 alerts; unread ones beyond that push out the
// oldest. It is never closed, as the monitor may be started again.
func (m *ResourceMonitor) GetAlertChannel() <-chan alerting.Alert { return m.channel.C() }

// Start begins to watch and returns at once, or once the alerts left by an earlier Run or an ended Source are
// delivered. On a monitor that is running it does nothing. It fails only when it is called from within a hook, sink or
// source of the monitor that is still ending: it cannot wait for its caller.
func (m *ResourceMonitor) Start() error {
	inside := m.inside.Here()
	if !inside {
		m.life.Lock()
	} else if !m.life.TryLock() {
		return errStillEnding
	}
	defer m.life.Unlock()
	a := newActivity(context.Background())
	for !m.active.CompareAndSwap(nil, a) {
		switch other := m.active.Load(); {
		case other == nil:
		case other.ctx.Err() == nil:
			a.cancel()
			return nil
		case inside:
			a.cancel()
			return errStillEnding
		default:
			<-other.ended
		}
	}
	m.own.Store(a)
	go func() {
		if err := m.run(a); err != nil {
			m.logger.WithError(err).Warn("Resource monitor: there is nothing left to watch")
		}
	}()
	return nil
}

var errStillEnding = errors.New(
	"leaktrend: the monitor is still ending, and cannot be started from within what it calls")

// Stop ends what Start began, and returns after the last sample was judged, its alerts were delivered and its log lines
// written. It does not wait for more than 5 s for a source or OnSample that does not return, then 2 s for evidence, 1 s
// for the reader of earlier lives, 6 s for a receiver, 2 s for the state directory and 5 s for log lines, 1 s where the
// logger does not return. The error says which of them it was: its goroutine is left behind, and ends when it returns.
// On a monitor that is not running Stop does nothing. It does not resolve active alerts.
//
// From within a hook, a sink or a source of the monitor, which it cannot wait for, Stop returns at once, and the
// monitor ends when they have returned.
func (m *ResourceMonitor) Stop() error {
	if m.inside.Here() {
		if own := m.own.Load(); own != nil {
			own.cancel()
		}
		return nil
	}
	m.life.Lock()
	defer m.life.Unlock()
	own := m.own.Load()
	if own == nil {
		return nil
	}
	own.cancel()
	<-own.ended
	m.own.Store(nil)
	return own.left
}

// isRunning reports whether samples are to be taken.
func (m *ResourceMonitor) isRunning() bool {
	a := m.active.Load()
	return a != nil && a.ctx.Err() == nil
}

// isStalled reports whether samples are to be judged and are not.
func (m *ResourceMonitor) isStalled() bool {
	running := m.isRunning()
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	return running && m.state.stalled()
}

// Run watches until ctx ends, and returns after all its goroutines have ended, except those that Stop leaves behind. It
// fails at once when the monitor is running. When the Source has ended, the error wraps io.EOF.
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
	m.state.awaited = m.state.started
	config := m.state.detector.Config()
	m.state.mu.Unlock()
	fields := logrus.Fields{"enabled": config.Enabled, "check_interval": config.CheckInterval,
		"adaptive": config.Adaptive.Enabled}
	if config.Enabled {
		inForce := config.InForce()
		fields["limits"], fields["time_scale"], fields["off"] = inForce.Limits, inForce.TimeScale,
			cmp.Or(strings.Join(inForce.Off, ", "), "nothing")
	}
	m.logger.WithFields(fields).Info("Resource monitor started")

	delivery, endDelivery := context.WithCancel(context.WithoutCancel(a.ctx))
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		if err := m.dispatcher.Run(delivery); err != nil {
			m.logger.WithError(err).Error("Resource monitor cannot deliver alerts")
		}
	}()
	endEvidence := m.state.queue.Start()
	endKeeping := m.keeper.Start()
	endReading := m.state.memory.read(a.ctx, m.earlier.Load(), m.logger)
	sampled := make(chan error, 1)
	go m.loop.serve(a.ctx, sampled)
	err, returned := awaitLoop(a.ctx, sampled)
	a.cancel()
	left := leftBehind{}
	if m.loop.hooks.hangs() {
		left.add("OnSample or OnLeakDetection")
	}
	if !returned {
		left.add("the source")
	}
	if !endEvidence() {
		left.add("the work for evidence")
	}
	if !endReading() {
		left.add("the reader of earlier lives")
	}
	awaitDelivery(&m.uploads, endDelivery, delivered)
	if !endKeeping() { // with what was delivered
		left.add("the state directory")
	}
	for _, s := range m.dispatcher.Stats() {
		if s.Stuck {
			left.add("sink " + s.Name)
		}
	}
	if err := left.err(); err != nil {
		m.logger.Warn("Resource monitor: " + err.Error())
	}
	m.logger.Info("Resource monitor stopped")
	if m.dispatcher.FlushLog() != nil {
		left.add("the logger")
	}
	if err := left.err(); err != nil {
		a.left = fmt.Errorf("leaktrend: %w", err)
	}
	return err
}

// Reload takes a new configuration while the monitor runs, and keeps what was learned. On an error the old one stays in
// force.
func (m *ResourceMonitor) Reload(config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	err := m.state.reconfigure(config, func(old Config) error {
		if config.CaptureURL != old.CaptureURL {
			if err := m.uploads.Use(config.CaptureURL); err != nil {
				return fmt.Errorf("capture_url: %w", err)
			}
		}
		if config.AlertWebhookURL == old.AlertWebhookURL && config.AlertWebhookFormat == old.AlertWebhookFormat {
			return nil
		}
		if err := useWebhook(&m.webhook, config); err != nil {
			return err
		}
		m.dispatcher.Renew(webhookSink)
		return nil
	})
	m.loop.reload()
	return err
}

// Status returns the verdict on every resource at the latest sample.
func (m *ResourceMonitor) Status() []Status { return m.state.status() }

// History returns the latest alerts, oldest first: at most max_alert_history of them.
func (m *ResourceMonitor) History() []alerting.Alert { return m.state.ledger.delivered() }

// Delivery returns the statistics of each sink.
func (m *ResourceMonitor) Delivery() []alerting.SinkStats { return m.dispatcher.Stats() }

// LogStats returns the statistics of the monitor's own log lines; those of alerts in the log are in Delivery.
func (m *ResourceMonitor) LogStats() alerting.LogStats { return m.dispatcher.LogStats() }

// Point is a stretch of the past of one resource.
type Point = history.Point

// Past returns the recorded past of a resource from an instant on, oldest first; the zero time means all. The latest
// 1024 samples are there as they were read, older ones as the extremes of longer stretches. It is empty for a resource
// that was never read.
func (m *ResourceMonitor) Past(resource string, since time.Time) []Point {
	return m.state.past(resource, since)
}

// Lives returns what is known of the process over its lives, the running one among them.
func (m *ResourceMonitor) Lives() lives.Record {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	return m.state.detector.Lives()
}

// Handover returns what the monitor of the next life needs to know, instead of a state directory or in addition to one.
func (m *ResourceMonitor) Handover() saved.Saved {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	return m.state.memory.handover()
}

// Restore loads what Handover returned in an earlier life of the process, or earlier in this one. Call it before Start
// or Run. Of the state directory, only what is newer is then loaded. The error says why the state cannot be used;
// nothing is loaded then.
func (m *ResourceMonitor) Restore(s saved.Saved) error {
	if err := m.state.memory.learn(&s); err != nil {
		return err
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	if latest := s.Record.Latest(); latest != nil {
		m.state.memory.given = latest.End
	}
	return nil
}

// ReadEarlierLives sets a function that reads what is known of earlier lives from elsewhere, as package earlier does
// from a Prometheus. It is called once at the start, where history_from is set and the state directory has nothing, for
// 30 s at most and without delaying the samples. read should return soon after its context has ended. Call it before
// Start or Run.
func (m *ResourceMonitor) ReadEarlierLives(read func(ctx context.Context, config Config) (lives.Record, error)) {
	m.earlier.Store(&read)
}

// NameState sets the names under which what is learned is saved in the configured state directory, instead of the
// executable and the configured instance. Call it before Start or Run.
func (m *ResourceMonitor) NameState(executable, instance string) {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	m.state.memory.key = saved.Key{Executable: executable, Instance: instance}
}

// Handler returns the live page of the monitor: plots of the recorded past, sites, alerts, captures and what the
// monitor costs. Mount it below any path that ends in a slash, as in
//
//	mux.Handle("/debug/leaks/", monitor.Handler())
//
// with or without http.StripPrefix. At "status" below that path is the same as JSON, for programs.
//
// The page only reads: it answers GET and HEAD alone, and serves no files but the captures that the monitor wrote. It
// names the lines of code of the process, so it belongs where net/http/pprof does: on an address that only its
// operators reach. Rendering never delays the sampling.
func (m *ResourceMonitor) Handler() http.Handler { return page.New(shown{m}) }

// Checks returns the statistics of the checks so far.
func (m *ResourceMonitor) Checks() CheckStats {
	s := CheckStats{
		Checks:     m.loop.counters.checks.Load(),
		Incomplete: m.loop.counters.incomplete.Load(),
		Panics:     m.loop.counters.panics.Load() + m.state.queue.Panics(),
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

// AddEvidence passes every alert that fires from now on to e, after the evidence that was added before. The name
// appears in the log.
func (m *ResourceMonitor) AddEvidence(name string, e Evidence) {
	m.state.queue.Add(name, func(ctx context.Context, a *alerting.Alert) error {
		defer m.inside.Enter()()
		return e(ctx, a)
	})
}

// FollowSites has the monitor follow the lines of code of the process that it watches: alerts name the lines that grew,
// and a line that leaks below a total that hides it is an alert of its own. A monitor of this process does so from the
// start. Call it before Start or Run.
func (m *ResourceMonitor) FollowSites(source ProfileSource) {
	lines := evidence.NewLines(source, forEvidence{m.state}, m.logger)
	lines.Post(func(name string, data []byte, of Capture) {
		m.uploads.Add(webhook.File{Name: name, Type: contentType(name), Resource: of.Resource,
			AlertID: m.state.ledger.idOf(of.AlertID), Data: data})
	})
	lines.KnowParts(m.loop.parts)
	m.state.lines.Store(lines)
	m.state.queue.Meanwhile(lines.Work)
	m.AddEvidence("sites", lines.Add)
	if lines.Holds() {
		m.AddEvidence("holders", lines.Hold)
	}
	m.AddEvidence("captures", lines.Capture)
}

// Sites returns the lines of code that are followed: those of goroutines first, then those of memory.
func (m *ResourceMonitor) Sites() []sites.Status {
	if lines := m.state.lines.Load(); lines != nil {
		return lines.Sites()
	}
	return nil
}

// EvidenceCost returns what the profiles have cost so far.
func (m *ResourceMonitor) EvidenceCost() EvidenceCost {
	if lines := m.state.lines.Load(); lines != nil {
		return lines.Cost()
	}
	return EvidenceCost{}
}

// Captures returns the latest files that were written as evidence, oldest first.
func (m *ResourceMonitor) Captures() []Capture {
	lines := m.state.lines.Load()
	if lines == nil {
		return nil
	}
	all := lines.Captures()
	for i := range all {
		all[i].AlertID = m.state.ledger.idOf(all[i].AlertID)
	}
	return all
}
