// Command go-reload shows a leak in bursts. Every minute or two the configuration is loaded anew, which starts
// watchers; the old ones are to be cancelled, but are not. Between two reloads nothing grows.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

func watch(ctx context.Context, version int64) {
	poll := time.NewTicker(3 * time.Second)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			service.Workload(1<<10 + int(version%2))
		case <-ctx.Done():
			return
		}
	}
}

func main() {
	s := service.New(1)
	watchers := flag.Int("watchers", 8, "goroutines that a reload starts")
	every := flag.Duration("every", 90*time.Second, "mean `time` between reloads; it varies by a third")
	flag.Parse()

	var version atomic.Int64
	go func() {
		cancel := func() {}
		for {
			if version.Add(1) > 1 && !s.Leaks() {
				cancel()
			}
			var ctx context.Context
			ctx, cancel = context.WithCancel(context.Background())
			for range *watchers {
				go watch(ctx, version.Load())
			}
			time.Sleep(time.Duration(float64(*every) * (2 + 2*rand.Float64()) / 3))
		}
	}()
	s.HandleFunc("/config", func(w http.ResponseWriter, _ *http.Request) {
		service.Workload(64 << 10)
		fmt.Fprintln(w, version.Load())
	})
	s.Run()
}
