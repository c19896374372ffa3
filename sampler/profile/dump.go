package profile

import (
	"bytes"
	"context"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// Detail is one goroutine of a traceback of all of them.
type Detail struct {
	Site      Site          // with a count of 1
	Waited    time.Duration // in whole minutes, as far as the collector has noticed it
	CreatedBy Frame         // the go statement; zero for the main goroutine
	Locked    bool          // it has a thread for itself
}

// Dump returns the traceback of all goroutines as text. It stops the world until it is done: 8 us a goroutine and more.
func (s *Self) Dump(context.Context) ([]byte, error) {
	for size := 1 << 18; ; size *= 2 {
		text := make([]byte, size)
		if n := runtime.Stack(text, true); n < size {
			return text[:n], nil
		}
	}
}

// Stacks returns the goroutine profile as text: each stack with the number of goroutines on it, most first. It stops
// the world twice for a moment.
func (s *Self) Stacks(context.Context) ([]byte, error) {
	var text bytes.Buffer
	err := pprof.Lookup(string(Goroutine)).WriteTo(&text, 1)
	return text.Bytes(), err
}

// ParseDump reads a traceback of all goroutines, as runtime.Stack and the goroutine profile with debug=2 write it. What
// it does not understand it leaves out.
func ParseDump(text []byte) []Detail {
	var all []Detail
	for block := range strings.SplitSeq(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n\n") {
		if d, ok := parseGoroutine(strings.TrimPrefix(block, "\n")); ok {
			all = append(all, d)
		}
	}
	return all
}

func parseGoroutine(block string) (d Detail, ok bool) {
	head, rest, _ := strings.Cut(block, "\n")
	if !strings.HasPrefix(head, "goroutine ") {
		return d, false
	}
	_, state, found := strings.Cut(head, "[")
	end := strings.LastIndexByte(state, ']')
	if !found || end < 0 {
		return d, false
	}
	state = state[:end]
	var reason string
	for i, part := range strings.Split(state, ", ") {
		if minutes, ok := strings.CutSuffix(part, " minutes"); ok {
			if n, err := strconv.Atoi(minutes); err == nil && n >= 0 && n < 1<<30 {
				d.Waited = time.Duration(n) * time.Minute
			}
		} else if part == "locked to thread" {
			d.Locked = true
		} else if i == 0 {
			reason = strings.TrimSuffix(part, " (leaked)")
		}
	}
	var stack []Frame
	lines := strings.Split(rest, "\n")
	for i := 0; i+1 < len(lines); i++ {
		place, isPlace := strings.CutPrefix(lines[i+1], "\t")
		if !isPlace {
			continue
		}
		f := Frame{Function: lines[i]}
		if f.File, f.Line, isPlace = parsePlace(place); !isPlace {
			continue
		}
		if creator, created := strings.CutPrefix(f.Function, "created by "); created {
			f.Function, _, _ = strings.Cut(creator, " in goroutine ")
			d.CreatedBy = f
			break
		}
		if open := strings.LastIndexByte(f.Function, '('); open > 0 {
			f.Function = f.Function[:open]
		}
		stack = append(stack, f)
		i++
	}
	if len(stack) == 0 {
		return d, false
	}
	d.Site = siteOf(stack, Goroutine)
	d.Site.Count, d.Site.WaitReason = 1, reason
	return d, true
}

// parsePlace reads "/a/b.go:12 +0x1d".
func parsePlace(text string) (file string, line int, ok bool) {
	text, _, _ = strings.Cut(text, " +0x")
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return "", 0, false
	}
	line, err := strconv.Atoi(text[colon+1:])
	return text[:colon], line, err == nil && line >= 0
}
