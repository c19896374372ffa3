// Package outside reads goroutines and live heap of another Go process from its memory: nothing is built into that
// process, asked of it, or written to it, and it is not stopped. It knows the runtime of the releases in its table,
// also in stripped and position-independent programs, and of other releases if the program has debug information.
//
// The process runs on while it is read. Inconsistent data is dropped and counted: a goroutine whose descriptor has
// changed meanwhile, a stack that does not end where its goroutine began, counts that do not fit each other. Nothing
// leaves this package but counts, addresses and what the program's file says of them: functions, lines, and
// names and types of variables.
package outside

import (
	"errors"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/paths"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/search"
)

// ErrNotGo says that a process does not run a Go program.
var ErrNotGo = errors.New("not a Go program")

// ErrNoHeapProfile says that a process keeps no profile of its memory: the linker leaves that out of programs that
// never refer to it, or runtime.MemProfileRate is 0.
var ErrNoHeapProfile = errors.New("nothing in the program refers to runtime.MemProfile, as an import of " +
	"net/http/pprof would, so no lines are named for memory")

// ErrGone says that a process has ended, or executes another program than the one that was opened.
var ErrGone = errors.New("the process has ended, or runs another program")

// The types of what is read, which the rooms below fill in.
type (
	// Frame is one function of a stack, at one of its lines: Function with its package, as in
	// net/http.(*conn).serve, File, and Line, from 1, 0 where unknown.
	Frame = linetable.Frame
	// Seen counts what was read: Goroutines that there were, without the runtime's own, those of them that were
	// Running, whose stacks are not known, and what was Torn: goroutines, or stacks of the heap, that were
	// inconsistent.
	Seen = goruntime.Seen
	// Memory is what the runtime of a program knows of its memory, in bytes.
	Memory = goruntime.Memory
	// Holder is what keeps most of some objects alive: a variable of a package, a goroutine, timers, or finalizers.
	Holder = search.Holder
	// Step is one on the way from what keeps memory alive to that memory: first the holder, then objects.
	Step = paths.Step
)

// Stack is where some goroutines stand, or some memory was allocated.
type Stack struct {
	Frames []Frame // innermost first
	Count  float64 // goroutines, or sampled objects that are live
	Bytes  float64 // of these objects; 0 for goroutines
}

// Profile is what was read of all goroutines, or of the heap.
type Profile struct {
	Stacks []Stack
	Seen   Seen
	// Rate is how many bytes of allocated memory one of the sampled objects stands for; 0 for goroutines.
	Rate float64
	// Collections are the garbage collections that had completed; 0 where unknown.
	Collections uint64
	CPU         time.Duration // processor time of this process that the reading took: the other one paid nothing
}

// Goroutine is one goroutine.
type Goroutine struct {
	ID      uint64
	Parent  uint64        // id of the one that created it; 0 where unknown
	Reason  string        // what it waits for, in the runtime's words, or its state
	Waited  time.Duration // as far as the collector has noticed it; 0 else
	Frames  []Frame       // innermost first
	Creator Frame         // the go statement; zero for the main goroutine
}
