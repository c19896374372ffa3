package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mdzesseis/leaktrend/sampler"
)

var httpServices = []service{
	{name: "http-body", resource: sampler.Goroutines, library: "net/http", work: browse, call: unclosedBody},
	{name: "http-transport", resource: sampler.Goroutines, library: "net/http", work: browse, call: transportEach},
	{name: "http-hang", resource: sampler.Goroutines, library: "net/http", work: browse, call: hangingRequest},
	{name: "websocket-kept", resource: sampler.OpenFDs, library: "gorilla/websocket", work: chat, call: keptSocket},
	{name: "websocket-reader", resource: sampler.Goroutines, library: "gorilla/websocket", work: chat,
		call: socketReader},
}

func client(w *world) *http.Client {
	return once(w, "http", func() *http.Client {
		return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Second}}
	})
}

// browse requests pages as a service does that closes what it opens.
func browse(w *world) {
	for range 4 {
		resp, err := client(w).Get(w.HTTP + "/page")
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	req := must(http.NewRequestWithContext(context.Background(), http.MethodPost, w.HTTP+"/form",
		strings.NewReader("a=b")))
	if resp, err := client(w).Do(req); err == nil {
		resp.Body.Close()
	}
}

func unclosedBody(w *world) func() {
	resp := must(client(w).Get(w.HTTP + "/page")) // leak: http-body
	return func() { resp.Body.Close() }
}

func transportEach(w *world) func() {
	t := &http.Transport{} // or: http-transport
	c := &http.Client{Transport: t}
	resp := must(c.Get(w.HTTP + "/page")) // leak: http-transport
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return t.CloseIdleConnections
}

func hangingRequest(w *world) func() {
	ctx, cancel := context.WithCancel(context.Background())
	req := must(http.NewRequestWithContext(ctx, http.MethodGet, w.HTTP+"/hang", nil))
	c := client(w)
	go func() {
		if resp, err := c.Do(req); err == nil { // leak: http-hang
			resp.Body.Close()
		}
	}()
	return cancel
}

func dialSocket(w *world) *websocket.Conn {
	// leak: websocket-kept
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.HTTP, "http")+"/socket", nil)
	check(err)
	return c
}

func chat(w *world) {
	c := once(w, "socket", func() *websocket.Conn { return dialSocket(w) })
	check(c.WriteMessage(websocket.TextMessage, []byte("hello")))
	_, _, err := c.ReadMessage()
	check(err)
}

func keptSocket(w *world) func() {
	c := dialSocket(w)
	users := once(w, "users", func() map[int]*websocket.Conn { return map[int]*websocket.Conn{} })
	n := w.n
	users[n] = c
	return func() { delete(users, n); c.Close() }
}

func socketReader(w *world) func() {
	c := dialSocket(w)
	go func() {
		for {
			if _, _, err := c.ReadMessage(); err != nil { // leak: websocket-reader
				return
			}
		}
	}()
	return func() { c.Close() }
}
