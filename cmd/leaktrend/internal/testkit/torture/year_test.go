//go:build go1.25

package torture

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const day = 24 * time.Hour

// TestYear has a monitor live through a year, or some weeks of it in the short form: a service with days and noise that
// leaks, passes limits and restarts, whose clock jumps; reloads and stops; a hook that refuses half of the alerts or
// hangs for an hour, a logger and a source that panic and hang. No alert is lost whose finding holds for a day; no end
// is told of what was never told; no goroutine is left, and memory is the same after the year as after a part of it.
func TestYear(t *testing.T) {
	_, seed, long := settings(t, 0)
	days := 365
	if !long {
		days = 60
	}
	start := time.Now()
	count := newTally()
	synctest.Test(t, func(t *testing.T) { newYear(t, newHarm(seed, 1<<32, count)).live(days) })
	t.Logf("seed %d, %d days in %s\n%s", seed, days, time.Since(start).Round(time.Second), count)
	for _, what := range []string{"samples", "reloads", "stops of the monitor", "restarts of the process",
		"findings that fired",
		"findings that ended", "findings that held for a day and were told", "alerts that the hook refused",
		"fault: the clock"} {
		if count.sum(what) == 0 {
			t.Errorf("nothing was counted as %q: nothing was tried", what)
		}
	}
}

// year is a monitor, its process and what is known of its alerts. All of it is in a bubble.
type year struct {
	life sync.Mutex // guards started, leak, cpu and over: what the process does, which each day may change
	*harm
	t       *testing.T
	monitor *detector.ResourceMonitor
	started time.Time // of the process
	leak    float64   // units an hour that the process leaks
	over    bool      // it is over its limit of descriptors
	cpu     float64
	days    []int // what the days to come bring

	mu       sync.Mutex
	findings map[string]*lived // by id
}

// lived is a finding.
type lived struct {
	summary      string
	fired, ended time.Time // zero where it has not
	reported     bool
}

func newYear(t *testing.T, h *harm) *year {
	y := &year{harm: h, t: t, started: time.Now(), findings: map[string]*lived{}}
	logger := logrus.New()
	logger.SetNoLock() // as a goroutine that waits for a lock keeps the clock of the bubble from going on
	logger.SetOutput(yearWriter{h})
	m, err := detector.NewSourceMonitor(y, alerting.Process{PID: 1}, y.yearConfig(), logger)
	if err != nil {
		t.Fatal(err)
	}
	m.OnAlert(y.hook)
	m.OnSample(func(*sampler.Sample) { y.seldom("OnSample", 5000) })
	y.monitor = m
	return y
}

// yearWriter hangs or panics.
type yearWriter struct{ *harm }

func (w yearWriter) Write(p []byte) (int, error) {
	if w.oneIn(20) {
		w.add("fault: the logger panics", 1)
		panic("struck in the logger")
	}
	if w.oneIn(20) {
		w.add("fault: the logger hangs", 1)
		time.Sleep(w.upTo(2 * time.Hour))
	}
	return len(p), nil
}

// seldom panics, ends the goroutine or hangs once in some calls.
func (y *year) seldom(where string, in int) {
	switch y.below(3 * in) {
	case 0:
		y.add("fault: "+where+" panics", 1)
		panic("struck in " + where)
	case 1:
		y.add("fault: "+where+" ends its goroutine", 1)
		runtime.Goexit()
	case 2:
		y.add("fault: "+where+" hangs", 1)
		time.Sleep(y.upTo(10 * time.Minute))
	}
}

func (y *year) yearConfig() detector.Config {
	c := detector.DefaultConfig()
	c.CheckInterval = time.Minute
	c.FDThreshold = 100
	c.GoroutineThreshold = 0
	return c
}

// Sample gives the figures of a service with days.
func (y *year) Sample(_ context.Context, s *sampler.Sample) error {
	now := time.Now()
	stamp := now
	switch y.below(5000) {
	case 0:
		y.add("fault: the clock is a year ahead for a sample", 1)
		stamp = now.Add(365 * day)
	case 1:
		y.add("fault: the clock is an hour behind for a sample", 1)
		stamp = now.Add(-time.Hour)
	}
	s.Reset(stamp)
	load := 1 + math.Sin(2*math.Pi*float64(now.Unix()%86400)/86400)
	y.life.Lock()
	y.cpu += 5 * load
	started, leak, cpu, over := y.started, y.leak, y.cpu, y.over
	y.life.Unlock()
	s.Start = started
	y.seldom("the source", 20_000)
	hours := now.Sub(started).Hours()
	s.Add(sampler.CPUSeconds, cpu)
	s.Add(sampler.Goroutines, 50+20*load+float64(y.below(10))+leak*hours)
	s.Add(sampler.HeapLiveBytes, float64(1<<20)*(100+30*load+float64(y.below(20))))
	fds := 40 + 10*load + float64(y.below(5))
	if over {
		fds += 200
	}
	s.Add(sampler.OpenFDs, fds)
	y.add("samples", 1)
	if y.oneIn(5000) {
		return errors.New("a part cannot be read")
	}
	return nil
}

