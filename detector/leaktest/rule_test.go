package leaktest

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/profile"
)

func TestGrows(t *testing.T) {
	for _, test := range []struct {
		name      string
		values    series
		stretches []int
		grows     bool
		rises     int
	}{
		{"none yet", nil, nil, false, 0},
		{"one stock", series{4}, nil, false, 0},
		{"one stretch", series{4, 5}, []int{5}, true, 1},
		{"one a round", series{0, 5, 15, 35, 75}, []int{5, 10, 20, 40}, true, 4},
		{"one in two rounds", series{0, 3, 8, 17, 38}, []int{5, 10, 20, 40}, true, 4},
		{"flat for one stretch", series{0, 5, 5, 25, 65}, []int{5, 10, 20, 40}, false, 3},
		{"given back", series{0, 5, 15, 10, 50}, []int{5, 10, 20, 40}, false, 0},
		{"one a stretch", series{0, 1, 2, 3, 4}, []int{5, 10, 20, 40}, false, 4},
		{"coming to rest", series{0, 50, 90, 110, 118}, []int{5, 10, 20, 40}, false, 4},
		{"much in the first stretch", series{0, 100, 110, 130, 170}, []int{5, 10, 20, 40}, true, 4},
		{"stretches of one round", series{0, 1, 2, 3, 4}, []int{1, 1, 1, 1}, true, 4},
		{"not seen at the last stock", series{0, 1, 2, 3}, []int{1, 1, 1, 1}, false, 3},
	} {
		if got := test.values.grows(test.stretches); got != test.grows {
			t.Errorf("%s: grows is %v, want %v", test.name, got, test.grows)
		}
		if got := test.values.rises(); got != test.rises {
			t.Errorf("%s: rises in %d stretches, want %d", test.name, got, test.rises)
		}
	}
}

func TestNextStretch(t *testing.T) {
	for _, test := range []struct {
		played        int
		elapsed, left float64
		want          int
	}{
		{10, 0, 1, 10},
		{10, .1, 1, 10},
		{10, .5, .25, 5},
		{10, 2, -1, 1},
	} {
		if got := nextStretch(test.played, test.elapsed, test.left); got != test.want {
			t.Errorf("%d rounds after %d in %v s, %v s left; want %d", got, test.played, test.elapsed, test.left,
				test.want)
		}
	}
}

func TestRateFor(t *testing.T) {
	for _, test := range []struct {
		objects, bytes float64
		want           int
	}{{0, 0, 1}, {100_000, 1e9, 1}, {200_000, 200_000, 2}, {1e6, 1e8, 1000}, {1e6, 1e12, 512 << 10}} {
		if got := rateFor(test.objects, test.bytes); got != test.want {
			t.Errorf("%v objects of %v bytes: %d, want %d", test.objects, test.bytes, got, test.want)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, test := range []struct {
		name string
		want bool
	}{
		{"example.com/a.F", true},
		{"example.com/a.(*T).Run", true},
		{"example.com/a", true},
		{"example.com/a.G", true},
		{"example.com/a.Fu", false},
		{"a.F", false},
		{"example.com", false},
		{"", false},
	} {
		o := optionsOf([]Option{AllowFunction("none.of.these"), AllowFunction(test.name)})
		stack := []profile.Frame{{Function: "example.com/a.F.func1"}, {Function: "example.com/a.G[...]"},
			{Function: "example.com/a.(*T).Run.gowrap1"}}
		if got := o.allows(stack); got != test.want {
			t.Errorf("%q: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRunningTest(t *testing.T) {
	for name, test := range map[string]struct {
		stack, test string
		calls       bool
	}{
		"takes stock": {"runtime.goroutineProfile " + ourPackage + ".(*stock).measureGoroutines " +
			"a.TestX testing.tRunner runtime.goexit", "a.TestX", true},
		"runs": {"time.Sleep a.TestX.func1 testing.tRunner runtime.goexit", "a.TestX.func1",
			false},
		"waits for a lock": {"runtime.gopark sync.runtime_SemacquireMutex sync.(*Mutex).Lock a.help " +
			"a.TestX testing.tRunner runtime.goexit", "a.TestX", false},
		"waits for a sub-test": {"runtime.gopark runtime.chanrecv1 testing.(*T).Run suite.Run a.TestX " +
			"testing.tRunner runtime.goexit", "", false},
		"waits for its turn": {"runtime.gopark runtime.chanrecv1 testing.(*T).Parallel a.TestX " +
			"testing.tRunner runtime.goexit", "", false},
		"waits for a bubble": {"runtime.gopark internal/synctest.Run testing/synctest.Test a.TestX " +
			"testing.tRunner runtime.goexit", "", false},
		"waits for parallel sub-tests": {"runtime.gopark runtime.chanrecv1 testing.tRunner.func1 testing.tRunner " +
			"runtime.goexit", "", false},
	} {
		var stack []profile.Frame
		for _, f := range strings.Fields(test.stack) {
			stack = append(stack, profile.Frame{Function: f})
		}
		if got, calls := runningTest(stack); got != test.test || calls != test.calls {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, calls, test.test, test.calls)
		}
	}
}

func TestAnnotations(t *testing.T) {
	r := report{
		caller: profile.Frame{File: "/repo/a/a_test.go", Line: 7},
		findings: []leak{
			{at: profile.Frame{File: "/repo/a/b,c.go", Line: 1}, text: "100 % of\nit"},
			{at: profile.Frame{File: "/elsewhere/d.go", Line: 2}, text: "leaks"},
		},
	}
	var out strings.Builder
	r.annotations(&out, "/repo")
	want := `::error file=a/b%2Cc.go,line=1,title=leak::100 %25 of%0Ait
::error file=a/a_test.go,line=7,title=leak::/elsewhere/d.go:2: leaks
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A finalizer that takes a while, as on a busy machine, has let go of its object when stock is taken.
func TestCollectWaitsForFinalizers(t *testing.T) {
	type garbage struct{ _ *byte }
	var ran atomic.Bool
	runtime.SetFinalizer(new(garbage), func(*garbage) {
		time.Sleep(50 * time.Millisecond)
		ran.Store(true)
	})
	runtime.GC()
	if collect(); !ran.Load() {
		t.Error("the finalizer has not run")
	}
}

// The caches of type switches come by chance, for as long as a test lasts: they are nobody's leak.
func TestKeptByRuntime(t *testing.T) {
	site := profile.Frame{Function: "a.decode"}
	for stack, want := range map[string]bool{
		"runtime.mallocgc runtime.buildInterfaceSwitchCache runtime.interfaceSwitch b.read a.decode": true,
		"runtime.mallocgc runtime.buildTypeAssertCache runtime.typeAssert a.decode":                  true,
		"runtime.mallocgc runtime.malg runtime.newproc1 a.decode":                                    true,
		"runtime.mallocgc runtime.newobject b.read a.decode":                                         false,
		"runtime.mallocgc a.decode runtime.typeAssert":                                               false,
	} {
		var frames []profile.Frame
		for _, f := range strings.Fields(stack) {
			frames = append(frames, profile.Frame{Function: f})
		}
		if got := keptByRuntime(frames, site); got != want {
			t.Errorf("%s: %v", stack, got)
		}
	}
}
