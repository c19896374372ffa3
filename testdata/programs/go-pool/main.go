// Command go-pool is healthy: a worker pool that swings with the load. A job that finds no idle worker starts one, up
// to a cap; a worker that was idle for a while ends.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

type pool struct {
	jobs  chan func()
	slots chan struct{} // one for each worker that may exist
	idle  time.Duration
}

// do runs f on a worker and reports false when the cap is reached and no worker comes free in time.
func (p *pool) do(f func()) bool {
	select {
	case p.jobs <- f:
		return true
	default:
	}
	select {
	case p.slots <- struct{}{}:
		go p.work(f)
		return true
	case p.jobs <- f:
		return true
	case <-time.After(2 * time.Second):
		return false
	}
}

func (p *pool) work(f func()) {
	defer func() { <-p.slots }()
	for {
		f()
		select {
		case f = <-p.jobs:
		case <-time.After(p.idle):
			return
		}
	}
}

func main() {
	s := service.New(0)
	size := flag.Int("workers", 60, "the most workers")
	flag.Parse()
	p := &pool{jobs: make(chan func()), slots: make(chan struct{}, *size), idle: 2 * time.Second}
	s.HandleFunc("/job", func(w http.ResponseWriter, _ *http.Request) {
		ok := p.do(func() {
			b := service.Workload(256 << 10)
			time.Sleep(time.Duration(200+rand.IntN(3000)) * time.Millisecond)
			b[0]++
		})
		if !ok {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "queued")
	})
	s.Run()
}
