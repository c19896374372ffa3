//go:build go1.25

package torture

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
	"github.com/mdzesseis/leaktrend/detector/leakdetection"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/monitoring"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

const (
	lanes   = 3  // monitors at a time
	workers = 12 // goroutines that call each of them
)

// TestTorture has monitors of every kind called from many goroutines while everything that they were given misbehaves,
// one round after another. Whatever happens: no panic, no race, no deadlock; what holds at the end of a round is told
// to a receiver that works again, and no end is told of what was never told; and when it is over, goroutines,
// descriptors and memory are as they were. LEAKTREND_TORTURE="10m 7" gives it ten minutes and the seed 7.
func TestTorture(t *testing.T) {
	length, seed, long := settings(t, 4*time.Second)
	if testing.Short() && !long {
		length = time.Second
	}
	count := newTally()
	round := func(n int) {
		var all sync.WaitGroup
		for i := range lanes {
			all.Go(func() {
				l := newLane(t, newHarm(seed, uint64(n*lanes+i), count), (n*lanes+i)%len(makers))
				// A long round outlasts all patience of a monitor for what it calls.
				l.run(long && n%10 == 9)
			})
		}
		all.Wait()
		count.add("rounds", lanes)
		http.DefaultClient.CloseIdleConnections()
	}
	warmUp := (len(makers) + lanes - 1) / lanes // so that each kind was there once
	for n := range warmUp {
		round(n)
	}
	before := takeStock()
	start := time.Now()
	for n := warmUp; time.Since(start) < length && !t.Failed(); n++ {
		round(n)
	}
	after := verifyLeft(t, before)
	t.Logf("seed %d, %s\n%s", seed, time.Since(start).Round(time.Second), count)
	t.Logf("before and after: goroutines %d and %d, descriptors %d and %d, heap %d and %d KB",
		total(before.stacks), total(after.stacks), before.descriptors, after.descriptors, before.heap>>10,
		after.heap>>10)
	for _, what := range []string{"call: ", "fault: ", "alerts sent", "alerts that held"} {
		if count.sum(what) == 0 {
			t.Errorf("nothing was counted as %q: nothing was tried", what)
		}
	}
}

