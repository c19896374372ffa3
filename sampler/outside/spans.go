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
	maxMarks    = 1 << 12 // objects of which it is looked up whether they have survived a collection
	maxScanned  = 4 << 30 // bytes of a heap that is looked through
	pageShift   = 13      // of the runtime's pages
	spanInUse   = 1       // state of a span that holds objects
	minHeader   = 512     // bytes of an object that begins with its type, if it has pointers: larger ones, up to
	maxHeader   = 32 << 10
)

// heapSpans are by address.
type heapSpans []heapSpan

// find returns the span that an address is in; nil where it is in none.
func (all heapSpans) find(at uint64) *heapSpan {
	i, found := slices.BinarySearchFunc(all, at, func(h heapSpan, at uint64) int { return cmp.Compare(h.start, at) })
	if !found {
		i--
	}
	if i < 0 || at >= all[i].end {
		return nil
	}
	return &all[i]
}

// heapSpan is a run of pages with objects of one size.
type heapSpan struct {
	start, end, element, specials uint64
	// bits of its objects that were there after the latest collection; 0 where unknown
	marks    uint64
	kind     uint64 // the type of the only object, where it is one; 0 where that is not told
	pointers bool   // its objects may hold some
}

// readSpans reads where the heap of a target has its objects; ok is false where that is not known, or it is too large.
func readSpans(ctx context.Context, t *target) (all heapSpans, ok bool) {
	l := &t.layout
	var head [16]byte
	if at := t.places[heapSymbol]; at == 0 || !t.readSome(at+l.spans, head[:]) {
		return nil, false
	}
	first, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > maxSpans {
		return nil, false
	}
	list := make([]byte, 8*n)
	if !t.readSome(first, list) {
		return nil, false
	}
	all = make(heapSpans, 0, n)
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
		t.reader.gather(parts)
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
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b heapSpan) int { return cmp.Compare(a.start, b.start) })
	return all, ctx.Err() == nil && total <= maxScanned
}

// object returns the object that an address is in.
func (all heapSpans) object(at uint64) (base, end uint64, ok bool) {
	h := all.find(at)
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

// readSpecials reads the runtime's notes of objects: it hands on those that may be a finalizer, each with its object,
// and returns, by address, the objects that some buckets of the heap's profile have sampled.
func (all heapSpans) readSpecials(ctx context.Context, t *target, of map[uint64]bool,
	note func(object uint64, special []byte)) (sampled []uint64) {
	l := &t.layout
	size := max(l.special, l.finalizer)
	block := make([]byte, batch*size)
	open := make([]special, 0, batch)
	parts := make([]part, 0, batch)
	rest := all
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
		t.reader.gather(parts)
		for i, one := range some {
			b := parts[i].to
			if !parts[i].read && !t.readSome(one.at, b[:l.special]) { // the last of a mapping
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
					note(one.of.start+offset, b)
				}
			}
			if one.at = binary.LittleEndian.Uint64(b[l.nextSpecial:]); one.at != 0 {
				open = append(open, one)
			}
		}
	}
	slices.Sort(sampled)
	return sampled
}

// survivors returns those of some objects, which are sorted, that were there after a collection, as far as they are
// looked up.
func (all heapSpans) survivors(t *target, objects []uint64) (old []uint64) {
	parts, bits := make([]part, 0, maxMarks), make([]byte, maxMarks)
	some := make([]uint64, 0, maxMarks)
	for i := range min(maxMarks, len(objects)) {
		object := objects[i*len(objects)/min(maxMarks, len(objects))]
		h := all.find(object)
		if h == nil || h.marks == 0 {
			continue
		}
		parts = append(parts, part{at: h.marks + (object-h.start)/h.element/8, to: bits[len(parts):][:1]})
		some = append(some, object)
	}
	t.reader.gather(parts)
	for i, object := range some {
		h := all.find(object)
		if parts[i].read && parts[i].to[0]>>((object-h.start)/h.element%8)&1 != 0 {
			old = append(old, object)
		}
	}
	return old
}
