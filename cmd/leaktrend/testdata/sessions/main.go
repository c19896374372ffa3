// Command sessions is a shop that opens a session for each visitor and closes none. It knows nothing of leaktrend.
package main

import (
	"fmt"
	_ "net/http/pprof"
	"sync"
	"time"
)

type Session struct {
	Visitor string
	Cart    []byte
}

type Shop struct {
	mu       sync.Mutex
	sessions map[string]*Session
}

var shop = &Shop{sessions: make(map[string]*Session)}

func (s *Shop) open(visitor string) {
	cart := make([]byte, 4<<10)
	copy(cart, "nothing yet")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[visitor] = &Session{Visitor: visitor, Cart: cart}
}

func serve(door int) {
	for n := 1; ; n++ {
		shop.open(fmt.Sprintf("visitor %d of door %d", n, door))
		time.Sleep(20 * time.Millisecond)
	}
}

func main() {
	for door := range 9 {
		go serve(door)
	}
	serve(9)
}
