package outside

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
)

const (
	maxTimers     = 1 << 21 // that are known
	maxFinalizers = 1 << 21
	maxProcessors = 1 << 12 // of the scheduler
)

// What is in internal/abi.Type, whose form is the same from Go 1.21 on, and in the names of types.
const (
	typeFlags    = 20
	typeName     = 40 // offset of the name from where types begin
	typeHead     = 48
	flagStarred  = 1 << 1 // the name is that of a pointer to it
	maxTypeName  = 1 << 10
	nameLengthAt = 1 // behind the flags of the name
)

// finalized is an object with a finalizer.
type finalized struct {
	at   uint64
	kind uint64 // where the type of its pointer is
}

// roots are what the runtime has beside variables and stacks. It holds things, but most of these have another holder too.
type roots struct {
	timers     []uint64 // by address
	finalizers []finalized
	types      map[uint64]string
}

// readProcessors leaves out what belongs to the scheduler: it has everything, and holds nothing. It keeps the timers.
// False where it is not known.
func (s *search) readProcessors() bool {
	var head [16]byte
	if at := s.places[processors]; at == 0 || !s.readSome(at, head[:]) {
		return false
	}
	n := binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > maxProcessors {
		return false
	}
	list := make([]byte, 8*n)
	if !s.readSome(binary.LittleEndian.Uint64(head[:]), list) {
		return false
	}
	for ; len(list) >= 8; list = list[8:] {
		at := binary.LittleEndian.Uint64(list)
		base, _, ok := s.object(at)
		if !ok {
			return false
		}
		s.nodes[hide(base)] = new(node)
		s.readTimers(at)
	}
	slices.Sort(s.roots.timers)
	return true
}

// readTimers reads those of one processor.
func (s *search) readTimers(of uint64) {
	l := &s.layout
	var head [16]byte
	if l.timers == 0 || l.timer == 0 || !s.readSome(of+l.timers+l.timersHeap, head[:]) {
		return
	}
	each := uint64(8)
	if l.timersHeap != 0 { // since Go 1.23: with the time
		each = 16
	}
	at, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	for n = min(n, maxTimers-uint64(len(s.roots.timers))); n > 0; {
		b := s.block[:min(n, chunk/each)*each]
		if !s.readSome(at, b) {
			return // the list has moved
		}
		at, n = at+uint64(len(b)), n-uint64(len(b))/each
		for ; len(b) > 0; b = b[each:] {
			if timer := binary.LittleEndian.Uint64(b); timer != 0 && timer%8 == 0 {
				s.roots.timers = append(s.roots.timers, timer)
			}
		}
	}
}

// noteFinalizer keeps a special of the runtime if it is a finalizer.
func (s *search) noteFinalizer(object uint64, special []byte) {
	l := &s.layout
	if l.isFinalizer != 0 && uint64(special[l.finalizerKind]) == l.isFinalizer && len(s.roots.finalizers) < maxFinalizers {
		s.roots.finalizers = append(s.roots.finalizers, finalized{object, binary.LittleEndian.Uint64(special[l.finalizerType:])})
	}
}

// timerIn returns a timer in an object.
func (s *search) timerIn(n *node) (uint64, bool) {
	i, _ := slices.BinarySearch(s.roots.timers, n.base.address())
	if i == len(s.roots.timers) || s.roots.timers[i] >= n.end.address() {
		return 0, false
	}
	return s.roots.timers[i], true
}

// finalizerIn returns the index of an object with a finalizer that is in another one, or is that.
func (s *search) finalizerIn(base, end uint64) (index int, ok bool) {
	i, _ := slices.BinarySearchFunc(s.roots.finalizers, base, func(f finalized, at uint64) int { return cmp.Compare(f.at, at) })
	return i, i < len(s.roots.finalizers) && s.roots.finalizers[i].at < end
}

