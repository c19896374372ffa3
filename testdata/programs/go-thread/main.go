// Command go-thread shows operating system threads that never return. A decoder locks its goroutine to a thread, as C
// libraries ask for, and reads from a pipe; when the writer is gone but the pipe is still open, the read never ends.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"syscall"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

func main() {
	s := service.New(0.005)
	flag.Parse()
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		log.Fatal(err)
	}

	s.HandleFunc("/decode", func(w http.ResponseWriter, _ *http.Request) {
		service.Workload(64 << 10)
		stuck := s.Leaks()
		done := make(chan struct{}, 1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if stuck {
				syscall.Read(pipe[0], make([]byte, 1)) // nobody writes
			}
			done <- struct{}{}
		}()
		select {
		case <-done:
			fmt.Fprintln(w, "ok")
		case <-time.After(200 * time.Millisecond):
			http.Error(w, "decoder does not answer", http.StatusGatewayTimeout)
		}
	})
	s.Run()
}
