package rtype

import (
	"encoding/binary"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
)

const (
	maxEntries = 1 << 40 // of a container
	minSlice   = 2       // entries: below it may be one object
	// WithValue is the prefix of the type of an interface, of which only the type of the value is known.
	WithValue = "an interface with "
)

// How the runtime lays out containers.
const (
	typeSizeAt      = 0
	channelSizeAt   = 8
	channelBufferAt = 16
	channelTypeAt   = 32 // or behind that, since Go 1.23
	mapEntriesAt    = 16
	mapTablesAt     = 24 // how many tables the entries are in, since Go 1.24
	tableGroupsAt   = 16
)

// Unnamed finds the type of a variable without debug information, by what it points to.
type Unnamed struct {
	*goruntime.Target
	Spans heap.Spans
}

func (u Unnamed) word(at uint64) uint64 {
	var b [8]byte
	if !u.ReadAt(at, b[:]) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// headed returns the type of an object that has it in a header, or of each element where it is an array; the address of
// the first one; and the size of the object from there on. The name is "" where there is no header.
func (u Unnamed) headed(at uint64) (name string, size, first, room uint64) {
	h := u.Spans.Find(at)
	if h == nil || !u.Headers {
		return "", 0, 0, 0
	}
	base := h.Start + (at-h.Start)/h.Element*h.Element
	kind, first := h.Kind, base
	if kind == 0 && h.Pointers && h.Element > heap.MinHeader {
		kind, first = u.word(base), base+8
	}
	name = Name(u.Target, kind)
	return name, u.word(kind + typeSizeAt), first, base + h.Element - first
}

// Of returns the type of the variable at an address, as far as its value shows it, and its entries; "" and -1 else.
func (u Unnamed) Of(at uint64) (kind string, entries int64) {
	var words [16]byte
	if !u.ReadAt(at, words[:]) {
		return "", -1
	}
	to, length := binary.LittleEndian.Uint64(words[:]), binary.LittleEndian.Uint64(words[8:])
	if kind, entries = u.channel(to); kind != "" {
		return kind, entries
	}
	if kind, entries = u.hash(to); kind != "" {
		return kind, entries
	}
	if held := u.inInterface(at); held != "" {
		return WithValue + held, -1
	}
	name, size, first, room := u.headed(to)
	switch capacity := u.word(at + 16); {
	case name == "":
		return "", -1
	case to == first && size > 0 && length <= capacity && capacity >= minSlice && capacity <= room/size &&
		2*capacity >= room/size:
		return "[]" + name, int64(length)
	case to == first && size > room/2:
		return "*" + name, -1
	}
	return "", -1
}

// inInterface returns the type of the value that the interface has whose second word is at an address.
func (u Unnamed) inInterface(at uint64) string {
	kind := u.word(at - 8)
	if name := Name(u.Target, kind); name != "" {
		return name
	}
	// The table of an interface begins with both types.
	if interfaceType := u.word(kind); Name(u.Target, interfaceType) == "" {
		return ""
	}
	return Name(u.Target, u.word(kind+8))
}

// channel returns the type and the entries of the channel at an address.
func (u Unnamed) channel(at uint64) (kind string, entries int64) {
	var b [channelTypeAt + 16]byte
	h := u.Spans.Find(at)
	if h == nil || (at-h.Start)%h.Element != 0 || h.Element < uint64(len(b)) || !u.ReadAt(at, b[:]) {
		return "", -1
	}
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	count, size := word(0), word(channelSizeAt)
	if count > size || size == 0 || size > maxEntries || u.Spans.Find(word(channelBufferAt)) == nil {
		return "", -1
	}
	for _, at := range []int{channelTypeAt, channelTypeAt + 8} {
		if name := Name(u.Target, word(at)); name != "" {
			return "chan " + name, int64(count)
		}
	}
	return "", -1
}

// hash returns the type and the entries of the map at an address: the objects with its entries have their types in
// headers.
func (u Unnamed) hash(at uint64) (kind string, entries int64) {
	count, to := u.word(at), u.word(at+mapEntriesAt)
	if h := u.Spans.Find(at); h == nil || (at-h.Start)%h.Element != 0 || count > maxEntries {
		return "", -1
	}
	if tables := u.word(at + mapTablesAt); tables > 0 && tables < maxEntries {
		if kind = u.entriesIn(u.word(u.word(to) + tableGroupsAt)); kind != "" {
			return kind, int64(count)
		}
	}
	if kind = u.entriesIn(to); kind != "" {
		return kind, int64(count)
	}
	return "", -1
}

// entriesIn returns the type of the map that an object has entries of.
func (u Unnamed) entriesIn(at uint64) string {
	name, _, first, _ := u.headed(at)
	if at != first {
		return ""
	}
	for _, part := range []string{"map.group[", "map.bucket["} {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "noalg."), part); ok {
			return "map[" + rest
		}
	}
	return ""
}
