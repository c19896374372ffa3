package trend_test

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/trend"
)

// A service with 40 descriptors, up and down with its requests, loses three an hour from its second day on.
func ExampleLadder() {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	ladder := trend.NewLadder(start.UnixNano(), 1)
	average := baseline.NewEWMA(6 * time.Hour)
	params := trend.Params{Required: 6 * time.Hour, MinGrowth: 0.2, Offset: 4, Scale: 1}

	for minute := range 72 * 60 {
		at := start.Add(time.Duration(minute) * time.Minute).UnixNano()
		descriptors := float64(40 + minute*7%5 + max(0, minute-24*60)/20)
		level, _ := average.Mean()
		closed := ladder.Add(at, descriptors, level)
		average.Observe(at, descriptors)
		for w := range trend.Widths {
			if closed&(1<<w) == 0 {
				continue
			}
			if c := ladder.Judge(w, params, nil); c.Reason == trend.Sustained {
				fmt.Printf("%v after %v: +%.0f in %v, %.1f an hour\n",
					c.Reason, time.Duration(minute)*time.Minute, c.Rise, c.Window, c.Fit.Slope*3600)
				return
			}
		}
	}
	// Output: sustained after 33h40m0s: +27 in 10h40m0s, 2.9 an hour
}

func ExampleRegress() {
	seconds := []float64{0, 300, 600, 900, 1200, 1500}
	goroutines := []float64{210, 214, 221, 224, 231, 235}
	fit, ok := trend.Regress(seconds, goroutines)
	fmt.Printf("%v: %.0f an hour from %.0f, R2 %.3f\n", ok, fit.Slope*3600, fit.Intercept, fit.R2)
	// Output: true: 61 an hour from 210, R2 0.992
}
