// Package await has tests wait for what happens in real time, for as long as the test may run: how long it takes says
// how busy the machine is, not whether the program is right. Only tests use it.
package await

import (
	"testing"
	"time"
)

// margin is what is left of a test's time to say what it waited for in vain, before go test ends it with nothing but
// the stacks.
const margin = 10 * time.Second

// expiry returns a channel that delivers when the time of go test (-timeout) is nearly over; nil where it has no limit.
func expiry(t testing.TB) <-chan time.Time {
	limited, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return nil
	}
	deadline, ok := limited.Deadline()
	if !ok {
		return nil
	}
	return time.After(time.Until(deadline) - margin)
}

// Until tries until lacking returns "", and fails the test with the latest of what it said was lacking when the time of
// go test is over.
func Until(t testing.TB, lacking func() string) {
	t.Helper()
	why := lacking()
	for over, again := expiry(t), time.Millisecond; why != ""; why = lacking() {
		select {
		case <-over:
			t.Fatalf("waited in vain: %s", why)
		case <-time.After(again):
			again = min(2*again, 50*time.Millisecond)
		}
	}
}

// True tries until holds returns true. The test fails, naming what it waited for, when the time of go test is over.
func True(t testing.TB, what string, holds func() bool) {
	t.Helper()
	Until(t, func() string {
		if holds() {
			return ""
		}
		return what
	})
}

// Receive returns the next value of a channel. The test fails, naming what it waited for, when the time of go test is
// over.
func Receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-expiry(t):
		t.Fatalf("waited in vain: %s", what)
		panic("not reached")
	}
}
