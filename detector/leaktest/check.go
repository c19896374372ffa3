package leaktest

import (
	"context"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	maxStretches = 12
	// Growth beyond which there is nothing to wait for: what comes to rest has done so before, or a test should not
	// bring the process down to see whether it does.
	maxGoroutines  = 500
	maxHeap        = 64 << 20
	maxDescriptors = 200
	// maxWall is how many times the budget a check takes at most once four stretches are there. The budget counts the
	// rounds alone: on a busy machine it takes seconds to take stock, and a cache needs its stretches there too.
	maxWall = 60
	// firstShare is the share of the budget that the first stretch may take.
	firstShare = .1
)

const (
	// minSamples is how many samples of the heap the growth of a line must be worth.
	minSamples = 8
	// minHeap is the share of the growth of a line by which the whole heap must have grown: an object that takes the
	// place of one from before the heap was sampled finely is no growth.
	minHeap = .5
)

// checks numbers the checks of this process.
var checks atomic.Uint64

// check is one call of Check.
type check struct {
	options
	t         TestingT
	round     func()
	stock     *stock
	started   time.Time
	played    int
	elapsed   time.Duration // by the rounds alone
	stretches []int
}

// play calls a round. Memory that is allocated below it counts as the round's.
func play(round func()) { round() }

// examine plays rounds, and returns what leaks; nil where nothing does.
func examine(t TestingT, round func(), o options) *report {
	t.Helper()
	id := strconv.FormatUint(checks.Add(1), 10)
	c := &check{options: o, t: t, round: round, stock: newStock(o, id), started: time.Now()}
	defer c.stock.close()
	defer c.note()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(labelKey, id)))
	defer pprof.SetGoroutineLabels(context.Background())

	allocated := allocations()
	if !c.plays(1) {
		return nil
	}
	objects, bytes := allocations().since(allocated)
	first := c.first(c.elapsed)
	if first < defaultRounds && c.rounds == 0 { // the very first may have set up much
		warm := c.elapsed
		if !c.plays(1) {
			return nil
		}
		first = c.first(c.elapsed - warm)
	}
	defer sampleEvery(rateFor(objects*float64(first), bytes*float64(first)))()
	if !c.plays(first - c.played) {
		return nil
	}
	c.stock.measure()
	for n := first; ; n = nextStretch(c.played, c.elapsed.Seconds(), (c.budget - c.elapsed).Seconds()) {
		if !c.plays(n) {
			return nil
		}
		c.stretches = append(c.stretches, n)
		c.stock.measure()
		if !c.suspects() {
			return nil
		}
		if c.enough() {
			break
		}
	}
	c.settleDown()
	return c.report()
}

// note says in the test's log what was not looked at.
func (c *check) note() {
	c.t.Helper()
	if l, ok := c.t.(interface{ Logf(string, ...any) }); ok && c.stock.beside != "" {
		l.Logf("leaktest: %s runs beside this test: memory, descriptors and goroutines that no round has started are "+
			"not looked at",
			c.stock.beside)
	}
}

// plays plays rounds, and reports whether the test has not failed in them.
func (c *check) plays(rounds int) bool {
	start := time.Now()
	for range rounds { // none where that is negative
		play(c.round)
		c.played++
		if f, ok := c.t.(interface{ Failed() bool }); ok && f.Failed() {
			return false
		}
	}
	c.elapsed += time.Since(start)
	return true
}

// first returns how many rounds the first stretch has, and the warm-up before it, by how long one takes.
func (c *check) first(elapsed time.Duration) int {
	if c.rounds > 0 {
		return c.rounds
	}
	if elapsed <= 0 {
		return defaultRounds
	}
	return int(min(max(firstShare*float64(c.budget)/float64(elapsed), 1), defaultRounds))
}

// suspects reports whether anything has grown in all stretches so far.
func (c *check) suspects() bool {
	for _, l := range c.stock.lines {
		if c.grows(l) {
			return true
		}
	}
	return c.loses()
}

