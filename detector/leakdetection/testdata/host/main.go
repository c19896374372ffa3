// The contract of log_capturer_go with its monitors, restated: what it calls, under the names that it uses. Tests apply
// the migration page to it, compile it and run it.
package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"ssw-logs-capture/internal/app"
	"ssw-logs-capture/internal/metrics"
)

func main() {
	a, err := app.New(os.Args[1])
	if err == nil {
		err = a.Start()
	}
	if err != nil {
		panic(err)
	}
	over := make(chan struct{})
	work := func(n int, d time.Duration) {
		for range n {
			go func() { <-over }()
		}
		time.Sleep(d)
	}
	for range 4 { // bursts
		work(300, 200*time.Millisecond)
		close(over)
		over = make(chan struct{})
		time.Sleep(300 * time.Millisecond)
	}
	before := metrics.Panel()
	work(1400, 0) // forgotten; at 1.5 times the limit, a sample amid them would make two alerts
	deadline := time.Now().Add(30 * time.Second)
	for metrics.Panel()["goroutine_leak"] != 1 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	result := map[string]interface{}{"before": before, "after": metrics.Panel(), "stats": a.Stats(),
		"resources": a.ResourceMetrics()}
	answer := httptest.NewRecorder()
	a.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/leaks/status", nil))
	result["page"] = answer.Code
	if err := a.Stop(); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
