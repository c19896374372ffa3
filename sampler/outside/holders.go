package outside

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holder is what keeps most of some objects alive: a variable of a package, a goroutine, timers, or finalizers.
type Holder struct {
	Variable string  // with its package and field, as in main.cache.entries; "" for all else
	Type     string  // of the variable, as in map[string]*app.Session; "" where unknown
	Entries  int64   // of a map, slice or channel, or how many timers or finalizers; -1 where it is none, or unknown
	Frames   []Frame // of the goroutine, from the function that holds them, innermost first; nil for all else
	At       Frame   // the one of them that is reported; zero for all else
	// Local is the variable there that holds them, of the goroutine's own function or captured by it; "" where that is
	// not certain, as without what debuggers read.
	Local string
	// Timer is the function that the timers call, as in app.(*Session).expire; time.sendTime for those that have a
	// channel. It is "" for all else. Timers and finalizers are what holds the objects where nothing else does.
	Timer     string
	Finalizer string  // the type of the objects that have the finalizer, as in *app.Conn; "" for all else
	All       int     // objects that there are
	Objects   int     // of these, that were looked at
	Share     float64 // of them that it holds at least, 0 to 1
	Path      []Step  // from it to them, as most of them have it; nil where there was no time for it
}

// chooser picks the function of a goroutine's stack that is reported, and says whether it is one of the application.
type chooser = func(stack []Frame) (chosen Frame, application bool)

// wanted is whose holders are looked for: what some buckets of the heap's profile have sampled, else all objects of
// some types that have a finalizer.
type wanted struct {
	buckets map[uint64]bool // nil for types
	types   []string
	choose  chooser
}

// searchPause is how long it takes until memory is searched once more that has moved meanwhile, as the entries of a map
// do that grows.
const searchPause = 2 * time.Second

// findHolder looks for what holds some objects, by the shortest way, and once more where what may hold most of them has
// moved meanwhile. ok is false where it is not found, or most are held by different ones. pause is called after each
// chunk of the memory; it may be nil.
func findHolder(ctx context.Context, t *target, of wanted, pause func()) (h Holder, ok bool) {
	before, ok, moved := searchOnce(ctx, t, of, pause)
	if ok || !moved {
		return before, ok
	}
	select {
	case <-time.After(searchPause):
	case <-ctx.Done():
		return h, false
	}
	h, ok, _ = searchOnce(ctx, t, of, pause)
	// What nothing held both times is garbage, as the arrays are that a slice has grown out of.
	return h, ok || h.isNamed() && h.Variable == before.Variable && h.Timer == before.Timer &&
		h.Finalizer == before.Finalizer &&
		slices.Equal(h.Frames, before.Frames)
}

// isNamed reports whether there is one.
func (h *Holder) isNamed() bool {
	return h.Variable != "" || h.Timer != "" || h.Finalizer != "" || h.Frames != nil
}

