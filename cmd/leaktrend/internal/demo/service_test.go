package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/await"
)

func TestNewRefuses(t *testing.T) {
	for _, leak := range []string{"", "water", "FDs"} {
		if _, err := New(leak, time.Now()); err == nil ||
			!strings.Contains(err.Error(), "goroutines, heap, fds or none") {
			t.Errorf("%q: %v", leak, err)
		}
	}
}

// descriptors returns what is open, or nil where that cannot be seen.
func descriptors() (open []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open = append(open, to)
		}
	}
	return open
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	await.Until(t, func() string {
		if is() {
			return ""
		}
		stacks := make([]byte, 1<<16)
		return fmt.Sprintf("%s; open: %q\n%s", what, descriptors(), stacks[:runtime.Stack(stacks, true)])
	})
}

// A service leaks what it was asked to, and nothing of it is left when Run has returned.
func TestRunGivesBack(t *testing.T) {
	for _, test := range []struct {
		leak  string
		leaks func(s *Service) int // what it holds by now
	}{
		{None, nil},
		{Goroutines, func(*Service) int {
			stacks := make([]byte, 1<<20)
			return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "waitForAnswer(")
		}},
		{Heap, func(s *Service) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.leaked) * kept >> 20
		}},
		{FDs, func(*Service) (n int) {
			for _, to := range descriptors() {
				if to == os.DevNull {
					n++
				}
			}
			return n - 2
		}},
	} {
		t.Run(test.leak, func(t *testing.T) {
			if test.leak == FDs && descriptors() == nil {
				t.Skip("descriptors cannot be seen here")
			}
			goroutines, fds := runtime.NumGoroutine(), len(descriptors())
			s, err := New(test.leak, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			address := s.listener.Addr().String()
			ctx, cancel := context.WithCancel(t.Context())
			ran := make(chan struct{})
			go func() {
				defer close(ran)
				s.Run(ctx)
			}()
			eventually(t, "requests are answered", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.count >= 3*leakEvery
			})
			if test.leaks != nil {
				before := test.leaks(s)
				eventually(t, "it leaks", func() bool { return test.leaks(s) > before })
			} else if s.leaked != nil {
				t.Errorf("a service without a leak holds %d things", len(s.leaked))
			}
			cancel()
			<-ran
			if test.leaks != nil && test.leaks(s) > 0 {
				t.Errorf("%d left when Run has returned", test.leaks(s))
			}
			if s.leaked != nil {
				t.Errorf("%d things are held", len(s.leaked))
			}
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Error("the service still listens")
			}
			// Those of connections that were closed end on their own.
			eventually(t, "goroutines are given back", func() bool { return runtime.NumGoroutine() <= goroutines })
			eventually(t, "descriptors are given back", func() bool { return len(descriptors()) <= fds })
		})
	}
}

// A service whose context has ended already closes its listener, too.
func TestRunNotAtAll(t *testing.T) {
	s, err := New(None, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if c, err := net.Dial("tcp", s.listener.Addr().String()); err == nil {
		c.Close()
		t.Error("the service still listens")
	}
}

func TestLeaksFromItsTimeOn(t *testing.T) {
	s, err := New(Goroutines, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		s.Run(ctx)
	}()
	eventually(t, "requests are answered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.count >= 2*leakEvery
	})
	stacks := make([]byte, 1<<20)
	if text := string(stacks[:runtime.Stack(stacks, true)]); strings.Contains(text, "waitForAnswer(") {
		t.Error("it leaks an hour too early")
	}
	cancel()
	<-ran
}
