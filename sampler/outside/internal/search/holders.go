// Package search goes from objects back to what holds them, by passes through the memory of the process: from the
// heap's objects to variables, stacks, timers and finalizers. It decides what holds most of them; how it is named and
// which way leads from there is for the rooms below.
package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/graph"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/paths"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/rtype"
)

// Holder is what keeps most of some objects alive: a variable of a package, a goroutine, timers, or finalizers.
type Holder struct {
	Variable string // with its package and field, as in main.cache.entries; "" for all else
	Type     string // of the variable, as in map[string]*app.Session; "" where unknown
	// of a map, slice or channel, or how many timers or finalizers; -1 where it is none, or unknown
	Entries int64
	Frames  []linetable.Frame // of the goroutine, from the function that holds them, innermost first; nil for all else
	At      linetable.Frame   // the one of them that is reported; zero for all else
	// Local is the variable there that holds them, of the goroutine's own function or captured by it; "" where that is
	// not certain, as without debug information.
	Local string
	// Timer is the function that the timers call, as in app.(*Session).expire; time.sendTime for those that have a
	// channel. It is "" for all else. Timers and finalizers are what holds the objects where nothing else does.
	Timer     string
	Finalizer string       // the type of the objects that have the finalizer, as in *app.Conn; "" for all else
	All       int          // objects that there are
	Objects   int          // of these, whose holders were searched for
	Share     float64      // of them that it holds at least, 0 to 1
	Path      []paths.Step // from it to them, as most of them have it; nil where there was no time for it
}

// Chooser picks the function of a goroutine's stack that is reported, and says whether it is one of the application.
type Chooser = func(stack []linetable.Frame) (chosen linetable.Frame, application bool)

// Wanted are the objects whose holders are searched for: what some buckets of the heap's profile have sampled, else all
// objects of some types that have a finalizer.
type Wanted struct {
	Buckets map[uint64]bool // nil for types
	Types   []string
	Choose  Chooser
}

// searchPause is how long it takes until memory is searched once more that has moved meanwhile, as the entries of a map
// do that grows.
const searchPause = 2 * time.Second

