// Command go-map shows a map that grows. Each login makes a session; a logout deletes it, but clients that never log
// out stay in the map for ever.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

const (
	catalogue = 8 << 20 // bytes that the service holds from its start
	lifetime  = 20 * time.Second
)

type session struct {
	user  int
	state []byte
}

func main() {
	s := service.New(0.5)
	flag.Parse()
	held := service.Workload(catalogue)

	var (
		mu       sync.Mutex
		next     int
		sessions = map[int]*session{}
	)
	s.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) {
		page := service.Workload(128 << 10)
		mu.Lock()
		next++
		id := next
		sessions[id] = &session{user: id, state: service.Workload(4 << 10)}
		mu.Unlock()
		if !s.Leaks() {
			time.AfterFunc(lifetime, func() {
				mu.Lock()
				delete(sessions, id)
				mu.Unlock()
			})
		}
		fmt.Fprintln(w, id, page[0], held[id%len(held)])
	})
	s.Run()
}
