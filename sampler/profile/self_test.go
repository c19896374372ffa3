package profile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

// found is a site as the tests of real programs compare it.
type found struct {
	Function, File string
	Line           int
	WaitReason     string
	Entry          string
	Count          float64
}

// hereOf returns the sites of the application in this file whose functions contain name.
func hereOf(p *Profile, name string) (sites []found) {
	for _, s := range p.Sites {
		if s.Application && strings.Contains(s.Function, name) {
			base := func(f string) string { return f[strings.LastIndexByte(f, '.')+1:] }
			sites = append(sites, found{base(s.Function), filepath.Base(s.File), s.Line, s.WaitReason, base(s.Entry),
				s.Count})
		}
	}
	slices.SortFunc(sites, func(a, b found) int { return strings.Compare(a.Function, b.Function) })
	return sites
}

// Places where goroutines of this test wait. Each says at which line.
func waitSend(c chan int)      { c <- 1 } // line: send
func waitReceive(c chan int)   { <-c }    // line: receive
func waitSelect(a, b chan int) { inner(a, b) }
func waitMutex(m *sync.Mutex)  { m.Lock(); defer m.Unlock() } // line: mutex
func waitSleep(over chan int) {
	for {
		time.Sleep(20 * time.Millisecond) // line: sleep
		select {
		case <-over:
			return
		default:
		}
	}
}

func inner(a, b chan int) {
	select { // line: select
	case <-a:
	case <-b:
	}
}

// linesOf returns a function that says at which line of this file a comment "line: NAME" is.
func linesOf(t *testing.T) func(name string) int {
	return func(name string) int { return lineIn(t, "self_test.go", name) }
}

func lineIn(t *testing.T, file, name string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "// line: "+name+"\n")
	if !found {
		t.Fatalf("no line %q", name)
	}
	return strings.Count(before, "\n") + 1
}

func TestGoroutines(t *testing.T) {
	nothing, over := make(chan int), make(chan int)
	var locked sync.Mutex
	locked.Lock()
	var ended sync.WaitGroup
	start := func(n int, f func()) {
		for range n {
			ended.Add(1)
			go func() { defer ended.Done(); f() }()
		}
	}
	start(7, func() { waitSend(nothing) })
	start(5, func() { waitReceive(over) })
	start(4, func() { waitSelect(over, over) })
	start(3, func() { waitMutex(&locked) })
	start(2, func() { waitSleep(over) })
	defer func() {
		close(over)
		locked.Unlock()
		for range 7 {
			<-nothing
		}
		ended.Wait()
	}()
	line := linesOf(t)
	want := []found{
		{"waitMutex", "self_test.go", line("mutex"), "sync.Mutex.Lock", "1", 3},
		{"waitReceive", "self_test.go", line("receive"), "chan receive", "1", 5},
		{"waitSend", "self_test.go", line("send"), "chan send", "1", 7},
		{"waitSleep", "self_test.go", line("sleep"), "sleep", "1", 2},
		{"inner", "self_test.go", line("select"), "select", "1", 4},
	}
	self := NewSelf()
	for range 2 { // the second one knows the stacks
		await.Until(t, func() string { // all wait in the end
			p, err := self.Profile(t.Context(), Goroutine)
			if err != nil {
				t.Fatal(err)
			}
			if n := float64(runtime.NumGoroutine()); p.Count != n {
				return fmt.Sprintf("%v goroutines in the profile, %v exist", p.Count, n)
			}
			return cmp.Diff(want, append(hereOf(p, ".wait"), hereOf(p, ".inner")...))
		})
	}
}

var sink [][]byte

//go:noinline
func keepBlocks(n, size int) {
	for range n {
		sink = append(sink, make([]byte, size))
	}
}

