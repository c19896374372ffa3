// Package paths describes the way from what holds memory to that memory, step by step: which field, entry or captured
// variable leads on from each object. It follows types; which objects are on the way is for who searched them.
package paths

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/debuginfo"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/graph"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
)

// Step is one on the way from what keeps memory alive to that memory: first the holder, then objects. The parts of a
// map, slice or channel are not steps of their own.
type Step struct {
	// of the variable, or the function of a closure; "" for what else holds them, and other objects
	Name      string
	Type      string          // in Go's words; "" where it is not known
	Code      linetable.Frame // of a closure: its entry; else zero
	Size      uint64          // bytes that the heap has for the object; 0 for the holder
	Reference string          // what of it leads on, as in ".byID[…].next"; "" for the last one, and where unknown
	Container string          // type of the map, slice, channel or the like that it leads through last; "" for none
	Entries   int64           // of the container; -1 for none, and where unknown
	// how many alike follow each other here, as in a linked list, in the longest of the ways: 1 or more
	Times int
	Share float64
	Parts bool // where the ways of most objects part: what grows is what this step refers to
}

// sameAs reports whether two steps are alike.
func (s *Step) sameAs(other *Step) bool {
	return s.Name == other.Name && s.Type == other.Type && s.Code == other.Code && s.Reference == other.Reference &&
		s.Container == other.Container
}

const (
	commonShare = .8 // share of the objects whose ways go through a common object
	maxSteps    = 64 // of a way that is reported
	maxWayBytes = 256 << 20
)

// path is the way to one object, as steps.
type path struct {
	nodes []*graph.Node
	owner []int // by node: the step that leads on from it
	steps []Step
}

// Tracer makes paths of what a search has found.
type Tracer struct {
	*names.Names
	Closures *names.Closures
	Spans    heap.Spans
	Batch    *goruntime.Batch
	Block    []byte // for memory that is searched
	Pause    func() // called after each chunk; may be nil
	Searched int    // objects whose holders were searched for
	RootOf   func(*graph.Node) *graph.Root
	At       linetable.Frame // of goroutines that are reported
}

// way returns the objects from a root to a node, by the shortest way, the node last.
func (s Tracer) way(n *graph.Node) []*graph.Node {
	next := map[*graph.Node]*graph.Node{n: nil}
	for level := []*graph.Node{n}; len(level) > 0; {
		var further []*graph.Node
		for _, at := range level {
			if s.RootOf(at) != nil {
				var all []*graph.Node
				for ; at != nil; at = next[at] {
					all = append(all, at)
				}
				return all
			}
			for _, up := range at.Up {
				if _, seen := next[up]; !seen {
					next[up] = at
					further = append(further, up)
				}
			}
		}
		level = further
	}
	return nil
}

// Path returns the way that most of some objects have from what keeps them alive; nil where there was no time for it,
// or it has more than maxSteps steps. Shares are of all objects that were searched for.
func (s Tracer) Path(ctx context.Context, objects []*graph.Node) []Step {
	ways := make([][]*graph.Node, 0, len(objects))
	for _, o := range objects {
		if way := s.way(o); way != nil {
			ways = append(ways, way)
		}
	}
	places := s.references(ctx, ways)
	if len(ways) == 0 || ctx.Err() != nil {
		return nil
	}
	paths := make([]path, len(ways))
	for i, way := range ways {
		if ctx.Err() != nil {
			return nil
		}
		paths[i] = s.describe(way, places)
	}
	best, bestCount := 0, 0
	for i := range paths {
		alike := 0
		for j := range paths {
			if sharedSteps(paths[i].steps, paths[j].steps) == max(len(paths[i].steps), len(paths[j].steps)) {
				alike++
			}
		}
		if alike > bestCount || alike == bestCount && len(paths[i].steps) < len(paths[best].steps) {
			best, bestCount = i, alike
		}
	}
	p := &paths[best]
	if len(p.steps) > maxSteps {
		return nil
	}
	for i := range p.steps {
		by := 0
		for j := range paths {
			if sharedSteps(p.steps, paths[j].steps) > i {
				by++
				p.steps[i].Times = max(p.steps[i].Times, paths[j].steps[i].Times)
			}
		}
		p.steps[i].Share = float64(by) / float64(s.Searched)
	}
	p.steps[p.parting(ways)].Parts = true
	return p.steps
}

// sharedSteps counts the steps from the root on that are alike.
func sharedSteps(a, b []Step) (n int) {
	for n < min(len(a), len(b)) && a[n].sameAs(&b[n]) {
		n++
	}
	return n
}

// parting returns the step of a path at which the ways part: the last one that leads on from an object which most have.
func (p *path) parting(ways [][]*graph.Node) int {
	through := make(map[*graph.Node]int) // ways; none goes through an object twice
	for _, way := range ways {
		for _, n := range way[:len(way)-1] {
			through[n]++
		}
	}
	for i := len(p.nodes) - 2; i >= 0; i-- {
		if float64(through[p.nodes[i]]) >= commonShare*float64(len(ways)) {
			return p.owner[i]
		}
	}
	return 0
}

// link is one object that points to another one.
type link struct{ from, to *graph.Node }

