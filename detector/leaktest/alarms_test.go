package leaktest_test

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/mdzesseis/leaktrend/detector/leaktest"
)

// lru is a cache of so many entries.
type lru struct {
	max     int
	order   list.List
	entries map[int]*list.Element
}

func (c *lru) put(key int) {
	if c.entries == nil {
		c.entries = make(map[int]*list.Element)
	}
	c.entries[key] = c.order.PushFront([2]any{key, make([]byte, 100)})
	if len(c.entries) > c.max {
		oldest := c.order.Back()
		delete(c.entries, c.order.Remove(oldest).([2]any)[0].(int))
	}
}

// healthy are rounds after which something is there that was not before, and none of it leaks.
func healthy(t *testing.T) map[string]func(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, io.LimitReader(r.Body, 1000))
	}))
	t.Cleanup(server.Close)
	get := func() {
		r, err := http.Post(server.URL, "text/plain", strings.NewReader("body"))
		if err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	n, late, filled := 0, 0, 0
	var once sync.Once
	started := make(chan int)
	t.Cleanup(func() { close(started) })
	pool := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	workers := make(chan func(), 100)
	t.Cleanup(func() { close(workers) })
	grownWorkers := 0
	var cache lru
	cache.max = 1000
	ring := make([]*[256]byte, 1000)
	for i := range ring {
		ring[i] = new([256]byte)
	}
	var keyed sync.Map
	random := map[int]*int{}
	var scratch []byte
	var output bytes.Buffer
	logger := log.New(&output, "", 0)
	compiled := map[string]*regexp.Regexp{}
	return map[string]func(t *testing.T){
		"nothing":    func(t *testing.T) {},
		"arithmetic": func(t *testing.T) { n++ },
		"garbage":    func(t *testing.T) { _ = bytes.Repeat([]byte("text"), 1000+n%7) },
		"sync.Once":  func(t *testing.T) { once.Do(func() { go func() { <-started }(); cache.put(-1) }) },
		"sync.Pool": func(t *testing.T) {
			b := pool.Get().(*bytes.Buffer)
			b.Reset()
			b.Write(make([]byte, rand.IntN(10_000)))
			pool.Put(b)
		},
		"a cache that fills": func(t *testing.T) { filled++; cache.put(filled) },
		"a cache of what is asked for": func(t *testing.T) {
			k := rand.IntN(20)
			if _, found := keyed.Load(k); !found {
				keyed.Store(k, make([]byte, 1000))
			}
		},
		"a map with random keys": func(t *testing.T) { random[rand.IntN(200)] = new(int) },
		"a ring filled before":   func(t *testing.T) { n++; ring[n%len(ring)] = new([256]byte) },
		"a buffer as large as the largest": func(t *testing.T) {
			scratch = append(scratch[:0], make([]byte, rand.IntN(1<<16))...)
		},
		"compiled once": func(t *testing.T) {
			n++
			key := fmt.Sprint("a", n%10)
			compiled[key] = regexp.MustCompile(key + "+b*")
		},
		"the test's log":                   func(t *testing.T) { t.Log("a line of text in the log of the test") },
		"a buffer that the test logs into": func(t *testing.T) { logger.Print("a line of text in a buffer") },
		"workers up to a bound": func(t *testing.T) {
			if grownWorkers < 20 {
				grownWorkers++
				go func() {
					for work := range workers {
						work()
					}
				}()
			}
		},
		"a request": func(*testing.T) { get() },
		"requests at the same time": func(t *testing.T) {
			var all sync.WaitGroup
			for range 5 {
				all.Add(1)
				go func() { defer all.Done(); get() }()
			}
			all.Wait()
		},
		"a client of its own": func(t *testing.T) {
			client := http.Client{Transport: &http.Transport{}}
			r, err := client.Get(server.URL)
			if err != nil {
				panic(err)
			}
			_ = r.Body.Close()
			client.CloseIdleConnections()
		},
		"a goroutine that ends late": func(t *testing.T) { go time.Sleep(30 * time.Millisecond) },
		"many that end late": func(*testing.T) {
			for range 20 {
				go time.Sleep(5 * time.Millisecond)
				go func() { time.Sleep(5 * time.Millisecond) }()
				go func() { <-time.After(5 * time.Millisecond) }()
			}
		},
		"a goroutine that ends later": func(t *testing.T) {
			if late++; late < 60 {
				go time.Sleep(time.Second)
			}
		},
		"time.AfterFunc":          func(t *testing.T) { time.AfterFunc(10*time.Millisecond, func() {}) },
		"timers that fire later":  func(t *testing.T) { time.AfterFunc(500*time.Millisecond, func() {}) },
		"a timer that is stopped": func(t *testing.T) { time.AfterFunc(time.Hour, func() {}).Stop() },
		"a context that is cancelled": func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			go func() { <-ctx.Done() }()
		},
		"a file that is closed": func(t *testing.T) {
			f, err := os.Open(os.DevNull)
			if err != nil {
				panic(err)
			}
			_ = f.Close()
		},
		"a file that the collector closes": func(t *testing.T) { _, _ = os.Open(os.DevNull) },
		"a sub-test": func(t *testing.T) {
			t.Run("sub", func(t *testing.T) { t.Cleanup(func() {}); t.TempDir() })
		},
		"JSON and templates": func(t *testing.T) {
			_, _ = json.Marshal(map[string]int{"a": n})
			_ = template.Must(template.New("").Parse("{{.}}")).Execute(io.Discard, n)
		},
		"a panic that is caught": func(t *testing.T) { defer func() { _ = recover() }(); panic("caught") },
	}
}

func TestHealthy(t *testing.T) {
	rounds := healthy(t)
	for name, round := range rounds {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			leaktest.Check(t, func() { round(t) })
			t.Log(time.Since(start))
		})
	}
}
