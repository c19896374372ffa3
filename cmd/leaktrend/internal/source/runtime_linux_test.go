package source

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pprof "github.com/google/pprof/profile"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/breakdown"
	"github.com/mdzesseis/leaktrend/sampler/outside"
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

const childEnv = "LEAKTREND_SOURCE_CHILD"

// sampled is for how many bytes the child samples one: of the 15 MB that it keeps 236 ± 15 blocks, not 30 ± 6.
const sampled = 64 << 10

// TestMain leaks some goroutines and memory in a child.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	runtime.MemProfileRate = sampled
	never := make(chan int)
	for range 20 {
		go leaked(never)
	}
	for range 3000 {
		kept = append(kept, bytes.Repeat([]byte{1}, 5000))
	}
	runtime.GC()
	runtime.GC()
	_, _ = os.Stdout.WriteString("ready\n")
	order, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if order == "again\n" {
		panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	runtime.KeepAlive(kept)
}

var kept [][]byte

func leaked(never chan int) { <-never }

// The lines of a Go process that does not help are those that it would tell itself.
func TestRuntimeFromOutside(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer stdin.Close()
	if _, err := io.ReadFull(stdout, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if _, err := outside.Open(child.Process.Pid); err != nil {
		t.Skip("this toolchain is not known, or this system forbids it: ", err)
	}
	p, err := OpenProcess(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var s sampler.Sample
	if err := p.Sample(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range s.Readings {
		rows = append(rows, r.Resource)
	}
	if d := cmp.Diff([]string{
		sampler.RSSBytes, sampler.OpenFDs, sampler.Threads, sampler.CPUSeconds, sampler.Goroutines,
		sampler.HeapLiveBytes, sampler.GCCycles,
	}, rows); d != "" || p.Note() != "" {
		t.Errorf("note %q; rows (-want +got):\n%s", p.Note(), d)
	}
	profiles := p.Profiles()
	const here = "github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source."
	await.Until(t, func() string { // all of them wait in the end
		goroutines, err := profiles.Profile(t.Context(), profile.Goroutine)
		if err != nil {
			t.Fatal(err)
		}
		site := goroutines.Sites[0]
		if site.Function != here+"leaked" || site.Count != 20 || site.WaitReason != "chan receive" ||
			!strings.HasSuffix(site.File, "/runtime_linux_test.go") {
			return fmt.Sprintf("goroutines: %+v", site)
		}
		return ""
	})
	heap, err := profiles.Profile(t.Context(), profile.Heap)
	if err != nil {
		t.Fatal(err)
	}
	if site := heap.Sites[0]; site.Function != here+"TestMain" || site.Bytes < 8<<20 || site.Bytes > 24<<20 ||
		heap.GC < 2 || heap.Resolution != sampled {
		t.Errorf("heap: %+v, of %d collections, a sample for %v bytes", site, heap.GC, heap.Resolution)
	}
	parts, err := breakdown.Read(t.Context(), p, sampler.RSSBytes, 0)
	if err != nil || !parts.Has("goroutine stacks") || !parts.Has("Go heap") {
		t.Errorf("its resident memory is %+v, %v", parts, err)
	}
	// A program of go test has no symbols: a variable goes by the function whose code uses it.
	want := "a variable that " + here + "TestMain uses ([][]uint8), 3,000 entries"
	if held, err := profiles.Holder(t.Context(), heap.Sites[0].Frame); err != nil || held.Text != want {
		t.Errorf("held by %q, %v, want %q", held.Text, err, want)
	}
	if _, err := profiles.Profile(t.Context(), profile.GoroutineLeak); err != profile.ErrUnsupported {
		t.Errorf("proof: %v", err)
	}
	for kind, want := range map[profile.Kind]string{profile.Goroutine: here + "leaked",
		profile.Heap: here + "TestMain"} {
		raw, err := profiles.Raw(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		file, err := pprof.Parse(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		largest := slices.MaxFunc(file.Sample, func(a, b *pprof.Sample) int {
			return int(a.Value[len(a.Value)-1] - b.Value[len(b.Value)-1])
		})
		if !slices.ContainsFunc(largest.Location, func(l *pprof.Location) bool {
			return l.Line[0].Function.Name == want
		}) {
			t.Errorf("%s: most is not at %s:\n%s", kind, want, file)
		}
	}
	text, err := profiles.Stacks(t.Context())
	if err != nil || !strings.Contains(string(text), "\n20 @\n#\truntime.gopark\t") {
		t.Errorf("stacks: %v\n%s", err, text)
	}
	dump, err := profiles.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	created := 0
	for _, g := range profile.ParseDump(dump) {
		if g.Site.Function == here+"leaked" && g.CreatedBy.Function == here+"TestMain" &&
			g.Site.WaitReason == "chan receive" {
			created++
		}
	}
	if created != 20 {
		t.Errorf("%d goroutines of 20 in the dump:\n%s", created, dump)
	}
}

// A program that executes itself anew, as some do for a new release, begins anew: it is another process of the same id.
func TestRuntimeOfTheSameProgramAnew(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer stdin.Close()
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(stdout, ready); err != nil {
		t.Fatal(err)
	}
	if o, err := outside.Open(child.Process.Pid); err != nil {
		t.Skip("this toolchain is not known, or this system forbids it: ", err)
	} else {
		_ = o.Close()
	}
	p, err := OpenProcess(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var notes []string
	p.OnNote(func(note string, lacks bool) { notes = append(notes, fmt.Sprint(note, lacks)) })
	var before, after sampler.Sample
	if err := p.Sample(t.Context(), &before); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "again\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, ready); err != nil {
		t.Fatal(err)
	}
	await.True(t, "goroutines of the program anew", func() bool { // which is opened while samples go on
		if err := p.Sample(t.Context(), &after); err != nil {
			t.Fatal(err)
		}
		n, ok := after.Value(sampler.Goroutines)
		return ok && n >= 20
	})
	if !after.Start.After(before.Start) {
		t.Errorf("start %s, before %s", after.Start, before.Start)
	}
	heap, err := p.Profiles().Profile(t.Context(), profile.Heap)
	if err != nil || len(heap.Sites) == 0 || !p.Profiles().Present() {
		t.Errorf("heap: %+v, %v", heap, err)
	}
	if len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
}

// A program that has hardly begun is tried again soon.
func TestYoungProgram(t *testing.T) {
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = sleep.Wait() }()
	defer func() { _ = sleep.Process.Kill() }()
	start := time.Now()
	p, err := openProcess(sleep.Process.Pid, func(int) (*outside.Process, error) { return nil, errNotNow })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if lasted := time.Since(start); lasted < reopenAfter/2 && p.pause != youngAfter {
		t.Errorf("it is left alone for %s", p.pause)
	}
}

// A process that executes a Go program is read from then on.
func TestRuntimeOfAnotherProgram(t *testing.T) {
	child := exec.Command("sh", "-c", `read line; exec "$0"`, os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = child.Wait() }()
	defer stdin.Close()
	p, err := OpenProcess(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var s sampler.Sample
	if err := p.Sample(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if n, ok := s.Value(sampler.Goroutines); ok || p.Profiles().Present() {
		t.Errorf("a shell has %v goroutines", n)
	}
	if o, err := outside.Open(os.Getpid()); err != nil {
		t.Skip("this toolchain is not known, or this system forbids it: ", err)
	} else {
		_ = o.Close()
	}
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	await.True(t, "goroutines", func() bool {
		_ = p.Sample(t.Context(), &s)
		p.mu.Lock()
		if p.next.After(time.Now()) { // it was opened before its runtime was ready
			p.next = time.Now()
		}
		p.mu.Unlock()
		n, ok := s.Value(sampler.Goroutines)
		return ok && n >= 20
	})
}
