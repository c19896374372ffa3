// Command service keeps the memory of two lines alive and files open, and says what the search for it finds; with a
// second argument also what it takes and the longest stall of a goroutine that ticks each millisecond. The first one is
// how many megabytes it holds.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
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

// allocated returns how many bytes were ever allocated.
func allocated() uint64 {
	var all runtime.MemStats
	runtime.ReadMemStats(&all)
	return all.TotalAlloc
}

// enough is more than a search in a small process allocates.
const enough = 32 << 20

// measure tells what a search takes and the longest stalls meanwhile, the least, the median and the most of some
// rounds, each beside one of as long without a search.
func measure(of string, search func()) {
	var took, with, without []time.Duration
	before := allocated()
	for range rounds {
		began := time.Now()
		with = append(with, stalls(search))
		took = append(took, time.Since(began))
		without = append(without, stalls(func() { time.Sleep(took[len(took)-1]) }))
	}
	for _, all := range [][]time.Duration{took, with, without} {
		slices.Sort(all)
	}
	fmt.Printf("%s: searched for %s, allocated %d MB, longest stall %s, %s and %s, without a search %s, %s and %s\n",
		of, took[rounds/2], (allocated()-before)>>20/rounds, with[0], with[rounds/2], with[rounds-1], without[0],
		without[rounds/2], without[rounds-1])
}

const rounds = 7

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
		before := allocated()
		search()
		if took := allocated() - before; took > enough {
			fmt.Printf("%s: the search allocates %d MB\n", of, took>>20)
		}
		if len(os.Args) > 2 {
			measure(of, search)
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
			fmt.Println(" ",
				strings.Join(strings.Fields(step.Kind+": "+step.Name+" "+step.Variable+" "+step.Type+" "+step.Reference+
					mark), " "))
		}
	}
	close(end)
	runtime.KeepAlive(sessions)
}
