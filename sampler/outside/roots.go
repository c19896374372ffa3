package outside

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
)

const (
	maxTimers     = 1 << 20 // that are known
	maxFinalizers = 1 << 20
	maxProcessors = 1 << 12 // of the scheduler
)

// finalized is an object with a finalizer.
type finalized struct {
	at   uint64
	kind uint64 // where the type of its pointer is
}

// roots are what the runtime has beside variables and stacks. They hold things, but most of these have another holder
// too.
type roots struct {
	*target
	timers     []uint64 // by address
	finalizers []finalized
	types      map[uint64]string // names of the types that finalizers have
}

// readTimers reads those of one processor.
func (r *roots) readTimers(of uint64, block []byte) {
	l := &r.layout
	var head [16]byte
	if l.timers == 0 || l.timer == 0 || !r.readSome(of+l.timers+l.timersHeap, head[:]) {
		return
	}
	each := uint64(8)
	if l.timersHeap != 0 { // since Go 1.23: with the time
		each = 16
	}
	at, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	for n = min(n, maxTimers-uint64(len(r.timers))); n > 0; {
		b := block[:min(n, chunk/each)*each]
		if !r.readSome(at, b) {
			return // the list has moved
		}
		at, n = at+uint64(len(b)), n-uint64(len(b))/each
		for ; len(b) > 0; b = b[each:] {
			if timer := binary.LittleEndian.Uint64(b); timer != 0 && timer%8 == 0 {
				r.timers = append(r.timers, timer)
			}
		}
	}
}

// noteFinalizer keeps a special of the runtime if it is a finalizer.
func (r *roots) noteFinalizer(object uint64, special []byte) {
	l := &r.layout
	if l.isFinalizer != 0 && uint64(special[l.finalizerKind]) == l.isFinalizer && len(r.finalizers) < maxFinalizers {
		r.finalizers = append(r.finalizers, finalized{object, binary.LittleEndian.Uint64(special[l.finalizerType:])})
	}
}

// sort makes what has finalizers ready to be looked up.
func (r *roots) sort() {
	slices.SortFunc(r.finalizers, func(a, b finalized) int { return cmp.Compare(a.at, b.at) })
}

// timerIn returns a timer in an object.
func (r *roots) timerIn(base, end uint64) (uint64, bool) {
	i, _ := slices.BinarySearch(r.timers, base)
	if i == len(r.timers) || r.timers[i] >= end {
		return 0, false
	}
	return r.timers[i], true
}

// finalizerIn returns the index of an object with a finalizer that is in another one, or is that.
func (r *roots) finalizerIn(base, end uint64) (index int, ok bool) {
	i, _ := slices.BinarySearchFunc(r.finalizers, base, func(f finalized, at uint64) int {
		return cmp.Compare(f.at, at)
	})
	return i, i < len(r.finalizers) && r.finalizers[i].at < end
}

// pointerType is typeName of a finalizer, remembered.
func (r *roots) pointerType(f finalized) string {
	name, ok := r.types[f.kind]
	if !ok {
		if r.types == nil || len(r.types) >= maxKnown {
			r.types = make(map[uint64]string)
		}
		name = typeName(r.target, f.kind)
		r.types[f.kind] = name
	}
	return name
}

const (
	callsArgument = "time.goFunc" // of timers that call what they have as argument
)

// timerCalls returns what timers call: a function, or time.sendTime for those with a channel. It is empty for those
// that are gone.
func (r *roots) timerCalls(timers []uint64) (calls []string) {
	l := &r.layout
	calls = make([]string, len(timers))
	size := max(l.timerFunc+8, l.timerArg+16)
	block := make([]byte, batch*size)
	functions, words := make([]byte, batch*8), make([]byte, batch*8)
	for from := 0; from < len(timers); from += batch {
		some := timers[from:min(len(timers), from+batch)]
		var parts, codes []part
		for i, at := range some {
			parts = append(parts, part{at: at, to: block[uint64(i)*size:][:size]})
		}
		r.reader.gather(parts)
		for i := range parts {
			codes = append(codes, part{to: functions[8*i:][:8]})
			if parts[i].read {
				codes[i].at = binary.LittleEndian.Uint64(parts[i].to[l.timerFunc:])
			}
		}
		r.reader.gather(codes)
		for i := range codes {
			if calls[from+i] = r.functionAt(codes[i]); calls[from+i] != callsArgument {
				codes[i].at = 0
				continue
			}
			codes[i] = part{at: binary.LittleEndian.Uint64(parts[i].to[l.timerArg+8:]), to: words[8*i:][:8]}
		}
		r.reader.gather(codes)
		for i := range codes {
			if codes[i].at != 0 {
				calls[from+i] = r.functionAt(codes[i])
			}
		}
	}
	return calls
}

// functionAt names the function whose entry was read; "" where it is none.
func (r *roots) functionAt(entry part) string {
	if !entry.read {
		return ""
	}
	f, ok := r.table.find(binary.LittleEndian.Uint64(entry.to))
	if !ok || f.entry != binary.LittleEndian.Uint64(entry.to) {
		return ""
	}
	name := r.table.nameOf(&f)
	return strings.TrimSuffix(name, methodValue)
}

// byTimer returns the function that a timer calls, "" where that is not known, and how many timers call it.
func (r *roots) byTimer(ctx context.Context, at uint64, pause func()) (call string, n int64) {
	if call = r.timerCalls([]uint64{at})[0]; call == "" {
		return "", 0
	}
	for list := r.timers; len(list) > 0 && ctx.Err() == nil; {
		some := list[:min(len(list), chunk/8)]
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

// byFinalizer returns the type of an object with a finalizer, by the index of that, and how many are of that type.
func (r *roots) byFinalizer(index int) (kind string, n int64) {
	kind = r.pointerType(r.finalizers[index])
	for _, other := range r.finalizers {
		if r.pointerType(other) == kind {
			n++
		}
	}
	return kind, n
}

// of returns the objects with a finalizer that are of some types, as in *os.file.
func (r *roots) of(types []string) (all []uint64) {
	for _, f := range r.finalizers {
		if slices.Contains(types, r.pointerType(f)) {
			all = append(all, f.at)
		}
	}
	return all
}
