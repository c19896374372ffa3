package outside

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
)

const (
	maxSpans    = 1 << 20 // runs of pages, each of a few objects or of many
	maxSpecials = 1 << 21 // that are looked through for the objects that are asked for
	maxVotes    = 32      // objects of a line whose holders are looked for
	maxMarks    = 1 << 12 // objects of which it is looked up whether they have survived a collection
	maxNodes    = 1 << 14 // objects on the ways to them
	maxPasses   = 12      // through the memory: steps from an object to what holds it. There may be more of them...
	maxRead     = 4 << 30 // ...as long as fewer bytes were looked through: long lists
	maxScanned  = 4 << 30 // bytes of a heap that is looked through
	pageShift   = 13      // of the runtime's pages
	pageBits    = 1 << 20
	spanInUse   = 1       // state of a span that holds objects
	chunk       = 1 << 20 // bytes that are looked through at a time
)

// heapSpan is a run of pages with objects of one size.
type heapSpan struct {
	start, end, element, specials uint64
	// bits of its objects that were there after the latest collection; 0 where unknown
	marks    uint64
	kind     uint64 // the type of the only object, where it is one; 0 where that is not told
	pointers bool   // its objects may hold some
}

// hidden is an address that a search keeps. Where a process looks through its own memory, what the search keeps is
// there too, and must not look like what holds the object.
type hidden uint64

func hide(at uint64) hidden { return hidden(^at) }

func (h hidden) address() uint64 { return ^uint64(h) }

// node is an object on the way from what holds it to objects of a line.
type node struct {
	base, end hidden  // 0 for what belongs to the scheduler
	up        []*node // what points to it
	root      *root   // that points to it
	// a goroutine of nothing but libraries: a variable or the application that leads there comes first
	library *root
	weak    *root // a timer, or a finalizer of what points to it: what else holds it comes first
}

// root is where a way begins: a variable, the stack of a goroutine, a timer or a finalizer.
type root struct {
	variable  hidden // its address; 0 for all else
	goroutine *goroutine
	pcs       []uint64 // of its stack, from the function on that has it in its frame
	slots     []slot   // of its stack, innermost first
	timer     hidden
	finalizer int // its index, where the others are not set
}

// search goes from some objects back to what holds them, by passes through the memory that may point to them.
type search struct {
	*target
	spans      heapSpans
	nodes      map[hidden]*node
	scheduler  int      // of the nodes that belong to it
	all        []*node  // nodes by address
	pages      []uint64 // bits of the pages that have one of them, modulo pageBits
	objects    []*node
	minVotes   int // of them that one has to hold
	frontier   []*node
	names      *names
	closures   closures
	block      []byte
	batch      *batchReader
	goroutines []uint64 // descriptors
	stack      frames   // that was looked at last
	choose     chooser
	roots      roots
	read       uint64 // bytes that were looked through
	pause      func() // called after each chunk; may be nil
}

