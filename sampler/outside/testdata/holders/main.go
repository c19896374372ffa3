// Command holders keeps memory alive in many ways, each by a function of its own, so that what is found from outside
// can be held against it. It says when it has, and waits. It may be told how many goroutines are to wait beside that.
package main

import (
	"container/list"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"
)

func init() { runtime.MemProfileRate = 4 << 10 }

type item struct {
	next *item
	data [1000]byte
}

// state is what a service would have.
type state struct {
	name   string
	byName map[string]*item
	all    []*item
	queue  chan *item
	hooks  []func() int
	shared sync.Map
	mutex  sync.Mutex
	inner  struct{ values []any }
	files  map[string]*os.File
	conns  map[string]net.PacketConn
}

var (
	global state
	table  = map[int]item{}
	first  *item
	chain  = list.New()
	boxed  any
	pool   sync.Pool
	parent = &state{}
	never  = make(chan int)
	pages  [4][]*item
	// One object each: what is added to them is in the same one.
	records []record
	buffer  []byte
)

type record struct {
	name string
	size int
}

const n = 500

//go:noinline
func intoMap() {
	global.byName = map[string]*item{}
	for i := 0; i < n; i++ {
		global.byName[fmt.Sprint(i)] = new(item)
	}
}

//go:noinline
func intoSlice() {
	for i := 0; i < n; i++ {
		global.all = append(global.all, new(item))
	}
}

//go:noinline
func intoChannel() {
	global.queue = make(chan *item, n)
	for i := 0; i < n; i++ {
		global.queue <- new(item)
	}
}

//go:noinline
func intoClosures() {
	for i := 0; i < n; i++ {
		x := new(item)
		global.hooks = append(global.hooks, func() int { return len(x.data) + int(x.data[0]) })
	}
}

//go:noinline
func newItem() *item { return new(item) }

//go:noinline
func intoGoroutines() {
	for i := 0; i < n; i++ {
		go func() {
			x := newItem()
			<-never
			x.data[0]++
			runtime.KeepAlive(x)
		}()
	}
}

//go:noinline
func intoTimers() {
	for i := 0; i < n; i++ {
		x := new(item)
		time.AfterFunc(time.Hour, func() { x.data[0]++ })
	}
}

//go:noinline
func intoFinalizers() {
	for i := 0; i < n; i++ {
		x, y := new(item), new(item)
		x.next = y
		runtime.SetFinalizer(x, func(*item) {})
		y.next = x // a cycle with a finalizer is never freed
	}
}

//go:noinline
func intoSyncMap() {
	for i := 0; i < n; i++ {
		global.shared.Store(i, new(item))
	}
}

//go:noinline
func intoList() {
	for i := 0; i < n; i++ {
		first = &item{next: first}
	}
}

//go:noinline
func intoInterface() {
	all := make([]*item, n)
	for i := range all {
		all[i] = new(item)
	}
	boxed = all
}

//go:noinline
func intoPool() {
	for i := 0; i < n; i++ {
		pool.Put(new(item))
	}
}

//go:noinline
func intoNested() {
	for i := 0; i < n; i++ {
		global.inner.values = append(global.inner.values, new(item))
	}
}

//go:noinline
func intoPointer() {
	for i := 0; i < n; i++ {
		parent.all = append(parent.all, new(item))
	}
}

//go:noinline
func intoArray() {
	for i := 0; i < n; i++ {
		pages[i%2] = append(pages[i%2], new(item))
	}
}

//go:noinline
func intoContainerList() {
	for i := 0; i < n; i++ {
		chain.PushBack(new(item))
	}
}

//go:noinline
func intoRecords() {
	records = make([]record, 0, 2048)
	for i := 0; i < 4*n; i++ {
		records = append(records, record{"one", i})
	}
}

//go:noinline
func intoBuffer() {
	for i := 0; i < n; i++ {
		buffer = append(buffer, make([]byte, 100)...)
	}
}

func intoFiles() {
	global.files = map[string]*os.File{}
	for i := 0; i < 100; i++ {
		f, err := os.Open(os.DevNull)
		if err != nil {
			panic(err)
		}
		global.files[fmt.Sprint(i)] = f
	}
}

func intoSockets() {
	global.conns = map[string]net.PacketConn{}
	for i := 0; i < 200; i++ {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		global.conns[fmt.Sprint(i)] = c
	}
}

func waiting(count string) {
	beside, err := strconv.Atoi(count)
	if err != nil {
		panic(err)
	}
	for i := 0; i < beside; i++ {
		go func() { <-never }()
	}
}

func main() {
	if len(os.Args) > 1 {
		waiting(os.Args[1])
	}
	intoMap()
	intoSlice()
	intoChannel()
	intoClosures()
	intoGoroutines()
	intoTimers()
	intoFinalizers()
	intoSyncMap()
	intoList()
	intoInterface()
	intoNested()
	intoPointer()
	intoArray()
	intoContainerList()
	intoRecords()
	intoBuffer()
	intoFiles()
	intoSockets()
	intoLocals()
	intoMixed(true)
	intoCaught()
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	intoPool()
	intoMixed(false)
	if pprof.Lookup("heap") == nil { // which keeps the memory profile
		os.Exit(1)
	}
	fmt.Println("ready")
	<-never
	runtime.KeepAlive([]any{&global, &table, &first, &chain, &boxed, &pool, &parent, &pages, &records, &buffer})
}
