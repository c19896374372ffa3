package leaktest_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// However a round ends, the heap is sampled as before.
func TestRoundsThatFail(t *testing.T) {
	before := runtime.MemProfileRate
	for _, test := range []struct {
		name, output string
		round        func(r *recorder, n int)
		rounds       int
	}{
		{"at once", "broken", func(r *recorder, _ int) { abandoned(); r.Errorf("broken") }, 1},
		{"later", "broken", func(r *recorder, n int) {
			if n == 2 {
				r.Errorf("broken")
			}
		}, 2},
		{"by a panic", "", func(_ *recorder, n int) {
			if n == 2 {
				panic("broken")
			}
		}, 2},
		{"as FailNow does", "", func(_ *recorder, n int) {
			if n == 2 {
				runtime.Goexit()
			}
		}, 2},
	} {
		var r recorder
		n := 0
		ended := make(chan bool)
		go func() {
			defer close(ended)
			defer func() { _ = recover() }()
			check(&r, func() { n++; test.round(&r, n) })
		}()
		<-ended
		if n != test.rounds || r.output() != test.output {
			t.Errorf("%s: %d rounds and %q, want %d and %q", test.name, n, r.output(), test.rounds, test.output)
		}
	}
	if runtime.MemProfileRate != before {
		t.Errorf("the heap is sampled every %d bytes, %d before", runtime.MemProfileRate, before)
	}
}

func TestRounds(t *testing.T) {
	for _, test := range []struct {
		name     string
		options  []leaktest.Option
		takes    time.Duration
		min, max int // more than the fewest where something happens to grow at first
	}{
		{"fast", []leaktest.Option{leaktest.Budget(time.Hour)}, 0, 10, 200},
		{"slow", nil, 20 * time.Millisecond, 3, 9}, // two to see how long they take, and a stretch of one
		{"as asked for", []leaktest.Option{leaktest.Rounds(30)}, 0, 60, 1000},
	} {
		n := 0
		if output := checked(func() { n++; time.Sleep(test.takes) }, test.options...); n < test.min || n > test.max ||
			output != "" {
			t.Errorf("%s: %d rounds, want %d to %d; %s", test.name, n, test.min, test.max, output)
		}
	}
}

// A memory profile that was asked for is that of the tests.
func TestMemoryProfileIsNotSpoilt(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("go is not on the PATH: ", err)
	}
	dir := t.TempDir()
	out, err := exec.Command(tool, "test", "-count=1", "-memprofile", filepath.Join(dir, "memory"), "-o",
		filepath.Join(dir, "test"), "./testdata/sampled").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ok ") {
		t.Errorf("%v\n%s", err, out)
	}
}
