package sampler

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
)

func TestSelfRuntime(t *testing.T) {
	self := newSelf(t)
	runtime.GC()
	var stats runtime.MemStats
	var before, after Sample
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
	near(Goroutines, float64(goroutines), float64(ended))
	near(HeapInuseBytes, float64(stats.HeapInuse), MiB)
	near(StackBytes, float64(stats.StackInuse), MiB)
	near(GCCycles, float64(stats.NumGC), 1)
	near(AllocBytes, float64(stats.TotalAlloc), MiB)
	if live, ok := after.Value(HeapLiveBytes); !ok || live <= 0 || live > float64(stats.HeapSys) {
		t.Errorf("%s = %v, %v; want more than 0 and less than the %d of the heap", HeapLiveBytes, live, ok, stats.HeapSys)
	}

	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		go func() { <-release; wg.Done() }()
	}
	kept := make([]byte, 32*MiB)
	runtime.GC()
	var grown Sample
	sample(t, self, &grown)
	close(release)
	wg.Wait()
	runtime.KeepAlive(kept)
	for resource, least := range map[string]float64{
		Goroutines: 95, HeapLiveBytes: 30 * MiB, HeapInuseBytes: 30 * MiB, AllocBytes: 32 * MiB, GCCycles: 1,
	} {
		a, _ := after.Value(resource)
		b, ok := grown.Value(resource)
		if !ok || b-a < least {
			t.Errorf("%s went from %v to %v, want %v more", resource, a, b, least)
		}
	}
	if !after.Time.After(before.Time) || !after.Start.Equal(before.Start) || after.Start.After(before.Time) {
		t.Errorf("times %v (start %v), then %v (start %v)", before.Time, before.Start, after.Time, after.Start)
	}
}

// A sample that was used before, with other contents, is overwritten.
func TestSelfOverwrites(t *testing.T) {
	self := newSelf(t)
	s := Sample{Readings: []Reading{{"other", 1}}, Ceilings: []Ceiling{{"other", 1, "x"}}}
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
		if _, known := Lookup(r.Resource); !known || seen[r.Resource] {
			t.Errorf("reading %v: not in the table, or twice", r)
		}
		seen[r.Resource] = true
	}
}

func TestSelfClose(t *testing.T) {
	self, err := NewSelf()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			var s Sample
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
	s := Sample{Readings: []Reading{{"other", 1}}}
	if err := self.Sample(context.Background(), &s); !errors.Is(err, os.ErrClosed) || len(s.Readings) != 0 {
		t.Errorf("Sample after Close: %v, readings %v", err, s.Readings)
	}
}

// Only a heap in which no collection has ended shows this: the reading is left out, not zero.
func TestHeapLiveBeforeFirstGC(t *testing.T) {
	c := testchild.Start(t, "GOGC=off")
	if got := c.Tell(t, "resources"); strings.Contains(got, HeapLiveBytes) || !strings.Contains(got, HeapInuseBytes) {
		t.Errorf("resources before the first collection: %s", got)
	}
	c.Tell(t, "gc")
	if got := c.Tell(t, "resources"); !strings.Contains(got, HeapLiveBytes) {
		t.Errorf("resources after a collection: %s", got)
	}
}

func newSelf(t testing.TB) *Self {
	t.Helper()
	self, err := NewSelf()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = self.Close() })
	return self
}

func sample(t testing.TB, source Source, s *Sample) {
	t.Helper()
	if err := source.Sample(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

// setClock lets a test turn the clock of a source on by a duration. A zero clock stands at 2026.
func setClock(c *clock) (advance func(time.Duration)) {
	var passed time.Duration
	base := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	c.wall = func() time.Time { return base.Add(passed) }
	c.mono = func() time.Duration { return passed }
	return func(d time.Duration) { passed += d }
}
