package main

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

var ownServices = []service{
	{name: "map-grows", resource: sampler.HeapLiveBytes, work: decodeOrders, call: session},
	{name: "slice-grows", resource: sampler.HeapLiveBytes, work: decodeOrders, call: history},
	{name: "json-kept", resource: sampler.HeapLiveBytes, library: "encoding/json", work: decodeOrders, call: keptOrder},
	{name: "context-children", resource: sampler.HeapLiveBytes, library: "context", work: deadlines, call: uncanceled,
		rate: 200, hold: 400},
	{name: "after-func", resource: sampler.HeapLiveBytes, library: "time", work: deadlines, call: longTimer, rate: 100,
		hold: 400},
	{name: "queue-grows", resource: sampler.HeapLiveBytes, library: "container/list", work: decodeOrders, call: queued,
		rate: 100, hold: 400},
	{name: "substring-kept", resource: sampler.HeapLiveBytes, library: "strings", work: decodeOrders, call: keptHead},
	{name: "ticker", resource: sampler.Goroutines, library: "time", work: deadlines, call: tick},
	{name: "context-waiter", resource: sampler.Goroutines, library: "context", work: deadlines, call: waiter},
	{name: "send-blocked", resource: sampler.Goroutines, work: deadlines, call: sender},
}

// order is what the services decode.
type order struct {
	ID    int
	Lines []map[string]any
}

func orderText(n int) []byte {
	return fmt.Appendf(nil, `{"ID": %d, "Lines": [%s{"a": 1}]}`, n,
		strings.Repeat(`{"name": "a thing", "price": 12.5},`, 60))
}

func decodeOrders(w *world) {
	text := once(w, "order", func() []byte { return orderText(1) })
	for range 4 {
		var o order
		check(json.Unmarshal(text, &o))
	}
}

func session(w *world) func() {
	sessions := once(w, "sessions", func() map[string][]byte { return map[string][]byte{} })
	id := fmt.Sprint("session ", w.n)
	sessions[id] = make([]byte, 32<<10) // leak: map-grows
	return func() { delete(sessions, id) }
}

func history(w *world) func() {
	w.kept = append(w.kept, make([]byte, 32<<10)) // leak: slice-grows
	return func() { w.kept = append(w.kept[:0], w.kept[1:]...) }
}

func keptOrder(w *world) func() {
	o := new(order)
	check(json.Unmarshal(orderText(w.n), o)) // leak: json-kept
	w.kept = append(w.kept, o)
	return func() { w.kept = append(w.kept[:0], w.kept[1:]...) }
}

func deadlines(w *world) {
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		time.AfterFunc(time.Hour, func() {}).Stop()
		_ = ctx
		cancel()
	}
}

func uncanceled(w *world) func() {
	parent := once(w, "context", func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		w.kept = append(w.kept, cancel)
		return ctx
	})
	ctx, cancel := context.WithCancel(parent) // leak: context-children
	_ = ctx.Done()                            // or: context-children
	return cancel
}

func longTimer(w *world) func() {
	text := make([]byte, 200)                                 // or: after-func
	t := time.AfterFunc(24*time.Hour, func() { clear(text) }) // leak: after-func
	return func() { t.Stop() }
}

func queued(w *world) func() {
	q := once(w, "queue", func() *list.List { return list.New() })
	q.PushBack(fmt.Sprintf("request %d %0200d", w.n, w.n)) // leak: queue-grows
	return func() { q.Remove(q.Front()) }
}

func keptHead(w *world) func() {
	body := strings.Repeat("header body ", 3<<10) // leak: substring-kept
	w.kept = append(w.kept, body[:6])
	return func() { w.kept = append(w.kept[:0], w.kept[1:]...) }
}

func tick(*world) func() {
	t := time.NewTicker(time.Second)
	over := make(chan struct{})
	go func() {
		for {
			select { // leak: ticker
			case <-t.C:
			case <-over:
				return
			}
		}
	}()
	return func() { t.Stop(); close(over) }
}

func waiter(*world) func() {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ctx.Done() // leak: context-waiter
	}()
	return cancel
}

func sender(*world) func() {
	results := make(chan int)
	go func() {
		results <- 1 // leak: send-blocked
	}()
	return func() { <-results }
}
