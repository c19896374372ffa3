package linetable

import (
	"encoding/binary"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

// What a function has beside its lines: which words of its frame are pointers, for each place at which it may be
// stopped.
const (
	mapIndex     = 1 // of the table with the index of the map
	argumentMaps = 0 // of the funcdata with the pointers among its arguments
	localMaps    = 1
	stackObjects = 2 // variables whose address is taken: they live as long as something points to them
	objectRecord = 16
	maxObjects   = 1 << 12 // of them, in one frame
)

// Slot is a word of a frame that points to an object.
type Slot struct {
	PC     uint64
	After  uint64         // where its call returns to; 0 where it has not called
	Offset int64          // from the end of the frame, as in debug information
	End    procmem.Hidden // of the frame
}

// Frames are those of one stack, innermost first.
type Frames struct {
	*Table
	UsesLink bool
	PCs, SPs []uint64
	passed   map[uint64]uint64 // words of the arguments, by where a function stands
	dead     map[Slot]bool     // words by where their function stands and how far from the end of the frame
}

// Of returns the index of the frame that a place belongs to; -1 where there is none. The arguments of a function are
// its own, though they are in the frame of its caller.
func (f *Frames) Of(place uint64) int {
	i := min(len(f.PCs), len(f.SPs)) - 1
	for i >= 0 && f.SPs[i] > place {
		i--
	}
	if i <= 0 {
		return i
	}
	pc := f.PCs[i-1]
	n, ok := f.passed[pc]
	if !ok {
		if called, ok := f.Find(pc); ok {
			n = f.bits(&called, argumentMaps)
		}
		if f.passed == nil || len(f.passed) >= MaxKnown {
			f.passed = make(map[uint64]uint64)
		}
		f.passed[pc] = n
	}
	if first := f.arguments(i - 1); place >= first && place-first < 8*n {
		return i - 1
	}
	return i
}

// end returns where a frame ends, which is where the caller's starts.
func (f *Frames) end(i int) uint64 {
	end := f.SPs[i] + f.step(f.PCs[i]).size
	if !f.UsesLink {
		end += 8 // where it returns to
	}
	return end
}

// arguments returns where the arguments of a function are that are not in registers, and those that it has moved from
// there.
func (f *Frames) arguments(i int) uint64 {
	if f.UsesLink {
		return f.end(i) + 8
	}
	return f.end(i)
}

// IsDead reports whether the collector does not follow a place of a frame: it points to an object that the function no
// longer uses.
func (f *Frames) IsDead(i int, place uint64) bool {
	if i < 0 || f.injected(i) { // all of it counts
		return false
	}
	key := f.SlotAt(i, place)
	key.End = 0 // it is the same for all that stand there
	dead, ok := f.dead[key]
	if !ok {
		if f.dead == nil || len(f.dead) >= MaxKnown {
			f.dead = make(map[Slot]bool)
		}
		dead = !f.follows(i, place)
		f.dead[key] = dead
	}
	return dead
}

// injected reports whether a function was stopped at any place, not at a call.
func (f *Frames) injected(i int) bool { return i > 0 && f.step(f.PCs[i-1]).injected }

// follows reports whether the collector follows a place of a frame, as far as that is known.
func (f *Frames) follows(i int, place uint64) bool {
	own, ok := f.Find(f.PCs[i])
	if !ok {
		return true
	}
	arguments := f.arguments(i)
	variables := arguments - 16 // below where it returns to, and the frame pointer
	maps, first := uint8(argumentMaps), arguments
	if place < arguments {
		maps, first = localMaps, variables-min(8*f.bits(&own, localMaps), variables)
	}
	if place >= first && place-first < 8*f.bits(&own, maps) {
		if alive, ok := f.bit(&own, maps, f.PCs[i], (place-first)/8); alive || !ok {
			return true
		}
	}
	return f.inObject(&own, variables, arguments, place)
}

// bits returns how many words the maps of a function are of.
func (f *Frames) bits(of *Function, maps uint8) uint64 {
	at, ok := f.funcdata(of, maps)
	if at == 0 || !ok {
		return 0
	}
	n, ok := f.Image.Uint32(at + 4)
	if !ok || n > MaxStack/8 {
		return 0
	}
	return uint64(n)
}

// bit returns whether a word is a pointer while the function stands at a place.
func (f *Frames) bit(of *Function, maps uint8, pc, word uint64) (set, ok bool) {
	index, ok := f.value(f.table(of, mapIndex), of.Entry, pc)
	if index = max(index, 0); !ok {
		index = 0 // as at the entry
	}
	at, ok := f.funcdata(of, maps)
	count, read := f.Image.Uint32(at)
	if at == 0 || !ok || !read || uint32(index) >= count {
		return false, false
	}
	var b [1]byte
	n := f.bits(of, maps)
	if word >= n || !f.Image.Read(at+8+uint64(index)*((n+7)/8)+word/8, b[:]) {
		return false, false
	}
	return b[0]>>(word%8)&1 != 0, true
}

// inObject reports whether a place is in a variable whose address is taken.
func (f *Frames) inObject(of *Function, variables, arguments, place uint64) bool {
	at, ok := f.funcdata(of, stackObjects)
	if at == 0 || !ok {
		return !ok
	}
	var b [objectRecord]byte
	if !f.Image.Read(at, b[:8]) {
		return true
	}
	for n := min(binary.LittleEndian.Uint64(b[:]), maxObjects); n > 0; n-- {
		if !f.Image.Read(at+8+objectRecord*(n-1), b[:]) {
			return true
		}
		offset, size := int32(binary.LittleEndian.Uint32(b[:])), binary.LittleEndian.Uint32(b[4:])
		start := arguments
		if offset < 0 {
			start = variables
		}
		if start += uint64(int64(offset)); place >= start && place-start < uint64(size) {
			return true
		}
	}
	return false
}

// SlotAt returns a word of a frame.
func (f *Frames) SlotAt(i int, place uint64) Slot {
	end := f.end(i)
	s := Slot{PC: f.PCs[i], Offset: int64(place - end), End: procmem.Hide(end)}
	if !f.injected(i) {
		s.After = s.PC + 1
	}
	return s
}