// searchOnce is findHolder without another try. moved says that it did not see what holds objects that were live, as it
// was elsewhere before. Where these are few and large, h is what holds all the others, though ok is false.
func searchOnce(ctx context.Context, t *target, of wanted, pause func()) (h Holder, ok, moved bool) {
	t.table.image.begin()
	s := &search{target: t, nodes: make(map[hidden]*node), pages: make([]uint64, pageBits/64),
		block: make([]byte, chunk), batch: newBatch(t), pause: pause, choose: of.choose}
	s.roots.target, s.stack = t, frames{lineTable: t.table, usesLink: t.usesLink}
	s.names = readNames(t, pause)
	if s.spans, ok = readSpans(ctx, t); !ok || !s.forget() {
		return h, false, true
	}
	s.names.unnamed, s.closures.names = unnamed{target: t, spans: s.spans}, s.names
	if len(s.names.symbols.all) == 0 {
		s.names.code = readReferences(ctx, t, pause)
	}
	all := s.spans.readSpecials(ctx, t, of.buckets, s.roots.noteFinalizer)
	s.roots.sort()
	if of.buckets == nil {
		all = s.roots.of(of.types)
	}
	if !s.addTargets(s.survivors(all)) {
		return h, false, false
	}
	defer func() { h.All = len(all) }()
	var nearest Holder
	hasNearest := false
	for passes := 0; passes < maxPasses || s.read < maxRead; passes++ {
		if len(s.frontier) == 0 || ctx.Err() != nil {
			break
		}
		s.index()
		s.fromVariables(ctx)
		s.fromStacks(ctx)
		s.fromTimers()
		// What holds more than half stays the one, whatever holds the others: garbage, which nothing holds, is among
		// them.
		if held := s.held(strong); 2*held > len(s.objects) && ctx.Err() == nil {
			if h, ok := s.verdict(ctx, strong); ok || held == len(s.objects) {
				return h, ok, false
			}
		}
		if !hasNearest && 2*s.held(middle) > len(s.objects) && ctx.Err() == nil {
			nearest, hasNearest = s.verdict(ctx, middle)
		}
		s.fromHeap(ctx)
	}
	for _, rootOf := range []func(*node) *root{strong, middle, weak} {
		if ctx.Err() != nil {
			break
		}
		if h, ok = s.verdict(ctx, rootOf); ok && ctx.Err() == nil {
			return h, true, false
		}
	}
	lost := float64(len(s.objects) - s.held(weak))
	moved = lost > 0 && h.Share*float64(len(s.objects))+lost > float64(len(s.objects))/2
	if hasNearest || !moved || ctx.Err() != nil {
		return nearest, hasNearest, moved // also where there was no time for what is further away
	}
	return s.holderOfRest(ctx), false, true
}

// holderOfRest returns what holds all objects that something holds, if they are few and large.
func (s *search) holderOfRest(ctx context.Context) Holder {
	var rest []uint64
	s.objects = slices.DeleteFunc(slices.Clone(s.objects), func(n *node) bool { return n.nearest(weak) == nil })
	for _, n := range s.objects {
		rest = append(rest, n.base.address())
	}
	if s.minVotes = s.minVotesFor(rest); s.minVotes > len(rest) || len(rest) >= minVotes {
		return Holder{}
	}
	for _, rootOf := range []func(*node) *root{strong, middle, weak} {
		if h, ok := s.verdict(ctx, rootOf); ok && ctx.Err() == nil {
			return h
		}
	}
	return Holder{}
}

// held counts the objects that are held by roots of a kind.
func (s *search) held(rootOf func(*node) *root) (n int) {
	for _, o := range s.objects {
		if o.nearest(rootOf) != nil {
			n++
		}
	}
	return n
}

// fromTimers looks for timers in the frontier.
func (s *search) fromTimers() {
	for _, n := range s.frontier {
		if at, ok := s.roots.timerIn(n.base.address(), n.end.address()); ok {
			n.weak = &root{timer: hide(at)}
		}
	}
}

// fromVariables looks for variables that point into the frontier, but for the runtime's own: they tell nothing.
func (s *search) fromVariables(ctx context.Context) {
	for _, part := range [][2]uint64{{s.module.values, s.module.valuesEnd}, {s.module.zeros, s.module.zerosEnd}} {
		s.words(ctx, max(part[0], s.module.data)&^7, min(part[1], s.module.dataEnd), func(place uint64, n *node) {
			if n.root == nil && s.names.isRoot(place) {
				n.root = &root{variable: hide(place)}
			}
		})
	}
}

// fromStacks looks for stacks that point into the frontier.
func (s *search) fromStacks(ctx context.Context) {
	b := s.batch
	list := s.goroutines
	for len(list) > 0 && ctx.Err() == nil {
		some := list[:min(batch, len(list))]
		list = list[len(some):]
		b.read(some)
		for i := range b.goroutines {
			g := b.goroutines[i]
			if b.ends[i] != walked || s.isSystem(&g) || g.high-g.sp > maxStack || s.searches(&g) {
				continue
			}
			application, resolved := false, false
			s.words(ctx, s.ownFrames(&g), g.high, func(place uint64, n *node) {
				at := s.stack.of(place)
				if known := cmp.Or(n.root, n.library); known != nil && known.goroutine != nil &&
					known.goroutine.at == g.at && at >= 0 {
					known.note(s.stack.slotAt(at, place))
				}
				if n.root != nil || s.stack.isDead(at, place) {
					return
				}
				if !resolved {
					resolved = true
					_, application = s.choose(s.framesOf(s.stack.pcs))
				}
				if n.library != nil && !application {
					return
				}
				r := &root{goroutine: &g, pcs: slices.Clone(s.stack.pcs[max(0, at):])}
				if at >= 0 {
					r.note(s.stack.slotAt(at, place))
				}
				if application {
					n.root = r
				} else {
					n.library = r
				}
			})
		}
	}
}

