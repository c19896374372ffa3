//go:build go1.25

package leaktest_test

import (
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
			synctest.Test(t, func(t *testing.T) {
				if said := checked(test.round); (said != "") != test.leaks {
					t.Errorf("leaks: want %v, said %q", test.leaks, said)
				}
			})
		})
	}
}