func TestHeap(t *testing.T) {
	self := NewSelf()
	defer func() { sink = nil }()
	keepBlocks(200, 256<<10)
	runtime.GC()
	runtime.GC() // the first one completes, the second one publishes what it found
	p, err := self.Profile(t.Context(), Heap)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Sites, func(s Site) bool { return strings.HasSuffix(s.Function, ".keepBlocks") })
	if i < 0 {
		t.Fatalf("the site is not in the profile: %v", p.Sites)
	}
	// 50 MB in 200 blocks. Of blocks of half a sampling distance 39 % are sampled: 79 ± 7 of them.
	s := p.Sites[i]
	if s.Bytes < 30<<20 || s.Bytes > 75<<20 || s.Line == 0 || s.Callee != "" &&
		!strings.HasPrefix(s.Callee, "runtime.") {
		t.Errorf("site %+v", s)
	}
	if p.GC < 2 || p.Resolution != float64(runtime.MemProfileRate) || p.Bytes < s.Bytes {
		t.Errorf("profile: %d collections, resolution %v, %v bytes", p.GC, p.Resolution, p.Bytes)
	}
	stacks := s.Stacks(10)
	sum := 0.
	for _, k := range stacks {
		sum += k.Bytes
		if frames := symbolize(k.PCs); !slices.ContainsFunc(frames, func(f Frame) bool { return f == s.Frame }) {
			t.Errorf("a stack of the site without its line: %v", frames)
		}
	}
	if len(stacks) == 0 || sum < .999*s.Bytes || sum > 1.001*s.Bytes {
		t.Errorf("%d stacks with %v of %v bytes", len(stacks), sum, s.Bytes)
	}
	// Without the memory the site is gone, but for a stray sample of what else the line had allocated.
	sink = nil
	runtime.GC()
	runtime.GC()
	if p, err = self.Profile(t.Context(), Heap); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sites {
		if strings.HasSuffix(s.Function, ".keepBlocks") && s.Bytes > 2*p.Resolution {
			t.Errorf("freed, yet there: %+v", s)
		}
	}
}

//go:noinline
func leakHere() {
	go func() { <-make(chan int) }() // line: leak
}

func TestGoroutineLeak(t *testing.T) {
	self := NewSelf()
	before := 0. // leaked by an earlier run in this process
	if p, err := self.Profile(t.Context(), GoroutineLeak); err == nil {
		for _, s := range hereOf(p, "leakHere") {
			before += s.Count
		}
	}
	for range 3 {
		leakHere()
	}
	reachable := make(chan int)
	defer close(reachable)
	go waitReceive(reachable)
	if pprof.Lookup("goroutineleak") == nil {
		if _, err := self.Profile(t.Context(), GoroutineLeak); !errors.Is(err, ErrUnsupported) {
			t.Errorf("error %v, want ErrUnsupported", err)
		}
		t.Skip("before Go 1.27 there is no goroutineleak profile without GOEXPERIMENT=goroutineleakprofile")
	}
	line := linesOf(t)
	want := []found{{"func1", "self_test.go", line("leak"), "chan receive", "func1", before + 3}}
	await.Until(t, func() string { // all three wait in the end
		p, err := self.Profile(t.Context(), GoroutineLeak)
		if err != nil {
			t.Fatal(err)
		}
		if got := hereOf(p, "waitReceive"); got != nil {
			t.Errorf("what can be reached is called leaked: %v", got)
		}
		return cmp.Diff(want, hereOf(p, "leakHere"))
	})
}

