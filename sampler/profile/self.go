package profile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxPlaces = 1 << 14 // stacks that are remembered
	// keptRecords is how many records' memory is kept for the next profile: 256 bytes each for goroutines. Beyond it
	// memory is allocated again.
	keptRecords = 1 << 13
)

// Self reads the profiles of the process that it runs in. It is not safe for concurrent use, and what it returns is
// valid until the next call for the same kind.
//
// The heap is known as far as runtime.MemProfileRate samples it. That it is read at all keeps the linker from turning
// the sampling off.
type Self struct {
	goroutines []runtime.StackRecord
	memory     []runtime.MemProfileRecord
	readers    map[Kind]*reader
	pauses     pauses
	cycles     [1]metrics.Sample
}

// NewSelf returns a reader of this process's profiles.
func NewSelf() *Self {
	s := &Self{readers: make(map[Kind]*reader), pauses: newPauses()}
	s.cycles[0].Name = "/gc/cycles/total:gc-cycles"
	return s
}

// Profile takes a profile. It fails with ErrUnsupported where there is none of that kind: GoroutineLeak is part of Go
// 1.27, and of Go 1.26 in a build with GOEXPERIMENT=goroutineleakprofile; Heap is missing when runtime.MemProfileRate
// is 0. A Goroutine profile stops the world twice for a moment; Heap does not stop it; GoroutineLeak runs a garbage
// collection.
func (s *Self) Profile(_ context.Context, kind Kind) (*Profile, error) {
	r := s.reader(kind, false)
	runtime.LockOSThread() // whose processor time is read
	defer runtime.UnlockOSThread()
	s.pauses.longest() // what was before does not count
	used, known := threadTime()
	start := time.Now()
	r.begin(start)
	var err error
	switch kind {
	case Goroutine:
		s.readGoroutines(r)
	case GoroutineLeak:
		err = readText(kind, "", r.add)
	case Heap, Allocs:
		err = s.readMemory(r)
	default:
		err = ErrUnsupported
	}
	if err != nil {
		return nil, err
	}
	p := r.end()
	p.Cost = Cost{Elapsed: time.Since(start), Pause: s.pauses.longest()}
	p.Cost.CPU = p.Cost.Elapsed
	if after, ok := threadTime(); ok && known {
		p.Cost.CPU = after - used
	}
	return p, nil
}

// Labelled takes a profile of the goroutines that carry a label of runtime/pprof: who starts a goroutine passes on its
// labels. kind is Goroutine or GoroutineLeak, of which there is none where Profile has none. Its cost is not reported.
func (s *Self) Labelled(kind Kind, key, value string) (*Profile, error) {
	if kind == Heap {
		return nil, ErrUnsupported
	}
	r := s.reader(kind, true)
	r.begin(time.Now())
	if err := readText(kind, strconv.Quote(key)+":"+strconv.Quote(value), r.add); err != nil {
		return nil, err
	}
	return r.end(), nil
}

// reader returns what gathers the profiles of a kind, of all goroutines or of those with a label.
func (s *Self) reader(kind Kind, labelled bool) *reader {
	key := kind
	if labelled {
		key += " with a label"
	}
	r := s.readers[key]
	if r == nil {
		r = newReader(kind)
		s.readers[key] = r
	}
	return r
}