// typeName returns the name of a type that the runtime describes, as in "*net.netFD"; "" where it is none of the program's.
// It is what the program's file has.
func (t *target) typeName(at uint64) string {
	var head [typeHead]byte
	if at < t.module.types || at >= t.module.typesEnd || !t.table.image.read(at, head[:]) {
		return ""
	}
	name := t.module.types + uint64(binary.LittleEndian.Uint32(head[typeName:]))
	size, shift := uint64(0), 0
	for name += nameLengthAt; ; name++ {
		var b [1]byte
		if name >= t.module.typesEnd || shift > 14 || !t.table.image.read(name, b[:]) {
			return ""
		}
		size |= uint64(b[0]&0x7f) << shift
		if shift += 7; b[0] < 0x80 {
			break
		}
	}
	text := make([]byte, min(size, maxTypeName))
	if size > maxTypeName || !t.table.image.read(name+1, text) {
		return ""
	}
	if head[typeFlags]&flagStarred != 0 {
		return strings.TrimPrefix(string(text), "*")
	}
	return string(text)
}

// pointerType is typeName of a finalizer, remembered.
func (s *search) pointerType(f finalized) string {
	name, ok := s.roots.types[f.kind]
	if !ok {
		if s.roots.types == nil || len(s.roots.types) >= maxKnown {
			s.roots.types = make(map[uint64]string)
		}
		name = s.typeName(f.kind)
		s.roots.types[f.kind] = name
	}
	return name
}

const (
	callsArgument = "time.goFunc" // of timers that call what they have as argument
	methodValue   = "-fm"         // ends the name of what is made to call a method
)

// timerCalls returns what timers call: a function, or SendsTime. It is empty for those that
// are gone.
func (s *search) timerCalls(timers []uint64) (calls []string) {
	l := &s.layout
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
		s.reader.gather(parts)
		for i := range parts {
			codes = append(codes, part{to: functions[8*i:][:8]})
			if parts[i].read {
				codes[i].at = binary.LittleEndian.Uint64(parts[i].to[l.timerFunc:])
			}
		}
		s.reader.gather(codes)
		for i := range codes {
			if calls[from+i] = s.functionAt(codes[i]); calls[from+i] != callsArgument {
				codes[i].at = 0
				continue
			}
			codes[i] = part{at: binary.LittleEndian.Uint64(parts[i].to[l.timerArg+8:]), to: words[8*i:][:8]}
		}
		s.reader.gather(codes)
		for i := range codes {
			if codes[i].at != 0 {
				calls[from+i] = s.functionAt(codes[i])
			}
		}
	}
	return calls
}

// functionAt names the function whose entry was read; "" where it is none.
func (s *search) functionAt(entry part) string {
	if !entry.read {
		return ""
	}
	f, ok := s.table.find(binary.LittleEndian.Uint64(entry.to))
	if !ok || f.entry != binary.LittleEndian.Uint64(entry.to) {
		return ""
	}
	name, _ := s.table.name(f.word(funcNameAt))
	return strings.TrimSuffix(name, methodValue)
}

// byTimer names the timers that a root is one of.
func (s *search) byTimer(ctx context.Context, at uint64) Holder {
	call := s.timerCalls([]uint64{at})[0]
	if call == "" {
		return Holder{}
	}
	h := Holder{Timer: call, Entries: 0}
	for list := s.roots.timers; len(list) > 0 && ctx.Err() == nil; {
		some := list[:min(len(list), chunk/8)]
		list = list[len(some):]
		for _, c := range s.timerCalls(some) {
			if c == call {
				h.Entries++
			}
		}
		if s.pause != nil {
			s.pause()
		}
	}
	return h
}

// byFinalizer names the objects with a finalizer that a root is one of.
func (s *search) byFinalizer(f finalized) Holder {
	h := Holder{Finalizer: s.pointerType(f)}
	for _, other := range s.roots.finalizers {
		if s.pointerType(other) == h.Finalizer {
			h.Entries++
		}
	}
	return h
}

// descriptorTypes are those of the library's objects that have a descriptor. They have a finalizer, which closes it.
var descriptorTypes = map[string]string{"*net.netFD": Sockets, "*os.file": Files}

// Kinds of descriptors.
const (
	Sockets = "sockets"
	Files   = "files" // and pipes, devices and all else that package os opens
)

// descriptors takes some of the objects that have a descriptor, of a kind or "" for all, from everywhere.
func (s *search) descriptors(kind string) (all []uint64) {
	for _, f := range s.roots.finalizers {
		if k, ok := descriptorTypes[s.pointerType(f)]; ok && (kind == "" || k == kind) {
			all = append(all, f.at)
		}
	}
	return all
}