// grows reports whether what is at a line may be a leak by what was seen so far.
func (c *check) grows(l *line) bool {
	beside := c.stock.beside != ""
	switch l.kind {
	case waiting:
		return !beside && l.values.grows(c.stretches)
	case own:
		return beside && l.values.grows(c.stretches)
	case proven, ownProof:
		n := l.values.rises()
		return n >= minProven || n > 0 && len(c.stretches) < minStretches
	}
	if beside || !l.values.rose(c.stretches) || !l.values.paced(c.stretches) && !l.objects.grows(c.stretches) {
		return false
	}
	if len(c.stretches) < minStretches {
		return true
	}
	if l.objects.growth() < 1 && isBuffer(c.stock.stackOf(l)) {
		return false
	}
	n := l.values.growth()
	return n >= minSamples*c.stock.resolution && c.stock.heap.growth() >= minHeap*n
}

// loses reports whether descriptors grow in number.
func (c *check) loses() bool { return c.stock.beside == "" && c.stock.descriptors.grows(c.stretches) }

// enough reports whether what was seen tells a leak from what comes to rest.
func (c *check) enough() bool {
	n := len(c.stretches)
	if n >= minProven {
		for _, l := range c.stock.lines {
			if (l.kind == proven || l.kind == ownProof) && l.values.rises() >= minProven {
				return true
			}
		}
	}
	if n < minStretches {
		return false
	}
	return n >= maxStretches || c.elapsed >= c.budget || time.Since(c.started) >= maxWall*c.budget || c.muchIsLost()
}

// muchIsLost reports whether to go on would put the process at risk.
func (c *check) muchIsLost() bool {
	if c.stock.heap.growth() >= maxHeap || c.stock.descriptors.growth() >= maxDescriptors {
		return true
	}
	for _, l := range c.stock.lines {
		if l.kind != memory && l.values.growth() >= maxGoroutines {
			return true
		}
	}
	return false
}

// settleDown takes the latest stock again once the goroutines and timers that may still end had time to. As long as
// they do, it waits on, five times as long at most.
func (c *check) settleDown() {
	start, ended := time.Now(), time.Now()
	for c.mayEnd() && time.Since(ended) < c.settle && time.Since(start) < 5*c.settle {
		goroutines, timers := c.stock.goroutines, c.timers()
		time.Sleep(min(50*time.Millisecond, c.settle/4))
		c.stock.retake()
		if c.stock.goroutines < goroutines || c.timers() < timers {
			ended = time.Now()
		}
	}
}

// mayEnd reports whether there are goroutines that seem to leak and are not proven to, or timers, which go with what
// they refer to when they fire.
func (c *check) mayEnd() bool {
	for _, l := range c.stock.lines {
		switch l.kind {
		case waiting, own:
			if c.grows(l) && !c.provenAt(l) {
				return true
			}
		case memory:
			if c.grows(l) && isTimer(c.stock.stackOf(l)) {
				return true
			}
		}
	}
	return false
}

// timers returns how many timers more there are than at the first stock, at the lines that seem to leak them.
func (c *check) timers() (n float64) {
	for _, l := range c.stock.lines {
		if l.kind == memory && c.grows(l) && isTimer(c.stock.stackOf(l)) {
			n += l.objects.growth()
		}
	}
	return n
}

// provenAt reports whether half of the growth of a line, or more, is proven to be leaked.
func (c *check) provenAt(l *line) bool {
	for _, k := range []kind{proven, ownProof} {
		p := c.stock.lines[place{kind: k, frame: l.frame, entry: l.entry}]
		if p != nil && p.values.growth() >= l.values.growth()/2 {
			return true
		}
	}
	return false
}

// allocated is what a process has allocated since its start.
type allocated struct{ objects, bytes float64 }

func allocations() allocated {
	samples := [2]metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples[:])
	values := [2]float64{}
	for i := range samples {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			values[i] = float64(samples[i].Value.Uint64())
		}
	}
	return allocated{values[0], values[1]}
}

func (a allocated) since(before allocated) (objects, bytes float64) {
	return a.objects - before.objects, a.bytes - before.bytes
}