// readSpans reads where the heap has its objects.
func (s *search) readSpans(ctx context.Context) bool {
	l := &s.layout
	var head [16]byte
	if at := s.places[heapSymbol]; at == 0 || !s.readSome(at+l.spans, head[:]) {
		return false
	}
	first, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > maxSpans {
		return false
	}
	list := make([]byte, 8*n)
	if !s.readSome(first, list) {
		return false
	}
	s.spans = make(heapSpans, 0, n)
	block := make([]byte, batch*l.span)
	var parts []part
	total := uint64(0)
	for len(list) > 0 && ctx.Err() == nil {
		parts = parts[:0]
		for len(list) > 0 && len(parts) < batch {
			parts = append(parts, part{at: binary.LittleEndian.Uint64(list),
				to: block[uint64(len(parts))*l.span:][:l.span]})
			list = list[8:]
		}
		s.reader.gather(parts)
		for i := range parts {
			if !parts[i].read {
				continue
			}
			word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(parts[i].to[at:]) }
			pages := word(l.spanPages)
			h := heapSpan{start: word(l.spanStart), element: word(l.spanElement), specials: word(l.spanSpecials),
				pointers: parts[i].to[l.spanClass]&1 == 0}
			h.end = h.start + pages<<pageShift
			if l.spanMarks != 0 {
				h.marks = word(l.spanMarks)
			}
			if l.spanType != 0 && parts[i].to[l.spanClass]>>1 == 0 {
				h.kind = word(l.spanType)
			}
			if parts[i].to[l.spanState] != spanInUse || h.start == 0 || h.start%(1<<pageShift) != 0 || pages == 0 ||
				pages > 1<<30 ||
				h.element < 8 || h.element > h.end-h.start {
				continue
			}
			if h.pointers {
				total += h.end - h.start
			}
			s.spans = append(s.spans, h)
		}
	}
	slices.SortFunc(s.spans, func(a, b heapSpan) int { return cmp.Compare(a.start, b.start) })
	return ctx.Err() == nil && total <= maxScanned
}

// object returns the object that an address is in.
func (s *search) object(at uint64) (base, end uint64, ok bool) {
	h := s.spans.find(at)
	if h == nil {
		return 0, 0, false
	}
	base = h.start + (at-h.start)/h.element*h.element
	return base, base + h.element, base+h.element <= h.end
}

// special is one of the runtime's notes of an object, in the list of its span.
type special struct {
	of *heapSpan
	at uint64
}

// readSpecials reads the runtime's notes of objects: it keeps those with a finalizer, and returns those that some
// buckets have sampled.
func (s *search) readSpecials(ctx context.Context, of map[uint64]bool) (sampled []uint64) {
	l := &s.layout
	size := max(l.special, l.finalizer)
	block := make([]byte, batch*size)
	open := make([]special, 0, batch)
	parts := make([]part, 0, batch)
	rest := s.spans
	for looked := 0; looked < maxSpecials && ctx.Err() == nil; looked += len(parts) {
		for ; len(open) < batch && len(rest) > 0; rest = rest[1:] {
			if at := rest[0].specials; at != 0 {
				open = append(open, special{&rest[0], at})
			}
		}
		if len(open) == 0 {
			break
		}
		some := open
		open = open[:0] // what is added lies behind what is read
		parts = parts[:0]
		for i, one := range some {
			parts = append(parts, part{at: one.at, to: block[uint64(i)*size:][:size]})
		}
		s.reader.gather(parts)
		for i, one := range some {
			b := parts[i].to
			if !parts[i].read && !s.readSome(one.at, b[:l.special]) { // the last of a mapping
				continue // its list has changed meanwhile
			}
			offset := binary.LittleEndian.Uint64(b[l.specialOffset:])
			if l.specialBucket == l.specialOffset+8 { // until Go 1.23 it has 16 bits, and the kind is behind it
				offset &= 1<<16 - 1
			}
			if offset < one.of.end-one.of.start {
				if of[binary.LittleEndian.Uint64(b[l.specialBucket:])] {
					sampled = append(sampled, one.of.start+offset)
				}
				if parts[i].read {
					s.roots.noteFinalizer(one.of.start+offset, b)
				}
			}
			if one.at = binary.LittleEndian.Uint64(b[l.nextSpecial:]); one.at != 0 {
				open = append(open, one)
			}
		}
	}
	slices.SortFunc(s.roots.finalizers, func(a, b finalized) int { return cmp.Compare(a.at, b.at) })
	slices.Sort(sampled)
	return sampled
}

