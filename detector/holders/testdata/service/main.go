// Command service keeps the memory of two lines alive and files open, and says what the search for it finds; with a second argument also
// the longest stall of a goroutine that ticks each millisecond. The first one is how many megabytes it holds.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/holders"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

type session struct {
	next *session
	data [30]*int
}

var sessions = make(map[int]*session)

func open(n int) *session {
	s := new(session)
	sessions[n] = s
	return s
}

//go:noinline
func keep() []*session {
	var mine []*session
	for range 20_000 {
		mine = append(mine, new(session))
	}
	return mine
}

func work(ready chan<- struct{}, end <-chan struct{}) {
	mine := keep()
	ready <- struct{}{}
	wait(end)
	runtime.KeepAlive(mine)
}

//go:noinline
func wait(end <-chan struct{}) { <-end }

var files = make(map[int]*os.File)

func openFiles() {
	for n := range 64 {
		file, err := os.Open(os.DevNull)
		if err != nil {
			panic(err)
		}
		files[n] = file
	}
}

func lines() map[string]profile.Frame {
	all := make(map[string]profile.Frame)
	p, err := profile.NewSelf().Profile(context.Background(), profile.Heap)
	if err != nil {
		panic(err)
	}
	for _, s := range p.Sites {
		name := strings.TrimPrefix(s.Frame.Function, "main.")
		if _, known := all[name]; !known { // the line with the most memory comes first
			all[name] = s.Frame
		}
	}
	return all
}

// stalls returns the longest time between two ticks while something is done.
func stalls(during func()) (longest time.Duration) {
	var over atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for last := time.Now(); !over.Load(); {
			time.Sleep(time.Millisecond)
			now := time.Now()
			longest = max(longest, now.Sub(last))
			last = now
		}
	}()
	during()
	over.Store(true)
	<-ended
	return longest
}

func main() {
	runtime.MemProfileRate = 16 << 10
	megabytes, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	_ = pprof.Lookup("heap") // without it there is no profile
	for n := range megabytes << 12 {
		open(n)
	}
	ready, end := make(chan struct{}), make(chan struct{})
	go work(ready, end)
	<-ready
	openFiles()
	runtime.GC()
	at := lines()
	at["files"] = profile.Frame{Function: "device"}
	for _, of := range []string{"open", "keep", "files"} {
		var held alerting.Holder
		search := func() { held, err = holders.Find(context.Background(), at[of]) }
		if len(os.Args) > 2 {
			began := time.Now()
			longest := stalls(search)
			took := time.Since(began)
			fmt.Printf("%s: searched for %s, longest stall %s, without a search %s\n", of, took, longest, stalls(func() { time.Sleep(took) }))
		} else {
			search()
		}
		if err != nil {
			held.Text = err.Error()
		}
		fmt.Printf("%s: %s\n", of, held.Text)
		if held.Path == nil {
			continue
		}
		for _, step := range held.Path.Steps {
			mark := ""
			if step.Accumulates {
				mark = " grows"
			}
			fmt.Println(" ", strings.Join(strings.Fields(step.Kind+": "+step.Name+" "+step.Type+" "+step.Reference+mark), " "))
		}
	}
	close(end)
	runtime.KeepAlive(sessions)
}