func total(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// lane is one monitor with all that it is given.
type lane struct {
	*harm
	t        *testing.T
	logger   *logrus.Logger
	receiver *receiver
	source   *source         // nil where the monitors are of this process
	config   detector.Config // to begin with
	monitors []*detector.ResourceMonitor
	page     http.Handler
	registry *prometheus.Registry
	leaked   chan struct{} // goroutines wait for its close: what the monitors of this process see
	given    int           // evidence and profiles so far
	once     sync.Mutex    // guards given
}

// sourceMonitor makes a monitor of a hostile source.
func sourceMonitor(l *lane) error {
	l.source = newSource(l.harm)
	m, err := detector.NewSourceMonitor(l.source, alerting.Process{PID: 1}, l.config, l.logger)
	l.monitors = []*detector.ResourceMonitor{m}
	return err
}

// makers are the ways to a monitor. The one that can be harmed most is taken for every other.
var makers = []func(l *lane) error{
	sourceMonitor,
	func(l *lane) error {
		m, err := detector.NewMonitor(l.config, l.logger)
		l.monitors = []*detector.ResourceMonitor{m}
		return err
	},
	sourceMonitor,
	func(l *lane) error {
		l.monitors = []*detector.ResourceMonitor{detector.NewResourceMonitor(hostConfig, l.logger)}
		return nil
	},
	sourceMonitor,
	func(l *lane) error {
		first := leakdetection.NewResourceMonitor(hostConfig, l.logger)
		second := monitoring.NewResourceMonitor(monitoring.Config{
			Enabled: true, CheckInterval: 20 * time.Millisecond, GoroutineThreshold: 20, AlertOnThreshold: true,
			AlertWebhookURL: l.receiver.address(),
		}, l.logger)
		l.monitors = []*detector.ResourceMonitor{first, second}
		return nil
	},
	func(l *lane) error {
		l.monitors = []*detector.ResourceMonitor{
			monitoring.NewResourceMonitor(monitoring.Config{Enabled: true, GoroutineThreshold: 20,
				AlertOnThreshold: true}, l.logger),
			monitoring.NewResourceMonitor(monitoring.Config{AlertWebhookURL: "ftp://what"}, l.logger),
		}
		return nil
	},
}

var hostConfig = detector.ResourceMonitorConfig{
	MonitoringInterval: 20 * time.Millisecond, GoroutineLeakThreshold: 20, EnableMemoryProfiling: true,
	AlertCooldown: time.Nanosecond,
}

func newLane(t *testing.T, h *harm, kind int) *lane {
	l := &lane{harm: h, t: t, logger: newLogger(h), receiver: newReceiver(h), registry: prometheus.NewRegistry(),
		leaked: make(chan struct{})}
	l.config = l.anyConfig()
	if err := makers[kind](l); err != nil {
		t.Error(err)
	}
	l.page = l.monitors[0].Handler()
	l.registry.MustRegister(collector.New(l.monitors[0]))
	return l
}

// anyConfig returns a configuration that is valid.
func (l *lane) anyConfig() detector.Config {
	c := detector.DefaultConfig()
	c.Enabled = !l.oneIn(10)
	c.CheckInterval = 10*time.Millisecond + l.upTo(30*time.Millisecond)
	c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold = int64(l.below(200)), int64(l.below(100)),
		int64(l.below(1<<30))
	c.AlertCooldown = l.upTo(time.Second)
	c.AlertOnThreshold = !l.oneIn(10)
	c.StackTraceOnLeak = l.oneIn(4)
	c.ProfileDir = l.t.TempDir()
	c.ProfileMaxMB = int64(l.below(2))
	c.MaxAlertHistory = l.below(50)
	c.GrowthRateThreshold = float64(l.below(100))
	c.AlertWebhookURL = l.receiver.address()
	c.AlertWebhookFormat = "json"
	c.Adaptive.Enabled = !l.oneIn(4)
	if l.oneIn(2) {
		c.Adaptive.Soak = 10 * time.Second
	}
	return c
}

// run lets the harm begin, ends it, and looks at what is left.
func (l *lane) run(long bool) {
	for range 100 {
		go func() { <-l.leaked }()
	}
	length := 300*time.Millisecond + l.upTo(time.Second)
	if long {
		length = 15 * time.Second
	}
	over := make(chan struct{})
	var all sync.WaitGroup
	for range workers {
		own := newDice(uint64(l.below(math.MaxInt)), 0) // what they share would hide races
		all.Go(func() {
			calls := map[string]int{}
			for {
				select {
				case <-over:
					for name, n := range calls {
						l.add("call: "+name, n)
					}
					return
				default:
					calls[l.callAny(own)]++
				}
			}
		})
	}
	for until := time.Now().Add(length); time.Now().Before(until); {
		time.Sleep(l.upTo(200 * time.Millisecond))
		if !long {
			l.turn()
		}
	}
	if long { // nothing has returned that blocks, and nothing will
		l.stop("longest Stop in ms while what it waits for blocks")
	}
	close(over)
	l.end()
	all.Wait()
	l.verifyDelivered()
	close(l.leaked)
	l.stop("longest Stop in ms once nothing blocks any more")
	l.receiver.CloseClientConnections()
	l.receiver.Close()
	for _, m := range l.monitors {
		for _, s := range m.Delivery() {
			l.add("alerts sent by "+s.Name, int(s.Sent))
			l.add("attempts refused by "+s.Name, int(s.Refused+s.Retried))
		}
		checks := m.Checks()
		l.add("samples", int(checks.Checks))
		l.add("panics survived in checks", int(checks.Panics))
		l.add("panics survived in the logger", int(m.LogStats().Panics))
	}
}

func (l *lane) stop(what string) {
	for _, m := range l.monitors {
		start := time.Now()
		_ = m.Stop() // which tells what blocks
		l.max(what, int(time.Since(start).Milliseconds()))
	}
}

// verifyDelivered gives a monitor a receiver that works, and waits until it is told of all that holds.
func (l *lane) verifyDelivered() {
	m := l.monitors[0]
	c := l.anyConfig()
	c.Enabled, c.AlertOnThreshold, c.MemoryThreshold, c.MaxAlertHistory = true, true, 1<<20, 1000
	c.AlertWebhookURL, c.AlertWebhookFormat = l.receiver.URL+"/last", "json"
	if err := m.Reload(c); err != nil {
		l.t.Error(err)
	}
	l.stop("longest Stop in ms once nothing blocks any more") // a source may wait for that
	if ahead := time.Until(m.Checks().Last); l.source != nil {
		l.source.skew.Store(int64(max(ahead, 0)))
	}
	checked := m.Checks().Checks
	await.Until(l.t, func() string {
		_ = m.Start() // which may have been ended from within
		if m.Checks().Checks < checked+2 {
			return "two checks of what is calm"
		}
		held := map[string]alerting.Alert{}
		for _, a := range m.History() {
			if held[a.ID] = a; a.Status == alerting.Resolved {
				delete(held, a.ID)
			}
		}
		l.receiver.mu.Lock()
		defer l.receiver.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(held)) {
			if l.receiver.last[id] != alerting.Firing {
				return fmt.Sprintf("the alert %q, which holds, at the receiver that works, which knows %q\n%+v",
					held[id].Summary,
					l.receiver.last[id], m.Delivery())
			}
		}
		if len(l.receiver.last) == 0 {
			return fmt.Sprintf("an alert of the heap, which is over its limit: %+v\n%+v", m.Checks(), m.Status())
		}
		l.add("alerts that held at the end of a round, all told", len(l.receiver.last))
		return ""
	})
	l.receiver.mu.Lock()
	defer l.receiver.mu.Unlock()
	if len(l.receiver.orphans) > 0 {
		l.t.Errorf("ends of what was never told: %q", l.receiver.orphans)
	}
}

