// Package otelmetrics exports the verdicts of a detector.ResourceMonitor as OpenTelemetry metrics:
//
//	registration, err := otelmetrics.Register(otel.GetMeterProvider(), monitor)
//
// It uses only the API: which SDK reads the instruments, and where they go, is the service's choice. Only services
// that import this package compile OpenTelemetry. A collection reads the monitor's latest verdicts. It takes no
// sample, and holds the monitor's lock for about ten microseconds.
//
// The metrics are those of package collector, with names that follow the semantic conventions: leaktrend.state for
// leaktrend_state, leaktrend.alert.sent for leaktrend_alerts_sent_total, with units of UCUM. Levels and slopes have
// one instrument for each unit: leaktrend.value.count, leaktrend.value.size (bytes), leaktrend.value.duration
// (seconds). Attributes are leaktrend.resource, leaktrend.state, leaktrend.finding.kind, leaktrend.sink,
// leaktrend.check.phase and leaktrend.panic.origin. Unknown values are not exported: a resource without a ceiling
// has no leaktrend.exhaustion_time.
package otelmetrics

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/metric"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/internal/guard"
	"github.com/mdzesseis/leaktrend/detector/internal/metric"
)

// Scope is the name of the instrumentation scope.
const Scope = "github.com/mdzesseis/leaktrend/detector/otelmetrics"

// Register has the provider's readers collect the metrics of a monitor, running or not, until Unregister of what it
// returns. The attributes are added to every value: two monitors of one process need some that tell them apart. The
// error tells of what is nil, or of what the provider refused.
func Register(provider api.MeterProvider, m *detector.ResourceMonitor,
	attributes ...attribute.KeyValue) (api.Registration, error) {
	if provider == nil || m == nil {
		return nil, errors.New("otelmetrics: a provider of meters and a monitor are needed")
	}
	return register(provider, func() metric.Snapshot { return metric.Of(m) }, attributes)
}

func register(provider api.MeterProvider, read func() metric.Snapshot,
	attributes []attribute.KeyValue) (api.Registration, error) {
	meter := provider.Meter(Scope)
	all, observables := make(instruments), []api.Observable(nil)
	for _, m := range metric.All() {
		i, err := newInstrument(meter, m)
		if err != nil {
			return nil, fmt.Errorf("otelmetrics: %s: %w", m.Instrument, err)
		}
		all[m], observables = i, append(observables, i.observable())
	}
	attributes = append([]attribute.KeyValue(nil), attributes...)
	registration, err := meter.RegisterCallback(func(_ context.Context, o api.Observer) error {
		return guard.Do(func() error {
			s := read()
			all.observe(o, &s, attributes)
			return nil
		})
	}, observables...)
	if err != nil {
		return nil, fmt.Errorf("otelmetrics: %w", err)
	}
	return registration, nil
}

// instrument is what a metric is observed with: the one for whole numbers or the other.
type instrument struct {
	integer api.Int64Observable
	real    api.Float64Observable
}

func (i instrument) observable() api.Observable {
	if i.integer != nil {
		return i.integer
	}
	return i.real
}

func newInstrument(meter api.Meter, m *metric.Metric) (i instrument, err error) {
	description, unit := api.WithDescription(m.Help), api.WithUnit(m.Unit)
	switch {
	case m.Kind == metric.Sum:
		i.integer, err = meter.Int64ObservableUpDownCounter(m.Instrument, description, unit)
	case m.Kind == metric.Counter && m.Integer():
		i.integer, err = meter.Int64ObservableCounter(m.Instrument, description, unit)
	case m.Kind == metric.Counter:
		i.real, err = meter.Float64ObservableCounter(m.Instrument, description, unit)
	default:
		i.real, err = meter.Float64ObservableGauge(m.Instrument, description, unit)
	}
	return i, err
}

type instruments map[*metric.Metric]instrument

func (all instruments) observe(o api.Observer, s *metric.Snapshot, attributes []attribute.KeyValue) {
	var with []attribute.KeyValue
	s.Each(func(m *metric.Metric, value float64, labels ...string) {
		with = append(with[:0], attributes...)
		for k, l := range m.Labels {
			with = append(with, attribute.String(l.Attribute, labels[k]))
		}
		set := api.WithAttributes(with...)
		if i := all[m]; i.integer != nil {
			o.ObserveInt64(i.integer, int64(value), set)
		} else {
			o.ObserveFloat64(i.real, value, set)
		}
	})
}
