// Command program leaks goroutines and memory in many ways, and tells what its own runtime says of them, so that what
// is read from outside can be held against it. It is built by each release of Go from 1.21 on.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func init() { runtime.MemProfileRate = 8 << 10 } // for many stacks

// kept is memory that is never given back.
var kept struct {
	sessions map[int]*session
	blocks   [][]byte
	words    []string
	boxes    []any
}

type session struct {
	name string
	data [4096]byte
}

type box[T any] struct{ value T }

//go:noinline
func keep(n int) {
	if kept.sessions == nil {
		kept.sessions = make(map[int]*session)
	}
	for i := 0; i < n; i++ {
		kept.sessions[len(kept.sessions)] = newSession(i)
		kept.blocks = append(kept.blocks, make([]byte, 10000))
		kept.boxes = append(kept.boxes, boxed([2000]int{}))
	}
}

func newSession(i int) *session { return &session{name: "session"} } // inlined

func boxed[T any](v T) any { return &box[T]{v} }

// servers are kept with their connections.
var servers []*server

type server struct {
	mutex sync.Mutex
	cond  *sync.Cond
	wait  sync.WaitGroup
	never chan int // nobody sends
	full  chan int // nobody receives
	peers []net.Conn
}

func (s *server) receive() { <-s.never }

func (s *server) send() { s.full <- 1 }

func (s *server) choose() {
	select {
	case <-s.never:
	case s.full <- 1:
	}
}

func (s *server) lock() { s.mutex.Lock() }

func (s *server) waitFor() { s.wait.Wait() }

func (s *server) watch() {
	s.cond.L.Lock()
	s.cond.Wait()
}

func (s *server) handle(connection net.Conn) {
	var b [1]byte
	connection.Read(b[:])
}

func (s *server) deep(n int) int {
	if n == 0 {
		<-s.never
		return 0
	}
	return s.deep(n-1) + 1
}

func generic[T any](c chan T) { <-c }

func inlined(c chan int) int { return <-c }

func twice(c chan int) int { return inlined(c) + inlined(c) } // inlined too

type waiter interface{ Wait() }

type embedded struct{ *server }

func (s *server) Wait() { <-s.never }

func block(read int) {
	var b [1]byte
	syscall.Syscall(syscall.SYS_READ, uintptr(read), 0, 0) // returns at once: the address is none
	syscall.Read(read, b[:])
}

func leak(n int) {
	s := &server{never: make(chan int), full: make(chan int)}
	s.cond = sync.NewCond(new(sync.Mutex))
	s.wait.Add(1)
	s.mutex.Lock()
	servers = append(servers, s)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var w waiter = embedded{s}
	for i := 0; i < n; i++ {
		go s.receive()
		go s.send()
		go s.choose()
		go s.lock()
		go s.waitFor()
		go s.watch()
		go s.deep(i % 150)
		go generic(make(chan string))
		go generic(make(chan int))
		go twice(s.never)
		go w.Wait()
		go func() { time.Sleep(time.Hour) }()
		go func() {
			defer func() {
				recover()
				<-s.never // deferred, after a panic
			}()
			var m map[int]int
			m[1] = 2
		}()
		if i < 20 {
			go func() {
				connection, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					panic(err)
				}
				s.handle(connection)
			}()
			peer, err := listener.Accept()
			if err != nil {
				panic(err)
			}
			s.peers = append(s.peers, peer)
		}
		if i < 5 {
			var pipe [2]int
			if err := syscall.Pipe(pipe[:]); err != nil {
				panic(err)
			}
			go block(pipe[0])
			go foreign()
		}
	}
}

// foreign waits in code of C in a build with cgo.
var foreign = func() { select {} }

// busy comes and goes while it is read.
func busy() {
	work := make(chan *regexp.Regexp)
	for i := 0; i < 4; i++ {
		go func() {
			for e := range work {
				e.FindString(strings.Repeat("ab", 50))
			}
		}()
	}
	go func() {
		for {
			work <- regexp.MustCompile("(a|b)*c")
			go func() { time.Sleep(time.Millisecond) }()
			time.Sleep(100 * time.Microsecond)
		}
	}()
}

// stalls returns for how long a goroutine that does nothing but look at the clock stood still, the longest and all but
// one in a thousand of what was more than 20 us.
func stalls(of time.Duration) [2]time.Duration {
	var all []time.Duration
	for began, last := time.Now(), time.Now(); last.Sub(began) < of; {
		now := time.Now()
		if d := now.Sub(last); d > 20*time.Microsecond {
			all = append(all, d)
		}
		last = now
	}
	if len(all) == 0 {
		return [2]time.Duration{}
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return [2]time.Duration{all[len(all)-1], all[len(all)*999/1000]}
}

// counts are stacks with what is on them.
type counts map[string][2]int64

func key(pcs []uintptr) string {
	var b strings.Builder
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

type told struct {
	Goroutines, Heap counts
	Number           int
	Live             uint64
	Objects          uint64 // live by the latest collection, or allocated since
	InUse, Stacks    uint64 // bytes of the heap
	Collections      uint64
}

func goroutines() counts {
	all := make(counts)
	records := make([]runtime.StackRecord, runtime.NumGoroutine()+1000)
	n, _ := runtime.GoroutineProfile(records)
	for i := range records[:n] {
		k := key(records[i].Stack())
		all[k] = [2]int64{all[k][0] + 1}
	}
	return all
}

func tell() told {
	all := told{Goroutines: goroutines(), Heap: make(counts)}
	memory := make([]runtime.MemProfileRecord, 1<<14)
	runtime.GC() // the latest one until the next order
	n, _ := runtime.MemProfile(memory, false)
	for i := range memory[:n] {
		m := &memory[i]
		k := key(m.Stack())
		all.Heap[k] = [2]int64{all.Heap[k][0] + m.InUseObjects(), all.Heap[k][1] + m.InUseBytes()}
	}
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	all.Number, all.Live, all.Collections = runtime.NumGoroutine(), samples[0].Value.Uint64(), samples[1].Value.Uint64()
	all.Objects = samples[2].Value.Uint64()
	all.InUse, all.Stacks = all.Objects+samples[3].Value.Uint64(), samples[4].Value.Uint64()
	return all
}

// settle waits until all goroutines stand where they will stay.
func settle() {
	before := ""
	for {
		time.Sleep(20 * time.Millisecond)
		text, err := json.Marshal(goroutines())
		if err != nil {
			panic(err)
		}
		if string(text) == before {
			return
		}
		before = string(text)
	}
}

func main() {
	debug.SetGCPercent(-1) // what is told holds until the next order
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var order string
		var n int
		fmt.Sscan(in.Text(), &order, &n)
		switch order {
		case "leak":
			leak(n)
		case "keep":
			keep(n)
			runtime.GC()
			runtime.GC()
		case "busy":
			busy()
		case "stalls":
			if err := out.Encode(stalls(10 * time.Second)); err != nil {
				panic(err)
			}
			continue
		case "end":
			return
		case "exec":
			panic(syscall.Exec("/bin/sleep", []string{"sleep", "1000"}, nil))
		case "many":
			never := make(chan int)
			for i := 0; i < n; i++ {
				go inlined(never)
			}
		}
		if order != "busy" {
			settle()
		}
		if err := out.Encode(tell()); err != nil {
			panic(err)
		}
	}
}
