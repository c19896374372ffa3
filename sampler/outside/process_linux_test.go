package outside

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// The stacks of a program that was built without symbols are those that its own runtime tells, all of them, and so is
// its memory.
func TestProgram(t *testing.T) {
	needsRow(t)
	p := start(t, buildProgram(t, stripped))
	p.report(t, "keep 2000")
	want := p.report(t, "leak 100")
	o := openProcess(t, p.pid)

	got, err := o.Goroutines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(withoutMain(want.Goroutines), withoutMain(countsOf(got))); d != "" {
		t.Errorf("goroutines (-inside +outside):\n%s", d)
	}
	if want := (Seen{Goroutines: want.Number}); got.Seen != want {
		t.Errorf("%+v, want %+v", got.Seen, want)
	}
	heap, err := o.Heap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Heap, countsOf(heap)); d != "" || len(want.Heap) < 10 {
		t.Errorf("heap (-inside +outside):\n%s", d)
	}
	if heap.Seen.Torn != 0 || heap.Rate != 8<<10 || heap.Collections != want.Collections {
		t.Errorf("heap: %+v, a sample for %v bytes after %d collections, want %d", heap.Seen, heap.Rate,
			heap.Collections, want.Collections)
	}
	var s sampler.Sample
	if err := o.Add(&s); err != nil {
		t.Fatal(err)
	}
	rows := []sampler.Reading{
		{Resource: sampler.Goroutines, Value: float64(want.Number)},
		{Resource: sampler.HeapLiveBytes, Value: float64(want.Live)},
		{Resource: sampler.GCCycles, Value: float64(want.Collections)},
	}
	if d := cmp.Diff(rows, s.Readings); d != "" {
		t.Errorf("sample (-inside +outside):\n%s", d)
	}
	checkMemory(t, o, want)
	if o.Version() != runtime.Version() || o.Module() != "example.com/program" {
		t.Errorf("version %q, module %q", o.Version(), o.Module())
	}

	all, err := o.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reasons := make(map[string]string)
	for _, g := range all {
		for _, f := range g.Frames {
			if strings.HasPrefix(f.Function, "main.(*server).") {
				reasons[f.Function] = g.Reason + ", by " + g.Creator.Function
			}
		}
	}
	if d := cmp.Diff(map[string]string{
		"main.(*server).receive": "chan receive, by main.leak", "main.(*server).send": "chan send, by main.leak",
		"main.(*server).choose": "select, by main.leak", "main.(*server).lock": "sync.Mutex.Lock, by main.leak",
		"main.(*server).waitFor": "sync.WaitGroup.Wait, by main.leak",
		"main.(*server).watch":   "sync.Cond.Wait, by main.leak",
		"main.(*server).handle":  "IO wait, by main.leak", "main.(*server).deep": "chan receive, by main.leak",
		"main.(*server).Wait": "chan receive, by main.leak",
	}, reasons); d != "" || len(all) != want.Number {
		t.Errorf("%d goroutines of %d; what they wait for (-want +got):\n%s", len(all), want.Number, d)
	}

	// What changes meanwhile is dropped where it is inconsistent. It does not affect what stands still.
	before := withoutMain(want.Goroutines)
	p.report(t, "busy")
	for range 50 {
		now, err := o.Goroutines(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for key, c := range countsOf(now) {
			if stood, ok := before[key]; ok && c[0] >= stood[0] { // goroutines of busy sleep as others do
				delete(before, key)
			}
			if before[key] == [2]int64{} && !strings.Contains(key, "main.busy.func") &&
				!strings.Contains(key, "main.main ") && withoutMain(want.Goroutines)[key] == [2]int64{} {
				t.Fatalf("no goroutine stands there:\n%s", key)
			}
		}
		if len(before) != 0 {
			t.Fatalf("missing: %v", before)
		}
		before = withoutMain(want.Goroutines)
	}
}

// checkMemory holds what memory is against what the program's own runtime says of it, and the arenas against what lies
// in them.
func checkMemory(t *testing.T, o *Process, want reported) {
	t.Helper()
	m, ok := o.Memory()
	// To tell it the program has taken memory itself.
	near := func(got float64, want uint64) bool { return math.Abs(got-float64(want)) < 1<<20 }
	if !ok || m.Live != float64(want.Live) || !near(m.Objects, want.Objects) || !near(m.InUse, want.InUse) ||
		!near(m.Stacks, want.Stacks) || m.GOGC != -1 || m.Limit != 0 {
		t.Errorf("memory %+v (%t), want %d live of %d in %d, and %d of stacks", m, ok, want.Live, want.Objects,
			want.InUse, want.Stacks)
	}
	descriptors, ok := o.target.List()
	for _, at := range descriptors {
		if !slices.ContainsFunc(m.Arenas, func(a [2]uint64) bool { return at >= a[0] && at < a[1] }) {
			t.Fatalf("a descriptor at %#x is in none of the arenas %#x", at, m.Arenas)
		}
	}
	if !ok || len(descriptors) < want.Number {
		t.Errorf("%d descriptors of %d goroutines", len(descriptors), want.Number)
	}
}

