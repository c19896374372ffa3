package self

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/clock"
	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
)

func TestSelfRuntime(t *testing.T) {
	self := newSelf(t)
	runtime.GC()
	var stats runtime.MemStats
	var before, after sampler.Sample
	sample(t, self, &before)
	runtime.ReadMemStats(&stats)
	goroutines := runtime.NumGoroutine()
	sample(t, self, &after)
	ended := goroutines - runtime.NumGoroutine() // those of the tests before end when they get to it
	near := func(resource string, want, slack float64) {
		t.Helper()
		got, ok := after.Value(resource)
		if !ok || got < want-slack || got > want+slack {
			t.Errorf("%s = %v, %v; want %v within %v", resource, got, ok, want, slack)
		}
	}
	const MiB = 1 << 20
	near(sampler.Goroutines, float64(goroutines), float64(ended))
	near(sampler.HeapInuseBytes, float64(stats.HeapInuse), MiB)
	near(sampler.StackBytes, float64(stats.StackInuse), MiB)
	near(sampler.GCCycles, float64(stats.NumGC), 1)
	near(sampler.AllocBytes, float64(stats.TotalAlloc), MiB)
	if live, ok := after.Value(sampler.HeapLiveBytes); !ok || live <= 0 || live > float64(stats.HeapSys) {
		t.Errorf("%s = %v, %v; want more than 0 and less than the %d of the heap", sampler.HeapLiveBytes, live, ok,
			stats.HeapSys)
	}

	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		go func() { <-release; wg.Done() }()
	}
	kept := make([]byte, 32*MiB)
	runtime.GC()
	var grown sampler.Sample
	sample(t, self, &grown)
	close(release)
	wg.Wait()
	runtime.KeepAlive(kept)
	for resource, minimum := range map[string]float64{
		sampler.Goroutines: 95, sampler.HeapLiveBytes: 30 * MiB, sampler.HeapInuseBytes: 30 * MiB,
		sampler.AllocBytes: 32 * MiB, sampler.GCCycles: 1,
	} {
		a, _ := after.Value(resource)
		b, ok := grown.Value(resource)
		if !ok || b-a < minimum {
			t.Errorf("%s went from %v to %v, want %v more", resource, a, b, minimum)
		}
	}
	if !after.Time.After(before.Time) || !after.Start.Equal(before.Start) || after.Start.After(before.Time) {
		t.Errorf("times %v (start %v), then %v (start %v)", before.Time, before.Start, after.Time, after.Start)
	}
}

// A sample that was used before, with other contents, is overwritten.
func TestSelfOverwrites(t *testing.T) {
	self := newSelf(t)
	s := sampler.Sample{Readings: []sampler.Reading{{Resource: "other", Value: 1}},
		Ceilings: []sampler.Ceiling{{Resource: "other", Level: 1, Source: "x"}}}
	sample(t, self, &s)
	if _, ok := s.Value("other"); ok {
		t.Error("a reading of before is still there")
	}
	for _, c := range s.Ceilings {
		if c.Resource == "other" {
			t.Error("a ceiling of before is still there")
		}
	}
	seen := map[string]bool{}
	for _, r := range s.Readings {
		if _, known := sampler.Lookup(r.Resource); !known || seen[r.Resource] {
			t.Errorf("reading %v: not in the table, or twice", r)
		}
		seen[r.Resource] = true
	}
}

func TestSelfClose(t *testing.T) {
	self, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			var s sampler.Sample
			for range 100 {
				if err := self.Sample(context.Background(), &s); err != nil && !errors.Is(err, os.ErrClosed) {
					t.Errorf("Sample: %v", err)
				}
			}
		}()
		go func() {
			defer wg.Done()
			if err := self.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
	}
	wg.Wait()
	s := sampler.Sample{Readings: []sampler.Reading{{Resource: "other", Value: 1}}}
	if err := self.Sample(context.Background(), &s); !errors.Is(err, os.ErrClosed) || len(s.Readings) != 0 {
		t.Errorf("Sample after Close: %v, readings %v", err, s.Readings)
	}
}

// Only a heap in which no collection has ended shows this: the reading is left out, not zero.
func TestHeapLiveBeforeFirstGC(t *testing.T) {
	c := testchild.Start(t, "GOGC=off")
	if got := c.Do(t, "resources"); strings.Contains(got, sampler.HeapLiveBytes) ||
		!strings.Contains(got, sampler.HeapInuseBytes) {
		t.Errorf("resources before the first collection: %s", got)
	}
	c.Do(t, "gc")
	if got := c.Do(t, "resources"); !strings.Contains(got, sampler.HeapLiveBytes) {
		t.Errorf("resources after a collection: %s", got)
	}
}

func newSelf(t testing.TB) *Source {
	t.Helper()
	self, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = self.Close() })
	return self
}

func sample(t testing.TB, source sampler.Source, s *sampler.Sample) {
	t.Helper()
	if err := source.Sample(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

// setClock lets a test turn the clock of a source on by a duration. A zero clock stands at 2026.
func setClock(c *clock.Clock) (advance func(time.Duration)) {
	var passed time.Duration
	base := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	c.Wall = func() time.Time { return base.Add(passed) }
	c.Mono = func() time.Duration { return passed }
	return func(d time.Duration) { passed += d }
}
