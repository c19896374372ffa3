package detector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// A service watches itself while it runs.
func ExampleNewMonitor() {
	logger := logrus.New()
	logger.SetLevel(logrus.WarnLevel) // not that it starts and stops
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logger)
	if err != nil {
		panic(err)
	}
	// A service calls go monitor.Run(ctx), or Start and Stop.
	checked := make(chan string, 1)
	monitor.OnSample(func(s *sampler.Sample) {
		select {
		case checked <- s.Time.Location().String():
		default:
		}
	})
	if err := monitor.Start(); err != nil {
		panic(err)
	}
	fmt.Println("the first check is at once, in", <-checked)
	if err := monitor.Stop(); err != nil {
		panic(err)
	}
	for _, status := range monitor.Status() {
		if status.Resource.Name == sampler.Goroutines {
			fmt.Println(status.Resource.Name, status.State)
		}
	}
	// Output:
	// the first check is at once, in UTC
	// goroutines learning
}

// full is a process that has used 90 of the 100 descriptors it can have.
type full struct{}

func (full) Sample(_ context.Context, s *sampler.Sample) error {
	s.Reset(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	s.Ceilings = []sampler.Ceiling{{Resource: sampler.OpenFDs, Level: 100, Source: "RLIMIT_NOFILE"}}
	s.Add(sampler.OpenFDs, 90)
	return nil
}

// Each alert is passed to a function of the service.
func ExampleResourceMonitor_OnAlert() {
	logger := logrus.New()
	logger.SetLevel(logrus.FatalLevel) // alerts are logged too
	monitor, err := detector.NewSourceMonitor(full{}, alerting.Process{PID: 4711, Executable: "api"},
		detector.DefaultConfig(), logger)
	if err != nil {
		panic(err)
	}
	alerts := make(chan alerting.Alert)
	monitor.OnAlert(func(a alerting.Alert) { alerts <- a })
	if err := monitor.Start(); err != nil {
		panic(err)
	}
	alert := <-alerts
	fmt.Println(alert.Process.Executable, alert.Resource, alert.Kind, alert.Severity)
	fmt.Println(alert.Summary)
	if err := monitor.Stop(); err != nil {
		panic(err)
	}
	// Output:
	// api open_fds limit warning
	// open_fds at 90 % of what the process can have: 90 of 100
}

// The live page, and the same as JSON for programs.
func ExampleResourceMonitor_Handler() {
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logrus.New())
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux() // for operators alone, as net/http/pprof
	mux.Handle("/debug/leaks/", monitor.Handler())
	server := httptest.NewServer(mux)
	defer server.Close()

	response, err := http.Get(server.URL + "/debug/leaks/status")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var status struct {
		Healthy  bool    `json:"healthy"`
		Interval float64 `json:"interval_seconds"`
	}
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		panic(err)
	}
	fmt.Println("healthy:", status.Healthy, "- a check every", status.Interval, "seconds")

	page, err := http.Get(server.URL + "/debug/leaks/")
	if err != nil {
		panic(err)
	}
	defer page.Body.Close()
	fmt.Println(strings.Split(page.Header.Get("Content-Type"), ";")[0])
	// Output:
	// healthy: true - a check every 30 seconds
	// text/html
}
