// Package service is what the recorded Go programs share: an HTTP server with /metrics, and the switch of the leak.
package service

import (
	"context"
	"errors"
	"flag"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/metrics"
)

// A Service is one HTTP service with a fault that can be dosed.
type Service struct {
	listen    *string
	leakShare *float64
	leakAfter *time.Duration
	exitAfter *time.Duration

	mux   *http.ServeMux
	start time.Time
	begun sync.Once
}

// New registers the flags that all programs have. Its caller adds its own, parses them, and calls Run.
func New(leakShare float64) *Service {
	return &Service{
		listen: flag.String("listen", "127.0.0.1:0", "`address` to serve on"),
		leakShare: flag.Float64("leak-share", leakShare, "share of the requests that leak, 0 to 1; 0 = a healthy "+
			"service"),
		leakAfter: flag.Duration("leak-after", 0, "time from the start during which nothing leaks"),
		exitAfter: flag.Duration("exit-after", 0, "end after this time, for a supervisor to restart; 0 = never"),
		mux:       http.NewServeMux(),
		start:     time.Now(),
	}
}

// Leaks says whether this request is one that leaks.
func (s *Service) Leaks() bool {
	if *s.leakShare <= 0 || time.Since(s.start) < *s.leakAfter {
		return false
	}
	s.begun.Do(func() { log.Printf("leak begins %s", time.Now().UTC().Format(time.RFC3339)) })
	return rand.Float64() < *s.leakShare
}

// HandleFunc registers the handler of a path.
func (s *Service) HandleFunc(pattern string, h http.HandlerFunc) { s.mux.HandleFunc(pattern, h) }

// Run serves until a signal ends it, or -exit-after. Idle connections are closed after 30 s, as behind a load balancer.
func (s *Service) Run() {
	s.mux.Handle("/metrics", metrics.Handler())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *s.exitAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *s.exitAfter)
		defer cancel()
	}
	server := &http.Server{Addr: *s.listen, Handler: s.mux, ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout: 30 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// Workload returns garbage of n bytes, touched, as the work of a request leaves behind. It is not inlined, lest the
// garbage ends on a stack.
//
//go:noinline
func Workload(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 512 {
		b[i] = byte(i)
	}
	return b
}