// Find looks for what holds some objects, by the shortest way, and once more where what may hold most of them has
// moved meanwhile. ok is false where it is not found, or most are held by different ones. pause is called after each
// chunk of the memory; it may be nil.
func Find(ctx context.Context, t *goruntime.Target, of Wanted, pause func()) (h Holder, ok bool) {
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

// searchOnce is Find without another try. moved says that it did not see what holds objects that were live, as it
// was elsewhere before. Where these are few and large, h is what holds all the others, though ok is false.
func searchOnce(ctx context.Context, t *goruntime.Target, of Wanted, pause func()) (h Holder, ok, moved bool) {
	t.Table.Image.ResetWork()
	s := &search{Target: t, nodes: make(map[procmem.Hidden]*graph.Node), pages: make([]uint64, pageBits/64),
		block: make([]byte, procmem.Chunk), batch: goruntime.NewBatch(t), pause: pause, choose: of.Choose}
	s.roots.Target, s.stack = t, linetable.Frames{Table: t.Table, UsesLink: t.UsesLink}
	s.names = names.Read(t, pause)
	if s.spans, ok = heap.ReadSpans(ctx, t); !ok || !s.forget() {
		return h, false, true
	}
	s.names.Unnamed, s.closures.Names = rtype.Unnamed{Target: t, Spans: s.spans}, s.names
	if len(s.names.Symbols.All) == 0 {
		s.names.Code = names.ReadReferences(ctx, t, pause)
	}
	all := s.spans.ReadSpecials(ctx, t, of.Buckets, s.roots.NoteFinalizer)
	s.roots.Sort()
	if of.Buckets == nil {
		all = s.roots.Of(of.Types)
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
		if held := s.held(graph.Strong); 2*held > len(s.objects) && ctx.Err() == nil {
			if h, ok := s.verdict(ctx, graph.Strong); ok || held == len(s.objects) {
				return h, ok, false
			}
		}
		if !hasNearest && 2*s.held(graph.Middle) > len(s.objects) && ctx.Err() == nil {
			nearest, hasNearest = s.verdict(ctx, graph.Middle)
		}
		s.fromHeap(ctx)
	}
	for _, rootOf := range []func(*graph.Node) *graph.Root{graph.Strong, graph.Middle, graph.Weak} {
		if ctx.Err() != nil {
			break
		}
		if h, ok = s.verdict(ctx, rootOf); ok && ctx.Err() == nil {
			return h, true, false
		}
	}
	lost := float64(len(s.objects) - s.held(graph.Weak))
	moved = lost > 0 && h.Share*float64(len(s.objects))+lost > float64(len(s.objects))/2
	if hasNearest || !moved || ctx.Err() != nil {
		return nearest, hasNearest, moved // also where there was no time to search further away
	}
	return s.holderOfRest(ctx), false, true
}

// holderOfRest returns what holds all objects that something holds, if they are few and large.
func (s *search) holderOfRest(ctx context.Context) Holder {
	var rest []uint64
	s.objects = slices.DeleteFunc(slices.Clone(s.objects), func(n *graph.Node) bool {
		return n.Nearest(graph.Weak) == nil
	})
	for _, n := range s.objects {
		rest = append(rest, n.Base.Address())
	}
	if s.minVotes = s.minVotesFor(rest); s.minVotes > len(rest) || len(rest) >= minVotes {
		return Holder{}
	}
	for _, rootOf := range []func(*graph.Node) *graph.Root{graph.Strong, graph.Middle, graph.Weak} {
		if h, ok := s.verdict(ctx, rootOf); ok && ctx.Err() == nil {
			return h
		}
	}
	return Holder{}
}

// held counts the objects that are held by roots of a kind.
func (s *search) held(rootOf func(*graph.Node) *graph.Root) (n int) {
	for _, o := range s.objects {
		if o.Nearest(rootOf) != nil {
			n++
		}
	}
	return n
}

// fromTimers searches the frontier for timers.
func (s *search) fromTimers() {
	for _, n := range s.frontier {
		if at, ok := s.roots.TimerIn(n.Base.Address(), n.End.Address()); ok {
			n.Weak = &graph.Root{Timer: procmem.Hide(at)}
		}
	}
}

// fromVariables searches for variables that point into the frontier, except the runtime's own, which are not
// informative.
func (s *search) fromVariables(ctx context.Context) {
	for _, part := range [][2]uint64{{s.Module.Values, s.Module.ValuesEnd}, {s.Module.Zeros, s.Module.ZerosEnd}} {
		s.words(ctx, max(part[0], s.Module.Data)&^7, min(part[1], s.Module.DataEnd), func(place uint64, n *graph.Node) {
			if n.Root == nil && s.names.IsRoot(place) {
				n.Root = &graph.Root{Variable: procmem.Hide(place)}
			}
		})
	}
}

// fromStacks searches for stacks that point into the frontier.
func (s *search) fromStacks(ctx context.Context) {
	b := s.batch
	list := s.goroutines
	for len(list) > 0 && ctx.Err() == nil {
		some := list[:min(goruntime.BatchSize, len(list))]
		list = list[len(some):]
		b.Read(some)
		for i := range b.Goroutines {
			g := b.Goroutines[i]
			if b.Ends[i] != linetable.Walked || s.IsSystem(&g) || g.High-g.SP > linetable.MaxStack || s.searches(&g) {
				continue
			}
			application, resolved := false, false
			s.words(ctx, s.ownFrames(&g), g.High, func(place uint64, n *graph.Node) {
				at := s.stack.Of(place)
				if known := cmp.Or(n.Root, n.Library); known != nil && known.Goroutine != nil &&
					known.Goroutine.At == g.At && at >= 0 {
					known.Note(s.stack.SlotAt(at, place))
				}
				if n.Root != nil || s.stack.IsDead(at, place) {
					return
				}
				if !resolved {
					resolved = true
					_, application = s.choose(s.framesOf(s.stack.PCs))
				}
				if n.Library != nil && !application {
					return
				}
				r := &graph.Root{Goroutine: &g, PCs: slices.Clone(s.stack.PCs[max(0, at):])}
				if at >= 0 {
					r.Note(s.stack.SlotAt(at, place))
				}
				if application {
					n.Root = r
				} else {
					n.Library = r
				}
			})
		}
	}
}

// reads is what the frames of a goroutine that looks through the memory have in common.
const reads = "github.com/mdzesseis/leaktrend/sampler/outside"

// searches reports whether a goroutine is the one that searches the memory of its own process: it is read while it is
// in the call of the system that reads, and its stack is full of addresses that it has found.
func (s *search) searches(g *goruntime.Goroutine) bool {
	if g.State != goruntime.InSyscall || !s.ReadAt(g.SP, s.block[:g.High-g.SP]) {
		return false
	}
	s.unwind(g)
	return slices.ContainsFunc(s.stack.PCs, func(pc uint64) bool {
		frames, _ := s.Table.At(pc)
		return slices.ContainsFunc(frames, func(f linetable.Frame) bool { return strings.HasPrefix(f.Function, reads) })
	})
}

// unwind walks the stack of a goroutine that was read.
func (s *search) unwind(g *goruntime.Goroutine) {
	f := &s.stack
	f.SPs = f.SPs[:0]
	f.PCs, _ = s.Table.Unwind(g.PC, g.SP, g.SP, g.Top, s.block[:g.High-g.SP], s.UsesLink, f.PCs[:0], &f.SPs)
}

// framesOf returns the functions of a stack; nil where they are not certain.
func (s *search) framesOf(pcs []uint64) (all []linetable.Frame) {
	for _, pc := range pcs {
		some, ok := s.Table.At(pc)
		if !ok {
			return nil
		}
		all = append(all, some...)
	}
	return all
}

// ownFrames returns where the frames of a stack start that are not the runtime's: the runtime's point to the scheduler,
// which refers to everything.
func (s *search) ownFrames(g *goruntime.Goroutine) uint64 {
	if g.High-g.SP > linetable.MaxStack || !s.ReadAt(g.SP, s.block[:g.High-g.SP]) {
		return g.High
	}
	s.unwind(g)
	for i, pc := range s.stack.PCs {
		frames, ok := s.Table.At(pc)
		if !ok {
			return g.High
		}
		for _, f := range frames {
			if !strings.HasPrefix(f.Function, "runtime.") {
				return s.stack.SPs[i]
			}
		}
	}
	return g.High
}

// forget leaves out what belongs to the scheduler: it refers to everything, and holds nothing. False where it is not
// known.
func (s *search) forget() bool {
	var ok bool
	if s.goroutines, ok = s.List(); !ok {
		return false
	}
	for _, at := range s.goroutines {
		s.nodes[procmem.Hide(at)] = new(graph.Node)
	}
	ok = s.readProcessors()
	s.scheduler = len(s.nodes)
	return ok
}

// full reports whether the maximum of objects on the ways is reached.
func (s *search) full() bool { return len(s.nodes)-s.scheduler > MaxNodes }

// fromHeap searches for objects that point into the frontier: they are the next frontier.
func (s *search) fromHeap(ctx context.Context) {
	s.frontier = nil
	for i := range s.spans {
		h := &s.spans[i]
		if !h.Pointers || s.full() {
			continue
		}
		s.words(ctx, h.Start, h.End, func(place uint64, n *graph.Node) {
			base, end, ok := s.spans.Object(place)
			if !ok || procmem.Hide(base) == n.Base || n.Root != nil {
				return
			}
			holder := s.nodes[procmem.Hide(base)]
			if holder == nil {
				if s.full() {
					return
				}
				holder = &graph.Node{Base: procmem.Hide(base), End: procmem.Hide(end)}
				s.nodes[holder.Base] = holder
				s.frontier = append(s.frontier, holder)
			}
			if holder.Base == 0 {
				return
			}
			if !slices.Contains(n.Up, holder) {
				n.Up = append(n.Up, holder)
				if i, ok := s.roots.FinalizerIn(base, end); ok && n.Weak == nil {
					n.Weak = &graph.Root{Finalizer: i}
				}
			}
		})
	}
}

// minVotes is how many objects one holder has to hold, besides more than half of those that were searched for, unless
// they are large.
const minVotes = 3

// verdict names what holds most of the objects.
func (s *search) verdict(ctx context.Context, rootOf func(*graph.Node) *graph.Root) (best Holder, ok bool) {
	holders := make(map[string]*Holder)
	held := make(map[string][]*graph.Node)
	roots := make(map[string]*graph.Root)
	for _, o := range s.objects {
		r := o.Nearest(rootOf)
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
	if s.names.Code != nil && h.Variable != "" {
		h.Variable = s.names.Users(roots[winner].Variable.Address())
	}
	h.Local = paths.LocalOf(s.names, s.batch, votes, rootOf, h.At.Function)
	if len(h.Path) > 0 && h.Variable != "" && h.Path[0].Type == "" {
		h.Path[0].Name, h.Path[0].Type = h.Variable, h.Type
	}
	h.settle()
	return h, true
}

// path returns the way that most of some objects have from what keeps them alive.
func (s *search) path(ctx context.Context, objects []*graph.Node, rootOf func(*graph.Node) *graph.Root,
	at linetable.Frame) []paths.Step {
	t := paths.Tracer{Names: s.names, Closures: &s.closures, Spans: s.spans, Batch: s.batch, Block: s.block,
		Pause:    s.pause,
		Searched: len(s.objects), RootOf: rootOf, At: at}
	return t.Path(ctx, objects)
}

// holderOf names a root; nothing where it is gone, or not informative.
func (s *search) holderOf(ctx context.Context, r *graph.Root) Holder {
	switch {
	case r.Goroutine != nil:
		h := Holder{Entries: -1, Frames: s.holderFrames(r)}
		if h.Frames != nil {
			h.At, _ = s.choose(h.Frames)
		}
		return h
	case r.Variable != 0:
		v := s.names.Variable(r.Variable.Address())
		return Holder{Variable: v.Name, Type: v.Type, Entries: v.Entries}
	case r.Timer != 0:
		call, n := s.roots.ByTimer(ctx, r.Timer.Address(), s.pause)
		return Holder{Timer: call, Entries: n}
	}
	kind, n := s.roots.ByFinalizer(r.Finalizer)
	return Holder{Finalizer: kind, Entries: n}
}

// holderFrames returns the stack of a goroutine from the function that holds the object to the outermost; nil where it
// has returned by now.
func (s *search) holderFrames(r *graph.Root) []linetable.Frame {
	b := s.batch
	b.Read([]uint64{r.Goroutine.At})
	stack := b.PCs[0]
	if b.Ends[0] != linetable.Walked || b.Goroutines[0].ID != r.Goroutine.ID || len(stack) < len(r.PCs) ||
		!slices.Equal(stack[len(stack)-len(r.PCs):], r.PCs) {
		return nil
	}
	return s.framesOf(r.PCs)
}

// settle makes the result fit to be shown. A container that is the holder has the same number of entries everywhere in
// the result, though it may have grown between two reads.
func (h *Holder) settle() {
	fit := func(all ...*string) {
		for _, text := range all {
			*text = names.Shown(*text)
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
