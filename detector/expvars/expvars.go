// Package expvars publishes the verdicts of a detector.ResourceMonitor under /debug/vars, for services that use
// expvar instead of a metrics client:
//
//	err := expvars.Publish("leaktrend", monitor)
//
// Only services that import this package import expvar, which adds /debug/vars to http.DefaultServeMux. A request
// reads the monitor's latest verdicts; it takes no sample.
//
// The values are those of package collector, under its names without leaktrend_, with an object for each label:
//
//	{"checks_total": 12, "state": {"goroutines": {"firing": 0, "healthy": 1, ...}, ...},
//	 "value": {"goroutines": 40}, ...}
package expvars

import (
	"expvar"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
)

// variable is what a name shows: the monitor that was published last.
type variable struct {
	monitor atomic.Pointer[detector.ResourceMonitor]
}

// String returns JSON: null without a monitor.
func (v *variable) String() string {
	return expvar.Func(func() (values any) {
		m := v.monitor.Load()
		if m == nil {
			return nil
		}
		if guard.Do(func() error { s := metric.Of(m); values = tree(&s); return nil }) != nil {
			return nil
		}
		return values
	}).String()
}

// tree has the values of a snapshot by metric and labels.
func tree(s *metric.Snapshot) map[string]any {
	root := make(map[string]any)
	s.Each(func(m *metric.Metric, value float64, labels ...string) {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return // JSON has no such number, and one would spoil all that the service publishes
		}
		path := append([]string{strings.TrimPrefix(m.Name, "leaktrend_")}, labels...)
		at := root
		for _, key := range path[:len(path)-1] {
			below, ok := at[key].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[key] = below
			}
			at = below
		}
		at[path[len(path)-1]] = value
	})
	return root
}

var publishing sync.Mutex

// Publish has expvar show a monitor, running or not, under a name. Where that name shows a monitor already, it shows
// this one from then on; a nil monitor leaves null there. The error tells that something else has the name.
func Publish(name string, m *detector.ResourceMonitor) error {
	publishing.Lock()
	defer publishing.Unlock()
	switch there := expvar.Get(name).(type) {
	case nil:
		v := new(variable)
		v.monitor.Store(m)
		// expvar panics where another has taken the name since.
		if err := guard.Do(func() error { expvar.Publish(name, v); return nil }); err != nil {
			return fmt.Errorf("expvars: %s: %w", name, err)
		}
		return nil
	case *variable:
		there.monitor.Store(m)
		return nil
	default:
		return fmt.Errorf("expvars: something else is published as %s", name)
	}
}
