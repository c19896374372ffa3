// Package callgraph finds which lines of an application lead to functions of the libraries that it uses.
//
// A library waits, opens and keeps for the application, and at run time nothing may show for which of its lines. The
// program's code does: its calls name their targets. They are followed back from a function of a library, from caller
// to caller, to the lines of the application. A call through an interface or a function value has no fixed target, so
// lines may be missing; those that are found do lead there. The code is read from the file of the running program, on
// Linux for amd64 and arm64. Symbols are not needed.
package callgraph

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"strings"
	_ "unsafe" // for go:linkname
)

const (
	maxFunctions = 4000 // that are followed back: beyond them the result is not informative
	maxLines     = 100  // of the application that are returned
)

// ErrTooMany says that too many lines lead to the functions to be informative.
var ErrTooMany = errors.New("callgraph: too many lines lead there")

// Line is a line of the application, and what it calls on the way.
type Line struct {
	Function string // with its package
	File     string
	Line     int
	Callee   string // function of another module that the line calls...
	CalleeAt Place  // ...and where it begins, or goes on
	Depth    int    // minimum number of calls from there to the function that is searched for; from 1
}

// Leads is what leads to some functions.
type Leads struct {
	Lines []Line // those with the fewest calls on the way first
	// Ends are functions on the way that nothing calls directly: they are called by way of an interface or a function
	// value, so that other lines may lead there, too.
	Ends []string
}

// call is a call of a function, by offsets from the beginning of the code.
type call struct {
	target uint32 // where the function begins
	after  uint32 // where the call returns to
}

// Graph is the calls in the code of this program.
type Graph struct {
	start uintptr
	calls []call // by target
}

// Read reads the code of this program: a tenth of a second and some megabytes for each 20 MB. The error wraps
// errors.ErrUnsupported where code cannot be read.
func Read() (*Graph, error) { return read() }

// Place is a line of code.
type Place struct {
	File string
	Line int
}

// Leading returns the lines of the application that lead to any of some functions of this program, named as
// runtime.Frame names them. isApplication reports whether code is the application's; isPassed, which may be nil,
// functions that are not followed further back, as those that close what they open. The error is ErrTooMany where too
// much leads there.
func (c *Graph) Leading(functions []string, isApplication func(function, file string) bool,
	isPassed func(function string) bool) (Leads, error) {
	starts := c.beginnings()
	depths := make(map[string]int)
	var queue []string
	follow := func(function string, depth int) {
		for ; function != ""; function = Enclosing(function) {
			if _, seen := depths[function]; !seen && (isPassed == nil || !isPassed(function)) {
				depths[function] = depth
				queue = append(queue, function)
			}
		}
	}
	for _, f := range functions {
		follow(f, 1)
	}
	var leads Leads
	lines := make(map[Place]Line)
	for ; len(queue) > 0; queue = queue[1:] {
		function, called := queue[0], false
		depth := depths[function]
		for _, target := range starts[function] {
			for _, after := range c.callers(target) {
				called = true
				line, caller := c.resolve(after, target, function, isApplication, isPassed)
				if line.Function == "" {
					follow(caller, depth+1)
					continue
				}
				line.Depth = depth
				at := Place{line.File, line.Line}
				// A literal that is inlined in several functions is one line.
				if known, seen := lines[at]; !seen || len(line.Function) < len(known.Function) {
					if seen {
						line.Depth = known.Depth
					}
					lines[at] = line
				}
			}
		}
		if !called && Enclosing(function) == "" {
			leads.Ends = append(leads.Ends, function)
		}
		if len(depths) > maxFunctions || len(lines) > maxLines {
			return Leads{}, ErrTooMany
		}
	}
	for _, line := range lines {
		leads.Lines = append(leads.Lines, line)
	}
	slices.SortFunc(leads.Lines, func(a, b Line) int {
		return cmp.Or(a.Depth-b.Depth, strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return leads, nil
}

// beginnings returns where the functions that are called begin, by name: generic ones may have several bodies.
func (c *Graph) beginnings() map[string][]uint32 {
	starts := make(map[string][]uint32)
	for i, one := range c.calls {
		if i > 0 && c.calls[i-1].target == one.target {
			continue
		}
		if f := runtime.FuncForPC(c.start + uintptr(one.target)); f != nil {
			starts[f.Name()] = append(starts[f.Name()], one.target)
		}
	}
	return starts
}

// callers returns where the calls of the function that begins at an offset return to.
func (c *Graph) callers(target uint32) (all []uint32) {
	i, _ := slices.BinarySearchFunc(c.calls, target, func(one call, t uint32) int { return int(one.target) - int(t) })
	for ; i < len(c.calls) && c.calls[i].target == target; i++ {
		all = append(all, c.calls[i].after)
	}
	return all
}

// resolve returns the line of the application that makes a call, be it by way of functions that are inlined there, else
// the function that makes it; neither where one that is inlined there is passed.
func (c *Graph) resolve(after, target uint32, callee string, isApplication func(function, file string) bool,
	isPassed func(function string) bool) (line Line, caller string) {
	line.Callee = callee
	if f := runtime.FuncForPC(c.start + uintptr(target)); f != nil {
		line.CalleeAt.File, line.CalleeAt.Line = f.FileLine(f.Entry())
	}
	frames := runtime.CallersFrames(expand([]uintptr{c.start + uintptr(after)}))
	for {
		f, more := frames.Next()
		if f.Function != "" && f.File != "<autogenerated>" && isApplication(f.Function, f.File) {
			line.Function, line.File, line.Line = f.Function, f.File, f.Line
			return line, ""
		}
		if !more {
			return Line{}, f.Function
		}
		if isPassed != nil && isPassed(f.Function) {
			return Line{}, ""
		}
		line.Callee, line.CalleeAt = f.Function, Place{f.File, f.Line}
	}
}

// expand adds to a stack what its outermost function was inlined into. The runtime keeps it as it is for those who
// build profiles.
//
//go:linkname expand runtime/pprof.runtime_expandFinalInlineFrame
func expand(stack []uintptr) []uintptr

// Enclosing returns the function in which a function literal or the wrapper of a go or defer statement stands; "" where
// a function is none of these.
func Enclosing(function string) string {
	dot := strings.LastIndexByte(function, '.')
	if dot < 0 || dot < strings.LastIndexByte(function, '/') {
		return ""
	}
	last := function[dot+1:]
	kind := strings.TrimRight(last, "0123456789")
	if body, found := strings.CutSuffix(kind, "-range"); found { // of a range over a function
		return function[:dot+1] + body
	}
	if kind != last && (kind == "func" || kind == "gowrap" || kind == "deferwrap" || kind == "") {
		return function[:dot]
	}
	return ""
}

// sorted puts the calls in their order.
func sorted(calls []call) []call {
	slices.SortFunc(calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.target, b.target), cmp.Compare(a.after, b.after))
	})
	return slices.Clip(calls)
}
