// Package breakdown breaks down the descriptors, the threads and the resident memory of a process, in groups that
// people recognize, and which of the groups grew. It reads one process at one instant; when to look, and what to keep,
// is for the caller.
package breakdown

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Breakdown is what the descriptors, the threads or the resident memory of a process were at one instant. It holds
// counts by kind, of bounded size, and does not change once it was made.
type Breakdown struct {
	Time     time.Time
	Resource string // OpenFDs, Threads or RSSBytes
	Total    int    // how many there were
	// how many were read. Where reading all would take too long they are fewer than Total, drawn at random.
	Seen int

	unit   float64           // of the counts, in that of the resource; 0 means 1
	notes  map[string]string // on groups
	counts map[string]int    // of those that were read, by labels from the general to the special, joined by separator
	split  bool              // whether a runtime split its memory by use
	cuts   map[string]int    // number of labels that are left, by first label, where groups were folded
}

// Part is one kind of descriptors, threads or memory, whose figures are bytes then. Where not all were read, its
// figures are estimates.
type Part struct {
	What   string  // as in tcp, unix, file, "deleted file", pipe, eventfd, thread
	Detail string  // as in "CLOSE_WAIT to 10.0.0.5:5432" or "in /var/spool"; empty where there is none
	Count  float64 // how many there are
	Growth float64 // how many more than before; 0 where before is not known
	Share  float64 // of the growth, or of the total where before is not known; 0 to 1
}

// Examined is a process whose parts can be read: the Source that samples it.
type Process interface {
	// ProcDir is the directory of the process in the proc file system.
	ProcDir() string
	// Alive returns an error once the process has ended, also when its id has passed to another one.
	Alive() error
}

// GoMemory is what the runtime of a Go program knows of its memory, in bytes.
type GoMemory struct {
	Live float64 // by the latest collection
	// Objects are what is live by the latest collection and what was allocated since, live or garbage; 0 where that is
	// not known.
	Objects float64
	InUse   float64 // spans of the heap, with what is free in them
	Free    float64 // freed, and not returned to the system
	Stacks  float64 // of goroutines
	Own     float64 // of the runtime itself
	GOGC    float64 // in percent; negative for off
	Limit   float64 // GOMEMLIMIT; 0 for none
	// Arenas are the addresses at which the heap is, each from and to; none where that is not known.
	Arenas [][2]uint64
}

// goProcess is a Process whose runtime may split its memory by use, such as a Go program that is read from outside.
type goProcess interface {
	GoMemory() (m GoMemory, ok bool)
}

const (
	separator = "\x00"
	// maxGroups is how many groups a Breakdown keeps. Beyond it, the kind with the most groups loses its most special
	// label.
	maxGroups = 500
	maxLabels = 24
	// minShare is the share below which a group counts for the group above it and is no part by itself.
	minShare = 0.1
	// minErrors is how many standard errors of the estimates a growth must have.
	minErrors = 3
	maxDetail = 200 // bytes
)

func newBreakdown(resource string, at time.Time) *Breakdown {
	return &Breakdown{Resource: resource, Time: at, counts: make(map[string]int), cuts: make(map[string]int)}
}

// add counts n that were read.
func (b *Breakdown) add(n int, labels ...string) {
	b.Seen += n
	b.counts[strings.Join(labels[:min(len(labels), maxLabels)], separator)] += n
}

// Split reports whether the runtime of a Go program split its memory by use. Where it did so in one of two alone, what
// the program has in anonymous memory is compared as a whole.
func (b *Breakdown) Split() bool { return b.split }

// Has reports whether there was anything of one kind, as in "Go heap".
func (b *Breakdown) Has(what string) bool {
	for key := range b.counts {
		if prefix(key, 1) == what {
			return true
		}
	}
	return false
}

// note adds a note to a group; it goes into the detail of its part.
func (b *Breakdown) note(text string, labels ...string) {
	if b.notes == nil {
		b.notes = make(map[string]string)
	}
	b.notes[strings.Join(labels, separator)] = text
}

