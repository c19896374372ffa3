package outside

import (
	"encoding/binary"
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

// slot is a word of a frame that points to an object.
type slot struct {
	pc     uint64
	after  uint64 // where its call returns to; 0 where it has not called
	offset int64  // from the end of the frame, as what debuggers read counts it
	end    hidden // of the frame
}

// frames are those of one stack, innermost first.
type frames struct {
	*lineTable
	usesLink bool
	pcs, sps []uint64
	passed   map[uint64]uint64 // words of the arguments, by where a function stands
	dead     map[slot]bool     // words by where their function stands and how far from the end of the frame
}

// of returns the index of the frame that a place belongs to; -1 where there is none. The arguments of a function are
// its own, though they are in the frame of its caller.
func (f *frames) of(place uint64) int {
	i := min(len(f.pcs), len(f.sps)) - 1
	for i >= 0 && f.sps[i] > place {
		i--
	}
	if i <= 0 {
		return i
	}
	pc := f.pcs[i-1]
	n, ok := f.passed[pc]
	if !ok {
		if called, ok := f.find(pc); ok {
			n = f.bits(&called, argumentMaps)
		}
		if f.passed == nil || len(f.passed) >= maxKnown {
			f.passed = make(map[uint64]uint64)
		}
		f.passed[pc] = n
	}
	if first := f.arguments(i - 1); place >= first && place-first < 8*n {
		return i - 1
	}
	return i
}

// end returns where a frame ends: there the caller's begins.
func (f *frames) end(i int) uint64 {
	end := f.sps[i] + f.step(f.pcs[i]).size
	if !f.usesLink {
		end += 8 // where it returns to
	}
	return end
}

// arguments returns where the arguments of a function are that are not in registers, and those that it has moved from
// there.
func (f *frames) arguments(i int) uint64 {
	if f.usesLink {
		return f.end(i) + 8
	}
	return f.end(i)
}

// isDead reports whether a place of a frame is none of those that the collector follows: what it points to is an object
// that the function had to do with.
func (f *frames) isDead(i int, place uint64) bool {
	if i < 0 || f.injected(i) { // all of it counts
		return false
	}
	key := f.slotAt(i, place)
	key.end = 0 // it is the same for all that stand there
	dead, ok := f.dead[key]
	if !ok {
		if f.dead == nil || len(f.dead) >= maxKnown {
			f.dead = make(map[slot]bool)
		}
		dead = !f.follows(i, place)
		f.dead[key] = dead
	}
	return dead
}

// injected reports whether a function was stopped at any place, not at a call.
func (f *frames) injected(i int) bool { return i > 0 && f.step(f.pcs[i-1]).injected }

// follows reports whether the collector follows a place of a frame, as far as that is known.
func (f *frames) follows(i int, place uint64) bool {
	own, ok := f.find(f.pcs[i])
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
		if alive, ok := f.bit(&own, maps, f.pcs[i], (place-first)/8); alive || !ok {
			return true
		}
	}
	return f.inObject(&own, variables, arguments, place)
}

// bits returns how many words the maps of a function are of.
func (f *frames) bits(of *function, maps uint8) uint64 {
	at, ok := f.funcdata(of, maps)
	if at == 0 || !ok {
		return 0
	}
	n, ok := f.image.uint32(at + 4)
	if !ok || n > maxStack/8 {
		return 0
	}
	return uint64(n)
}

// bit returns whether a word is a pointer while the function stands at a place.
func (f *frames) bit(of *function, maps uint8, pc, word uint64) (set, ok bool) {
	index, ok := f.value(f.table(of, mapIndex), of.entry, pc)
	if index = max(index, 0); !ok {
		index = 0 // as where it begins
	}
	at, ok := f.funcdata(of, maps)
	count, read := f.image.uint32(at)
	if at == 0 || !ok || !read || uint32(index) >= count {
		return false, false
	}
	var b [1]byte
	n := f.bits(of, maps)
	if word >= n || !f.image.read(at+8+uint64(index)*((n+7)/8)+word/8, b[:]) {
		return false, false
	}
	return b[0]>>(word%8)&1 != 0, true
}

// inObject reports whether a place is in a variable whose address is taken.
func (f *frames) inObject(of *function, variables, arguments, place uint64) bool {
	at, ok := f.funcdata(of, stackObjects)
	if at == 0 || !ok {
		return !ok
	}
	var b [objectRecord]byte
	if !f.image.read(at, b[:8]) {
		return true
	}
	for n := min(binary.LittleEndian.Uint64(b[:]), maxObjects); n > 0; n-- {
		if !f.image.read(at+8+objectRecord*(n-1), b[:]) {
			return true
		}
		offset, size := int32(binary.LittleEndian.Uint32(b[:])), binary.LittleEndian.Uint32(b[4:])
		begin := arguments
		if offset < 0 {
			begin = variables
		}
		if begin += uint64(int64(offset)); place >= begin && place-begin < uint64(size) {
			return true
		}
	}
	return false
}

// slotAt returns a word of a frame.
func (f *frames) slotAt(i int, place uint64) slot {
	end := f.end(i)
	s := slot{pc: f.pcs[i], offset: int64(place - end), end: hide(end)}
	if !f.injected(i) {
		s.after = s.pc + 1
	}
	return s
}
