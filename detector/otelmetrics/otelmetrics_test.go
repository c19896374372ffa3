package otelmetrics

import (
	"context"
	"errors"
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
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
	"github.com/mdzesseis/leaktrend/detector/internal/metric/metrictest"
)

var update = flag.Bool("update", false, "write the golden file")

// collected returns what a reader collects as text, a line for each point in order.
func collected(t testing.TB, reader sdk.Reader) []string {
	t.Helper()
	lines, err := collect(reader)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func collect(reader sdk.Reader) (lines []string, err error) {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		return nil, err
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			about := fmt.Sprintf("%s [%s] ", m.Name, m.Unit)
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				lines = append(lines, points(about+"gauge", data.DataPoints)...)
			case metricdata.Sum[float64]:
				lines = append(lines, points(about+sum(data.IsMonotonic), data.DataPoints)...)
			case metricdata.Sum[int64]:
				lines = append(lines, points(about+"whole "+sum(data.IsMonotonic), data.DataPoints)...)
			default:
				return nil, fmt.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	slices.Sort(lines)
	return lines, nil
}

func sum(rises bool) string {
	if rises {
		return "counter"
	}
	return "sum"
}

func points[N int64 | float64](about string, all []metricdata.DataPoint[N]) (lines []string) {
	for _, p := range all {
		line := about
		for _, a := range p.Attributes.ToSlice() {
			line += fmt.Sprintf(" %s=%s", a.Key, a.Value.Emit())
		}
		lines = append(lines, fmt.Sprintf("%s: %v", line, p.Value))
	}
	return lines
}

func reading() (*sdk.MeterProvider, sdk.Reader) {
	reader := sdk.NewManualReader()
	return sdk.NewMeterProvider(sdk.WithReader(reader)), reader
}

func TestInstruments(t *testing.T) {
	provider, reader := reading()
	registration, err := register(provider, metrictest.Snapshot, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(collected(t, reader), "\n") + "\n"
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
	if err := registration.Unregister(); err != nil {
		t.Error(err)
	}
	if left := collected(t, reader); len(left) > 0 {
		t.Errorf("collected after Unregister: %q", left)
	}
	if err := registration.Unregister(); err != nil {
		t.Errorf("unregistered twice: %v", err)
	}
}

// silent is a monitor that has not run.
func silent(t testing.TB) *detector.ResourceMonitor {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	m, err := detector.NewMonitor(detector.DefaultConfig(), logger)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Two monitors of one process are told apart by attributes, and the one that is given up leaves the other.
func TestTwoMonitors(t *testing.T) {
	provider, reader := reading()
	attributes := []attribute.KeyValue{attribute.String("monitor", "a")}
	first, err := Register(provider, silent(t), attributes...)
	if err != nil {
		t.Fatal(err)
	}
	attributes[0] = attribute.String("monitor", "b") // the caller's own again
	if _, err := Register(provider, silent(t), attributes...); err != nil {
		t.Fatal(err)
	}
	completed := func() (lines []string) {
		for _, line := range collected(t, reader) {
			if strings.HasPrefix(line, "leaktrend.check.count ") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	const a, b = "leaktrend.check.count [{check}] whole counter monitor=a: 0",
		"leaktrend.check.count [{check}] whole counter monitor=b: 0"
	if diff := cmp.Diff([]string{a, b}, completed()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := first.Unregister(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{b}, completed()); diff != "" {
		t.Errorf("with one (-want +got):\n%s", diff)
	}
}

// A panic while the monitor is read is the collection's error, not the end of the service.
func TestPanicIsAnError(t *testing.T) {
	provider, reader := reading()
	if _, err := register(provider, func() metric.Snapshot { panic("no monitor") }, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(reader); err == nil || !strings.Contains(err.Error(), "panic: no monitor") {
		t.Errorf("error %v", err)
	}
}

// refusing is a provider whose meters refuse an instrument, or the callback where it is "".
type refusing struct {
	noop.MeterProvider
	instrument string
}

type refusingMeter struct {
	noop.Meter
	instrument string
}

var errRefused = errors.New("refused")

func (p refusing) Meter(string, ...api.MeterOption) api.Meter {
	return refusingMeter{instrument: p.instrument}
}

func (m refusingMeter) Float64ObservableGauge(name string,
	o ...api.Float64ObservableGaugeOption) (api.Float64ObservableGauge, error) {
	if name == m.instrument {
		return nil, errRefused
	}
	return m.Meter.Float64ObservableGauge(name, o...)
}

func (m refusingMeter) RegisterCallback(api.Callback, ...api.Observable) (api.Registration, error) {
	return nil, errRefused
}

func TestRegisterErrors(t *testing.T) {
	m := silent(t)
	for _, test := range []struct {
		provider api.MeterProvider
		monitor  *detector.ResourceMonitor
		want     string
	}{
		{nil, m, "otelmetrics: a provider of meters and a monitor are needed"},
		{noop.NewMeterProvider(), nil, "otelmetrics: a provider of meters and a monitor are needed"},
		{refusing{instrument: "leaktrend.severity"}, m, "otelmetrics: leaktrend.severity: refused"},
		{refusing{}, m, "otelmetrics: refused"},
	} {
		if registration, err := Register(test.provider, test.monitor); registration != nil || err == nil ||
			err.Error() != test.want {
			t.Errorf("%v, %v, want %s", registration, err, test.want)
		}
	}
}

func BenchmarkCollect(b *testing.B) {
	m := silent(b)
	if err := m.Start(); err != nil {
		b.Fatal(err)
	}
	defer m.Stop()
	for m.Checks().Checks == 0 {
		time.Sleep(time.Millisecond)
	}
	provider, reader := reading()
	if _, err := Register(provider, m); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var all metricdata.ResourceMetrics
	for b.Loop() {
		if err := reader.Collect(context.Background(), &all); err != nil {
			b.Fatal(err)
		}
	}
}
