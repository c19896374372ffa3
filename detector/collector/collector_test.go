package collector

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/metric/metrictest"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

var update = flag.Bool("update", false, "write the golden files")

func registered(t testing.TB, c prometheus.Collector) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	return registry
}

func exposition(t testing.TB, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestExposition(t *testing.T) {
	registry := registered(t, &Collector{read: metrictest.Snapshot})
	got := exposition(t, registry)
	golden := filepath.Join("testdata", "metrics.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// A monitor that has not run yet says so, and nothing else.
func TestBeforeTheFirstCheck(t *testing.T) {
	m, err := detector.NewMonitor(detector.DefaultConfig(), silent())
	if err != nil {
		t.Fatal(err)
	}
	want := `
		# HELP leaktrend_check_interval_seconds Time between two checks; 0 where the configuration turns them off.
		# TYPE leaktrend_check_interval_seconds gauge
		leaktrend_check_interval_seconds 30
		# HELP leaktrend_checks_total Checks of the resources.
		# TYPE leaktrend_checks_total counter
		leaktrend_checks_total 0
		# HELP leaktrend_last_check_timestamp_seconds Unix time of the latest sample that was judged; 0 before the first.
		# TYPE leaktrend_last_check_timestamp_seconds gauge
		leaktrend_last_check_timestamp_seconds 0
	`
	err = testutil.CollectAndCompare(New(m), strings.NewReader(want), "leaktrend_check_interval_seconds",
		"leaktrend_checks_total",
		"leaktrend_last_check_timestamp_seconds", "leaktrend_state", "leaktrend_value")
	if err != nil {
		t.Error(err)
	}
}

func silent() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

// script is a Source of a process that leaks descriptors under a limit of 1,000, a sample each five minutes of a day,
// then as time passes.
type script struct{ at time.Time }

func newScript() *script { return &script{time.Now().Add(-24 * time.Hour)} }

func (s *script) Sample(_ context.Context, out *sampler.Sample) error {
	now := time.Now()
	s.at = s.at.Add(5 * time.Minute)
	if s.at.After(now) {
		s.at = now
	}
	age := 24 - now.Sub(s.at).Hours()
	out.Reset(s.at)
	out.Ceilings = []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 1000, Source: "test"}}
	out.Add(sampler.Goroutines, 40)
	out.Add(sampler.HeapLiveBytes, 1<<30+1e6*age)
	out.Add(sampler.OpenFDs, 100+10*age)
	return nil
}

// caughtUp runs a monitor of a script until it has found the leak.
func caughtUp(t *testing.T) *detector.ResourceMonitor {
	t.Helper()
	config := detector.DefaultConfig()
	config.CheckInterval = 10 * time.Millisecond
	m, err := detector.NewSourceMonitor(newScript(), alerting.Process{PID: 1}, config, silent())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop() })
	await.Until(t, func() string {
		if m.IsHealthy() || time.Since(m.Checks().Last) > time.Second {
			return fmt.Sprintf("a finding, as of now: %+v", m.Status())
		}
		for _, sink := range m.Delivery() {
			if sink.Name == "log" && sink.Sent == 0 {
				return "the alert in the log"
			}
		}
		return ""
	})
	return m
}

// A running monitor, scraped while it checks.
func TestRunningMonitor(t *testing.T) {
	m := caughtUp(t)
	registry := registered(t, New(m))
	lines := strings.Split(exposition(t, registry), "\n")
	for _, want := range []string{
		`leaktrend_finding{kind="trend",resource="open_fds"} 1`,
		`leaktrend_finding{kind="trend",resource="goroutines"} 0`,
		`leaktrend_findings_total{kind="trend",resource="open_fds"} 1`,
		`leaktrend_state{resource="goroutines",state="healthy"} 1`,
		`leaktrend_value{resource="goroutines"} 40`,
		`leaktrend_checks_incomplete_total 0`,
		`leaktrend_alerts_sent_total{sink="log"} 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("not exported: %s", want)
		}
	}
	sample := func(name string) float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, metric := range f.Metric {
				for _, l := range metric.Label {
					if f.GetName() == name && l.GetValue() == sampler.OpenFDs {
						return metric.GetGauge().GetValue()
					}
				}
			}
		}
		t.Fatalf("no %s of open_fds", name)
		return 0
	}
	// 10 an hour; 660 are left at the end of the day.
	if got, want := 3600*sample("leaktrend_slope_per_second"), 10.; got < .95*want || got > 1.05*want {
		t.Errorf("slope = %v an hour, want %v", got, want)
	}
	if got, want := sample("leaktrend_exhaustion_timestamp_seconds")-float64(time.Now().Unix()),
		66*3600.; got < .95*want || got > 1.05*want {
		t.Errorf("%v s left, want %v", got, want)
	}
}

func BenchmarkCollect(b *testing.B) {
	m, err := detector.NewMonitor(detector.DefaultConfig(), silent())
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Start(); err != nil {
		b.Fatal(err)
	}
	defer m.Stop()
	for m.Checks().Checks == 0 {
		time.Sleep(time.Millisecond)
	}
	b.Run("scrape", func(b *testing.B) {
		registry := registered(b, New(m))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := registry.Gather(); err != nil {
				b.Fatal(err)
			}
		}
	})
	// While the monitor's lock is held, a check waits.
	b.Run("locked", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Status()
			m.Delivery()
			m.Checks()
		}
	})
}
