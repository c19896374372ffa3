package outside

import (
	"debug/dwarf"
	"strings"
)

// view is as what an object is seen.
type view struct {
	kind    dwarf.Offset // of its type; 0 where that is not known
	start   uint64       // where the first of that type begins
	array   bool         // there may be several, one after the other
	inside  bool         // it is a part of a container, and no step of its own
	entered bool         // no reference has said yet that it leads through the entries of the container
	element dwarf.Offset // type of what is in the channel that it is a part of
	label   string       // the name of its type where the type itself does not tell
	closure bool
	apart   bool   // only the word that points is where it would be, as a processor may have the others
	code    *Frame // of a closure
}

const anyEntry = "[…]" // how a reference leads through the entries of a container

// containers are the beginnings of names of types whose insides tell nothing.
var containers = []string{"map<", "table<", "groupReference<", "noalg.", "hash<", "bucket<", "hchan<", "waitq<",
	"sudog<", "runtime.", "internal/", "sync.", "sync/atomic."}

// isInside reports whether a type is what a container is made of.
func isInside(name string) bool {
	name = strings.TrimLeft(name, "*")
	for _, c := range containers {
		if strings.HasPrefix(name, c) {
			return true
		}
	}
	return false
}

// nameOf returns the type of what is seen; "" where it is not known.
func (s tracer) nameOf(v *view) string {
	name := s.debug.nameOf(v.kind)
	switch {
	case v.label != "":
		return v.label
	case v.array && v.inside && name != "" && !isInside(name):
		return "[]" + name
	}
	return name
}

// resolve finds out what an object is that is not known from what points to it: large ones tell their type, closures
// their code.
func (s tracer) resolve(v view, n *node) view {
	if v.kind != 0 || v.label != "" {
		return v
	}
	base, size := n.base.address(), n.end.address()-n.base.address()
	first := s.word(base)
	if f, ok := s.table.find(first); ok && f.entry == first && (v.closure || !v.inside) {
		if frames, ok := s.table.at(first); ok && len(frames) > 0 {
			return view{code: &frames[len(frames)-1], entered: v.entered}
		}
		if r, ok := s.closures.receiverOf(first); ok {
			return view{code: &Frame{Function: r.method}, entered: v.entered}
		}
	}
	described, start := first, base+8
	switch h := s.spans.find(base); {
	case !s.headers || size <= minHeader:
		return v
	case size > maxHeader && h != nil: // it is beside the object
		described, start = h.kind, base
	case size > maxHeader:
		return v
	}
	kind := s.described.typeAt(s.names, described)
	name, of := s.debug.nameOf(kind), uint64(0)
	if kind != 0 {
		of, _ = s.debug.sizeOf(kind)
	} else {
		name, of = describedType(s.target, described)
	}
	if name != "" && of == 0 { // a pointer, which is named as what it points to
		name, of = "*"+name, 8
	}
	if of == 0 {
		return v
	}
	next := view{kind: kind, start: start, array: true, inside: v.inside && isInside(name), entered: v.entered,
		element: v.element}
	switch {
	case of <= (size-(start-base))/2:
		next.label = "[]" + name
	case kind == 0:
		next.label = name
	}
	return next
}

// follower follows a reference in what is seen to what it leads to.
type follower struct {
	*names
	step    *Step
	quiet   bool // in the inside of a container
	entered bool
	element dwarf.Offset
	target  uint64
	apart   bool
}

// lead adds to a step how it leads on from a place in what is seen, and returns as what the next object is to be seen.
func (s tracer) lead(step *Step, v view, place uint64) view {
	t := follower{names: s.names, step: step, entered: v.entered, element: v.element, target: s.word(place),
		apart: v.apart}
	t.quiet = v.inside && (v.kind == 0 || isInside(t.debug.nameOf(v.kind)))
	at := v.start
	size, ok := t.debug.sizeOf(v.kind)
	switch {
	case !ok:
		return t.guess(place)
	case v.array && place < v.start:
		at -= (v.start - place + size - 1) / size * size
	case v.array:
		at += (place - v.start) / size * size
	case place < v.start || place-v.start >= size:
		return t.guess(place)
	}
	return t.follow(v.kind, at, place)
}

// append adds text to the reference.
func (t *follower) append(text string) {
	if t.entered {
		t.step.Reference += anyEntry
		t.entered = false
	}
	if len(t.step.Reference) <= maxShown { // it is cut there
		t.step.Reference += shown(text)
	}
}

// enter goes into a container, which may be what another one is made of.
func (t *follower) enter(kind string, at uint64) {
	if !t.quiet {
		t.append("")
	}
	if t.step.Container == "" {
		if t.step.Container = shown(kind); !t.apart || !strings.HasPrefix(kind, "[]") {
			t.step.Entries = t.entries(kind, at)
		}
	}
	t.quiet, t.entered = true, true
}

