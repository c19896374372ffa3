package paths

import (
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/graph"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
)

// leadOfClosure adds to a step of a closure the captured variable that leads on, and returns the view of the next
// object; ok is false where that is not known.
func leadOfClosure(n *names.Closures, step *Step, closure, next *graph.Node, place uint64) (v view, ok bool) {
	base := closure.Base.Address()
	code := n.Word(base)
	if r, ok := n.ReceiverOf(code); ok {
		t := follower{Names: n.Names, step: step, target: n.Word(place)}
		switch {
		case r.Of == 0:
			return v, false
		case !r.Pointer:
			return t.follow(r.Of, base+graph.PointerSize, place), true
		}
		return t.to(r.Of), place == base+graph.PointerSize
	}
	found, following, ok := n.CapturedAt(code, place-base)
	if !ok {
		return v, false
	}
	if kind := n.Debug.NameOf(found.Of); strings.HasPrefix(kind, ".") || strings.Contains(kind, debuginfo.Shape) {
		found.Of = 0 // of generic code
	}
	t := follower{Names: n.Names, step: step, target: n.Word(place)}
	in, at := place-base-found.At, base+found.At
	name, isReference := strings.CutPrefix(found.Name, debuginfo.ByReference)
	if !isReference {
		size, known := n.Debug.SizeOf(found.Of)
		if known && in >= size || !known && in != 0 {
			return v, false
		}
		t.append(name)
		if !known {
			return t.unknown(), true
		}
		return t.follow(found.Of, at, place), true
	}
	// A large variable that does not change is in the closure itself, and has the same name.
	if in != 0 {
		return v, false
	}
	t.append(name)
	of := n.Debug.Pointee(found.Of)
	if size, known := n.Debug.SizeOf(of); !known || !next.IsAlone(size) || t.target != next.Base.Address() ||
		size > graph.PointerSize && at+size <= closure.End.Address() && (following == 0 || following-found.At >= size) {
		return t.unknown(), true
	}
	return t.to(of), true
}

// held is the variable of a function that has what a root points to.
type held struct {
	debuginfo.Local
	in        uint64 // byte of it that points
	start     uint64 // its address, or what it would be
	scattered bool   // it is not on the stack as it is in memory
}

// variableOf returns the variable of the reported function in which a goroutine has an object.
func variableOf(n *names.Names, b *goruntime.Batch, r *graph.Root, function string) (v held, ok bool) {
	for _, at := range r.Slots {
		if v.Local, v.in, ok = n.LocalAt(at, function); !ok {
			continue
		}
		b.Read([]uint64{r.Goroutine.At})
		moved := b.Goroutines[0].High - r.Goroutine.High // as the collector moves stacks
		v.start = at.End.Address() + moved + uint64(at.Offset) - v.in
		if name := n.Debug.NameOf(v.Of); strings.HasPrefix(name, ".") || strings.Contains(name, debuginfo.Shape) {
			v.Of = 0
		}
		size, known := n.Debug.SizeOf(v.Of)
		v.scattered = !known || !v.IsComplete(size)
		return v, true
	}
	return v, false
}

// LocalOf names the variable in which goroutines have most of some objects; "" where it is not certain.
func LocalOf(n *names.Names, b *goruntime.Batch, objects []*graph.Node, rootOf func(*graph.Node) *graph.Root,
	function string) string {
	votes := make(map[string]int)
	for _, o := range objects {
		r := o.Nearest(rootOf)
		if r == nil || r.Goroutine == nil {
			continue
		}
		if v, ok := variableOf(n, b, r, function); ok {
			votes[v.Name]++
		}
	}
	for name, count := range votes {
		if 2*count > len(objects) {
			return strings.TrimPrefix(name, debuginfo.ByReference)
		}
	}
	return ""
}
