// Package profile reads where in the code the goroutines and the live heap of this process come from: a profile is
// reduced to sites, each a line of code with what is there now. Whether a site grows is decided elsewhere. Package
// remote reads profiles of other processes, and brings a parser.
package profile

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// Kind names a profile as runtime/pprof does.
type Kind string

const (
	Goroutine     Kind = "goroutine"     // every goroutine
	GoroutineLeak Kind = "goroutineleak" // goroutines of which the collector has proven that nothing can wake them
	Heap          Kind = "heap"          // memory that was live after the latest completed garbage collection
	Allocs        Kind = "allocs"        // all that was allocated since the process began, live or not
)

// ErrUnsupported says that a process does not have a profile of this kind.
var ErrUnsupported = errors.New("profile: not supported by this process")

// Frame is one function of a stack, at one of its lines.
type Frame struct {
	Function string // with its package, as in net/http.(*conn).serve
	File     string
	Line     int // 0 where unknown
}

// Site is a line of code and what it accounts for. It is the innermost line of the application on its stacks; where
// there is none, the innermost outside the standard library; where there is none either, for a goroutine the function
// that it began with, for memory the innermost line outside the runtime.
type Site struct {
	Frame
	Application bool    // the line is the application's own: neither the standard library's nor that of a dependency
	Callee      string  // function that the line calls on the stack with the most; "" where it is itself the innermost
	Entry       string  // function that the goroutines there began with; "" for memory
	WaitReason  string  // what the goroutines wait for, as the runtime calls it; "" where they run, and for memory
	Descriptor  bool    // memory that belongs to an open file or connection
	Count       float64 // goroutines, or live objects
	Bytes       float64 // live; 0 for goroutines

	entry   *entry
	module  string
	through string // modules of the functions that the line called, directly or not, each between zeros
}

// Module returns whose code the line is, as CallsInto takes it.
func (s *Site) Module() string { return s.module }

// Standard reports whether the line is of the standard library or the runtime, as what goroutines of theirs allocate.
func (s *Site) Standard() bool { return originOf(s.Frame) <= ofStandard }

// CallsInto reports whether the line called into a module, directly or by way of others. It must be called before the
// next profile of its kind is taken.
func (s *Site) CallsInto(module string) bool {
	return s.onAny(func(stack *Site) bool { return stack.callsInto(module) })
}

// Opens reports whether any of the memory from the line belongs to an open file or connection. It must be called before
// the next profile of its kind is taken.
func (s *Site) Opens() bool {
	return s.onAny(func(stack *Site) bool { return stack.Descriptor })
}

// onAny reports whether something holds of the stack with the most, or of another one of this process.
func (s *Site) onAny(holds func(stack *Site) bool) bool {
	if holds(s) {
		return true
	}
	return s.entry != nil && slices.ContainsFunc(s.entry.places, func(p *place) bool {
		return p.round == s.entry.round && holds(&p.site)
	})
}

func (s *Site) callsInto(module string) bool {
	return strings.Contains(s.through, "\x00"+module+"\x00")
}

// Stack is one stack of a site of this process.
type Stack struct {
	PCs          []uintptr // as runtime.Callers returns them, innermost first
	Count, Bytes float64
}

// Profile is a profile by site.
type Profile struct {
	Kind         Kind
	Time         time.Time
	Sites        []Site  // those with the most bytes first, then those with the highest count
	Count, Bytes float64 // of all sites together
	// Resolution is the amount that one sample of the heap represents, in bytes: what is far below it is seen by
	// chance. 0 for goroutines.
	Resolution float64
	GC         uint64 // garbage collections completed when a heap profile was taken; 0 where unknown
	Cost       Cost
}

// Cost is what the process paid for a profile.
type Cost struct {
	Elapsed time.Duration // that it took
	CPU     time.Duration // processor time; where that is unknown the time that it took, which is no less
	Pause   time.Duration // the longest stop of the world meanwhile, whoever caused it; 0 where unknown
}

