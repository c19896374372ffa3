package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// maxBatch bounds the values of all metrics of a batch, 64 MB, where it can be divided.
const maxBatch = 8 << 20

// section is a part of the series of one target: those with some values of a label, of which "" is that of the series
// that lack it.
type section struct {
	label  string
	values []string
}

// targetsAtOnce returns how many targets of so many metrics and instants are read together.
func targetsAtOnce(metrics, instants int) int {
	return min(max(pointsAtOnce/(metrics*instants), 1), maxTargets)
}

// sizes are how many targets of each origin are read together, where more were too many. The zero value knows of none.
type sizes struct {
	mu    sync.Mutex
	known map[origin]*limits
}

// limits are what is known of the targets of one origin.
type limits struct {
	refused [][]string      // targets that were too many together
	huge    map[string]bool // those that are too much for one query by themselves
	fitted  int             // targets that were read
}

// size returns how many targets are read together at most; 0 = any number.
func (l *limits) size() (n int) {
	if len(l.huge) > l.fitted {
		return 1
	}
	for _, of := range l.refused {
		if half := (len(of) + 1) / 2; n == 0 || half < n {
			n = half
		}
	}
	return n
}

// of returns what is known of the targets of a batch, which the lock must be held for.
func (s *sizes) of(b *batch) *limits {
	from := origin{b.source, b.part}
	if s.known == nil {
		s.known = map[origin]*limits{}
	}
	if s.known[from] == nil {
		s.known[from] = &limits{huge: map[string]bool{}}
	}
	return s.known[from]
}

// tooMany notes that the targets of a batch are. What one target explains by itself says nothing of the others.
func (s *sizes) tooMany(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of(b)
	if len(b.inner) > 1 {
		if n := l.size(); n == 0 || (len(b.inner)+1)/2 < n {
			l.refused = append(l.refused, b.inner)
		}
		return
	}
	l.huge[b.inner[0]] = true
	l.refused = slices.DeleteFunc(l.refused, func(of []string) bool { return slices.Contains(of, b.inner[0]) })
}

// fitted notes that the targets of a batch were read.
func (s *sizes) fitted(b *batch) {
	if len(b.sections) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(b).fitted += len(b.inner)
}

// fit returns the parts of a batch that are not too many, none where it is one.
func (s *sizes) fit(b *batch) (parts []*batch) {
	if len(b.inner) < 2 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, usual := s.of(b), *b
	usual.inner = nil
	for _, inner := range b.inner {
		if !l.huge[inner] {
			usual.inner = append(usual.inner, inner)
			continue
		}
		alone := *b
		alone.inner = []string{inner}
		parts = append(parts, &alone)
	}
	switch n := l.size(); {
	case n > 0 && len(usual.inner) > n:
		parts = append(usual.chunks(n), parts...)
	case len(parts) > 0 && len(usual.inner) > 0:
		parts = append(parts, &usual)
	}
	return parts
}

// matchersOf returns those of what a batch reads of a metric. What tells of a target as a whole lacks the labels by
// which its series are divided.
func (b *batch) matchersOf(r role) []string {
	matchers := []string{b.matcher(b.source), isOneOf(b.source.inner, b.inner)}
	for _, of := range b.sections {
		values := of.values
		if !r.judged() && !slices.Contains(values, "") {
			values = append(slices.Clip(values), "")
		}
		matchers = append(matchers, isOneOf(of.label, values))
	}
	return matchers
}

// several returns the last section with more than one value, else -1.
func (b *batch) several() int {
	i := len(b.sections) - 1
	for i >= 0 && len(b.sections[i].values) < 2 {
		i--
	}
	return i
}

// indivisible reports whether a batch has one target and, where that is divided, one value of each label.
func (b *batch) indivisible() bool { return len(b.inner) == 1 && b.several() < 0 }

// ofSection reports whether a series belongs to a section of a target alone.
func (b *batch) ofSection(labels model.Metric) bool {
	return slices.ContainsFunc(b.sections, func(of section) bool { return labels[model.LabelName(of.label)] != "" })
}

// divide returns the parts of a batch of which a metric is too much for one query: by targets or, of a single one, by
// the label of which its series have the most values. There are none where no label tells them apart.
func (b *batch) divide(ctx context.Context, server Server, r role, g prom.Grid) (parts []*batch) {
	switch at := b.several(); {
	case at >= 0:
		return b.chunks((len(b.sections[at].values) + 1) / 2)
	case len(b.inner) > 1:
		return b.chunks((len(b.inner) + 1) / 2)
	}
	of := b.widest(ctx, server, r, g)
	if len(of.values) == 0 {
		return nil
	}
	size := min(targetsAtOnce(len(b.roles), g.N), (len(of.values)+1)/2)
	of.values = append(of.values, "")
	whole := *b
	whole.sections = append(slices.Clip(b.sections), of)
	return whole.chunks(size)
}

// chunks returns parts of a batch with so many targets or, of a single one that is divided, values of a label.
func (b *batch) chunks(size int) (parts []*batch) {
	at := b.several()
	if at < 0 {
		for inner := range slices.Chunk(b.inner, size) {
			part := *b
			part.inner = inner
			parts = append(parts, &part)
		}
		return parts
	}
	for values := range slices.Chunk(b.sections[at].values, size) {
		part := *b
		part.sections = slices.Clone(b.sections)
		part.sections[at].values = values
		parts = append(parts, &part)
	}
	return parts
}

// within adds sections of a target, one of each label that the batch has, to what is read.
func (b *batch) within(sections []section) {
	if b.sections == nil {
		b.sections = make([]section, len(sections))
	}
	for i, of := range sections {
		to := &b.sections[i]
		to.label = of.label
		for _, v := range of.values {
			if !slices.Contains(to.values, v) {
				to.values = append(to.values, v)
			}
		}
	}
}

// widest returns the label of which the series of a metric of a batch have the most values, and these: one of which all
// have the same value, or whose series are joined, tells nothing apart.
func (b *batch) widest(ctx context.Context, server Server, r role, g prom.Grid) (widest section) {
	start, end := g.At(0).Add(-g.Step), g.At(g.N-1)
	matches := []string{selector{equals(model.MetricNameLabel, r.Name)}.with(b.matchersOf(r)...)}
	joined := []string{model.MetricNameLabel, b.source.outer, b.source.inner, replicaLabel, cpuLabel}
	for _, name := range replicaLabels {
		joined = append(joined, string(name))
	}
	for _, of := range b.sections {
		joined = append(joined, of.label)
	}
	names, err := server.LabelNames(ctx, matches, start, end)
	if errors.Is(err, prom.ErrTooLarge) {
		return lists{server, start, end}.widest(ctx, matches[0], joined)
	}
	if err != nil {
		return section{}
	}
	lacked := func(label string) bool { // by some of the series
		without := selector{equals(model.MetricNameLabel, r.Name)}.with(append(b.matchersOf(r), equals(label, ""))...)
		some, err := server.LabelNames(ctx, []string{without}, start, end)
		return err == nil && len(some) > 0
	}
	for _, name := range names {
		if slices.Contains(joined, name) {
			continue
		}
		values, err := server.LabelValues(ctx, name, matches, start, end)
		if err == nil && len(values) > len(widest.values) && (len(values) > 1 || lacked(name)) {
			widest = section{name, values}
		}
	}
	return widest
}
