package paths

import (
	"debug/dwarf"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/graph"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/rtype"
)

// view is what is known of an object: its type, and what the way to it says.
type view struct {
	kind      dwarf.Offset // of its type; 0 where that is not known
	start     uint64       // address of the first one of that type
	array     bool         // there may be several, one after the other
	inside    bool         // it is a part of a container, not a step of its own
	entered   bool         // no reference shows yet that it leads through the entries of the container
	element   dwarf.Offset // element type of the channel that it is a part of
	label     string       // the name of its type where debug information has none
	closure   bool
	scattered bool             // only the word that points is where it would be, as a processor may have the others
	code      *linetable.Frame // of a closure
}

const anyEntry = "[…]" // how a reference leads through the entries of a container

// containers are prefixes of names of types whose fields are internal to the runtime or the standard library.
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

// nameOf returns the name of an object's type; "" where unknown.
func (s Tracer) nameOf(v *view) string {
	name := s.Debug.NameOf(v.kind)
	switch {
	case v.label != "":
		return v.label
	case v.array && v.inside && name != "" && !isInside(name):
		return "[]" + name
	}
	return name
}

// resolve finds out what an object is where the reference to it does not say so: large objects have their type in a
// header, closures begin with their code.
func (s Tracer) resolve(v view, n *graph.Node) view {
	if v.kind != 0 || v.label != "" {
		return v
	}
	base, size := n.Base.Address(), n.End.Address()-n.Base.Address()
	first := s.Word(base)
	if f, ok := s.Table.Find(first); ok && f.Entry == first && (v.closure || !v.inside) {
		if frames, ok := s.Table.At(first); ok && len(frames) > 0 {
			return view{code: &frames[len(frames)-1], entered: v.entered}
		}
		if r, ok := s.Closures.ReceiverOf(first); ok {
			return view{code: &linetable.Frame{Function: r.Method}, entered: v.entered}
		}
	}
	described, start := first, base+8
	switch h := s.Spans.Find(base); {
	case !s.Headers || size <= heap.MinHeader:
		return v
	case size > heap.MaxHeader && h != nil: // it is beside the object
		described, start = h.Kind, base
	case size > heap.MaxHeader:
		return v
	}
	kind := s.Described.TypeAt(s.Names, described)
	name, of := s.Debug.NameOf(kind), uint64(0)
	if kind != 0 {
		of, _ = s.Debug.SizeOf(kind)
	} else {
		name, of = rtype.Described(s.Target, described)
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

// follower follows a reference in an object to the next object.
type follower struct {
	*names.Names
	step      *Step
	quiet     bool // in the inside of a container
	entered   bool
	element   dwarf.Offset
	target    uint64
	scattered bool
}

// lead adds to a step the reference at a place in its object, and returns the view of the object that it leads to.
func (s Tracer) lead(step *Step, v view, place uint64) view {
	t := follower{Names: s.Names, step: step, entered: v.entered, element: v.element, target: s.Word(place),
		scattered: v.scattered}
	t.quiet = v.inside && (v.kind == 0 || isInside(t.Debug.NameOf(v.kind)))
	at := v.start
	size, ok := t.Debug.SizeOf(v.kind)
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
	if len(t.step.Reference) <= names.MaxShown { // it is cut there
		t.step.Reference += names.Shown(text)
	}
}

// enter goes into a container, which may be what another one is made of.
func (t *follower) enter(kind string, at uint64) {
	if !t.quiet {
		t.append("")
	}
	if t.step.Container == "" {
		if t.step.Container = names.Shown(kind); !t.scattered || !strings.HasPrefix(kind, "[]") {
			t.step.Entries = t.Entries(kind, at)
		}
	}
	t.quiet, t.entered = true, true
}

// to returns the view of the object that is pointed to, of a type that may be unknown.
func (t *follower) to(kind dwarf.Offset) view {
	inside := t.quiet && kind == 0 || isInside(t.Debug.NameOf(kind)) && t.step.Container != ""
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

// guess follows a reference from an object of unknown type: the value of an interface has its type beside it.
func (t *follower) guess(place uint64) view {
	if t.scattered {
		return t.unknown()
	}
	return t.valueOf(t.Word(place-8), place)
}

// valueOf follows the second word of an interface, where the first one is the address of the description of a type.
func (t *follower) valueOf(description, place uint64) view {
	kind := t.Described.TypeAt(t.Names, description)
	if kind == 0 {
		if name, _ := rtype.Described(t.Names.Target, description); name != "" && !(t.quiet && isInside(name)) {
			return view{label: name, entered: t.entered}
		}
		return t.unknown()
	}
	t.quiet = false
	if t.Debug.IsDirect(kind) {
		return t.follow(kind, place, place)
	}
	return t.to(kind)
}

// follow goes from a value of a type at an address to the place in it that points on.
func (t *follower) follow(of dwarf.Offset, at, place uint64) view {
	unsaid := false // the index of an array, which is that of the container
	for range debuginfo.MaxTypes {
		kind, ok := t.Debug.TypeAt(of)
		if !ok {
			return t.unknown()
		}
		switch kind.Tag {
		case dwarf.TagTypedef:
			switch {
			case strings.HasPrefix(kind.Name, "map["), strings.HasPrefix(kind.Name, "chan "):
				t.enter(kind.Name, at)
				t.element = t.Debug.ElementOf(of)
				return t.to(t.Debug.Pointee(kind.Of))
			case strings.HasPrefix(kind.Name, "func("):
				return view{closure: true, entered: t.entered}
			case !t.quiet && isInside(kind.Name) && !names.IsInterface(kind.Name):
				t.enter(kind.Name, at)
			}
			of = kind.Of
		case dwarf.TagStructType:
			switch {
			case strings.HasPrefix(kind.Name, "[]") && len(kind.Fields) > 0:
				t.enter(kind.Name, at)
				return t.toAll(t.Debug.Pointee(kind.Fields[0].Of))
			case kind.Name == "string":
				return view{label: "string", entered: t.entered}
			case names.IsInterface(kind.Name):
				return t.inInterface(kind.Name, at, place)
			case !t.quiet && isInside(kind.Name):
				t.enter(kind.Name, at)
			}
			f, ok := t.Debug.FieldAt(kind, place-at)
			if !ok {
				return t.guess(place)
			}
			if next, ok := t.ofContainer(&kind, f, of, at); ok {
				return next
			}
			switch {
			case !t.quiet:
				t.append("." + f.Name)
			case f.Name == "key" || f.Name == "elem":
				t.quiet = false
			case f.Name == "keys" || f.Name == "values":
				t.quiet, unsaid = false, true
			}
			of, at = f.Of, at+f.At
		case dwarf.TagArrayType:
			size, ok := t.Debug.SizeOf(kind.Of)
			if !ok {
				return t.guess(place)
			}
			if !t.quiet && !unsaid {
				t.append(anyEntry)
			}
			unsaid = false
			of, at = kind.Of, at+(place-at)/size*size
		case dwarf.TagPointerType:
			return t.to(kind.Of)
		case dwarf.TagSubroutineType:
			return view{closure: true, entered: t.entered}
		default:
			return t.guess(place)
		}
	}
	return t.unknown()
}

// ofContainer knows what the types of containers do not say: the buffer of a channel, and the only group of a small
// map.
func (t *follower) ofContainer(kind *debuginfo.Type, f debuginfo.Field, of dwarf.Offset, at uint64) (view, bool) {
	switch {
	case strings.HasPrefix(kind.Name, "hchan<") && f.Name == "buf":
		return t.toAll(t.element), true
	case strings.HasPrefix(kind.Name, "map<") && f.Name == "dirPtr":
		if length, ok := t.Debug.OffsetIn(of, "dirLen"); !ok || t.Word(at+length) != 0 {
			return view{}, false
		}
		groups := t.Debug.FieldOf(t.Debug.Pointee(t.Debug.Pointee(f.Of)), "groups")
		return t.to(t.Debug.Pointee(t.Debug.FieldOf(groups, "data"))), true
	}
	return view{}, false
}

// inInterface follows the value of an interface.
func (t *follower) inInterface(name string, at, place uint64) view {
	kind := t.Word(at)
	if name == "runtime.iface" && kind != 0 {
		kind = t.Word(kind + 8) // of the table of its methods
	}
	if place != at+8 || t.scattered {
		return t.unknown()
	}
	return t.valueOf(kind, place)
}
