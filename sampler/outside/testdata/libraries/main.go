// Command libraries keeps memory alive through libraries, as services do without noticing. It says when it is ready,
// and waits.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
)

type item struct {
	next *item
	data [1000]byte
}

type key struct{}

var (
	base  context.Context
	stop  context.CancelFunc
	never = make(chan int)
)

const n = 500

// intoContexts makes contexts of requests that are never canceled, from one that lives on.
//
//go:noinline
func intoContexts() {
	base, stop = context.WithCancel(context.Background())
	for i := 0; i < n; i++ {
		_, cancel := context.WithCancel(context.WithValue(base, key{}, new(item)))
		_ = cancel
	}
}

// counted is a connection with what belongs to it.
type counted struct {
	net.Conn
	data [1000]byte
}

//go:noinline
func newIdle(c net.Conn) *counted { return &counted{Conn: c} }

//go:noinline
func newCounted(c net.Conn) *counted { return &counted{Conn: c} }

// intoConnections leaves connections idle: those that http.DefaultClient keeps.
func intoConnections() {
	const many = 64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var together, done sync.WaitGroup
	together.Add(many)
	go http.Serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		together.Done()
		together.Wait() // so that each has a connection of its own
	}))
	transport := http.DefaultTransport.(*http.Transport)
	transport.MaxIdleConnsPerHost = many
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return newIdle(c), err
	}
	for i := 0; i < many; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			r, err := http.Get("http://" + listener.Addr().String())
			if err != nil {
				panic(err)
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}()
	}
	done.Wait()
}

// client is one of its own.
var client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network,
	address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return newCounted(c), err
}}}

// intoBodies leaves the bodies of answers open: no connection is idle then.
func intoBodies() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "answer")
	}))
	for i := 0; i < 64; i++ {
		if _, err := client.Get("http://" + listener.Addr().String()); err != nil {
			panic(err)
		}
	}
}

func main() {
	intoHandles()
	intoBodies()
	intoContexts()
	intoConnections()
	runtime.GC()
	runtime.GC()
	if pprof.Lookup("heap") == nil { // which keeps the memory profile
		os.Exit(1)
	}
	fmt.Println("ready")
	<-never
	runtime.KeepAlive([]any{&base, &stop, &client})
}
