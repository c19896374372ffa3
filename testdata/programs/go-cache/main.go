// Command go-cache is healthy: an HTTP service whose least recently used entries make room once its cache is full. It
// grows while the cache fills, and takes bursts of requests.
package main

import (
	"container/list"
	"flag"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

type entry struct {
	key  string
	page []byte
}

type cache struct {
	mu    sync.Mutex
	cap   int
	order *list.List
	pages map[string]*list.Element
}

func (c *cache) get(key string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.pages[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).page
}

func (c *cache) put(key string, page []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.pages[key]; ok {
		return
	}
	c.pages[key] = c.order.PushFront(&entry{key, page})
	for c.order.Len() > c.cap {
		delete(c.pages, c.order.Remove(c.order.Back()).(*entry).key)
	}
}

func main() {
	s := service.New(0)
	entries := flag.Int("entries", 3000, "pages that the cache holds")
	page := flag.Int("page", 8<<10, "mean `bytes` of a page")
	flag.Parse()
	c := &cache{cap: *entries, order: list.New(), pages: map[string]*list.Element{}}
	s.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Query().Get("key")
		p := c.get(key)
		if p == nil {
			time.Sleep(time.Duration(5+rand.IntN(40)) * time.Millisecond) // the database
			service.Workload(128 << 10)
			p = service.Workload(*page/2 + rand.IntN(*page))
			c.put(key, p)
		}
		w.Write(p)
	})
	s.Run()
}
