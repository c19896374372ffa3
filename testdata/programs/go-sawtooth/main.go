// Command go-sawtooth shows a heap that swings widely between garbage collections: large buffers for each request, and
// a collector told to wait until the heap is four times what was live. Under it a few bytes per request may leak.
package main

import (
	"container/list"
	"flag"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

const (
	base   = 32 << 20 // held from the start
	buffer = 1 << 20  // garbage of one request
	record = 16 << 10 // remembered of one request
	recent = 500      // records that are remembered on purpose
)

func main() {
	s := service.New(0)
	flag.Parse()
	debug.SetGCPercent(300)
	var table [][]byte
	for range base / record {
		table = append(table, service.Workload(record))
	}

	var (
		mu    sync.Mutex
		fresh = list.New()
		lost  [][]byte
	)
	s.HandleFunc("/render", func(w http.ResponseWriter, _ *http.Request) {
		image := service.Workload(buffer)
		leak := s.Leaks()
		mu.Lock()
		if leak {
			lost = append(lost, service.Workload(record))
		}
		fresh.PushBack(service.Workload(record))
		if fresh.Len() > recent {
			fresh.Remove(fresh.Front())
		}
		n := fresh.Len() + len(lost)
		mu.Unlock()
		fmt.Fprintln(w, image[0], n, len(table))
	})
	s.Run()
}