func openProcess(t testing.TB, pid int) *Process {
	t.Helper()
	o, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func TestNotGo(t *testing.T) {
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = sleep.Wait() }()
	defer func() { _ = sleep.Process.Kill() }()
	await.True(t, "sleep", func() bool {
		exe, err := os.Readlink(filepath.Join("/proc", itoa(sleep.Process.Pid), "exe"))
		return err == nil && exe != selfExe(t)
	})
	if _, err := Open(sleep.Process.Pid); !errors.Is(err, ErrNotGo) {
		t.Errorf("sleep: %v", err)
	}
	if _, err := Open(1 << 30); !errors.Is(err, ErrNotGo) {
		t.Errorf("no process: %v", err)
	}
}

// A program of 32 bits is told as such: the kernel gives it a vector of other form.
func TestEntry(t *testing.T) {
	vector := func(words ...uint32) (data []byte) {
		for _, w := range words {
			data = binary.LittleEndian.AppendUint32(data, w)
		}
		return data
	}
	dir := t.TempDir()
	for _, test := range []struct {
		auxv  []byte
		entry uint64
		err   error
	}{
		{vector(33, 0, 0xffffe000, 0x7fff, 9, 0, 0x463f40, 0, 0, 0, 0, 0), 0x463f40, nil},
		{vector(32, 0xf7fc5570, 33, 0xf7fc5000, 9, 0x80a9300, 0, 0), 0, objfile.ErrNotELF},
		{nil, 0, errNoEntry}, // of a program that is being executed
	} {
		if err := os.WriteFile(filepath.Join(dir, "auxv"), test.auxv, 0o600); err != nil {
			t.Fatal(err)
		}
		if entry, err := entryOf(dir); entry != test.entry || err != test.err {
			t.Errorf("%x: %#x, %v, want %#x, %v", test.auxv, entry, err, test.entry, test.err)
		}
	}
}

// A process that executes another program is not taken for the one before, nor is one that has ended.
func TestGone(t *testing.T) {
	needsRow(t)
	for _, order := range []string{"end", "exec"} {
		p := start(t, buildProgram(t, stripped))
		o := openProcess(t, p.pid)
		if _, err := o.Goroutines(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.order(t, order)
		await.Until(t, func() string {
			if _, err := o.Goroutines(t.Context()); !errors.Is(err, ErrGone) {
				return order + ": goroutines are still read"
			}
			return ""
		})
		var s sampler.Sample
		if err := o.Add(&s); !errors.Is(err, ErrGone) || len(s.Readings) != 0 {
			t.Errorf("%s: sample %v, %v", order, s.Readings, err)
		}
		if _, err := o.Heap(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("%s: heap %v", order, err)
		}
	}
	o := openProcess(t, os.Getpid())
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if _, err := o.Heap(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestNoRight(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	needsRow(t)
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine, as it can become root no more
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			result <- errno
			return
		}
		_, err := Open(os.Getppid())
		result <- err
	}()
	err := <-result
	if !errors.Is(err, procmem.ErrNoRight) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"no right to read its memory: run leaktrend as the user of process " +
		itoa(os.Getppid()), "CAP_SYS_PTRACE", "shareProcessNamespace: true"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

// Without the system call that reads many places at a time each is read by itself.
func TestSlowMemory(t *testing.T) {
	needsRow(t)
	o := openProcess(t, os.Getpid())
	o.memory.Slow = true
	if n, ok := o.target.Count(); !ok || n < 2 {
		t.Errorf("%d goroutines, %v", n, ok)
	}
}

func BenchmarkGoroutines(b *testing.B) {
	needsRow(b)
	p := start(b, buildProgram(b, stripped))
	p.report(b, "many 10000")
	o := openProcess(b, p.pid)
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			if _, ok := o.target.Count(); !ok {
				b.Fatal("not read")
			}
		}
	})
	b.Run("stacks", func(b *testing.B) {
		for b.Loop() {
			if _, err := o.Goroutines(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})

}

// Samples do not wait for a profile.
func TestSampledMeanwhile(t *testing.T) {
	needsRow(t)
	o := openProcess(t, os.Getpid())
	ended := make(chan struct{})
	_, err := o.profile(t.Context(), func(context.Context) (*Profile, error) {
		go func() {
			defer close(ended)
			var s sampler.Sample
			if err := o.Add(&s); err != nil || o.Gone() || s.Readings == nil {
				t.Errorf("%v, %+v", err, s)
			}
			_, _ = o.Memory()
		}()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("a sample waits")
		}
		return &Profile{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-ended
}
