package leaktest_test

import (
	"runtime"
	"strings"
	"testing"
)

// besides runs a test beside the one that calls f. It leaks goroutines and memory for as long as f runs.
func besides(t *testing.T, f func(t *testing.T)) {
	running, over := make(chan bool), make(chan bool)
	leaked := make(chan int)
	t.Cleanup(func() { close(leaked) })
	t.Run("both", func(t *testing.T) {
		t.Run("beside", func(t *testing.T) {
			t.Parallel()
			var held [][]byte
			close(running)
			for range 5000 {
				select {
				case <-over:
					return
				default:
					held = append(held, make([]byte, 10))
					go func() { <-leaked }()
				}
			}
			<-over
			runtime.KeepAlive(held)
		})
		t.Run("checked", func(t *testing.T) {
			t.Parallel()
			defer close(over)
			<-running
			f(t)
		})
	})
}

func TestParallelTestsAreDistinguished(t *testing.T) {
	besides(t, func(t *testing.T) {
		for _, test := range []struct {
			name, line string
			round      func()
		}{
			{"healthy", "", func() {}},
			{"leaking", lineOf(t, "abandoned"), abandoned},
		} {
			var r recorder
			check(&r, test.round)
			named := places.FindAllStringSubmatch(r.output(), -1)
			if test.line == "" && len(named) != 0 || test.line != "" && (len(named) != 1 || named[0][2] != test.line) {
				t.Errorf("%s: %q, want line %q", test.name, r.output(), test.line)
			}
			if log := strings.Join(r.log, "\n"); !strings.Contains(log, "leaktest_test.besides.") ||
				!strings.Contains(log, "runs beside this test: memory, descriptors and goroutines that no round has "+
					"started are not looked at") {
				t.Errorf("%s: the log says %q", test.name, log)
			}
		}
	})
}

// A test that waits for its turn, and those whose sub-test checks, are not beside.
func TestWaitingTestsAreNotBeside(t *testing.T) {
	t.Run("waits", func(t *testing.T) { t.Parallel() })
	t.Run("outer", func(t *testing.T) {
		t.Run("inner", func(t *testing.T) {
			var r recorder
			check(&r, func() {})
			if r.output() != "" || len(r.log) > 0 {
				t.Errorf("%q, log %q", r.output(), r.log)
			}
		})
	})
}