// survivors returns those of some objects, which are sorted, that were there after a collection: what a line has
// allocated since may be garbage already. Where they are too few it returns all.
func (s *search) survivors(all []uint64) (old []uint64) {
	parts, bits := make([]part, 0, maxMarks), make([]byte, maxMarks)
	some := make([]uint64, 0, maxMarks)
	for i := range min(maxMarks, len(all)) {
		object := all[i*len(all)/min(maxMarks, len(all))]
		h := s.spans.find(object)
		if h == nil || h.marks == 0 {
			continue
		}
		parts = append(parts, part{at: h.marks + (object-h.start)/h.element/8, to: bits[len(parts):][:1]})
		some = append(some, object)
	}
	s.reader.gather(parts)
	for i, object := range some {
		h := s.spans.find(object)
		if parts[i].read && parts[i].to[0]>>((object-h.start)/h.element%8)&1 != 0 {
			old = append(old, object)
		}
	}
	if len(old) < s.minVotesFor(old) {
		return all
	}
	return old
}

// largeSamples is of how many samples' worth the few objects of a line are that make up most of its memory: of others,
// which are smaller, as much would have been sampled.
const largeSamples = 4

// minVotesFor returns how many of some objects have to be held by one: all of them where they are few and large.
func (s *search) minVotesFor(objects []uint64) int {
	rate, ok := s.number(sampling, 0, 8)
	if len(objects) == 0 || len(objects) >= minVotes || !ok || rate == 0 || rate > maxScanned {
		return minVotes
	}
	size := uint64(0)
	for _, at := range objects {
		if base, end, ok := s.object(at); ok {
			size += end - base
		}
	}
	if size < largeSamples*rate {
		return minVotes
	}
	return len(objects)
}

// addTargets adds some of the objects at these addresses, evenly spread, to those whose holders are searched for. The
// addresses are sorted.
func (s *search) addTargets(all []uint64) bool {
	for i := range min(maxVotes, len(all)) {
		base, end, ok := s.object(all[i*len(all)/min(maxVotes, len(all))])
		if !ok || s.nodes[hide(base)] != nil {
			continue
		}
		n := &node{base: hide(base), end: hide(end)}
		s.nodes[n.base] = n
		s.objects = append(s.objects, n)
	}
	s.minVotes = s.minVotesFor(all)
	s.frontier = s.objects
	return len(s.objects) > 0
}

// index makes the frontier ready to be looked up by address.
func (s *search) index() {
	s.all = slices.Clone(s.frontier)
	slices.SortFunc(s.all, func(a, b *node) int { return cmp.Compare(a.base.address(), b.base.address()) })
	clear(s.pages)
	for _, n := range s.all {
		last := (n.end.address() - 1) >> pageShift
		for page := max(n.base.address()>>pageShift, last-min(last, pageBits)); page <= last; page++ {
			s.pages[page%pageBits/64] |= 1 << (page % 64)
		}
	}
}

// at returns the node of the frontier that an address is in.
func (s *search) at(address uint64) *node {
	if page := address >> pageShift; s.pages[page%pageBits/64]&(1<<(page%64)) == 0 {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.all, address, func(n *node, at uint64) int {
		return cmp.Compare(n.base.address(), at)
	})
	if !found {
		i--
	}
	if i < 0 || address >= s.all[i].end.address() {
		return nil
	}
	return s.all[i]
}

// words looks through a part of the memory, and hands on the places that point into the frontier.
func (s *search) words(ctx context.Context, from, to uint64, visit func(place uint64, n *node)) {
	low, high := s.all[0].base.address(), s.all[len(s.all)-1].end.address()
	for from < to && ctx.Err() == nil {
		b := s.block[:min(chunk, to-from)]
		s.read += uint64(len(b))
		if s.readSome(from, b) {
			for i := 0; i+8 <= len(b); i += 8 {
				word := binary.LittleEndian.Uint64(b[i:])
				if word < low || word >= high {
					continue
				}
				if n := s.at(word); n != nil {
					visit(from+uint64(i), n)
				}
			}
		}
		from += uint64(len(b))
		if s.pause != nil {
			s.pause()
		}
	}
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
		s.roots.readTimers(at, s.block)
	}
	slices.Sort(s.roots.timers)
	return true
}
