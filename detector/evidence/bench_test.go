package evidence

import (
	"context"
	"fmt"
	"math"
	"runtime"
	rtmetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

func parkAt(depth int, over chan struct{}) {
	if depth > 0 {
		parkAt(depth-1, over)
		return
	}
	<-over
}

// parked starts n goroutines that wait on 50 different stacks.
func parked(n int) (release func()) {
	over := make(chan struct{})
	var ended sync.WaitGroup
	for i := range n {
		ended.Add(1)
		go func() { defer ended.Done(); parkAt(4+i%50/4, over) }()
	}
	time.Sleep(100 * time.Millisecond)
	return func() { close(over); ended.Wait() }
}

// Calls in all sequences of left and right make as many stacks.
//
//go:noinline
func left(path, depth int) []byte {
	if depth == 0 {
		return make([]byte, 1<<10)
	}
	return turn(path, depth)
}

//go:noinline
func right(path, depth int) []byte {
	if depth == 0 {
		return make([]byte, 1<<10)
	}
	return turn(path, depth)
}

//go:noinline
func turn(path, depth int) []byte {
	if path>>(depth-1)&1 == 0 {
		return left(path, depth-1)
	}
	return right(path, depth-1)
}

// ownLines follows the lines of this process, for a monitor at rest.
func ownLines(b *testing.B) *Lines {
	b.Helper()
	logger := logrus.New()
	logger.SetLevel(logrus.PanicLevel)
	l := NewLines(profile.NewSelf(), atRest(config.Default()), logger)
	l.ReadProgram()
	l.renew(l.monitor.View())
	return l
}

// What is taken all the time: one profile with its sites brought up to date, and the share of one core that it comes
// to.
func BenchmarkProfiles(b *testing.B) {
	measure := func(b *testing.B, i int) {
		l := ownLines(b)
		now := l.monitor.View()
		for b.Loop() {
			if !l.profiler.collect(context.Background(), i, now) {
				b.Fatal("no profile")
			}
		}
		cost := l.Cost()
		cpu := cost.CPU.Seconds() / float64(cost.Profiles)
		b.ReportMetric(1e3*cpu, "cpu-ms/op")
		b.ReportMetric(100*cpu/l.profiler.watched[i].spacing.Seconds(), "%core")
		b.ReportMetric(l.profiler.watched[i].spacing.Seconds(), "s-apart")
		b.ReportMetric(float64(cost.LongestPause)/1e6, "ms-pause")
	}
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			defer parked(n)()
			measure(b, goroutineSites)
		})
	}
	b.Run("heap=5000", func(b *testing.B) {
		rate := runtime.MemProfileRate
		runtime.MemProfileRate = 1
		var kept [][]byte
		for path := range 5000 {
			kept = append(kept, turn(path, 13))
		}
		runtime.MemProfileRate = rate
		runtime.GC()
		runtime.GC()
		measure(b, heapSites)
		runtime.KeepAlive(kept)
	})
}

// stalls tells the longest time for which a goroutine that sleeps for a millisecond at a time was kept from running.
func stalls() (longest func() time.Duration) {
	var maxStall atomic.Int64
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for last := time.Now(); ; {
			select {
			case <-over:
				return
			default:
			}
			time.Sleep(time.Millisecond)
			now := time.Now()
			maxStall.Store(max(maxStall.Load(), int64(now.Sub(last)-time.Millisecond)))
			last = now
		}
	}()
	return func() time.Duration {
		close(over)
		<-ended
		return time.Duration(maxStall.Load())
	}
}

// pauseSince returns a function that tells the longest stop of the world since, by the runtime's own account.
func pauseSince() (longest func() time.Duration) {
	read := func() *rtmetrics.Float64Histogram {
		s := []rtmetrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
		rtmetrics.Read(s)
		return s[0].Value.Float64Histogram()
	}
	before := read()
	return func() (maxPause time.Duration) {
		for i, n := range read().Counts {
			if bound := before.Buckets[i+1]; n > before.Counts[i] && !math.IsInf(bound, 1) {
				maxPause = time.Duration(bound * 1e9)
			}
		}
		return maxPause
	}
}

// The longest pause of a program with 100,000 goroutines while an alert gets its evidence, and while all stacks are
// dumped.
func BenchmarkAlertPause(b *testing.B) {
	defer parked(100_000)()
	l := ownLines(b)
	ways := map[string]func(){
		"evidence": func() {
			a := alerting.Alert{Event: alerting.Event{Kind: alerting.Trend, Status: alerting.Firing,
				Resource: sampler.Goroutines}}
			l.profiler.watched[goroutineSites].last = time.Time{}
			l.profiler.proof.last = time.Time{}
			if err := l.Add(context.Background(), &a); err != nil {
				b.Fatal(err)
			}
		},
		"dump": func() { runtime.Stack(make([]byte, 1<<20), true) },
	}
	for _, name := range []string{"evidence", "dump"} {
		b.Run(name, func(b *testing.B) {
			var stalled, paused time.Duration
			for b.Loop() {
				stall, pause := stalls(), pauseSince()
				ways[name]()
				stalled, paused = max(stalled, stall()), max(paused, pause())
			}
			b.ReportMetric(float64(stalled)/1e6, "ms-stall")
			b.ReportMetric(float64(paused)/1e6, "ms-pause")
		})
	}
}
