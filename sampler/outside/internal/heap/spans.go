package heap

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

const (
	maxSpans    = 1 << 20  // runs of pages, each of a few objects or of many
	maxSpecials = 1 << 21  // that are searched for the requested objects
	maxMarks    = 1 << 12  // objects that are checked for having survived a collection
	MaxScanned  = 4 << 30  // bytes of the largest heap that is searched
	PageShift   = 13       // of the runtime's pages
	spanInUse   = 1        // state of a span that holds objects
	MinHeader   = 512      // bytes of an object that begins with its type, if it has pointers: larger ones, up to
	MaxHeader   = 32 << 10 // these, beyond which the type is in the span
)

// Spans are by address.
type Spans []Span

// Find returns the span that an address is in; nil where it is in none.
func (all Spans) Find(at uint64) *Span {
	i, found := slices.BinarySearchFunc(all, at, func(h Span, at uint64) int { return cmp.Compare(h.Start, at) })
	if !found {
		i--
	}
	if i < 0 || at >= all[i].End {
		return nil
	}
	return &all[i]
}

// Span is a run of pages with objects of one size.
type Span struct {
	Start, End, Element, specials uint64
	// bits of its objects that were there after the latest collection; 0 where unknown
	marks    uint64
	Kind     uint64 // the type of the only object, where there is one; 0 where unknown
	Pointers bool   // its objects may hold some
}

// ReadSpans reads where the heap of a target has its objects; ok is false where that is not known, or it is too large.
func ReadSpans(ctx context.Context, t *goruntime.Target) (all Spans, ok bool) {
	l := &t.Layout
	var head [16]byte
	if at := t.Places[goruntime.HeapSymbol]; at == 0 || !t.ReadAt(at+l.Spans, head[:]) {
		return nil, false
	}
	first, n := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > maxSpans {
		return nil, false
	}
	list := make([]byte, 8*n)
	if !t.ReadAt(first, list) {
		return nil, false
	}
	all = make(Spans, 0, n)
	block := make([]byte, goruntime.BatchSize*l.Span)
	var parts []procmem.Part
	total := uint64(0)
	for len(list) > 0 && ctx.Err() == nil {
		parts = parts[:0]
		for len(list) > 0 && len(parts) < goruntime.BatchSize {
			parts = append(parts, procmem.Part{At: binary.LittleEndian.Uint64(list),
				To: block[uint64(len(parts))*l.Span:][:l.Span]})
			list = list[8:]
		}
		t.Reader.Gather(parts)
		for i := range parts {
			if !parts[i].Read {
				continue
			}
			word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(parts[i].To[at:]) }
			pages := word(l.SpanPages)
			h := Span{Start: word(l.SpanStart), Element: word(l.SpanElement), specials: word(l.SpanSpecials),
				Pointers: parts[i].To[l.SpanClass]&1 == 0}
			h.End = h.Start + pages<<PageShift
			if l.SpanMarks != 0 {
				h.marks = word(l.SpanMarks)
			}
			if l.SpanType != 0 && parts[i].To[l.SpanClass]>>1 == 0 {
				h.Kind = word(l.SpanType)
			}
			if parts[i].To[l.SpanState] != spanInUse || h.Start == 0 || h.Start%(1<<PageShift) != 0 || pages == 0 ||
				pages > 1<<30 ||
				h.Element < 8 || h.Element > h.End-h.Start {
				continue
			}
			if h.Pointers {
				total += h.End - h.Start
			}
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	return all, ctx.Err() == nil && total <= MaxScanned
}

// Object returns the object that an address is in.
func (all Spans) Object(at uint64) (base, end uint64, ok bool) {
	h := all.Find(at)
	if h == nil {
		return 0, 0, false
	}
	base = h.Start + (at-h.Start)/h.Element*h.Element
	return base, base + h.Element, base+h.Element <= h.End
}

// special is one of the runtime's notes of an object, in the list of its span.
type special struct {
	of *Span
	at uint64
}

// ReadSpecials reads the runtime's notes of objects: it calls note for those that may be a finalizer, each with its
// object, and returns, by address, the objects that are sampled in some buckets of the heap's profile.
func (all Spans) ReadSpecials(ctx context.Context, t *goruntime.Target, of map[uint64]bool,
	note func(object uint64, special []byte)) (sampled []uint64) {
	l := &t.Layout
	size := max(l.Special, l.Finalizer)
	block := make([]byte, goruntime.BatchSize*size)
	open := make([]special, 0, goruntime.BatchSize)
	parts := make([]procmem.Part, 0, goruntime.BatchSize)
	rest := all
	for examined := 0; examined < maxSpecials && ctx.Err() == nil; examined += len(parts) {
		for ; len(open) < goruntime.BatchSize && len(rest) > 0; rest = rest[1:] {
			if at := rest[0].specials; at != 0 {
				open = append(open, special{&rest[0], at})
			}
		}
		if len(open) == 0 {
			break
		}
		some := open
		open = open[:0] // additions never overtake the reading
		parts = parts[:0]
		for i, one := range some {
			parts = append(parts, procmem.Part{At: one.at, To: block[uint64(i)*size:][:size]})
		}
		t.Reader.Gather(parts)
		for i, one := range some {
			b := parts[i].To
			if !parts[i].Read && !t.ReadAt(one.at, b[:l.Special]) { // the last of a mapping
				continue // its list has changed meanwhile
			}
			offset := binary.LittleEndian.Uint64(b[l.SpecialOffset:])
			if l.SpecialBucket == l.SpecialOffset+8 { // until Go 1.23 it has 16 bits, and the kind is behind it
				offset &= 1<<16 - 1
			}
			if offset < one.of.End-one.of.Start {
				if of[binary.LittleEndian.Uint64(b[l.SpecialBucket:])] {
					sampled = append(sampled, one.of.Start+offset)
				}
				if parts[i].Read {
					note(one.of.Start+offset, b)
				}
			}
			if one.at = binary.LittleEndian.Uint64(b[l.NextSpecial:]); one.at != 0 {
				open = append(open, one)
			}
		}
	}
	slices.Sort(sampled)
	return sampled
}

// Survivors returns those of some objects, which are sorted, that were there after a collection, as far as they are
// checked.
func (all Spans) Survivors(t *goruntime.Target, objects []uint64) (old []uint64) {
	parts, bits := make([]procmem.Part, 0, maxMarks), make([]byte, maxMarks)
	some := make([]uint64, 0, maxMarks)
	for i := range min(maxMarks, len(objects)) {
		object := objects[i*len(objects)/min(maxMarks, len(objects))]
		h := all.Find(object)
		if h == nil || h.marks == 0 {
			continue
		}
		parts = append(parts, procmem.Part{At: h.marks + (object-h.Start)/h.Element/8, To: bits[len(parts):][:1]})
		some = append(some, object)
	}
	t.Reader.Gather(parts)
	for i, object := range some {
		h := all.Find(object)
		if parts[i].Read && parts[i].To[0]>>((object-h.Start)/h.Element%8)&1 != 0 {
			old = append(old, object)
		}
	}
	return old
}
