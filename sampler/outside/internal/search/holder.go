package search

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/graph"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/heap"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/linetable"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/names"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/roots"
)

const (
	MaxVotes  = 32      // objects of a line whose holders are searched for
	MaxNodes  = 1 << 14 // objects on the ways to them
	maxPasses = 12      // through the memory: steps from an object to what holds it. There may be more of them...
	maxRead   = 4 << 30 // ...as long as fewer bytes were searched: long lists
	pageBits  = 1 << 20
)

// search goes from some objects back to what holds them, by passes through the memory that may point to them.
type search struct {
	*goruntime.Target
	spans      heap.Spans
	nodes      map[procmem.Hidden]*graph.Node
	scheduler  int           // of the nodes that belong to it
	all        []*graph.Node // nodes by address
	pages      []uint64      // bits of the pages that have one of them, modulo pageBits
	objects    []*graph.Node
	minVotes   int // of them that one has to hold
	frontier   []*graph.Node
	names      *names.Names
	closures   names.Closures
	block      []byte
	batch      *goruntime.Batch
	goroutines []uint64         // descriptors
	stack      linetable.Frames // that was unwound last
	choose     Chooser
	roots      roots.Roots
	read       uint64 // bytes that were searched
	pause      func() // called after each chunk; may be nil
}

// largeSamples is of how many samples' worth the few objects of a line are that make up most of its memory: of others,
// which are smaller, as much would have been sampled.
const largeSamples = 4

// survivors returns those of some objects, which are sorted, that were there after a collection: what a line has
// allocated since may be garbage already. Where they are too few it returns all.
func (s *search) survivors(all []uint64) []uint64 {
	if old := s.spans.Survivors(s.Target, all); len(old) >= s.minVotesFor(old) {
		return old
	}
	return all
}

// minVotesFor returns how many of some objects have to be held by one: all of them where they are few and large.
func (s *search) minVotesFor(objects []uint64) int {
	rate, ok := s.Rate()
	if len(objects) == 0 || len(objects) >= minVotes || !ok || rate == 0 || rate > heap.MaxScanned {
		return minVotes
	}
	size := uint64(0)
	for _, at := range objects {
		if base, end, ok := s.spans.Object(at); ok {
			size += end - base
		}
	}
	if size < largeSamples*rate {
		return minVotes
	}
	return len(objects)
}

// addTargets adds some of the objects at these addresses, evenly spread, to those whose holders are searched for. The
// addresses are sorted.
func (s *search) addTargets(all []uint64) bool {
	for i := range min(MaxVotes, len(all)) {
		base, end, ok := s.spans.Object(all[i*len(all)/min(MaxVotes, len(all))])
		if !ok || s.nodes[procmem.Hide(base)] != nil {
			continue
		}
		n := &graph.Node{Base: procmem.Hide(base), End: procmem.Hide(end)}
		s.nodes[n.Base] = n
		s.objects = append(s.objects, n)
	}
	s.minVotes = s.minVotesFor(all)
	s.frontier = s.objects
	return len(s.objects) > 0
}

// index makes the frontier ready to be looked up by address.
func (s *search) index() {
	s.all = slices.Clone(s.frontier)
	slices.SortFunc(s.all, func(a, b *graph.Node) int { return cmp.Compare(a.Base.Address(), b.Base.Address()) })
	clear(s.pages)
	for _, n := range s.all {
		last := (n.End.Address() - 1) >> heap.PageShift
		for page := max(n.Base.Address()>>heap.PageShift, last-min(last, pageBits)); page <= last; page++ {
			s.pages[page%pageBits/64] |= 1 << (page % 64)
		}
	}
}

// at returns the node of the frontier that an address is in.
func (s *search) at(address uint64) *graph.Node {
	if page := address >> heap.PageShift; s.pages[page%pageBits/64]&(1<<(page%64)) == 0 {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.all, address, func(n *graph.Node, at uint64) int {
		return cmp.Compare(n.Base.Address(), at)
	})
	if !found {
		i--
	}
	if i < 0 || address >= s.all[i].End.Address() {
		return nil
	}
	return s.all[i]
}

// words searches a part of the memory, and calls visit for the places that point into the frontier.
func (s *search) words(ctx context.Context, from, to uint64, visit func(place uint64, n *graph.Node)) {
	low, high := s.all[0].Base.Address(), s.all[len(s.all)-1].End.Address()
	for from < to && ctx.Err() == nil {
		b := s.block[:min(procmem.Chunk, to-from)]
		s.read += uint64(len(b))
		if s.ReadAt(from, b) {
			for i := 0; i+8 <= len(b); i += 8 {
				word := binary.LittleEndian.Uint64(b[i:])
				if word < low || word >= high {
					continue
				}
				if n := s.at(word); n != nil {
					visit(from+uint64(i), n)
				}
			}
		}
		from += uint64(len(b))
		if s.pause != nil {
			s.pause()
		}
	}
}

// readProcessors leaves out what belongs to the scheduler: it refers to everything, and holds nothing. It keeps the
// timers. False where it is not known.
func (s *search) readProcessors() bool {
	var head [16]byte
	if at := s.Places[goruntime.Processors]; at == 0 || !s.ReadAt(at, head[:]) {
		return false
	}
	n := binary.LittleEndian.Uint64(head[8:])
	if n == 0 || n > roots.MaxProcessors {
		return false
	}
	list := make([]byte, 8*n)
	if !s.ReadAt(binary.LittleEndian.Uint64(head[:]), list) {
		return false
	}
	for ; len(list) >= 8; list = list[8:] {
		at := binary.LittleEndian.Uint64(list)
		base, _, ok := s.spans.Object(at)
		if !ok {
			return false
		}
		s.nodes[procmem.Hide(base)] = new(graph.Node)
		s.roots.ReadTimers(at, s.block)
	}
	slices.Sort(s.roots.Timers)
	return true
}
