// Command go-ticker shows tickers that are never stopped. A subscription refreshes its feed from a goroutine that
// ranges over a ticker; it is told to end when its client leaves, but on one path nobody tells it.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

const (
	refresh      = 5 * time.Second
	subscription = 400 * time.Millisecond // how long a healthy one lasts
)

type feed struct {
	ticker *time.Ticker
	done   chan struct{}
	page   []byte
}

func newFeed() *feed {
	f := &feed{ticker: time.NewTicker(refresh), done: make(chan struct{}), page: service.Workload(4 << 10)}
	go func() {
		for {
			select {
			case <-f.ticker.C:
				f.page = service.Workload(4 << 10)
			case <-f.done:
				f.ticker.Stop()
				return
			}
		}
	}()
	return f
}

func main() {
	s := service.New(0.01)
	flag.Parse()
	s.HandleFunc("/subscribe", func(w http.ResponseWriter, _ *http.Request) {
		f := newFeed()
		service.Workload(64 << 10)
		if s.Leaks() {
			http.Error(w, "quota", http.StatusTooManyRequests) // returns without close(f.done)
			return
		}
		time.Sleep(subscription)
		close(f.done)
		fmt.Fprintln(w, len(f.page))
	})
	s.Run()
}