// to returns as what the object is to be seen that is pointed to, of a type that may be unknown.
func (t *follower) to(kind dwarf.Offset) view {
	inside := t.quiet && kind == 0 || isInside(t.debug.nameOf(kind)) && t.step.Container != ""
	return view{kind: kind, start: t.target, array: inside, inside: inside, entered: t.entered, element: t.element}
}

// toAll is to for what a container has one after the other.
func (t *follower) toAll(kind dwarf.Offset) view {
	v := t.to(kind)
	v.array, v.inside = true, true
	return v
}

// unknown is how an object is seen of which nothing is known.
func (t *follower) unknown() view {
	return view{inside: t.quiet, entered: t.entered, element: t.element}
}

// guess follows a reference from what is not known: an interface tells its type beside it.
func (t *follower) guess(place uint64) view {
	if t.apart {
		return t.unknown()
	}
	return t.valueOf(t.word(place-8), place)
}

// valueOf follows the second word of an interface, where the first one is the address of the description of a type.
func (t *follower) valueOf(description, place uint64) view {
	kind := t.described.typeAt(t.names, description)
	if kind == 0 {
		if name, _ := describedType(t.names.target, description); name != "" && !(t.quiet && isInside(name)) {
			return view{label: name, entered: t.entered}
		}
		return t.unknown()
	}
	t.quiet = false
	if t.debug.isDirect(kind) {
		return t.follow(kind, place, place)
	}
	return t.to(kind)
}

// follow goes from a type that begins at an address to the place in it that points on.
func (t *follower) follow(of dwarf.Offset, at, place uint64) view {
	unsaid := false // the index of an array, which is that of the container
	for range maxTypes {
		kind, ok := t.debug.typeAt(of)
		if !ok {
			return t.unknown()
		}
		switch kind.tag {
		case dwarf.TagTypedef:
			switch {
			case strings.HasPrefix(kind.name, "map["), strings.HasPrefix(kind.name, "chan "):
				t.enter(kind.name, at)
				t.element = t.debug.elementOf(of)
				return t.to(t.debug.pointee(kind.of))
			case strings.HasPrefix(kind.name, "func("):
				return view{closure: true, entered: t.entered}
			case !t.quiet && isInside(kind.name) && !isInterface(kind.name):
				t.enter(kind.name, at)
			}
			of = kind.of
		case dwarf.TagStructType:
			switch {
			case strings.HasPrefix(kind.name, "[]") && len(kind.fields) > 0:
				t.enter(kind.name, at)
				return t.toAll(t.debug.pointee(kind.fields[0].of))
			case kind.name == "string":
				return view{label: "string", entered: t.entered}
			case isInterface(kind.name):
				return t.inInterface(kind.name, at, place)
			case !t.quiet && isInside(kind.name):
				t.enter(kind.name, at)
			}
			f, ok := t.debug.fieldAt(kind, place-at)
			if !ok {
				return t.guess(place)
			}
			if next, ok := t.ofContainer(&kind, f, of, at); ok {
				return next
			}
			switch {
			case !t.quiet:
				t.append("." + f.name)
			case f.name == "key" || f.name == "elem":
				t.quiet = false
			case f.name == "keys" || f.name == "values":
				t.quiet, unsaid = false, true
			}
			of, at = f.of, at+f.at
		case dwarf.TagArrayType:
			size, ok := t.debug.sizeOf(kind.of)
			if !ok {
				return t.guess(place)
			}
			if !t.quiet && !unsaid {
				t.append(anyEntry)
			}
			unsaid = false
			of, at = kind.of, at+(place-at)/size*size
		case dwarf.TagPointerType:
			return t.to(kind.of)
		case dwarf.TagSubroutineType:
			return view{closure: true, entered: t.entered}
		default:
			return t.guess(place)
		}
	}
	return t.unknown()
}

// ofContainer knows what the types of containers do not tell: the buffer of a channel, and the only group of a small
// map.
func (t *follower) ofContainer(kind *debugType, f debugField, of dwarf.Offset, at uint64) (view, bool) {
	switch {
	case strings.HasPrefix(kind.name, "hchan<") && f.name == "buf":
		return t.toAll(t.element), true
	case strings.HasPrefix(kind.name, "map<") && f.name == "dirPtr":
		if length, ok := t.debug.offsetIn(of, "dirLen"); !ok || t.word(at+length) != 0 {
			return view{}, false
		}
		groups := t.debug.fieldOf(t.debug.pointee(t.debug.pointee(f.of)), "groups")
		return t.to(t.debug.pointee(t.debug.fieldOf(groups, "data"))), true
	}
	return view{}, false
}

// inInterface follows the value of an interface.
func (t *follower) inInterface(name string, at, place uint64) view {
	kind := t.word(at)
	if name == "runtime.iface" && kind != 0 {
		kind = t.word(kind + 8) // of the table of its methods
	}
	if place != at+8 || t.apart {
		return t.unknown()
	}
	return t.valueOf(kind, place)
}
