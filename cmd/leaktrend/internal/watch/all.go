package watch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler/process"
)

const (
	scanEvery  = 3 * time.Second // for processes that match
	maxWatched = 64              // at one time
)

// All watches every process that matches the name of the flags, each with a monitor of its own, until ctx or their
// duration ends, or the last process does where nobody waits for the next one: then the error wraps io.EOF. With wait
// it goes on in any case, and there may be none for now. lines, which may be nil, take what becomes of each. The result
// is that of all of them.
func All(ctx context.Context, view *screen.View, flags *source.Flags, config detector.Config, wait bool,
	lines *report.Lines) (found Result, err error) {
	find := flags.Find
	if wait {
		find = func() ([]int, error) { return process.Find(flags.Name) }
	}
	pids, err := find()
	if err != nil {
		return found, err
	}
	all := &group{view: view, lines: lines, wait: wait || view.Waits(), pattern: flags.Name, config: config,
		ended: make(chan int), living: make(map[int]*member)}
	if config.StateDir != "" {
		all.places.known = knownIn(config.StateDir, Instance(nil, flags.Name, config))
	}
	// A fault of the configuration would be that of every monitor.
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	if _, err := detector.NewMonitor(config, silent); err != nil {
		return found, err
	}
	err = Display(ctx, view, flags.Duration, func(ctx context.Context) error { return all.follow(ctx, pids) })
	if !all.sampled && !(wait && err == nil) {
		err = Unsampled("--name "+flags.Name, err)
	}
	return all.found, err
}

// group is the processes that match a name, as they come and go.
type group struct {
	view    *screen.View
	lines   *report.Lines // may be nil
	wait    bool          // for the next one, when all have ended
	pattern string
	config  detector.Config

	ended   chan int
	living  map[int]*member // what is watched, by pid
	places  places
	seen    map[int]time.Time // when those came that are left alone
	again   *time.Timer       // for the next look, before the ticker's
	refused int               // how many had no place at the last look

	mu      sync.Mutex
	sampled bool // any of them
	found   Result
	noted   []noted // the latest
}

// maxNoted is how many notes are remembered: executables of a name may have any number of places, as in containers.
const maxNoted = 1000

// noted is an executable of which it was said that something of it cannot be read, or is read after all.
type noted struct {
	executable string
	missing    bool
}

// member is one process that is watched.
type member struct {
	process *source.Process
	place   *place
	stop    context.CancelFunc
}

// follow watches some processes, and those that match later, until ctx ends. Where nobody waits for the next one, it
// ends with the last.
func (g *group) follow(ctx context.Context, pids []int) error {
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	g.again = time.NewTimer(0)
	defer g.again.Stop()
	g.add(ctx, pids)
	for {
		if len(g.living) == 0 && !g.wait {
			g.scan(ctx)
			if len(g.living) == 0 && len(g.seen) == 0 {
				if ctx.Err() != nil {
					return nil // all of them were left, not ended
				}
				return fmt.Errorf("the last process of --name %s %w", g.pattern, errEnded)
			}
		}
		select {
		case pid := <-g.ended:
			g.leave(pid)
			g.scan(ctx) // for the next one
		case <-ticker.C:
			g.scan(ctx)
		case <-g.again.C:
			g.scan(ctx)
		case <-ctx.Done():
			for len(g.living) > 0 {
				g.leave(<-g.ended)
			}
			return nil
		}
	}
}

// errEnded is io.EOF in words.
var errEnded = endedError{}

type endedError struct{}

// Error is the word.
func (endedError) Error() string { return "ended" }

// Unwrap returns io.EOF.
func (endedError) Unwrap() error { return io.EOF }

func (g *group) scan(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	pids, err := process.Find(g.pattern)
	if err != nil {
		g.view.Logger().WithError(err).Warn("cannot look for processes")
		return
	}
	for _, m := range g.living {
		if Executable(m.process) != m.place.executable { // it runs another program now, whose life this is
			m.stop()
		}
	}
	g.add(ctx, g.settled(pids))
}