// sort brings the sites in their order.
func (p *Profile) sort() {
	slices.SortFunc(p.Sites, func(a, b Site) int {
		switch {
		case a.Bytes != b.Bytes:
			return descending(a.Bytes, b.Bytes)
		case a.Count != b.Count:
			return descending(a.Count, b.Count)
		case a.File != b.File:
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
}

func sortStacks(all []Stack) {
	slices.SortFunc(all, func(a, b Stack) int {
		if a.Bytes != b.Bytes {
			return descending(a.Bytes, b.Bytes)
		}
		return descending(a.Count, b.Count)
	})
}

// descending orders a before b where it is the greater.
func descending(a, b float64) int {
	return cmp.Compare(b, a)
}

// standard are the first elements of the import paths of the standard library.
var standard = map[string]bool{
	"archive": true, "bufio": true, "bytes": true, "cmp": true, "compress": true, "container": true, "context": true,
	"crypto":   true,
	"database": true, "debug": true, "embed": true, "encoding": true, "errors": true, "expvar": true, "flag": true,
	"fmt": true, "go": true,
	"hash": true, "html": true, "image": true, "index": true, "internal": true, "io": true, "iter": true, "log": true,
	"maps": true, "math": true,
	"mime": true, "net": true, "os": true, "path": true, "plugin": true, "reflect": true, "regexp": true,
	"runtime": true, "slices": true,
	"sort": true, "strconv": true, "strings": true, "structs": true, "sync": true, "syscall": true, "testing": true,
	"text": true, "time": true,
	"unicode": true, "unique": true, "unsafe": true, "uuid": true, "vendor": true, "weak": true,
}

// PackageOf returns the import path of a function's package.
func PackageOf(function string) string {
	base := strings.LastIndexByte(function, '/') + 1
	// A type argument may hold a path too, as in main.F[a/b.T].
	if i := strings.IndexByte(function, '['); i >= 0 && i < base {
		base = strings.LastIndexByte(function[:i], '/') + 1
	}
	dot := strings.IndexByte(function[base:], '.')
	if dot < 0 {
		return ""
	}
	return function[:base+dot]
}

// origin is whose code a frame is.
type origin uint8

const (
	ofRuntime     origin = iota
	ofStandard           // the standard library beside the runtime
	ofDependency         // another module
	ofApplication        // what is built here
)

func originOf(f Frame) origin {
	path := PackageOf(f.Function)
	first, _, _ := strings.Cut(path, "/")
	switch {
	case path == "runtime" || path == "internal/runtime" || strings.HasPrefix(path, "runtime/") ||
		strings.HasPrefix(path, "internal/runtime/"):
		return ofRuntime
	case path == "" || standard[first]:
		return ofStandard
	case path == "main" || isMain(path):
		return ofApplication
	// The module cache keeps modules by version; vendored ones lie in a directory of that name.
	case strings.Contains(f.File, "@v") || strings.Contains(f.File, "/vendor/"):
		return ofDependency
	}
	return ofApplication
}

// IsApplication reports whether the function is the application's own: neither the standard library's nor that of a
// dependency.
func (f Frame) IsApplication() bool { return originOf(f) == ofApplication }

// waits are what a goroutine waits for in a function of the runtime or the standard library, in the runtime's words.
var waits = map[string]string{
	"runtime.chanrecv": "chan receive", "runtime.chanrecv1": "chan receive", "runtime.chanrecv2": "chan receive",
	"runtime.chansend": "chan send", "runtime.chansend1": "chan send",
	"runtime.selectgo": "select", "runtime.block": "select (no cases)",
	"runtime.netpollblock": "IO wait", "internal/poll.runtime_pollWait": "IO wait",
	"runtime.timeSleep": "sleep", "time.Sleep": "sleep",
	"sync.runtime_SemacquireMutex": "sync.Mutex.Lock", "internal/sync.runtime_SemacquireMutex": "sync.Mutex.Lock",
	"sync.runtime_SemacquireRWMutexR": "sync.RWMutex.RLock", "sync.runtime_SemacquireRWMutex": "sync.RWMutex.Lock",
	"sync.runtime_SemacquireWaitGroup": "sync.WaitGroup.Wait", "sync.runtime_Semacquire": "semacquire",
	"sync.runtime_notifyListWait": "sync.Cond.Wait",
	"syscall.Syscall":             "syscall", "syscall.Syscall6": "syscall", "syscall.RawSyscall": "syscall",
	"syscall.rawSyscallNoError": "syscall",
	"runtime.cgocall":           "syscall",
}

// openers allocate the object of a descriptor, wherever one is opened.
var openers = map[string]bool{"os.newFile": true, "net.newFD": true, "net.newFileFD": true, "os.NewFile": true,
	"net.newUnixConn": true}

// allocators are the runtime's allocating functions, which do not show what memory is for.
var allocators = map[string]bool{"runtime.mallocgc": true, "runtime.newobject": true, "runtime.makeslice": true,
	"runtime.growslice": true}

// siteOf reduces a stack, innermost frame first, to its site, without amounts.
func siteOf(stack []Frame, kind Kind) Site {
	var s Site
	chosen := -1
	best := ofStandard
	for i, f := range stack {
		o := originOf(f)
		if o > best {
			chosen, best = i, o
		}
		if o == ofApplication {
			break
		}
	}
	goroutines := kind != Heap && kind != Allocs
	if goroutines {
		for _, f := range stack {
			if s.WaitReason = waits[f.Function]; s.WaitReason != "" || originOf(f) > ofStandard {
				break
			}
		}
	} else {
		for _, f := range stack {
			s.Descriptor = s.Descriptor || openers[f.Function]
		}
	}
	outermost := len(stack) - 1
	for outermost >= 0 && goroutines && (stack[outermost].Function == "runtime.goexit" ||
		stack[outermost].Function == "runtime.main") {
		outermost--
	}
	if goroutines && outermost >= 0 {
		s.Entry = stack[outermost].Function
	}
	if chosen < 0 {
		if goroutines {
			chosen = outermost
		} else {
			chosen = slices.IndexFunc(stack, func(f Frame) bool { return originOf(f) > ofRuntime })
		}
	}
	if chosen < 0 && !goroutines { // memory of the runtime itself
		chosen = slices.IndexFunc(stack, func(f Frame) bool { return !allocators[f.Function] })
	}
	if chosen < 0 {
		if len(stack) == 0 {
			return s
		}
		chosen = 0
	}
	s.Frame, s.Application = stack[chosen], best == ofApplication
	s.module = moduleOf(s.Frame)
	if chosen > 0 {
		s.Callee = stack[chosen-1].Function
	}
	for _, f := range stack[:chosen] {
		if m := moduleOf(f); originOf(f) > ofRuntime && !s.callsInto(m) {
			s.through = strings.TrimSuffix(s.through, "\x00") + "\x00" + m + "\x00"
		}
	}
	return s
}
