package otelmetrics_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/otelmetrics"
)

// A service passes its own provider, as otel.GetMeterProvider() gives it. This one is read by hand.
func ExampleRegister() {
	config := detector.DefaultConfig()
	config.CheckInterval = time.Minute
	monitor, err := detector.NewMonitor(config, logrus.New())
	if err != nil {
		panic(err)
	}
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))

	registration, err := otelmetrics.Register(provider, monitor)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister()

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if gauge, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == "leaktrend.check.interval" {
				fmt.Println(m.Name, gauge.DataPoints[0].Value, m.Unit)
			}
		}
	}
	// Output: leaktrend.check.interval 60 s
}
