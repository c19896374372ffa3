// Package left has tests that leave goroutines behind.
package left

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m, leaktest.Settle(100*time.Millisecond)) }

func TestLeaves(t *testing.T) {
	done := make(chan bool)
	go func() {
		<-done
	}()
}
