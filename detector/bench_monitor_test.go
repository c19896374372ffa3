package detector

import (
	"context"
	"fmt"
	"os"
	"runtime"
	rtmetrics "runtime/metrics"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/self"
)

// embedded returns what a monitor of this process does at a tick, once it is warm.
func embedded(tb testing.TB) func() { return embeddedWith(tb, nil) }

// embeddedWith does so with what OnSample set.
func embeddedWith(tb testing.TB, hook func(*sampler.Sample)) func() {
	tb.Helper()
	logger := logrus.New()
	logger.SetLevel(logrus.PanicLevel)
	config := ResourceMonitorConfig{}.Config()
	config.GoroutineThreshold, config.FDThreshold, config.MemoryThreshold = 1_000_000, 1_000_000, 1<<40
	m, err := NewMonitor(config, logger)
	if err != nil {
		tb.Fatal(err)
	}
	self, err := self.New()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { self.Close() })
	m.OnSample(hook)
	source := sampler.Source(self)
	var scratch sampler.Sample
	ctx := context.Background()
	check := func() {
		m.loop.report(m.loop.check(ctx, &source, &scratch))
	}
	runtime.GC() // before the first one some readings are absent
	for range 100 {
		check()
	}
	return check
}

// classic is what the monitors that this one replaces did at a tick.
func classic() {
	var stats runtime.MemStats
	for range 4 {
		runtime.ReadMemStats(&stats)
	}
	_, _ = os.ReadDir("/proc/self/fd")
}

func TestTickAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the system's part is free of allocations on Linux alone")
	}
	if n := testing.AllocsPerRun(1000, embedded(t)); n != 0 {
		t.Errorf("a tick makes %v allocations", n)
	}
	seen := 0
	if n := testing.AllocsPerRun(1000, embeddedWith(t, func(*sampler.Sample) { seen++ })); n != 0 || seen < 1000 {
		t.Errorf("a tick with a hook that is called %d times makes %v allocations", seen, n)
	}
}

// The way of the monitors replaced stopped the world four times a tick.
func TestTickDoesNotStopTheWorld(t *testing.T) {
	stops := func() (n uint64) {
		pauses := []rtmetrics.Sample{{Name: "/sched/pauses/total/other:seconds"}} // other than for collections
		rtmetrics.Read(pauses)
		for _, c := range pauses[0].Value.Float64Histogram().Counts {
			n += c
		}
		return n
	}
	check := embedded(t)
	const ticks = 1000
	before := stops()
	for range ticks {
		check()
	}
	// The runtime has reasons of its own, now and then.
	if n := stops() - before; n > ticks/10 {
		t.Errorf("%d ticks stopped the world %d times", ticks, n)
	}
	before = stops()
	classic()
	if n := stops() - before; n < 4 {
		t.Errorf("four reads of MemStats stopped the world %d times: the test measures nothing", n)
	}
}

// One tick with all signals and verdicts, beside the classic way in the same run, and their ratio.
func BenchmarkTick(b *testing.B) {
	for _, open := range []int{10, 5000} {
		b.Run(fmt.Sprintf("fds=%d", open), func(b *testing.B) {
			list, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				b.Skip("descriptors cannot be counted here")
			}
			for range open - len(list) {
				f, err := os.Open(os.DevNull)
				if err != nil {
					b.Skip("too few descriptors may be opened: ", err)
				}
				defer f.Close()
			}
			check := embedded(b)
			b.ReportAllocs()
			for b.Loop() {
				check()
			}
			tick := float64(b.Elapsed()) / float64(b.N)

			rounds := 0
			start := time.Now()
			for ; rounds < 10 || time.Since(start) < 200*time.Millisecond; rounds++ {
				classic()
			}
			way := float64(time.Since(start)) / float64(rounds)
			b.ReportMetric(way, "ns/classic")
			b.ReportMetric(way/tick, "times-cheaper")
		})
	}
}
