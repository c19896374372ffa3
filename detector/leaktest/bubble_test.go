//go:build go1.26

package leaktest_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble time passes once all goroutines wait. That none are left when it ends is for synctest to see.
func TestInABubble(t *testing.T) {
	t.Cleanup(func() { kept = nil })
	for _, test := range []struct {
		name  string
		round func()
		leaks bool
	}{
		{"healthy", func() { go time.Sleep(time.Millisecond) }, false},
		{"leaking", func() { keep(100) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			leaveGarbage()
			synctest.Test(t, func(t *testing.T) {
				if output := checked(test.round); (output != "") != test.leaks {
					t.Errorf("leaks: want %v, said %q", test.leaks, output)
				}
			})
		})
	}
}

// leaveGarbage leaves memory that goes with the next collections, once finalizers have run, which takes a while.
func leaveGarbage() {
	for range 1000 {
		block := make([]byte, 10_000)
		runtime.SetFinalizer(&block[0], func(b *byte) {
			for n := range 10_000 {
				*b += byte(n)
			}
		})
	}
}
