// Package pair makes one of the two monitors that the first host constructs: its second constructor takes the monitor
// that the first one made. The host's code passes nothing from one to the other but the logger, so what links them is
// the one state of the process that leaktrend keeps.
package pair

import (
	"sync"

	"github.com/sirupsen/logrus"
)

// Monitor is a monitor that the first constructor made.
type Monitor struct {
	Monitor func() any // nil once nobody holds it any more
	Given   any        // the configuration that it was made with
}

var (
	mu     sync.Mutex
	logger *logrus.Logger
	latest *Monitor
)

// Made notes the monitor that the first constructor made last, and its logger.
func Made(of *logrus.Logger, m Monitor) {
	mu.Lock()
	defer mu.Unlock()
	logger, latest = of, &m
}

// Take returns the monitor that was noted, and forgets it. ok is false where none was, or one with another logger.
func Take(of *logrus.Logger) (m Monitor, ok bool) {
	mu.Lock()
	defer mu.Unlock()
	if latest == nil || logger != of {
		return m, false
	}
	m = *latest
	logger, latest = nil, nil
	return m, true
}
