//go:build go1.25

package await

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a test whose time is over after a while, or never.
type fake struct {
	testing.TB
	deadline time.Time
	failure  string
}

func (f *fake) Helper()                     {}
func (f *fake) Deadline() (time.Time, bool) { return f.deadline, !f.deadline.IsZero() }
func (f *fake) Fatalf(format string, arguments ...any) {
	f.failure = fmt.Sprintf(format, arguments...)
	panic(f)
}

// waits runs a function that waits, and returns how it failed the test and how long that took.
func waits(deadline time.Duration, wait func(testing.TB)) (failure string, took time.Duration) {
	begun := time.Now()
	f := new(fake)
	if deadline > 0 {
		f.deadline = begun.Add(deadline)
	}
	defer func() {
		failure, took = f.failure, time.Since(begun)
		if r := recover(); r != nil && r != f {
			panic(r)
		}
	}()
	wait(f)
	return
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			holdsAfter, deadline time.Duration
			want                 string
			atMost               time.Duration
		}{
			"holds at once":          {0, time.Minute, "", 0},
			"holds later":            {20 * time.Second, time.Minute, "", 21 * time.Second},
			"holds later, no limit":  {20 * time.Minute, 0, "", 21 * time.Minute},
			"does not hold in time":  {time.Hour, time.Minute, "waited in vain: the hour", 50 * time.Second},
			"the time is over as is": {time.Hour, time.Second, "waited in vain: the hour", 0},
		} {
			begun := time.Now()
			failure, took := waits(test.deadline, func(t testing.TB) {
				True(t, "the hour", func() bool { return time.Since(begun) >= test.holdsAfter })
			})
			if failure != test.want || took > test.atMost || test.want == "" && took < test.holdsAfter {
				t.Errorf("%s: %q after %v, want %q after %v", name, failure, took, test.want, test.atMost)
			}
		}
	})
}

func TestReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int, 1)
		c <- 7
		var got int
		if failure, took := waits(time.Minute, func(t testing.TB) { got = Receive(t, "seven", c) }); failure != "" ||
			got != 7 || took != 0 {
			t.Errorf("%d, %q after %v", got, failure, took)
		}
		failure, took := waits(time.Minute, func(t testing.TB) { Receive(t, "eight", c) })
		if want := "waited in vain: eight"; failure != want || took != 50*time.Second {
			t.Errorf("%q after %v, want %q", failure, took, want)
		}
	})
}
