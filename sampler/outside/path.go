package outside

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
)

// Step is one on the way from what keeps memory alive to that memory: first the holder, then objects.
// What a map, slice or channel is made of is no step of its own.
type Step struct {
	Name      string // of the variable, or the function of a closure; "" for what else holds them, and other objects
	Type      string // in Go's words; "" where it is not known
	Code      Frame  // of a closure: where it begins; else zero
	Size      uint64 // bytes that the heap has for the object; 0 for the holder
	Reference string // what of it leads on, as in ".byID[…].next"; "" for the last one, and where unknown
	Container string // type of the map, slice, channel or the like that it leads through last; "" for none
	Entries   int64  // of the container; -1 for none, and where unknown
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
	commonShare = .8 // of the objects that go through what is common to them
	maxSteps    = 64 // of a way that is told
	maxWayBytes = 256 << 20
)

// path is the way to one object, as steps.
type path struct {
	nodes []*node
	owner []int // by node: the step that leads on from it
	steps []Step
}

// tracer makes paths of what a search has found.
type tracer struct {
	*names
	closures *closures
	spans    heapSpans
	batch    *batchReader
	block    []byte // of memory that is looked through
	pause    func() // called after each chunk; may be nil
	looked   int    // objects whose holders were searched for
	rootOf   func(*node) *root
	at       Frame // of goroutines that are told
}

// way returns the objects from a root to a node, by the shortest way, the node last.
func (s tracer) way(n *node) []*node {
	next := map[*node]*node{n: nil}
	for level := []*node{n}; len(level) > 0; {
		var further []*node
		for _, at := range level {
			if s.rootOf(at) != nil {
				var all []*node
				for ; at != nil; at = next[at] {
					all = append(all, at)
				}
				return all
			}
			for _, up := range at.up {
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

// path returns the way that most of some objects have from what keeps them alive; nil where there was no time for it,
// or it has more steps than anybody reads. Their shares are of all objects that were looked at.
func (s tracer) path(ctx context.Context, objects []*node) []Step {
	ways := make([][]*node, 0, len(objects))
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
		p.steps[i].Share = float64(by) / float64(s.looked)
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
func (p *path) parting(ways [][]*node) int {
	through := make(map[*node]int) // ways; none goes through an object twice
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
type link struct{ from, to *node }

// references finds where the objects of some ways have what leads on.
func (s tracer) references(ctx context.Context, ways [][]*node) map[link]uint64 {
	next := make(map[*node][]*node)
	var order []*node
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
		slices.SortFunc(wanted, func(a, b *node) int { return cmp.Compare(a.base.address(), b.base.address()) })
		low, high := wanted[0].base.address(), wanted[len(wanted)-1].end.address()
		end := n.end.address()
		for from := n.base.address(); from < end && left > 0 && read < maxWayBytes && ctx.Err() == nil; from += chunk {
			b := s.block[:min(chunk, end-from)]
			read += uint64(len(b))
			if !s.readSome(from, b) {
				continue
			}
			for i := 0; i+8 <= len(b); i += 8 {
				word := binary.LittleEndian.Uint64(b[i:])
				if word < low || word >= high {
					continue
				}
				for _, to := range wanted {
					if word < to.base.address() || word >= to.end.address() {
						continue
					}
					if l := (link{n, to}); found[l] == 0 {
						found[l] = from + uint64(i)
						left--
					}
				}
			}
			if s.pause != nil {
				s.pause()
			}
		}
	}
	return found
}

// describe makes steps of a way.
func (s tracer) describe(way []*node, places map[link]uint64) path {
	p := path{nodes: way, owner: make([]int, len(way))}
	var v view
	add := func(one Step) {
		one.Times = 1
		p.steps = append(p.steps, one)
	}
	switch r := s.rootOf(way[0]); {
	case r.goroutine != nil:
		add(Step{Entries: -1})
		if held, ok := variableOf(s.names, s.batch, r, s.at.Function); ok {
			p.steps[0].Name, p.steps[0].Type = shown(held.name), shown(s.debug.nameOf(held.of))
			v = s.lead(&p.steps[0], view{kind: held.of, start: held.start, apart: held.apart}, held.start+held.in)
			if name, ok := strings.CutPrefix(p.steps[0].Name, byReference); ok {
				p.steps[0].Name, p.steps[0].Type = name, strings.TrimPrefix(p.steps[0].Type, "*")
			}
		}
	case r.variable == 0:
		add(Step{Entries: -1})
		if r.timer != 0 {
			v.label = "timer"
		}
	default:
		at := r.variable.address()
		name, kind, start := s.owner(at)
		add(Step{Name: shown(name), Type: shown(s.debug.nameOf(kind)), Entries: -1})
		v = s.lead(&p.steps[0], view{kind: kind, start: start}, at)
	}
	for i, n := range way {
		last := i == len(way)-1
		v = s.resolve(v, n)
		if !v.inside || last {
			if v.inside && isInside(s.debug.nameOf(v.kind)) { // what the container is made of
				v.label = p.steps[len(p.steps)-1].Container
			}
			one := Step{Type: shown(s.nameOf(&v)), Size: n.end.address() - n.base.address(), Entries: -1}
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
			if next, ok := leadOfClosure(s.closures, step, n, way[i+1], place); ok {
				v = next
				continue
			}
		}
		v = s.lead(step, v, place)
	}
	return p.collapse()
}

// collapse makes one of steps that are alike and follow each other, as those of a list. Where no reference is known, as
// in a program without symbols, their sizes tell it.
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
	if len(c.steps) > maxSteps { // nobody is told of it: what follows need not be kept
		c.steps = slices.Clone(c.steps[:maxSteps+1])
	}
	return c
}
