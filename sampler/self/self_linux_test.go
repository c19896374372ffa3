package self

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
	"github.com/mdzesseis/leaktrend/sampler/process"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// resourcesOf returns the names of the readings, in their order.
func resourcesOf(s *sampler.Sample) []string {
	var names []string
	for _, r := range s.Readings {
		names = append(names, r.Resource)
	}
	return names
}

func TestSelfReadsAllResources(t *testing.T) {
	runtime.GC()
	var s sampler.Sample
	sample(t, newSelf(t), &s)
	var want []string
	for _, r := range sampler.Resources() {
		want = append(want, r.Name)
	}
	if d := cmp.Diff(want, resourcesOf(&s)); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
}

// What the process reads of itself is what another one reads of it.
func TestSelfAgreesWithProcess(t *testing.T) {
	self := newSelf(t)
	process, err := process.New(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var a, b, later sampler.Sample
	sample(t, self, &a)
	sample(t, process, &b)
	sample(t, self, &later)
	if !a.Start.Equal(b.Start) || a.Start.IsZero() {
		t.Errorf("start %v and %v", a.Start, b.Start)
	}
	withoutHeap := slices.DeleteFunc(slices.Clone(a.Ceilings), func(c sampler.Ceiling) bool {
		return c.Resource == sampler.HeapLiveBytes
	})
	if d := cmp.Diff(b.Ceilings, withoutHeap); d != "" {
		t.Errorf("ceilings (-process +self):\n%s", d)
	}
	// two ticks
	for resource, slack := range map[string]float64{sampler.OpenFDs: 0, sampler.Threads: 2, sampler.RSSBytes: 8 << 20,
		sampler.CPUSeconds: 0.02} {
		x, _ := a.Value(resource)
		y, ok := b.Value(resource)
		z, _ := later.Value(resource)
		if !ok || y < min(x, z)-slack || y > max(x, z)+slack {
			t.Errorf("%s: %v by itself, %v from outside, then %v by itself", resource, x, y, z)
		}
	}
}

func TestSelfOpenFDs(t *testing.T) {
	self := newSelf(t)
	if !self.system.fdsBySize {
		t.Log("this kernel does not tell the number of descriptors: both ways are the listing")
	}
	var s sampler.Sample
	for _, bySize := range []bool{self.system.fdsBySize, false} {
		self.system.fdsBySize = bySize
		agree := func() string { // in the end: what the tests before had open may be closed at any moment
			sample(t, self, &s)
			if got, listed := value(&s, sampler.OpenFDs), listFDs(t); got != listed {
				return fmt.Sprintf("by size %v: %v descriptors, the directory lists %v", bySize, got, listed)
			}
			return ""
		}
		await.Until(t, agree)
		openFiles(t, 700) // more than one buffer of entries
		await.Until(t, agree)
		if got := value(&s, sampler.OpenFDs); got < 700 {
			t.Errorf("by size %v: %v descriptors after opening 700", bySize, got)
		}
	}
}

func value(s *sampler.Sample, resource string) float64 {
	v, _ := s.Value(resource)
	return v
}

// listFDs counts the descriptors without the one that the listing takes.
func listFDs(t testing.TB) float64 {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return float64(len(list) - 1)
}

func openFiles(t testing.TB, n int) {
	t.Helper()
	var list []*os.File
	t.Cleanup(func() {
		for _, f := range list {
			_ = f.Close()
		}
	})
	for range n {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, unix.EMFILE) {
			t.Skipf("%d descriptors are not allowed here", n)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
}

func TestSelfThreads(t *testing.T) {
	c := testchild.Start(t)
	count := func() float64 {
		t.Helper()
		var s sampler.Sample
		if err := json.Unmarshal([]byte(c.Do(t, "resources")), &s.Readings); err != nil {
			t.Fatal(err)
		}
		v, ok := s.Value(sampler.Threads)
		if !ok {
			t.Fatalf("no threads in %v", s.Readings)
		}
		return v
	}
	before := count()
	// where none stands idle, from the first 20 goroutines that take one each
	await.True(t, "ten threads more", func() bool {
		c.Do(t, "threads")
		return count() >= before+10
	})
}

func TestSelfCPU(t *testing.T) {
	self := newSelf(t)
	var s sampler.Sample
	sample(t, self, &s)
	before, _ := s.Value(sampler.CPUSeconds)
	for after := before; after < before+0.05; {
		sample(t, self, &s)
		after, _ = s.Value(sampler.CPUSeconds) // ends only because the time used grows
	}
}

// Without /proc the rest is still read, at no cost for what is missing, and it is found once it is there.
func TestSelfWithoutProc(t *testing.T) {
	proc := filepath.Join(t.TempDir(), "proc")
	self := newSelf(t)
	advance := setClock(self.clock)
	self.system = newSelfSystemAt(proc, t.TempDir())
	self.start = self.system.start()
	runtime.GC()
	var s sampler.Sample
	first := self.Sample(context.Background(), &s)
	if !errors.Is(first, fs.ErrNotExist) {
		t.Fatalf("error %v", first)
	}
	for _, resource := range []string{sampler.RSSBytes, sampler.OpenFDs} {
		if !strings.Contains(first.Error(), resource+": ") {
			t.Errorf("error %q does not name %s", first, resource)
		}
	}
	if strings.Contains(first.Error(), sampler.CPUSeconds) || strings.Contains(first.Error(), sampler.Goroutines) {
		t.Errorf("error %q names what was read", first)
	}
	// by Go's version
	got := slices.DeleteFunc(resourcesOf(&s), func(name string) bool { return name == sampler.Threads })
	want := []string{sampler.Goroutines, sampler.HeapLiveBytes, sampler.HeapInuseBytes, sampler.HeapFreeBytes,
		sampler.StackBytes, sampler.GCCycles, sampler.AllocBytes, sampler.CPUSeconds}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
	if !s.Start.IsZero() || len(s.Ceilings) != 0 {
		t.Errorf("start %v, ceilings %v; want none", s.Start, s.Ceilings)
	}
	if !raceEnabled {
		ctx := context.Background()
		if n := testing.AllocsPerRun(100, func() { _ = self.Sample(ctx, &s) }); n != 0 {
			t.Errorf("%v allocations a sample", n)
		}
	}

	write(t, filepath.Join(proc, "self", "statm"), "100 25 5 1 0 9 0\n")
	write(t, filepath.Join(proc, "self", "fd", "7"), "")
	write(t, filepath.Join(proc, "self", "task", "42", "stat"), "")
	if err := self.Sample(context.Background(), &s); err != first {
		t.Errorf("before the time to try again: %v", err)
	}
	advance(reopenAfter)
	sample(t, self, &s)
	rss, _ := s.Value(sampler.RSSBytes)
	fds, _ := s.Value(sampler.OpenFDs)
	threads, _ := s.Value(sampler.Threads)
	if want := float64(25 * os.Getpagesize()); rss != want || fds != 1 || threads != 1 {
		t.Errorf("rss %v, want %v; descriptors %v, threads %v, want 1 of each", rss, want, fds, threads)
	}
	write(t, filepath.Join(proc, "self", "statm"), "garbage\n")
	if err := self.Sample(context.Background(), &s); !errors.Is(err, errStatm) {
		t.Errorf("garbage in statm: %v", err)
	}
}

func TestSelfZeroAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	self := newSelf(t)
	var s sampler.Sample
	ctx := context.Background()
	for _, bySize := range []bool{self.system.fdsBySize, false} {
		self.system.fdsBySize = bySize
		sample(t, self, &s)
		if n := testing.AllocsPerRun(500, func() { _ = self.Sample(ctx, &s) }); n != 0 {
			t.Errorf("by size %v: %v allocations a sample", bySize, n)
		}
	}
}

func TestSelfReleasesDescriptors(t *testing.T) {
	newSelf(t) // has the runtime open what it needs to wait for files
	before := listFDs(t)
	for range 20 {
		self, err := New()
		if err != nil {
			t.Fatal(err)
		}
		var s sampler.Sample
		sample(t, self, &s)
		if err := self.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := listFDs(t); after > before { // what the tests before had open may be closed meanwhile
		t.Errorf("%v descriptors, %v before", after, before)
	}
}

func FuzzParseStatm(f *testing.F) {
	for _, seed := range []string{"512 128 64 1 0 99 0\n", "1 2", "", " ", "1  2", "1 -2 3",
		"1 99999999999999999999 3"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pages, ok := parseStatm(data)
		if ok && (pages < 0 || math.IsInf(pages, 0) || math.IsNaN(pages)) {
			t.Errorf("%q: %v pages", data, pages)
		}
	})
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkSelf prints a sample of everything beside the classic way to read less: four runtime.ReadMemStats and a
// listing of the descriptors.
func BenchmarkSelf(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{10, 5000} {
		b.Run(fmt.Sprintf("fds=%d", n), func(b *testing.B) {
			openFiles(b, max(0, n-int(listFDs(b))))
			var perSample, perClassic time.Duration
			b.Run("sample", func(b *testing.B) {
				self := newSelf(b)
				var s sampler.Sample
				sample(b, self, &s)
				b.ReportAllocs()
				for b.Loop() {
					if err := self.Sample(ctx, &s); err != nil {
						b.Fatal(err)
					}
				}
				perSample = b.Elapsed() / time.Duration(b.N)
			})
			b.Run("classic", func(b *testing.B) {
				var m runtime.MemStats
				b.ReportAllocs()
				for b.Loop() {
					for range 4 {
						runtime.ReadMemStats(&m)
					}
					if _, err := os.ReadDir("/proc/self/fd"); err != nil {
						b.Fatal(err)
					}
				}
				perClassic = b.Elapsed() / time.Duration(b.N)
				if perSample > 0 {
					b.ReportMetric(float64(perClassic)/float64(perSample), "times-a-sample")
				}
			})
		})
	}
}
