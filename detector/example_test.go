package detector_test

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// A process that loses 20 goroutines an hour.
func ExampleDetector() {
	d, err := detector.New(detector.DefaultConfig())
	if err != nil {
		panic(err)
	}
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var s sampler.Sample
	for minute := range 12 * 60 {
		s.Reset(start.Add(time.Duration(minute) * time.Minute))
		s.Add(sampler.Goroutines, float64(100+minute/3))
		for _, event := range d.Observe(&s) {
			fmt.Println(event.Time.Format("15:04"), event.Status, event.Severity)
			fmt.Println(event.Summary)
		}
	}
	for _, status := range d.Status() {
		fmt.Println(status.Resource.Name, status.State, status.Why)
	}
	// Output:
	// 16:20 firing warning
	// goroutines leak: +20/h for 8h 20m without ever coming back, 266 now, baseline 103, growing since at least 2026-11-23 08:00:00 UTC, where the readings begin
	// goroutines firing sustained growth that never came back
}
