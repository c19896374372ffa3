// Command go-chan-send shows goroutines that block for ever on a send. A handler starts a query and waits for the
// answer or for a timeout; the answer that comes too late finds no receiver, as the channel has no buffer.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

const (
	timeout = time.Second
	workers = 16 // always there, as in most services
)

func main() {
	s := service.New(0.01)
	flag.Parse()

	jobs := make(chan int)
	for range workers {
		go func() {
			for n := range jobs {
				service.Workload(n)
			}
		}()
	}

	s.HandleFunc("/quote", func(w http.ResponseWriter, _ *http.Request) {
		jobs <- 64 << 10
		late := s.Leaks()
		answer := make(chan float64)
		go func() {
			price := rand.Float64()
			time.Sleep(time.Duration(price * float64(timeout) / 20))
			if late {
				time.Sleep(2 * timeout)
			}
			answer <- price
		}()
		select {
		case price := <-answer:
			fmt.Fprintln(w, price)
		case <-time.After(timeout):
			http.Error(w, "no quote", http.StatusGatewayTimeout)
		}
	})
	s.Run()
}
