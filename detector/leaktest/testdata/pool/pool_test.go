// Package pool has tests that start something for good.
package pool

import (
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m, leaktest.Settle(100*time.Millisecond)) }

var (
	once sync.Once
	work = make(chan func())
)

func TestStarts(t *testing.T) {
	once.Do(func() {
		for range 4 {
			go func() {
				for f := range work {
					f()
				}
			}()
		}
	})
}
