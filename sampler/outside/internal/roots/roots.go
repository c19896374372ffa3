// Package roots knows what of the runtime holds objects beside variables and stacks: timers and finalizers.
package roots

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/rtype"
)

const (
	maxTimers     = 1 << 20 // that are known
	maxFinalizers = 1 << 20
	MaxProcessors = 1 << 12 // of the scheduler
)

// finalized is an object with a finalizer.
type finalized struct {
	at   uint64
	kind uint64 // where the type of its pointer is
}

// Roots are what the runtime has beside variables and stacks. They hold things, but most of these have another holder
// too.
type Roots struct {
	*goruntime.Target
	Timers     []uint64 // by address
	finalizers []finalized
	types      map[uint64]string // names of the types that finalizers have
}

// ReadTimers reads those of one processor.
func (r *Roots) ReadTimers(of uint64, block []byte) {
	l := &r.Layout
	var head [16]byte
	if l.Timers == 0 || l.Timer == 0 || !r.ReadAt(of+l.Timers+l.TimersHeap, head[:]) {
		return
	}
	each := uint64(8)
	if l.TimersHeap != 0 { // since Go 1.23: with the time
		each = 16
	}
	at, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	for n = min(n, maxTimers-uint64(len(r.Timers))); n > 0; {
		b := block[:min(n, procmem.Chunk/each)*each]
		if !r.ReadAt(at, b) {
			return // the list has moved
		}
		at, n = at+uint64(len(b)), n-uint64(len(b))/each
		for ; len(b) > 0; b = b[each:] {
			if timer := binary.LittleEndian.Uint64(b); timer != 0 && timer%8 == 0 {
				r.Timers = append(r.Timers, timer)
			}
		}
	}
}

// NoteFinalizer keeps a special of the runtime if it is a finalizer.
func (r *Roots) NoteFinalizer(object uint64, special []byte) {
	l := &r.Layout
	if l.IsFinalizer != 0 && uint64(special[l.FinalizerKind]) == l.IsFinalizer && len(r.finalizers) < maxFinalizers {
		r.finalizers = append(r.finalizers, finalized{object, binary.LittleEndian.Uint64(special[l.FinalizerType:])})
	}
}

// Sort sorts the objects with finalizers by address, for FinalizerIn.
func (r *Roots) Sort() {
	slices.SortFunc(r.finalizers, func(a, b finalized) int { return cmp.Compare(a.at, b.at) })
}

// TimerIn returns a timer in an object.
func (r *Roots) TimerIn(base, end uint64) (uint64, bool) {
	i, _ := slices.BinarySearch(r.Timers, base)
	if i == len(r.Timers) || r.Timers[i] >= end {
		return 0, false
	}
	return r.Timers[i], true
}

// FinalizerIn returns the index of an object with a finalizer that is in another one, or is that.
func (r *Roots) FinalizerIn(base, end uint64) (index int, ok bool) {
	i, _ := slices.BinarySearchFunc(r.finalizers, base, func(f finalized, at uint64) int {
		return cmp.Compare(f.at, at)
	})
	return i, i < len(r.finalizers) && r.finalizers[i].at < end
}

// pointerType is rtype.Name of a finalizer, remembered.
func (r *Roots) pointerType(f finalized) string {
	name, ok := r.types[f.kind]
	if !ok {
		if r.types == nil || len(r.types) >= linetable.MaxKnown {
			r.types = make(map[uint64]string)
		}
		name = rtype.Name(r.Target, f.kind)
		r.types[f.kind] = name
	}
	return name
}

const (
	callsArgument = "time.goFunc" // of timers that call what they have as argument
)

// timerCalls returns what timers call: a function, or time.sendTime for those with a channel. It is empty for those
// that are gone.
func (r *Roots) timerCalls(timers []uint64) (calls []string) {
	l := &r.Layout
	calls = make([]string, len(timers))
	size := max(l.TimerFunc+8, l.TimerArg+16)
	block := make([]byte, goruntime.BatchSize*size)
	functions, words := make([]byte, goruntime.BatchSize*8), make([]byte, goruntime.BatchSize*8)
	for from := 0; from < len(timers); from += goruntime.BatchSize {
		some := timers[from:min(len(timers), from+goruntime.BatchSize)]
		var parts, codes []procmem.Part
		for i, at := range some {
			parts = append(parts, procmem.Part{At: at, To: block[uint64(i)*size:][:size]})
		}
		r.Reader.Gather(parts)
		for i := range parts {
			codes = append(codes, procmem.Part{To: functions[8*i:][:8]})
			if parts[i].Read {
				codes[i].At = binary.LittleEndian.Uint64(parts[i].To[l.TimerFunc:])
			}
		}
		r.Reader.Gather(codes)
		for i := range codes {
			if calls[from+i] = r.functionAt(codes[i]); calls[from+i] != callsArgument {
				codes[i].At = 0
				continue
			}
			codes[i] = procmem.Part{At: binary.LittleEndian.Uint64(parts[i].To[l.TimerArg+8:]), To: words[8*i:][:8]}
		}
		r.Reader.Gather(codes)
		for i := range codes {
			if codes[i].At != 0 {
				calls[from+i] = r.functionAt(codes[i])
			}
		}
	}
	return calls
}

// functionAt names the function whose entry was read; "" where there is none.
func (r *Roots) functionAt(entry procmem.Part) string {
	if !entry.Read {
		return ""
	}
	f, ok := r.Table.Find(binary.LittleEndian.Uint64(entry.To))
	if !ok || f.Entry != binary.LittleEndian.Uint64(entry.To) {
		return ""
	}
	name := r.Table.NameOf(&f)
	return strings.TrimSuffix(name, linetable.MethodValue)
}

// ByTimer returns the function that a timer calls, "" where that is not known, and how many timers call it.
func (r *Roots) ByTimer(ctx context.Context, at uint64, pause func()) (call string, n int64) {
	if call = r.timerCalls([]uint64{at})[0]; call == "" {
		return "", 0
	}
	for list := r.Timers; len(list) > 0 && ctx.Err() == nil; {
		some := list[:min(len(list), procmem.Chunk/8)]
		list = list[len(some):]
		for _, c := range r.timerCalls(some) {
			if c == call {
				n++
			}
		}
		if pause != nil {
			pause()
		}
	}
	return call, n
}

// ByFinalizer returns the type of an object with a finalizer, by the index of that, and how many are of that type.
func (r *Roots) ByFinalizer(index int) (kind string, n int64) {
	kind = r.pointerType(r.finalizers[index])
	for _, other := range r.finalizers {
		if r.pointerType(other) == kind {
			n++
		}
	}
	return kind, n
}

// Of returns the objects with a finalizer that are of some types, as in *os.file.
func (r *Roots) Of(types []string) (all []uint64) {
	for _, f := range r.finalizers {
		if slices.Contains(types, r.pointerType(f)) {
			all = append(all, f.at)
		}
	}
	return all
}
