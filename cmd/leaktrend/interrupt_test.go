//go:build go1.25

package main

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An interrupt that comes twice, as that of timeout, does not keep a command from its results; a later one ends it.
func TestInterruptedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var over atomic.Bool
		var stderr bytes.Buffer
		endAtOnce(ctx, func() { over.Store(true) }, &stderr)
		time.Sleep(time.Hour)
		interrupt()
		time.Sleep(onceAfter - time.Nanosecond)
		if over.Load() {
			t.Error("the next interrupt ends it, which may be the same")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if !over.Load() {
			t.Error("the next interrupt does not end it at once")
		}
		time.Sleep(noticeAfter - onceAfter)
		synctest.Wait()
		if stderr.String() != "leaktrend: ending; interrupt again to end at once\n" {
			t.Errorf("said %q", &stderr)
		}
	})
}