// fold shortens labels until no more than limit groups are left, or none can be shortened.
func (b *Breakdown) fold(limit int) {
	for len(b.counts) > limit {
		groups, depths := make(map[string]int), make(map[string]int)
		for key := range b.counts {
			what := prefix(key, 1)
			groups[what]++
			depths[what] = max(depths[what], 1+strings.Count(key, separator))
		}
		widest := ""
		for what, n := range groups {
			if depths[what] > 1 && (n > groups[widest] || n == groups[widest] && what < widest) {
				widest = what
			}
		}
		if widest == "" {
			return
		}
		b.cut(widest, depths[widest]-1)
	}
}

// cut leaves the groups of one kind no more than n labels.
func (b *Breakdown) cut(what string, n int) {
	b.cuts[what] = n
	counts := make(map[string]int, len(b.counts))
	for key, count := range b.counts {
		if prefix(key, 1) == what {
			key = prefix(key, n)
		}
		counts[key] += count
	}
	b.counts = counts
}

// cutLike returns b folded as other is, so that their groups can be compared.
func (b *Breakdown) cutLike(other *Breakdown) *Breakdown {
	c := *b
	c.cuts = make(map[string]int)
	for what, n := range other.cuts {
		c.cut(what, n)
	}
	return &c
}

// unsplit returns b as if no runtime had split its memory by use or reported where its heap is.
func (b *Breakdown) unsplit() *Breakdown {
	c := *b
	c.notes, c.counts = nil, make(map[string]int, len(b.counts))
	for key, count := range b.counts {
		switch prefix(key, 1) {
		case whatGoHeap, whatStacks, whatRuntime:
			key = whatAnonymous
		}
		c.counts[key] += count
	}
	return &c
}

// prefix returns the first n labels of a key.
func prefix(key string, n int) string {
	for i := range len(key) {
		if key[i] == separator[0] {
			if n--; n == 0 {
				return key[:i]
			}
		}
	}
	return key
}

// parent returns a key without its last label.
func parent(key string) (string, bool) {
	i := strings.LastIndexByte(key, separator[0])
	return key[:max(i, 0)], i >= 0
}

// group is a node of the tree of labels.
type group struct {
	key         string
	now, before float64
	variance    float64 // of the growth, as the estimate that it is
	partNow     float64 // of now and before, what parts below hold
	partBefore  float64
}

func (g *group) growth() float64 { return g.now - g.before }

// tree returns the groups and all above them, the most special first.
func tree(now, before *Breakdown) []*group {
	groups := make(map[string]*group)
	at := func(key string) *group {
		g := groups[key]
		if g == nil {
			g = &group{key: key}
			groups[key] = g
		}
		return g
	}
	for key, n := range now.counts {
		for above := true; above; key, above = parent(key) {
			at(key).now += float64(n)
		}
	}
	if before != nil {
		for key, n := range before.counts {
			for above := true; above; key, above = parent(key) {
				at(key).before += float64(n)
			}
		}
	}
	list := make([]*group, 0, len(groups))
	for _, g := range groups {
		var v float64
		g.now, v = now.estimate(g.now)
		g.variance += v
		if before != nil {
			g.before, v = before.estimate(g.before)
			g.variance += v
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *group) int {
		return cmp.Or(
			cmp.Compare(strings.Count(b.key, separator), strings.Count(a.key, separator)),
			strings.Compare(a.key, b.key),
		)
	})
	return list
}

// estimate returns how many of all are in a group of which n were read, and the variance of that: of a draw without
// replacement.
func (b *Breakdown) estimate(n float64) (count, variance float64) {
	if b.Seen == 0 || b.Seen >= b.Total {
		return n, 0
	}
	seen, total := float64(b.Seen), float64(b.Total)
	// One more in the group and one more outside keep a group that was not drawn from looking certain.
	p := (n + 1) / (seen + 2)
	return n * total / seen, total * total * p * (1 - p) / seen * (1 - seen/total)
}

