package expvars

import (
	"encoding/json"
	"expvar"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
	"github.com/mdzesseis/leaktrend/sampler"
)

// every returns a monitor that has not run, with this interval.
func every(t *testing.T, interval time.Duration) *detector.ResourceMonitor {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	config := detector.DefaultConfig()
	config.CheckInterval = interval
	m, err := detector.NewMonitor(config, logger)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// interval is what a name shows as the monitor's interval: nil without a monitor.
func interval(t *testing.T, name string) any {
	t.Helper()
	var shown map[string]any
	if err := json.Unmarshal([]byte(expvar.Get(name).String()), &shown); err != nil {
		t.Fatal(err)
	}
	return shown["check_interval_seconds"]
}

func TestPublish(t *testing.T) {
	if expvar.Get("taken") == nil { // run once more
		expvar.NewInt("taken")
	}
	minute, hour := every(t, time.Minute), every(t, time.Hour)
	for i, step := range []struct {
		monitor *detector.ResourceMonitor
		want    any
	}{{minute, 60.}, {minute, 60.}, {hour, 3600.}, {nil, nil}, {minute, 60.}} {
		if err := Publish("monitor", step.monitor); err != nil {
			t.Fatal(i, err)
		}
		if got := interval(t, "monitor"); got != step.want {
			t.Errorf("step %d: an interval of %v, want %v", i, got, step.want)
		}
	}
	if err := Publish("taken", minute); err == nil || err.Error() != "expvars: something else is published as taken" {
		t.Errorf("over another variable: %v", err)
	}
	if got := expvar.Get("taken").String(); got != "0" {
		t.Errorf("the other variable is %s now", got)
	}
}

// Several parts of a service may publish at once, while the page is read.
func TestPublishAtOnce(t *testing.T) {
	m := every(t, time.Minute)
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := Publish("together", m); err != nil {
				t.Error(err)
			}
			_ = expvar.Get("together").String()
		}()
	}
	all.Wait()
	if got := interval(t, "together"); got != 60. {
		t.Errorf("an interval of %v", got)
	}
}

func TestTree(t *testing.T) {
	r, _ := sampler.Lookup(sampler.OpenFDs)
	s := metric.Snapshot{
		Status: []detector.Status{{
			Resource: r, State: detector.Firing, Trend: true, Severity: alerting.High, Value: 90, Baseline: math.NaN(),
			SlopePerHour: 3600, Leaks: 2, Memory: 600,
		}},
		Delivery: []alerting.SinkStats{{Name: "log", Sent: 4}},
		Checks:   detector.CheckStats{Checks: 12, Reading: 3 * time.Millisecond, Interval: 30 * time.Second},
	}
	log := func(v float64) map[string]any { return map[string]any{"log": v} }
	fds := func(v any) map[string]any { return map[string]any{"open_fds": v} }
	want := map[string]any{
		"memory_bytes": fds(600.), "value": fds(90.), "slope_per_second": fds(1.), "severity": fds(2.),
		"state":          fds(map[string]any{"learning": 0., "healthy": 0., "suspected": 0., "firing": 1.}),
		"finding":        fds(map[string]any{"trend": 1., "limit": 0.}),
		"findings_total": fds(map[string]any{"trend": 2., "limit": 0.}),
		"checks_total":   12., "checks_incomplete_total": 0., "check_seconds_total": map[string]any{"read": .003,
			"judge": 0.},
		"check_interval_seconds": 30., "last_check_timestamp_seconds": 0.,
		"log_lines_total": 0., "log_lines_dropped_total": 0., "log_stuck": 0.,
		"panics_total":      map[string]any{"checks": 0., "messages": 0., "log": 0.},
		"alerts_sent_total": log(4), "alerts_retried_total": log(0), "alerts_refused_total": log(0),
		"alerts_dropped_total": log(0),
		"alerts_failed_total":  log(0), "alerts_queued": log(0), "alerts_waiting": log(0), "sink_failing": log(0),
		"sink_stuck": log(0),
	}
	if diff := cmp.Diff(want, tree(&s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(tree(&s)); err != nil {
		t.Error(err)
	}
}