// reads is what the frames of a goroutine that looks through the memory have in common.
const reads = "github.com/mdzesseis/leaktrend/sampler/outside"

// searches reports whether a goroutine is the one that looks through the memory of its own process: it is read while it
// is in the call of the system that reads, and its stack is full of addresses that it has found.
func (s *search) searches(g *goroutine) bool {
	if g.state != inSyscall || !s.readSome(g.sp, s.block[:g.high-g.sp]) {
		return false
	}
	s.unwind(g)
	return slices.ContainsFunc(s.stack.pcs, func(pc uint64) bool {
		frames, _ := s.table.at(pc)
		return slices.ContainsFunc(frames, func(f Frame) bool { return strings.HasPrefix(f.Function, reads) })
	})
}

// unwind walks the stack of a goroutine that was read.
func (s *search) unwind(g *goroutine) {
	f := &s.stack
	f.sps = f.sps[:0]
	f.pcs, _ = s.table.unwind(g.pc, g.sp, g.sp, g.top, s.block[:g.high-g.sp], s.usesLink, f.pcs[:0], &f.sps)
}

// framesOf returns the functions of a stack; nil where they are not certain.
func (s *search) framesOf(pcs []uint64) (all []Frame) {
	for _, pc := range pcs {
		some, ok := s.table.at(pc)
		if !ok {
			return nil
		}
		all = append(all, some...)
	}
	return all
}

// ownFrames returns where the frames of a stack begin that are not the runtime's: its own point to the scheduler, which
// has everything.
func (s *search) ownFrames(g *goroutine) uint64 {
	if g.high-g.sp > maxStack || !s.readSome(g.sp, s.block[:g.high-g.sp]) {
		return g.high
	}
	s.unwind(g)
	for i, pc := range s.stack.pcs {
		frames, ok := s.table.at(pc)
		if !ok {
			return g.high
		}
		for _, f := range frames {
			if !strings.HasPrefix(f.Function, "runtime.") {
				return s.stack.sps[i]
			}
		}
	}
	return g.high
}

// forget leaves out what belongs to the scheduler: it has everything, and holds nothing. False where it is not known.
func (s *search) forget() bool {
	var ok bool
	if s.goroutines, ok = s.list(); !ok {
		return false
	}
	for _, at := range s.goroutines {
		s.nodes[hide(at)] = new(node)
	}
	ok = s.readProcessors()
	s.scheduler = len(s.nodes)
	return ok
}

// full reports whether there are as many objects on the ways as are looked for.
func (s *search) full() bool { return len(s.nodes)-s.scheduler > maxNodes }

// fromHeap looks for objects that point into the frontier: they are the next one.
func (s *search) fromHeap(ctx context.Context) {
	s.frontier = nil
	for i := range s.spans {
		h := &s.spans[i]
		if !h.pointers || s.full() {
			continue
		}
		s.words(ctx, h.start, h.end, func(place uint64, n *node) {
			base, end, ok := s.spans.object(place)
			if !ok || hide(base) == n.base || n.root != nil {
				return
			}
			holder := s.nodes[hide(base)]
			if holder == nil {
				if s.full() {
					return
				}
				holder = &node{base: hide(base), end: hide(end)}
				s.nodes[holder.base] = holder
				s.frontier = append(s.frontier, holder)
			}
			if holder.base == 0 {
				return
			}
			if !slices.Contains(n.up, holder) {
				n.up = append(n.up, holder)
				if i, ok := s.roots.finalizerIn(base, end); ok && n.weak == nil {
					n.weak = &root{finalizer: i}
				}
			}
		})
	}
}

// minVotes is how many objects have to be held by one, and more than half of those that were looked at, unless they are
// large.
const minVotes = 3

