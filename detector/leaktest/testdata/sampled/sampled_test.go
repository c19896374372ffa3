// Package sampled looks how the heap is sampled in a check.
package sampled

import (
	"runtime"
	"testing"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

func TestRate(t *testing.T) {
	before := runtime.MemProfileRate
	leaktest.Check(t, func() {
		if runtime.MemProfileRate != before {
			t.Errorf("the heap is sampled every %d bytes, %d before", runtime.MemProfileRate, before)
		}
	})
}
