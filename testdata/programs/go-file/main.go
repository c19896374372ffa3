// Command go-file shows files that are never closed. Requests are written to a journal that is rotated now and then;
// the rotation remembers the old segment for readers, and forgets to close it.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/testdata/programs/internal/service"
)

type journal struct {
	mu       sync.Mutex
	path     string
	current  *os.File
	segments []*os.File // keeps the files from the finalizer that would close them
}

func (j *journal) open() (err error) {
	j.current, err = os.OpenFile(j.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	return err
}

func (j *journal) append(line string, rotate, closeOld bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if rotate {
		if closeOld {
			j.current.Close()
		} else {
			j.segments = append(j.segments, j.current)
		}
		if err := j.open(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(j.current, line)
	return err
}

func main() {
	s := service.New(0.007)
	flag.Parse()
	dir, err := os.MkdirTemp("", "go-file")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j := &journal{path: filepath.Join(dir, "journal")}
	if err := j.open(); err != nil {
		log.Fatal(err)
	}

	requests := 0
	var mu sync.Mutex
	s.HandleFunc("/write", func(w http.ResponseWriter, _ *http.Request) {
		service.Workload(64 << 10)
		mu.Lock()
		requests++
		due := requests%100 == 0
		mu.Unlock()
		leak := s.Leaks()
		if err := j.append(time.Now().String(), due || leak, !leak); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s.Run()
}