// references finds where the objects of some ways have what leads on.
func (s Tracer) references(ctx context.Context, ways [][]*graph.Node) map[link]uint64 {
	next := make(map[*graph.Node][]*graph.Node)
	var order []*graph.Node
	for _, way := range ways {
		for i, n := range way[:len(way)-1] {
			if next[n] == nil {
				order = append(order, n)
			}
			if !slices.Contains(next[n], way[i+1]) {
				next[n] = append(next[n], way[i+1])
			}
		}
	}
	found := make(map[link]uint64)
	read := uint64(0)
	for _, n := range order {
		wanted, left := next[n], len(next[n])
		slices.SortFunc(wanted, func(a, b *graph.Node) int { return cmp.Compare(a.Base.Address(), b.Base.Address()) })
		low, high := wanted[0].Base.Address(), wanted[len(wanted)-1].End.Address()
		end := n.End.Address()
		for from := n.Base.Address(); from < end && left > 0 && read < maxWayBytes &&
			ctx.Err() == nil; from += procmem.Chunk {
			b := s.Block[:min(procmem.Chunk, end-from)]
			read += uint64(len(b))
			if !s.ReadAt(from, b) {
				continue
			}
			for i := 0; i+8 <= len(b); i += 8 {
				word := binary.LittleEndian.Uint64(b[i:])
				if word < low || word >= high {
					continue
				}
				for _, to := range wanted {
					if word < to.Base.Address() || word >= to.End.Address() {
						continue
					}
					if l := (link{n, to}); found[l] == 0 {
						found[l] = from + uint64(i)
						left--
					}
				}
			}
			if s.Pause != nil {
				s.Pause()
			}
		}
	}
	return found
}

// describe makes steps of a way.
func (s Tracer) describe(way []*graph.Node, places map[link]uint64) path {
	p := path{nodes: way, owner: make([]int, len(way))}
	var v view
	add := func(one Step) {
		one.Times = 1
		p.steps = append(p.steps, one)
	}
	switch r := s.RootOf(way[0]); {
	case r.Goroutine != nil:
		add(Step{Entries: -1})
		if held, ok := variableOf(s.Names, s.Batch, r, s.At.Function); ok {
			p.steps[0].Name, p.steps[0].Type = names.Shown(held.Name), names.Shown(s.Debug.NameOf(held.Of))
			v = s.lead(&p.steps[0], view{kind: held.Of, start: held.start, scattered: held.scattered},
				held.start+held.in)
			if name, ok := strings.CutPrefix(p.steps[0].Name, debuginfo.ByReference); ok {
				p.steps[0].Name, p.steps[0].Type = name, strings.TrimPrefix(p.steps[0].Type, "*")
			}
		}
	case r.Variable == 0:
		add(Step{Entries: -1})
		if r.Timer != 0 {
			v.label = "timer"
		}
	default:
		at := r.Variable.Address()
		name, kind, start := s.Owner(at)
		add(Step{Name: names.Shown(name), Type: names.Shown(s.Debug.NameOf(kind)), Entries: -1})
		v = s.lead(&p.steps[0], view{kind: kind, start: start}, at)
	}
	for i, n := range way {
		last := i == len(way)-1
		v = s.resolve(v, n)
		if !v.inside || last {
			if v.inside && isInside(s.Debug.NameOf(v.kind)) { // what the container is made of
				v.label = p.steps[len(p.steps)-1].Container
			}
			one := Step{Type: names.Shown(s.nameOf(&v)), Size: n.End.Address() - n.Base.Address(), Entries: -1}
			if v.code != nil {
				one.Name, one.Code = v.code.Function, *v.code
			}
			if v.entered && !v.inside {
				p.steps[len(p.steps)-1].Reference += anyEntry
			}
			v.entered = v.entered && v.inside
			add(one)
		}
		p.owner[i] = len(p.steps) - 1
		if last {
			break
		}
		place, ok := places[link{n, way[i+1]}]
		if !ok {
			v = view{inside: v.inside, entered: v.entered}
			continue
		}
		step := &p.steps[len(p.steps)-1]
		if v.code != nil {
			if next, ok := leadOfClosure(s.Closures, step, n, way[i+1], place); ok {
				v = next
				continue
			}
		}
		v = s.lead(step, v, place)
	}
	return p.collapse()
}

// collapse makes one of steps that are alike and follow each other, as those of a list. Where no reference is known, as
// in a program without symbols, equal sizes count as alike.
func (p *path) collapse() path {
	c := path{nodes: p.nodes, owner: make([]int, len(p.owner))}
	at := make([]int, len(p.steps)) // where each has gone
	for i := range p.steps {
		one := p.steps[i]
		n := len(c.steps)
		if n > 0 && i > 1 && i < len(p.steps)-1 && one.sameAs(&c.steps[n-1]) &&
			(one.Reference != "" || one.Size == c.steps[n-1].Size) {
			c.steps[n-1].Times++
		} else {
			c.steps = append(c.steps, one)
		}
		at[i] = len(c.steps) - 1
	}
	for i, owner := range p.owner {
		c.owner[i] = at[owner]
	}
	if len(c.steps) > maxSteps { // it is not reported: the rest need not be kept
		c.steps = slices.Clone(c.steps[:maxSteps+1])
	}
	return c
}
