// Command go-longpoll is healthy: clients hang on long requests until something happens, leave, and keep their
// connections open for a while. Connections, goroutines and descriptors come and go with them.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

// hub tells all who wait of an event by closing the channel that they wait on.
type hub struct {
	mu   sync.Mutex
	wait chan struct{}
}

func (h *hub) event() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wait
}

func (h *hub) publish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.wait)
	h.wait = make(chan struct{})
}

func main() {
	s := service.New(0)
	flag.Parse()
	h := &hub{wait: make(chan struct{})}
	go func() {
		for {
			time.Sleep(time.Duration(rand.ExpFloat64() * float64(time.Minute)))
			h.publish()
		}
	}()
	s.HandleFunc("/poll", func(w http.ResponseWriter, r *http.Request) {
		service.Workload(64 << 10)
		select {
		case <-h.event():
			fmt.Fprintln(w, "event")
		case <-time.After(time.Duration(10+rand.IntN(30)) * time.Second):
			fmt.Fprintln(w, "nothing")
		case <-r.Context().Done():
		}
	})
	s.Run()
}