// hook takes half of the alerts, and hangs now and then.
func (y *year) hook(a alerting.Alert) {
	if y.oneIn(50) {
		y.add("fault: OnAlert hangs", 1)
		time.Sleep(y.upTo(time.Hour))
	}
	if y.oneIn(2) {
		y.add("alerts that the hook refused", 1)
		panic("struck in OnAlert")
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	f := y.finding(a)
	if a.Status == alerting.Firing {
		f.reported = true
	} else if !f.reported {
		y.t.Errorf("the end is told of what was never told: %s", a.Summary)
	}
	y.add("alerts that the hook took", 1)
}

// finding returns what is known of a finding. It needs y.mu.
func (y *year) finding(a alerting.Alert) *lived {
	f := y.findings[a.ID]
	if f == nil {
		f = &lived{summary: a.Summary}
		y.findings[a.ID] = f
	}
	return f
}

// follow notes when findings fire and end, by the channel, which refuses nothing.
func (y *year) follow(ctx context.Context) {
	for {
		select {
		case a := <-y.monitor.GetAlertChannel():
			y.mu.Lock()
			f := y.finding(a)
			switch {
			case a.Status == alerting.Resolved:
				f.ended = time.Now()
			case f.fired.IsZero():
				f.fired = time.Now()
			}
			y.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// live has the days pass, on each of which something may happen, and looks at what is left.
func (y *year) live(days int) {
	ctx, cancel := context.WithCancel(y.t.Context())
	var followed sync.WaitGroup
	followed.Go(func() { y.follow(ctx) })
	_ = y.monitor.Start()
	var early int64
	for n := range days {
		if n == days/2 {
			early = takeStock().heap
		}
		y.happen()
		time.Sleep(day)
	}
	late := takeStock().heap
	_ = y.monitor.Stop()
	cancel()
	followed.Wait()
	time.Sleep(3 * time.Hour) // for what hangs
	y.verify()
	y.add("KB of heap after half of the time", int(early>>10))
	y.add("KB of heap at the end", int(late>>10))
	if late-early > heapTolerance {
		y.t.Errorf("%d bytes of heap at the end, %d after half of the time", late, early)
	}
	for _, s := range y.monitor.Delivery() {
		if s.Name == "channel" && s.Dropped > 0 {
			y.t.Errorf("the channel dropped alerts, so that this test saw less than all: %+v", s)
		}
	}
}

// restart begins another process, which leaks some goroutines an hour.
func (y *year) restart(leak float64) {
	y.life.Lock()
	defer y.life.Unlock()
	y.started, y.leak, y.cpu = time.Now(), leak, 0
}

// happen is what a day brings. Of each eight days, each brings something else, so that weeks are enough for all of it.
func (y *year) happen() {
	if len(y.days) == 0 {
		y.days = y.order(8)
	}
	brings := y.days[0]
	y.days = y.days[1:]
	switch brings {
	case 0:
		y.restart(0)
		y.add("restarts of the process", 1)
	case 1:
		y.restart(float64(1 + y.below(30)))
		y.add("restarts of the process", 1)
		y.add("leaks", 1)
	case 2, 3:
		y.life.Lock()
		y.over = !y.over
		y.life.Unlock()
		y.add("steps over the limit and back", 1)
	case 4:
		_ = y.monitor.Stop()
		time.Sleep(y.upTo(time.Hour))
		_ = y.monitor.Start()
		y.add("stops of the monitor", 1)
	case 5:
		c := y.yearConfig()
		c.CheckInterval = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}[y.below(3)]
		c.Adaptive.Patience = []time.Duration{5 * time.Hour, 7 * time.Hour}[y.below(2)]
		if err := y.monitor.Reload(c); err != nil {
			y.t.Error(err)
		}
		y.add("reloads", 1)
	}
}

// verify looks for findings that were not told.
func (y *year) verify() {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, f := range y.findings {
		if f.fired.IsZero() {
			y.t.Errorf("the hook was told of what never fired: %s", f.summary)
			continue
		}
		y.add("findings that fired", 1)
		until := f.ended
		if until.IsZero() {
			until = time.Now()
		} else {
			y.add("findings that ended", 1)
		}
		switch held := until.Sub(f.fired); {
		case held < day:
			y.add("findings that were over within a day", 1)
		case f.reported:
			y.add("findings that held for a day and were told", 1)
		default:
			y.t.Errorf("lost: it held for %s and was never told: %s", held, f.summary)
		}
	}
}