// Raw takes a profile in pprof's own format, compressed, as files of profiles are.
func (s *Self) Raw(_ context.Context, kind Kind) ([]byte, error) {
	p := pprof.Lookup(string(kind))
	if p == nil || kind == Heap && runtime.MemProfileRate == 0 {
		return nil, ErrUnsupported
	}
	var b bytes.Buffer
	if err := p.WriteTo(&b, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (s *Self) readGoroutines(r *reader) {
	for want := runtime.NumGoroutine(); ; {
		if want > len(s.goroutines) {
			s.goroutines = make([]runtime.StackRecord, want+want/10+10)
		}
		n, ok := runtime.GoroutineProfile(s.goroutines)
		if !ok {
			want = n
			continue
		}
		addGoroutines(r, s.goroutines[:n])
		break
	}
	if len(s.goroutines) > keptRecords {
		s.goroutines = nil
	}
}

func (s *Self) readMemory(r *reader) error {
	rate := float64(runtime.MemProfileRate)
	if rate <= 0 {
		return ErrUnsupported
	}
	for want := 0; ; {
		if want > len(s.memory) {
			s.memory = make([]runtime.MemProfileRecord, want+want/10+50)
		}
		n, ok := runtime.MemProfile(s.memory, r.kind == Allocs)
		if !ok {
			want = n
			continue
		}
		if r.kind == Allocs {
			addAllocs(r, s.memory[:n], rate)
		} else {
			addHeap(r, s.memory[:n], rate)
		}
		break
	}
	if len(s.memory) > keptRecords {
		s.memory = nil
	}
	metrics.Read(s.cycles[:])
	if s.cycles[0].Value.Kind() == metrics.KindUint64 {
		r.profile.GC = s.cycles[0].Value.Uint64()
	}
	r.profile.Resolution = rate
	return nil
}

// Scaled returns what the sampled objects of a stack represent, where one is sampled for each rate bytes. An allocation
// of size s is sampled with the chance 1 - exp(-s/rate), as the bytes between two samples are exponentially distributed
// (runtime/pprof, scaleHeapSample).
func Scaled(count, size, rate float64) (objects, bytes float64) {
	if count <= 0 || size <= 0 {
		return 0, 0
	}
	if rate <= 1 {
		return count, size
	}
	factor := 1 / -math.Expm1(-size/count/rate)
	return count * factor, size * factor
}

// readText reads the stacks of a profile from its text; that of leaked goroutines runs the collection that finds them.
// label is that of readCounts.
func readText(kind Kind, label string, add func(pcs []uintptr, count, size float64)) error {
	p := pprof.Lookup(string(kind))
	if p == nil {
		return ErrUnsupported
	}
	var text bytes.Buffer
	if err := p.WriteTo(&text, 1); err != nil {
		return err
	}
	return readCounts(&text, label, add)
}

// readCounts reads the legacy text form of a profile, with lines as in "2 @ 0x4711 0x4811" for counts, and as in "2: 64
// [3: 96] @ 0x4711" for the heap: objects and bytes that are there, and in brackets that were allocated. Each is
// followed by a line as in `# labels: {"k":"v"}` where there are labels. Where label is not empty, as in `"k":"v"`, it
// takes only the stacks that have it.
func readCounts(text io.Reader, label string, add func(pcs []uintptr, count, size float64)) error {
	all, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	lines := strings.Split(string(all), "\n")
	for i, line := range lines {
		head, stack, found := strings.Cut(strings.TrimSpace(line), " @")
		if !found || strings.HasPrefix(head, "#") || label != "" &&
			(i+1 == len(lines) || !hasLabel(lines[i+1], label)) {
			continue
		}
		objects, rest, isHeap := strings.Cut(head, ": ")
		count, err := strconv.ParseUint(objects, 10, 32)
		if err != nil {
			return fmt.Errorf("profile: line %d: %q is not a count", i+1, head)
		}
		size := uint64(0)
		if isHeap {
			used, _, _ := strings.Cut(rest, " [")
			if size, err = strconv.ParseUint(used, 10, 63); err != nil {
				return fmt.Errorf("profile: line %d: %q is not a number of bytes", i+1, used)
			}
		}
		var pcs []uintptr
		for _, word := range strings.Fields(stack) {
			pc, err := strconv.ParseUint(word, 0, strconv.IntSize)
			if err != nil {
				return fmt.Errorf("profile: line %d: %q is not a program counter", i+1, word)
			}
			pcs = append(pcs, uintptr(pc))
		}
		add(pcs, float64(count), float64(size))
	}
	return nil
}

// hasLabel reports whether a line of a profile has a label among those of its stack.
func hasLabel(line, label string) bool {
	labels, found := strings.CutPrefix(line, "# labels: {")
	return found && (strings.HasPrefix(labels, label) || strings.Contains(labels, ", "+label))
}

// reader gathers the stacks of one kind of profile into sites, and remembers which stack belongs to which site.
type reader struct {
	kind    Kind
	places  map[uint64]*place
	entries map[Frame]*entry
	round   int
	profile Profile
	touched []*entry
}

// place is a stack and its site.
type place struct {
	pcs          []uintptr
	site         Site
	entry        *entry
	round        int
	count, bytes float64 // in that round
}

// entry is a site with its stacks.
type entry struct {
	places       []*place
	round        int
	count, bytes float64
	top          *place  // of this round
	frames       []Frame // of another process, instead of places
}

func newReader(kind Kind) *reader {
	return &reader{kind: kind, places: make(map[uint64]*place), entries: make(map[Frame]*entry)}
}

func (r *reader) begin(at time.Time) {
	if len(r.places) > maxPlaces {
		clear(r.places)
		clear(r.entries)
	}
	r.round++
	r.touched = r.touched[:0]
	r.profile = Profile{Kind: r.kind, Time: at.UTC(), Sites: r.profile.Sites[:0]}
}

func (r *reader) add(pcs []uintptr, count, size float64) {
	if count == 0 {
		return
	}
	p := r.placeOf(pcs)
	if p.round != r.round {
		p.round, p.count, p.bytes = r.round, 0, 0
	}
	p.count += count
	p.bytes += size
	e := p.entry
	if e.round != r.round {
		e.round, e.count, e.bytes, e.top = r.round, 0, 0, p
		r.touched = append(r.touched, e)
	}
	e.count += count
	e.bytes += size
	if p.bytes > e.top.bytes || p.bytes == e.top.bytes && p.count > e.top.count {
		e.top = p
	}
	r.profile.Count += count
	r.profile.Bytes += size
}

// placeOf returns the place of a stack, a new one where it was not seen before.
func (r *reader) placeOf(pcs []uintptr) *place {
	h := hash(pcs)
	p := r.places[h]
	if p == nil {
		p = r.resolve(pcs)
		r.places[h] = p
	}
	return p
}

func (r *reader) resolve(pcs []uintptr) *place {
	p := &place{pcs: slices.Clone(pcs), site: siteOf(symbolize(pcs), r.kind)}
	e := r.entries[p.site.Frame]
	if e == nil {
		e = new(entry)
		r.entries[p.site.Frame] = e
	}
	e.places = append(e.places, p)
	p.entry = e
	return p
}

func (r *reader) end() *Profile {
	for _, e := range r.touched {
		s := e.top.site
		s.Count, s.Bytes, s.entry = e.count, e.bytes, e
		r.profile.Sites = append(r.profile.Sites, s)
	}
	r.profile.sort()
	return &r.profile
}

// Stacks returns the stacks of a site of this process, at most n of them, those with the most there first. It must be
// called before the next profile of its kind is taken.
func (s Site) Stacks(n int) []Stack {
	if s.entry == nil {
		return nil
	}
	var all []Stack
	for _, p := range s.entry.places {
		if p.round == s.entry.round {
			all = append(all, Stack{p.pcs, p.count, p.bytes})
		}
	}
	sortStacks(all)
	return all[:min(n, len(all))]
}

// Frames returns the stack of a site on which most is, innermost frame first. It must be called before the next profile
// of its kind is taken.
func (s Site) Frames() []Frame {
	if s.entry != nil && s.entry.frames != nil {
		return s.entry.frames
	}
	for _, k := range s.Stacks(1) {
		return k.Frames()
	}
	return nil
}

// Frames returns the functions of a stack of this process, innermost first.
func (s Stack) Frames() []Frame { return symbolize(s.PCs) }

func symbolize(pcs []uintptr) []Frame {
	if len(pcs) == 0 {
		return nil
	}
	var stack []Frame
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		stack = append(stack, Frame{f.Function, f.File, f.Line})
		if !more {
			return stack
		}
	}
}

// hash identifies a stack: FNV-1a by words, with the high half folded in.
func hash(pcs []uintptr) uint64 {
	h := uint64(14695981039346656037)
	for _, pc := range pcs {
		h = (h ^ uint64(pc)) * 1099511628211
		h ^= h >> 32
	}
	return h
}

// pauses returns the longest stop of the world since its last call.
type pauses struct {
	sample [1]metrics.Sample
	counts []uint64
}

func newPauses() pauses {
	var p pauses
	p.sample[0].Name = "/sched/pauses/total/other:seconds" // other than for collections
	return p
}

func (p *pauses) longest() (longest time.Duration) {
	metrics.Read(p.sample[:])
	if p.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := p.sample[0].Value.Float64Histogram()
	for i, n := range h.Counts {
		if i < len(p.counts) && n > p.counts[i] {
			bound := h.Buckets[i+1]
			if math.IsInf(bound, 1) {
				bound = h.Buckets[i]
			}
			longest = time.Duration(bound * 1e9)
		}
	}
	p.counts = append(p.counts[:0], h.Counts...)
	return longest
}
