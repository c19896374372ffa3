package outside

import "strings"

// leadOfClosure adds to a step of a closure by which of its variables it leads on, and returns as what the next object
// is to be seen; ok is false where that is not known.
func leadOfClosure(n *closures, step *Step, closure, next *node, place uint64) (v view, ok bool) {
	base := closure.base.address()
	code := n.word(base)
	if r, ok := n.receiverOf(code); ok {
		t := follower{names: n.names, step: step, target: n.word(place)}
		switch {
		case r.of == 0:
			return v, false
		case !r.pointer:
			return t.follow(r.of, base+pointerSize, place), true
		}
		return t.to(r.of), place == base+pointerSize
	}
	found, following, ok := n.capturedAt(code, place-base)
	if !ok {
		return v, false
	}
	if kind := n.debug.nameOf(found.of); strings.HasPrefix(kind, ".") || strings.Contains(kind, shape) {
		found.of = 0 // of generic code
	}
	t := follower{names: n.names, step: step, target: n.word(place)}
	in, at := place-base-found.at, base+found.at
	name, isReference := strings.CutPrefix(found.name, byReference)
	if !isReference {
		size, known := n.debug.sizeOf(found.of)
		if known && in >= size || !known && in != 0 {
			return v, false
		}
		t.append(name)
		if !known {
			return t.unknown(), true
		}
		return t.follow(found.of, at, place), true
	}
	// A large variable that does not change is in the closure itself, and has the same name.
	if in != 0 {
		return v, false
	}
	t.append(name)
	of := n.debug.pointee(found.of)
	if size, known := n.debug.sizeOf(of); !known || !next.isAlone(size) || t.target != next.base.address() ||
		size > pointerSize && at+size <= closure.end.address() && (following == 0 || following-found.at >= size) {
		return t.unknown(), true
	}
	return t.to(of), true
}

// held is the variable of a function that has what a root points to.
type held struct {
	local
	in    uint64 // byte of it that points
	start uint64 // where it begins, or would begin
	apart bool   // it is not on the stack as it is in memory
}

// variableOf returns the variable of the function that is told in which a goroutine has an object.
func variableOf(n *names, b *batchReader, r *root, function string) (v held, ok bool) {
	for _, at := range r.slots {
		if v.local, v.in, ok = n.localAt(at, function); !ok {
			continue
		}
		b.read([]uint64{r.goroutine.at})
		moved := b.goroutines[0].high - r.goroutine.high // as the collector moves stacks
		v.start = at.end.address() + moved + uint64(at.offset) - v.in
		if name := n.debug.nameOf(v.of); strings.HasPrefix(name, ".") || strings.Contains(name, shape) {
			v.of = 0
		}
		size, known := n.debug.sizeOf(v.of)
		v.apart = !known || !v.isComplete(size)
		return v, true
	}
	return v, false
}

// localOf names the variable in which goroutines have most of some objects; "" where it is not certain.
func localOf(n *names, b *batchReader, objects []*node, rootOf func(*node) *root, function string) string {
	votes := make(map[string]int)
	for _, o := range objects {
		r := o.nearest(rootOf)
		if r == nil || r.goroutine == nil {
			continue
		}
		if v, ok := variableOf(n, b, r, function); ok {
			votes[v.name]++
		}
	}
	for name, count := range votes {
		if 2*count > len(objects) {
			return strings.TrimPrefix(name, byReference)
		}
	}
	return ""
}
