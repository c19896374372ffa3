// Command go-subslice shows memory kept alive through a sub-slice. Of each message 16 bytes are remembered, as a slice
// of the message's own buffer: the other 32 KB stay too. The healthy way copies the bytes first.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"sync"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

const (
	catalogue = 8 << 20
	message   = 32 << 10
	headerLen = 16
)

var (
	mu   sync.Mutex
	seen [][]byte // headers, for the detection of duplicates
)

func main() {
	s := service.New(0.05)
	flag.Parse()
	held := service.Workload(catalogue)
	s.HandleFunc("/message", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			service.Workload(message)
		}
		msg := service.Workload(message)
		header := msg[:headerLen]
		if !s.Leaks() {
			header = bytes.Clone(header)
		}
		mu.Lock()
		seen = append(seen, header)
		n := len(seen)
		mu.Unlock()
		fmt.Fprintln(w, n, held[n%len(held)])
	})
	s.Run()
}