// Parts returns what grew since before, by growth, or where before is nil or nothing grew what there is, by count.
//
// Groups form a tree, as in tcp, its states, its ports, its peers. A part is the most special group that holds a tenth
// of the growth or more, without what the parts below it hold (hierarchical heavy hitters; Cormode and others 2003):
// one peer where it is one, the port where it is a hundred peers. Growth that may be an error of the estimate is no
// part.
func (b *Breakdown) Parts(before *Breakdown) []Part {
	if before == nil {
		return b.parts(nil)
	}
	if b.split != before.split {
		b, before = b.unsplit(), before.unsplit()
	}
	if parts := b.cutLike(before).parts(before.cutLike(b)); len(parts) > 0 {
		return parts
	}
	return b.parts(nil)
}

func (b *Breakdown) parts(before *Breakdown) []Part {
	groups := tree(b, before)
	byKey := make(map[string]*group, len(groups))
	all := 0.0
	for _, g := range groups {
		byKey[g.key] = g
		if _, above := parent(g.key); !above {
			all += max(g.growth(), 0)
		}
	}
	var parts []Part
	for _, g := range groups {
		growth := g.growth() - (g.partNow - g.partBefore)
		if growth >= minShare*all && growth > minErrors*math.Sqrt(g.variance) {
			p := Part{Count: g.now - g.partNow, Growth: growth, Share: min(growth/all, 1)}
			p.What, p.Detail = describe(strings.Split(g.key, separator))
			if g.partNow > 0 {
				p.Detail = strings.TrimPrefix(p.Detail+", others", ", ")
			}
			if before == nil {
				p.Growth = 0
			}
			if b.unit != 0 {
				p.Count, p.Growth = b.unit*p.Count, b.unit*p.Growth
			}
			if note := b.notes[g.key]; note != "" {
				p.Detail = strings.TrimPrefix(p.Detail+" ("+note+")", " ")
			}
			parts = append(parts, p)
			g.partNow, g.partBefore = g.now, g.before
		}
		if key, above := parent(g.key); above {
			byKey[key].partNow += g.partNow
			byKey[key].partBefore += g.partBefore
		}
	}
	slices.SortStableFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.What, b.What),
			strings.Compare(a.Detail, b.Detail))
	})
	return parts
}

// Labels of resident memory.
const (
	whatGoHeap    = "Go heap"
	whatStacks    = "goroutine stacks"
	whatRuntime   = "Go runtime"
	whatAnonymous = "anonymous memory"
)

// Labels that describe puts together.
const (
	whatTCP    = "tcp"
	whatUDP    = "udp"
	toPort     = "to port "
	onPort     = "on port "
	whatFile   = "file"
	whatThread = "thread"
)

// describe puts the labels of a group in words.
func describe(labels []string) (what, detail string) {
	what, labels = labels[0], labels[1:]
	switch what {
	case whatTCP, whatUDP:
		// state, port, host
		if len(labels) == 3 {
			if port, ok := strings.CutPrefix(labels[1], toPort); ok {
				labels = []string{labels[0], "to " + joinHostPort(labels[2], port)}
			} else {
				labels = []string{labels[0], labels[1], "from " + labels[2]}
			}
		}
		detail = strings.Join(labels, " ")
	case whatThread:
		// pattern of names, state, name
		if len(labels) == 3 {
			labels = []string{labels[2], labels[1]}
		}
		detail = strings.Join(labels, ", ")
	default:
		detail = strings.TrimSpace(strings.Join(labels, ""))
		if dir, ok := strings.CutSuffix(detail, "/"); ok {
			detail = "in " + cmp.Or(dir, "/")
		}
	}
	return what, printable(detail)
}

func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// printable makes an untrusted name fit for a line of text.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) <= maxDetail {
		return text
	}
	end := maxDetail
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// pathLabels returns the labels of a file: its directories, then its name.
func pathLabels(what, path string) []string {
	labels := []string{what}
	for path != "" {
		i := strings.IndexByte(path, '/') + 1
		if i == 0 {
			i = len(path)
		}
		labels, path = append(labels, path[:i]), path[i:]
	}
	return labels
}
