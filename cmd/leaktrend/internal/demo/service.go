// Package demo shows a small HTTP service under load that leaks on request, watched by the embedded monitor as a
// service would embed it. It is for people to try; tests of the monitor do not rest on it.
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// What a service may leak.
const (
	None       = "none"
	Goroutines = "goroutines"
	Heap       = "heap"
	FDs        = "fds"
)

const (
	requestsPerSecond = 40
	garbage           = 256 << 10 // bytes each request allocates and drops
	kept              = 24 << 10  // bytes a leaking request keeps
	cacheSize         = 500
	leakEvery         = 8 // requests
)

// Service answers orders over HTTP on loopback, and loads itself with requests.
type Service struct {
	leak     string
	leakFrom time.Time
	server   *http.Server
	listener net.Listener
	client   *http.Client

	mu      sync.Mutex
	count   int
	cache   map[int][]byte
	leaked  []any // what a leaking request forgot to let go of
	waiting sync.WaitGroup
	never   chan struct{}
	over    bool
}

// New opens a service that begins to leak at an instant. leak is one of the constants above.
func New(leak string, leakFrom time.Time) (*Service, error) {
	switch leak {
	case None, Goroutines, Heap, FDs:
	default:
		return nil, fmt.Errorf("--leak %s: must be %s, %s, %s or %s", leak, Goroutines, Heap, FDs, None)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Service{
		leak: leak, leakFrom: leakFrom, listener: l,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, Timeout: 5 * time.Second},
		cache:  make(map[int][]byte, cacheSize),
		never:  make(chan struct{}),
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.order), ReadHeaderTimeout: 5 * time.Second}
	return s, nil
}

// Run serves and loads the service until ctx ends, and gives back what it leaked.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		_ = s.server.Serve(s.listener) // ends with Close below
	}()
	ticker := time.NewTicker(time.Second / requestsPerSecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			s.request(ctx)
		}
	}
	s.client.CloseIdleConnections()
	s.server.Close()
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true // a request may be under way still
	close(s.never)
	s.waiting.Wait()
	for _, v := range s.leaked {
		if f, ok := v.(*os.File); ok {
			f.Close()
		}
	}
	s.leaked = nil
}

func (s *Service) request(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.listener.Addr().String()+"/order", nil)
	if err != nil {
		return
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}

// order answers one request: it uses a cache of bounded size, makes garbage, and may forget something.
func (s *Service) order(w http.ResponseWriter, _ *http.Request) {
	scratch := make([]byte, garbage)
	s.mu.Lock()
	s.count++
	number := s.count
	s.cache[number%cacheSize] = make([]byte, 512)
	if s.leak != None && !s.over && number%leakEvery == 0 && time.Now().After(s.leakFrom) {
		s.forget()
	}
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]int{"order": number, "bytes": len(scratch)})
}

// forget leaks. It needs s.mu.
func (s *Service) forget() {
	switch s.leak {
	case Goroutines:
		s.waiting.Add(1)
		go s.waitForAnswer()
	case Heap:
		for range leakEvery {
			s.leaked = append(s.leaked, make([]byte, kept))
		}
	case FDs:
		if f, err := os.Open(os.DevNull); err == nil {
			s.leaked = append(s.leaked, f)
		}
	}
}

// waitForAnswer waits for an answer that nobody sends.
func (s *Service) waitForAnswer() {
	defer s.waiting.Done()
	<-s.never
}
