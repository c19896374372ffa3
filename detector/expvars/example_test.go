package expvars_test

import (
	"encoding/json"
	"expvar"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/expvars"
)

func ExamplePublish() {
	monitor, err := detector.NewMonitor(detector.DefaultConfig(), logrus.New())
	if err != nil {
		panic(err)
	}
	if err := expvars.Publish("leaktrend", monitor); err != nil {
		panic(err)
	}
	// What GET /debug/vars shows under this name:
	var shown struct {
		Checks   int     `json:"checks_total"`
		Interval float64 `json:"check_interval_seconds"`
	}
	if err := json.Unmarshal([]byte(expvar.Get("leaktrend").String()), &shown); err != nil {
		panic(err)
	}
	fmt.Printf("%d checks, one in %g s\n", shown.Checks, shown.Interval)
	// Output: 0 checks, one in 30 s
}