func TestUnknownKind(t *testing.T) {
	if _, err := NewSelf().Profile(t.Context(), "weather"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if _, err := NewSelf().Raw(t.Context(), "weather"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

// What runs goes on running: a profile of goroutines that come and go holds no more than there are.
func TestProfileWhileGoroutinesComeAndGo(t *testing.T) {
	over := make(chan int)
	var churn sync.WaitGroup
	for range 4 {
		churn.Add(1)
		go func() {
			defer churn.Done()
			for {
				select {
				case <-over:
					return
				default:
				}
				var few sync.WaitGroup
				for range 20 {
					few.Add(1)
					go func() { defer few.Done(); runtime.Gosched() }()
				}
				few.Wait()
			}
		}()
	}
	self := NewSelf()
	for range 50 {
		p, err := self.Profile(t.Context(), Goroutine)
		if err != nil {
			t.Fatal(err)
		}
		if p.Count < 5 || p.Count > 200 {
			t.Errorf("%v goroutines", p.Count)
		}
	}
	close(over)
	churn.Wait()
}

// A goroutine has the labels of who started it.
func TestLabelled(t *testing.T) {
	over := make(chan int)
	var ended sync.WaitGroup
	start := func(context.Context) {
		ended.Add(1)
		go func() { defer ended.Done(); waitReceive(over) }()
	}
	defer func() { close(over); ended.Wait() }()
	start(t.Context())
	pprof.Do(t.Context(), pprof.Labels("test", `a "label"`), start)
	pprof.Do(t.Context(), pprof.Labels("test", "another"), start)
	self := NewSelf()
	at := linesOf(t)
	await.Until(t, func() string {
		p, err := self.Labelled(Goroutine, "test", `a "label"`)
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Diff([]found{{"waitReceive", "self_test.go", at("receive"), "chan receive", "1", 1}},
			hereOf(p, "waitReceive"))
	})
	if _, err := self.Labelled(Heap, "test", "another"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("memory has no labels: %v", err)
	}
}

func TestReadCounts(t *testing.T) {
	type call struct {
		PCs         []uintptr
		Count, Size float64
	}
	for _, test := range []struct {
		name, text, label string
		want              []call
		err               string
	}{
		{"empty", "", "", nil, ""},
		{"profile", "goroutineleak profile: total 3\n2 @ 0x10 0x20\n# labels: {\"a\":\" @ \"}\n" +
			"#\t0x10\tmain.f+0x1\t/a @ b.go:1\n\n1 @ 0x30\n", "", []call{
			{[]uintptr{0x10, 0x20}, 2, 0}, {[]uintptr{0x30}, 1, 0},
		}, ""},
		{"a label", "1 @ 0x10\n2 @ 0x20\n# labels: {\"a\":\"1\"}\n3 @ 0x30\n# labels: {\"a\":\"2\", \"b\":\"1\"}\n" +
			"4 @ 0x40\n# labels: {\"c\":\"1\", \"a\":\"1\"}\n" +
			"5 @ 0x50\n# labels: {\"c\":\"\\\"a\\\":\\\"1\\\"\"}\n6 @ 0x60", `"a":"1"`, []call{{[]uintptr{0x20}, 2, 0},
			{[]uintptr{0x40}, 4, 0}}, ""},
		{"no stack", "4 @\n", "", []call{{nil, 4, 0}}, ""},
		{"no count", "1 @ 0x1\nx @ 0x10\n", "", []call{{[]uintptr{1}, 1, 0}}, `profile: line 2: "x" is not a count`},
		{"heap", "2: 64 [3: 96] @ 0x10 0x20\n#\t0x10\n", "", []call{{[]uintptr{0x10, 0x20}, 2, 64}}, ""},
		{"no bytes", "2: x [3: 96] @ 0x10\n", "", nil, `profile: line 1: "x" is not a number of bytes`},
		{"no counter", "2 @ 0x10 zz\n", "", nil, `profile: line 1: "zz" is not a program counter`},
	} {
		var got []call
		err := readCounts(strings.NewReader(test.text), test.label, func(pcs []uintptr, count, size float64) {
			got = append(got, call{pcs, count, size})
		})
		if text := fmt.Sprint(err); err != nil && text != test.err || err == nil && test.err != "" {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func FuzzReadCounts(f *testing.F) {
	f.Add("goroutineleak profile: total 3\n2 @ 0x10 0x20\n#\t0x10\n\n1 @ 0x30\n")
	f.Add("18446744073709551616 @ 0xffffffffffffffffff\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := newReader(GoroutineLeak)
		r.begin(time.Unix(0, 0))
		if err := readCounts(strings.NewReader(text), "", r.add); err != nil {
			return
		}
		p, sum := r.end(), 0.
		for _, s := range p.Sites {
			sum += s.Count
		}
		if sum != p.Count {
			t.Errorf("sites of %v together, %v in all", sum, p.Count)
		}
	})
}

// atDepth calls f below some frames, as handlers are.
func atDepth(n int, f func()) {
	if n > 0 {
		atDepth(n-1, f)
		return
	}
	f()
}

func BenchmarkGoroutines(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			over := make(chan int)
			var ended sync.WaitGroup
			for range n {
				ended.Add(1)
				go func() {
					defer ended.Done()
					atDepth(8, func() { waitReceive(over) })
				}()
			}
			defer func() { close(over); ended.Wait() }()
			time.Sleep(100 * time.Millisecond)
			self := NewSelf()
			var longest time.Duration
			b.ReportAllocs()
			for b.Loop() {
				p, err := self.Profile(b.Context(), Goroutine)
				if err != nil {
					b.Fatal(err)
				}
				longest = max(longest, p.Cost.Pause)
			}
			b.ReportMetric(float64(longest)/1e6, "ms-pause")
		})
	}
}
