package leaky

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

func TestRefresh(t *testing.T) {
	leaktest.Check(t, Refresh, leaktest.Settle(100*time.Millisecond), leaktest.Budget(time.Millisecond))
}

func TestAllowed(t *testing.T) {
	leaktest.Check(t, Refresh, leaktest.AllowFunction("github.com/mdzesseis/leaktrend/detector/leaktest/testdata/"+
		"leaky.Refresh"))
}
