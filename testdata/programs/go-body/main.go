// Command go-body shows response bodies that are never closed. It asks an upstream for each request; when the answer is
// not 200, it returns without reading or closing the body, which keeps the connection and its two goroutines for ever.
package main

import (
	"flag"
	"io"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

func main() {
	s := service.New(0.007)
	upstream := flag.String("upstream", "", "`URL` that answers 200 at /item and 404 at /missing")
	flag.Parse()
	// No Timeout: a client's timeout would end the wait and free what the fault leaves behind.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 20 * time.Second}}

	s.HandleFunc("/price", func(w http.ResponseWriter, _ *http.Request) {
		service.Workload(64 << 10)
		path := "/item"
		if s.Leaks() {
			path = "/missing"
		}
		resp, err := client.Get(*upstream + path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if resp.StatusCode != http.StatusOK {
			http.Error(w, resp.Status, http.StatusBadGateway) // returns without resp.Body.Close()
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	})
	s.Run()
}
