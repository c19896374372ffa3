// Command leaker leaks a goroutine and a connection ten times a second, and serves net/http/pprof at the first address
// that it prints.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"time"
)

func leak() {
	go func() { <-make(chan int) }() // the line
}

func main() {
	served, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(served, nil)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(served.Addr(), l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err == nil {
				c.Close()
			}
		}
	}()
	var kept []net.Conn
	quiet := net.Dialer{KeepAlive: -1} // once the kernel has forgotten the other end, a probe would end the connection
	for {
		leak()
		c, err := quiet.Dial("tcp4", l.Addr().String())
		if err == nil {
			kept = append(kept, c)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
