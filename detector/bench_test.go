package detector

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// tenResources are what a Go service embeds.
func tenResources() []column {
	return []column{
		{sampler.Goroutines, noisy(rising(100, 0), 5, 1)},
		{sampler.HeapLiveBytes, noisy(rising(100<<20, 0), 1<<20, 2)},
		{sampler.HeapInuseBytes, noisy(rising(150<<20, 0), 20<<20, 3)},
		{sampler.StackBytes, noisy(rising(1<<20, 0), 1<<10, 4)},
		{sampler.GCCycles, rising(0, 60)},
		{sampler.AllocBytes, rising(0, 1<<33)},
		{sampler.RSSBytes, noisy(rising(200<<20, 0), 5<<20, 5)},
		{sampler.OpenFDs, noisy(rising(30, 0), 3, 6)},
		{sampler.Threads, noisy(rising(12, 0), 1, 7)},
		{sampler.CPUSeconds, rising(0, 600)},
	}
}

// warm returns a function that feeds a warm detector samples of a healthy process, 30 s apart.
func warm(tb testing.TB, config Config, columns ...column) (observe func()) {
	samples := withCeiling(series(day, tick, columns...), sampler.OpenFDs, 1024)
	d := newDetector(tb, config)
	i, s, at := 0, sampler.Sample{}, dawn
	observe = func() {
		s = samples[i%len(samples)]
		s.Time, s.Start = at, dawn // the processor time starts over with each round
		at = at.Add(tick)
		i++
		if events := d.Observe(&s); len(events) > 0 {
			tb.Fatalf("a healthy process: %+v", events)
		}
	}
	for range 2 * len(samples) {
		observe()
	}
	return observe
}

func allLimits() Config {
	return with(func(c *Config) {
		c.GoroutineThreshold, c.FDThreshold, c.MemoryThreshold, c.GrowthRateThreshold = 1000, 1000, 1<<30, 1e6
	})
}

func BenchmarkObserve(b *testing.B) {
	observe := warm(b, allLimits(), column{sampler.Goroutines, noisy(rising(100, 0), 5, 1)})
	b.ReportAllocs()
	for b.Loop() {
		observe()
	}
}

func BenchmarkObserveAll(b *testing.B) {
	observe := warm(b, allLimits(), tenResources()...)
	b.ReportAllocs()
	for b.Loop() {
		observe()
	}
}

// A suspected growth makes all tests of a window, the regression with load among them.
func BenchmarkObserveClimb(b *testing.B) {
	columns := []column{{sampler.Goroutines, rising(100, 20)}, {sampler.CPUSeconds, rising(0, 600)}}
	samples := series(10*24*3600*1e9, tick, columns...)
	d := newDetector(b, with(func(c *Config) { c.Adaptive.Patience *= 1e4 }))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(samples) {
			b.StopTimer()
			i, d = 0, newDetector(b, d.config)
			b.StartTimer()
		}
		d.Observe(&samples[i])
		i++
	}
}

// overLives returns a function that feeds a detector samples of a process that leaks a little in each of many lives, 30
// s apart.
func overLives(tb testing.TB) (observe func()) {
	d := newDetector(tb, with(func(c *Config) { c.Adaptive.Patience *= 1e4 })) // all that is judged, and nothing found
	at, start := dawn, dawn
	var s sampler.Sample
	next := func(tick time.Duration) {
		s.Reset(at)
		s.Start = start
		s.Add(sampler.OpenFDs, math.Floor(100+2*math.Mod(at.Sub(start).Hours(), 24)))
		d.Observe(&s)
		at = at.Add(tick)
	}
	for range 40 {
		for start = at; at.Sub(start) < day; {
			next(5 * time.Minute)
		}
	}
	for start = at; at.Sub(start) < day; {
		next(tick)
	}
	return func() { next(tick) }
}

func BenchmarkObserveOverLives(b *testing.B) {
	observe := overLives(b)
	b.ReportAllocs()
	for b.Loop() {
		observe()
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	observe := warm(t, allLimits(), tenResources()...)
	twoDays := func() {
		for range 2 * day / tick {
			observe()
		}
	}
	if n := testing.AllocsPerRun(1, twoDays); n != 0 {
		t.Errorf("%v allocations in two days, want 0", n)
	}
	observe = overLives(t)
	if n := testing.AllocsPerRun(1, twoDays); n != 0 {
		t.Errorf("%v allocations in two days of a process with many lives, want 0", n)
	}
}

func TestStateFitsIn8KB(t *testing.T) {
	if size := unsafe.Sizeof(engine.Series{}) + unsafe.Sizeof(trend.Ladder{}); size > 8<<10 {
		t.Errorf("%d bytes a resource", size)
	}
}