// callAny calls one method of a monitor, or its page or metrics.
func (l *lane) callAny(by *dice) (name string) {
	name = names[by.below(len(names))]
	calls[name](l, l.monitors[by.below(len(l.monitors))])
	return name
}

// fromWithin is what a hook does: harm, or a call of the monitor that called it.
func (l *lane) fromWithin(hook string) {
	l.strike(hook)
	if !l.calm.Load() && l.oneIn(4) {
		l.add("fault: "+hook+" calls the monitor", 1)
		l.add("call: "+l.callAny(l.dice), 1)
	}
}

// more reports whether there is to be another evidence or profile source: each is there for good.
func (l *lane) more() bool {
	l.once.Lock()
	defer l.once.Unlock()
	l.given++
	return l.given <= 4
}

// calls are all public methods of a monitor by their names, and what is made of it.
var calls map[string]func(l *lane, m *detector.ResourceMonitor)

var names []string

func init() { // as hooks call them, too
	calls = map[string]func(l *lane, m *detector.ResourceMonitor){
		"Start": func(_ *lane, m *detector.ResourceMonitor) { _ = m.Start() },
		"Stop": func(l *lane, m *detector.ResourceMonitor) {
			if l.oneIn(20) {
				_ = m.Stop()
			}
		},
		"Run": func(l *lane, m *detector.ResourceMonitor) {
			if l.oneIn(10) {
				ctx, cancel := context.WithTimeout(context.Background(), l.upTo(300*time.Millisecond))
				defer cancel()
				_ = m.Run(ctx)
			}
		},
		"Reload": func(l *lane, m *detector.ResourceMonitor) {
			c := l.anyConfig()
			if l.oneIn(5) {
				c.CheckInterval = -1
			}
			if err := m.Reload(c); (err != nil) != (c.CheckInterval < 0) {
				l.t.Errorf("Reload: %v", err)
			}
		},
		"OnAlert": func(l *lane, m *detector.ResourceMonitor) {
			m.OnAlert(func(a alerting.Alert) {
				a.Resource, a.Sites = "", append(a.Sites, alerting.Site{}) // it is the hook's own
				l.fromWithin("OnAlert")
			})
		},
		"OnSample": func(l *lane, m *detector.ResourceMonitor) {
			m.OnSample(func(s *sampler.Sample) {
				clear(s.Readings)
				l.fromWithin("OnSample")
			})
		},
		"OnLeakDetection": func(l *lane, m *detector.ResourceMonitor) {
			m.OnLeakDetection(func(string, string, float64) { l.fromWithin("OnLeakDetection") })
		},
		"AddEvidence": func(l *lane, m *detector.ResourceMonitor) {
			if l.more() {
				m.AddEvidence("torture", func(_ context.Context, a *alerting.Alert) error {
					l.fromWithin("evidence")
					a.Parts = append(a.Parts, alerting.Part{What: "thumbscrew"})
					return nil
				})
			}
		},
		"FollowSites": func(l *lane, m *detector.ResourceMonitor) {
			if l.more() {
				m.FollowSites(profiles{l.harm, profile.NewSelf()})
			}
		},
		"NameHolders": func(l *lane, m *detector.ResourceMonitor) {
			m.NameHolders(func(context.Context, profile.Frame) (alerting.Holder, error) {
				l.fromWithin("holders")
				return alerting.Holder{Text: "the rack"}, nil
			})
		},
		"GetAlertChannel": func(_ *lane, m *detector.ResourceMonitor) {
			select {
			case <-m.GetAlertChannel():
			default:
			}
		},
		"Past": func(_ *lane, m *detector.ResourceMonitor) {
			_ = m.Past(sampler.Goroutines, time.Now().Add(-time.Second))
		},
		"ForceGC": func(l *lane, m *detector.ResourceMonitor) {
			if l.oneIn(50) {
				_, _ = m.ForceGC()
			}
		},
		"Restore": func(_ *lane, m *detector.ResourceMonitor) {
			_ = m.Restore(m.Handover()) // which it refuses once it knows more
		},
		"ReadEarlierLives": func(l *lane, m *detector.ResourceMonitor) {
			m.ReadEarlierLives(func(context.Context, detector.Config) (lives.Record, error) {
				l.fromWithin("earlier lives")
				return lives.New(1), nil
			})
		},
		"NameState":       func(_ *lane, m *detector.ResourceMonitor) { m.NameState("torture", "rack") },
		"Handover":        func(_ *lane, m *detector.ResourceMonitor) { _ = m.Handover() },
		"Lives":           func(_ *lane, m *detector.ResourceMonitor) { _ = m.Lives() },
		"Handler":         func(l *lane, m *detector.ResourceMonitor) { l.visit(m) },
		"Status":          func(_ *lane, m *detector.ResourceMonitor) { _ = m.Status() },
		"History":         func(_ *lane, m *detector.ResourceMonitor) { _ = m.History() },
		"Delivery":        func(_ *lane, m *detector.ResourceMonitor) { _ = m.Delivery() },
		"LogStats":        func(_ *lane, m *detector.ResourceMonitor) { _ = m.LogStats() },
		"Checks":          func(_ *lane, m *detector.ResourceMonitor) { _ = m.Checks() },
		"CheckCost":       func(_ *lane, m *detector.ResourceMonitor) { _ = m.CheckCost() },
		"Captures":        func(_ *lane, m *detector.ResourceMonitor) { _ = m.Captures() },
		"Sites":           func(_ *lane, m *detector.ResourceMonitor) { _ = m.Sites() },
		"EvidenceCost":    func(_ *lane, m *detector.ResourceMonitor) { _ = m.EvidenceCost() },
		"IsHealthy":       func(_ *lane, m *detector.ResourceMonitor) { _ = m.IsHealthy() },
		"GetStats":        func(_ *lane, m *detector.ResourceMonitor) { _ = m.GetStats() },
		"GetMetrics":      func(_ *lane, m *detector.ResourceMonitor) { _ = m.GetMetrics() },
		"GetCurrentUsage": func(_ *lane, m *detector.ResourceMonitor) { _ = m.GetCurrentUsage() },
		"GetLeakHistory":  func(_ *lane, m *detector.ResourceMonitor) { _ = m.GetLeakHistory() },
		"GetSystemInfo":   func(_ *lane, m *detector.ResourceMonitor) { _ = m.GetSystemInfo() },
		"Gather":          func(l *lane, _ *detector.ResourceMonitor) { _, _ = l.registry.Gather() },
	}
	names = slices.Sorted(maps.Keys(calls))
}

// TestEveryMethodIsTortured: a method that is new is called, too.
func TestEveryMethodIsTortured(t *testing.T) {
	of := reflect.TypeFor[*detector.ResourceMonitor]()
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; calls[name] == nil {
			t.Errorf("%s is not called by the torture", name)
		}
	}
}
