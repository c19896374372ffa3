package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pprof "github.com/google/pprof/profile"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/holders"
	"github.com/mdzesseis/leaktrend/sampler/outside"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// Profiles takes profiles of a Go process from its memory.
type Profiles struct{ process *Process }

// errNotNow says that the process runs another program now, or ends.
var errNotNow = errors.New("the runtime of the process cannot be read now")

// busy is the error of a process of which too little can be read now: it is not stopped for it.
type busy struct{}

// Error says so without counts, which are other ones each time.
func (busy) Error() string {
	return "more than half of the goroutines ran while they were read, so that their lines are not counted"
}

// Passes tells that it comes and goes.
func (busy) Passes() {}

// Present reports whether the process runs a program of Go now that may be read.
func (p *Profiles) Present() bool { return p.process.Present() }

// readRuntime calls read with the runtime of the process, and gives that up where the process is gone.
func readRuntime[T any](p *Profiles, read func(*outside.Process) (T, error)) (result T, err error) {
	inside := p.process.runtime()
	if inside == nil {
		return result, errNotNow
	}
	if result, err = read(inside); errors.Is(err, outside.ErrGone) {
		p.process.leave(inside)
	}
	return result, err
}

// tooFewRead reports whether too few goroutines could be read to count them by line. Of a handful it is no matter which
// of them ran: none of their lines leaks.
func tooFewRead(seen outside.Seen) bool {
	const handful = 10
	return seen.Goroutines >= handful && seen.Torn > seen.Goroutines/2
}

func (p *Profiles) stacks(ctx context.Context, kind profile.Kind) (*outside.Profile, error) {
	return readRuntime(p, func(inside *outside.Process) (*outside.Profile, error) {
		switch kind {
		case profile.Goroutine:
			all, err := inside.Goroutines(ctx)
			if err == nil && tooFewRead(all.Seen) {
				err = busy{}
			}
			return all, err
		case profile.Heap:
			heap, err := inside.Heap(ctx)
			if errors.Is(err, outside.ErrNoHeapProfile) {
				err = fmt.Errorf("%w: %w", profile.ErrUnsupported, err)
			}
			return heap, err
		}
		return nil, profile.ErrUnsupported
	})
}

// Profile takes a profile by site.
func (p *Profiles) Profile(ctx context.Context, kind profile.Kind) (*profile.Profile, error) {
	start := time.Now()
	all, err := p.stacks(ctx, kind)
	if err != nil {
		return nil, err
	}
	b := profile.NewBuilder(kind)
	for _, s := range all.Stacks {
		if kind == profile.Heap {
			b.AddSampled(frames(s.Frames), s.Count, s.Bytes, all.Rate)
		} else {
			b.Add(frames(s.Frames), s.Count, 0)
		}
	}
	sites := b.Profile(start)
	sites.Resolution, sites.GC = all.Rate, all.Collections
	sites.Cost = profile.Cost{Elapsed: time.Since(start), CPU: all.CPU}
	return sites, nil
}

func frames(stack []outside.Frame) []profile.Frame {
	all := make([]profile.Frame, len(stack))
	for i, f := range stack {
		all[i] = profile.Frame(f)
	}
	return all
}

// Raw takes a profile in pprof's own format, compressed.
func (p *Profiles) Raw(ctx context.Context, kind profile.Kind) ([]byte, error) {
	all, err := p.stacks(ctx, kind)
	if err != nil {
		return nil, err
	}
	file := &pprof.Profile{TimeNanos: time.Now().UnixNano(), PeriodType: &pprof.ValueType{Type: "goroutine",
		Unit: "count"}, Period: 1}
	file.SampleType = []*pprof.ValueType{file.PeriodType}
	if kind == profile.Heap {
		file.PeriodType, file.Period = &pprof.ValueType{Type: "space", Unit: "bytes"}, int64(all.Rate)
		file.SampleType = []*pprof.ValueType{{Type: "inuse_objects", Unit: "count"},
			{Type: "inuse_space", Unit: "bytes"}}
	}
	places := make(map[outside.Frame]*pprof.Location)
	functions := make(map[[2]string]*pprof.Function)
	for _, s := range all.Stacks {
		sample := &pprof.Sample{Value: []int64{int64(s.Count)}}
		if kind == profile.Heap {
			count, bytes := profile.Scaled(s.Count, s.Bytes, all.Rate)
			sample.Value = []int64{int64(count), int64(bytes)}
		}
		for _, f := range s.Frames {
			at := places[f]
			if at == nil {
				name := [2]string{f.Function, f.File}
				if functions[name] == nil {
					functions[name] = &pprof.Function{ID: uint64(len(functions) + 1), Name: f.Function,
						SystemName: f.Function, Filename: f.File}
					file.Function = append(file.Function, functions[name])
				}
				at = &pprof.Location{ID: uint64(len(places) + 1),
					Line: []pprof.Line{{Function: functions[name], Line: int64(f.Line)}}}
				places[f] = at
				file.Location = append(file.Location, at)
			}
			sample.Location = append(sample.Location, at)
		}
		file.Sample = append(file.Sample, sample)
	}
	var packed bytes.Buffer
	err = file.Write(&packed)
	return packed.Bytes(), err
}

// Holder names what keeps alive most of the memory that a line has allocated; nothing where that is not
// known.
func (p *Profiles) Holder(ctx context.Context, line profile.Frame) (alerting.Holder, error) {
	return readRuntime(p, func(inside *outside.Process) (alerting.Holder, error) {
		return holders.Of(ctx, inside, line)
	})
}

// Stacks returns the goroutines as text: each stack with the number of goroutines on it, most first.
func (p *Profiles) Stacks(ctx context.Context) ([]byte, error) {
	all, err := p.stacks(ctx, profile.Goroutine)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all.Stacks, func(a, b outside.Stack) int { return int(b.Count - a.Count) })
	var text bytes.Buffer
	fmt.Fprintf(&text, "goroutine profile: total %d, of which %d were running and %d ran while they were read\n",
		all.Seen.Goroutines, all.Seen.Running, all.Seen.Torn)
	for _, s := range all.Stacks {
		fmt.Fprintf(&text, "%.0f @\n", s.Count)
		for _, f := range s.Frames {
			fmt.Fprintf(&text, "#\t%s\t%s:%d\n", f.Function, f.File, f.Line)
		}
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

// Dump returns the goroutines one by one, in the form of a traceback.
func (p *Profiles) Dump(ctx context.Context) ([]byte, error) {
	all, err := readRuntime(p, func(inside *outside.Process) ([]outside.Goroutine, error) { return inside.List(ctx) })
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, g := range all {
		fmt.Fprintf(&text, "goroutine %d [%s", g.ID, g.Reason)
		if minutes := int(g.Waited.Minutes()); minutes > 0 {
			fmt.Fprintf(&text, ", %d minutes", minutes)
		}
		text.WriteString("]:\n")
		for _, f := range g.Frames {
			if f.Function != "runtime.goexit" {
				fmt.Fprintf(&text, "%s(...)\n\t%s:%d\n", f.Function, f.File, f.Line)
			}
		}
		if g.Creator.Function != "" {
			fmt.Fprintf(&text, "created by %s in goroutine %d\n\t%s:%d\n", g.Creator.Function, g.Parent, g.Creator.File,
				g.Creator.Line)
		}
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}