// verdict names what holds most of the objects.
func (s *search) verdict(ctx context.Context, rootOf func(*node) *root) (best Holder, ok bool) {
	holders := make(map[string]*Holder)
	held := make(map[string][]*node)
	roots := make(map[string]*root)
	for _, o := range s.objects {
		r := o.nearest(rootOf)
		if r == nil {
			continue
		}
		h := s.holderOf(ctx, r)
		key := cmp.Or(h.Variable, h.Timer, h.Finalizer)
		for _, f := range h.Frames {
			key += fmt.Sprintf("\n%s:%d", f.Function, f.Line)
		}
		if key == "" {
			continue
		}
		if holders[key] == nil {
			holders[key], roots[key] = &h, r
		}
		held[key] = append(held[key], o)
	}
	winner := ""
	for key := range holders {
		if len(held[key]) > len(held[winner]) {
			winner = key
		}
	}
	votes := held[winner]
	best.Objects, best.Share = len(s.objects), float64(len(votes))/float64(len(s.objects))
	if len(votes) < s.minVotes || best.Share <= .5 {
		return best, false
	}
	h := *holders[winner]
	h.Objects, h.Share, h.Path = best.Objects, best.Share, s.path(ctx, votes, rootOf, h.At)
	if s.names.code != nil && h.Variable != "" {
		h.Variable = s.names.users(roots[winner].variable.address())
	}
	h.Local = localOf(s.names, s.batch, votes, rootOf, h.At.Function)
	if len(h.Path) > 0 && h.Variable != "" && h.Path[0].Type == "" {
		h.Path[0].Name, h.Path[0].Type = h.Variable, h.Type
	}
	h.settle()
	return h, true
}

// path returns the way that most of some objects have from what keeps them alive.
func (s *search) path(ctx context.Context, objects []*node, rootOf func(*node) *root, at Frame) []Step {
	t := tracer{names: s.names, closures: &s.closures, spans: s.spans, batch: s.batch, block: s.block, pause: s.pause,
		looked: len(s.objects), rootOf: rootOf, at: at}
	return t.path(ctx, objects)
}

// holderOf names a root; nothing where it is gone, or tells nothing.
func (s *search) holderOf(ctx context.Context, r *root) Holder {
	switch {
	case r.goroutine != nil:
		h := Holder{Entries: -1, Frames: s.holderFrames(r)}
		if h.Frames != nil {
			h.At, _ = s.choose(h.Frames)
		}
		return h
	case r.variable != 0:
		v := s.names.variable(r.variable.address())
		return Holder{Variable: v.name, Type: v.kind, Entries: v.entries}
	case r.timer != 0:
		call, n := s.roots.byTimer(ctx, r.timer.address(), s.pause)
		return Holder{Timer: call, Entries: n}
	}
	kind, n := s.roots.byFinalizer(r.finalizer)
	return Holder{Finalizer: kind, Entries: n}
}

// holderFrames returns the stack of a goroutine from the function that holds the object to the outermost; nil where it
// has returned by now.
func (s *search) holderFrames(r *root) []Frame {
	b := s.batch
	b.read([]uint64{r.goroutine.at})
	stack := b.pcs[0]
	if b.ends[0] != walked || b.goroutines[0].id != r.goroutine.id || len(stack) < len(r.pcs) ||
		!slices.Equal(stack[len(stack)-len(r.pcs):], r.pcs) {
		return nil
	}
	return s.framesOf(r.pcs)
}

// settle makes what was found fit to be shown. The container that the holder is has the same entries wherever it is
// told, though it may have grown between two looks at it.
func (h *Holder) settle() {
	fit := func(all ...*string) {
		for _, text := range all {
			*text = shown(*text)
		}
	}
	fit(&h.Variable, &h.Type, &h.Timer, &h.Finalizer, &h.Local)
	for i := range h.Path {
		s := &h.Path[i]
		fit(&s.Name, &s.Type, &s.Reference, &s.Container, &s.Code.Function, &s.Code.File)
	}
	if len(h.Path) > 0 && h.Entries >= 0 && h.Path[0].Entries >= 0 && h.Path[0].Container == h.Type {
		h.Path[0].Entries = h.Entries
	}
}