// settled returns those of some processes that are not to be left alone any more.
func (g *group) settled(pids []int) (all []int) {
	now, seen := time.Now(), map[int]time.Time{}
	for _, pid := range pids {
		first, known := g.seen[pid]
		switch {
		case g.living[pid] != nil || known && now.Sub(first) >= source.SettleTime:
			all = append(all, pid)
		case known:
			seen[pid] = first
		default:
			seen[pid] = now
			g.again.Reset(source.SettleTime)
		}
	}
	g.seen = seen
	return all
}

// add begins to watch those that are not watched yet, and have not ended meanwhile.
func (g *group) add(ctx context.Context, pids []int) {
	pids = slices.DeleteFunc(pids, func(pid int) bool { return g.living[pid] != nil })
	room := maxWatched - len(g.living)
	refused := max(len(pids)-room, 0)
	if refused > g.refused {
		g.view.Logger().Warnf("%d processes are watched, the maximum; not watched, though they match: %d", maxWatched,
			refused)
	}
	g.refused = refused
	for _, pid := range pids[:len(pids)-refused] {
		process, err := source.OpenProcess(pid)
		switch {
		case err != nil:
		case g.awaits(process):
			_ = process.Close()
		default:
			own, stop := context.WithCancel(ctx)
			m := &member{process: process, place: g.places.claim(process), stop: stop}
			g.living[pid] = m
			go g.watch(own, m, g.view.Add(process.String()))
		}
	}
}

// awaits reports whether a process is to be watched only once those are not watched any more that ended before it:
// where a service crashes and is started at once, its next life is there before its monitor knows.
func (g *group) awaits(process *source.Process) (some bool) {
	for _, m := range g.living {
		if m.place.executable == Executable(process) && m.process.Alive() != nil {
			m.stop()
			some = true
		}
	}
	return some
}

// leave ends what was watched.
func (g *group) leave(pid int) {
	g.living[pid].stop()
	g.living[pid].place.inUse = false
	delete(g.living, pid)
}

func (g *group) watch(ctx context.Context, m *member, shown *screen.Process) {
	process := m.process
	defer func() { g.ended <- process.PID() }()
	defer func() {
		if r := recover(); r != nil {
			g.view.Restore()
			panic(r)
		}
	}()
	defer process.Close()
	logger := shown.Logger()
	monitor, err := NewMonitor(process, g.config, logger)
	if err == nil {
		g.handOver(m, monitor, logger)
		FollowRuntime(monitor, process, func(note string, missing bool) {
			if note = g.noteOnce(m.place.executable, note, missing); note != "" {
				LogNote(logger, note, missing)
			}
		})
		err = Observe(ctx, monitor, shown, nil, NewAccount(g.lines, process.String()))
		if gone := process.Alive(); err == nil && gone != nil {
			shown.End(time.Now())
			err = gone
		}
		left := monitor.Handover()
		m.place.left, m.place.pid = &left, process.PID()
	}
	if err != nil {
		logger.Warn(err)
	}
	if monitor == nil {
		return
	}
	found := ResultOf(monitor, process)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sampled = g.sampled || !monitor.Checks().Last.IsZero()
	g.found.Leak = g.found.Leak || found.Leak
	g.found.Incomplete = cmp.Or(g.found.Incomplete, found.Incomplete)
}

// noteOnce returns a note on what cannot be read of a process: that of the first one of an executable, as there may be
// many, which come and go, and "" for the others.
func (g *group) noteOnce(executable, note string, missing bool) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := noted{executable, missing}
	if slices.Contains(g.noted, key) {
		return ""
	}
	g.noted = append(g.noted[max(0, len(g.noted)+1-maxNoted):], key)
	return note + " (not repeated for other processes of " + executable + ")"
}

// handOver gives the monitor of a process what that of the one before it left.
func (g *group) handOver(m *member, monitor *detector.ResourceMonitor, logger *logrus.Logger) {
	monitor.NameState(m.place.executable, m.place.instance(Instance(nil, g.pattern, g.config)))
	left := m.place.leftTo(m.process.PID())
	if left == nil {
		return
	}
	if err := monitor.Restore(*left); err != nil {
		logger.WithError(err).Warn("what earlier lives taught cannot be used")
	}
}
