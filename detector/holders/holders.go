// Package holders names what keeps alive the memory that a line of code allocated, or what keeps descriptors open: a
// variable of a package, a goroutine, timers, or finalizers. To have it named in alerts, pass Find to the monitor;
// services that do not pass it compile nothing of it. Memory is read by sampler/outside.
package holders

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/outside"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// The objects of Go that have a descriptor. A finalizer closes them.
const (
	socket = "*net.netFD"
	file   = "*os.file"
)

// kinds are the Go types of what packages net and os open, by the kind of descriptor in a breakdown. Others, such as
// descriptors of an event poll, have no Go object.
var kinds = map[string][]string{
	"": {socket, file}, "tcp": {socket}, "udp": {socket}, "unix": {socket}, "raw": {socket}, "icmp": {socket},
	"socket": {socket, file},
	"file":   {file}, "directory": {file}, "device": {file}, "fifo": {file}, "pipe": {file}, "inotify": {file},
	"deleted file": {file}, "deleted directory": {file}, "deleted fifo": {file},
}

// Find names what keeps alive most of the memory of this process that a line has allocated; "" where that is not known.
// Of a line without a file it names what keeps descriptors open: those of the kind that is its function, as in tcp, or
// all that packages os and net have opened for "". It reads the memory of the process as another one would, stops
// nothing, and takes 4 s of processor time at most. It needs Linux.
func Find(ctx context.Context, line profile.Frame) (alerting.Holder, error) {
	if line.File == "" {
		types, ok := kinds[line.Function]
		if !ok {
			return alerting.Holder{}, nil
		}
		return counted(outside.OwnFinalizedHolder(ctx, choose, types...))
	}
	return found(outside.OwnHolder(ctx, allocates(line), choose))
}

// Of is Find for another process.
func Of(ctx context.Context, process *outside.Process, line profile.Frame) (alerting.Holder, error) {
	if line.File == "" {
		types, ok := kinds[line.Function]
		if !ok {
			return alerting.Holder{}, nil
		}
		return counted(process.FinalizedHolder(ctx, choose, types...))
	}
	return found(process.Holder(ctx, allocates(line), choose))
}

func found(held *outside.Holder, err error) (alerting.Holder, error) {
	if err != nil || held == nil {
		return alerting.Holder{}, err
	}
	return alerting.Holder{Text: describe(held), Path: pathOf(held)}, nil
}

// counted is found, with the number of objects.
func counted(held *outside.Holder, err error) (alerting.Holder, error) {
	h, err := found(held, err)
	if h.Text != "" {
		h.All = held.All
	}
	return h, err
}

// allocates reports of stacks of the heap whether they are counted at a line.
func allocates(line profile.Frame) func(stack []outside.Frame) bool {
	return func(stack []outside.Frame) bool { return siteOf(stack, profile.Heap).Frame == line }
}

// choose chooses the line of a goroutine as it is done where goroutines themselves leak.
func choose(stack []outside.Frame) (chosen outside.Frame, application bool) {
	if len(stack) == 0 {
		return chosen, false
	}
	site := siteOf(stack, profile.Goroutine)
	return outside.Frame(site.Frame), site.Application
}

// siteOf returns where a stack is counted.
func siteOf(stack []outside.Frame, kind profile.Kind) profile.Site {
	all := make([]profile.Frame, len(stack))
	for i, f := range stack {
		all[i] = profile.Frame(f)
	}
	b := profile.NewBuilder(kind)
	b.Add(all, 1, 1)
	return b.Profile(time.Time{}).Sites[0]
}

// describe names what holds memory, in Go's words.
func describe(held *outside.Holder) string {
	count := sampler.Resource{}.Format(float64(held.Entries))
	switch {
	case held.Timer == "time.sendTime":
		return count + " timers that have a channel"
	case held.Timer != "":
		return count + " timers that call " + held.Timer
	case held.Finalizer != "":
		return "the finalizers of " + count + " " + held.Finalizer
	case held.Variable == "":
		text := fmt.Sprintf("the goroutine at %s %s:%d", held.At.Function, held.At.File, held.At.Line)
		if held.Local != "" {
			text += " in its variable " + held.Local
		}
		return text
	}
	text := held.Variable
	if held.Type != "" {
		text += " (" + held.Type + ")"
	}
	switch {
	case held.Entries == 1:
		text += ", 1 entry"
	case held.Entries >= 0:
		text += ", " + count + " entries"
	}
	return text
}

// pathOf returns the steps from what holds memory on; nil where they are not known.
func pathOf(held *outside.Holder) *alerting.Path {
	if len(held.Path) == 0 {
		return nil
	}
	p := &alerting.Path{Objects: held.Objects, Share: held.Share}
	for i := range held.Path {
		from := &held.Path[i]
		step := alerting.Step{
			Kind: "object", Name: from.Name, Type: from.Type, Size: from.Size, Reference: from.Reference,
			Container: from.Container,
			Entries:   max(0, from.Entries), Share: from.Share, Accumulates: from.Parts,
		}
		if from.Times > 1 {
			step.Repeated = from.Times
		}
		if from.Code.Function != "" {
			step.Kind, step.File, step.Line = "function", from.Code.File, from.Code.Line
		}
		p.Steps = append(p.Steps, step)
	}
	first := &p.Steps[0]
	switch {
	case held.Variable != "":
		first.Kind = "variable"
		first.Name = cmp.Or(first.Name, held.Variable) // in a program without symbols
	case held.Timer != "":
		first.Kind, first.Name = "timers", describe(held)
	case held.Finalizer != "":
		first.Kind, first.Name = "finalizers", describe(held)
	default:
		first.Variable = first.Name
		first.Kind, first.Name, first.File, first.Line = "goroutine", held.At.Function, held.At.File, held.At.Line
	}
	return p
}
