package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// listing is what the server has of one part of a source.
type listing struct {
	names   []string              // metrics to judge
	context []string              // metrics that tell something of them; some of the names may be among them
	by      map[string][]selector // that select a metric to judge, by its name
	inners  []string              // targets
}

const (
	// fewParts is up to how many parts a server lists one after the other as fast as all together.
	fewParts = 10
	// mostParts is how many parts are listed at once: with few, the server spends more on finding the metrics than on
	// their series; with many, the first values are waited for longer.
	mostParts = 16
)

// lister lists the parts of a source: where there are many, some at once, by their series. It is safe for concurrent
// use.
type lister struct {
	lists
	src *source

	mu     sync.Mutex
	left   []part
	atOnce int
}

func newLister(s *scan, src *source, parts []part) *lister {
	l := &lister{lists: s.lists(), src: src, left: parts, atOnce: mostParts}
	if len(parts) <= fewParts {
		l.atOnce = 1
	}
	return l
}

// next returns the parts that are to be listed at once, none at the end. They are one, or differ by one label only.
func (l *lister) next() (some []part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(some) < min(l.atOnce, len(l.left)) && (len(some) == 0 || some[0].likens(l.left[len(some)])) {
		some = l.left[:len(some)+1]
	}
	l.left = l.left[len(some):]
	return some
}

// fewer has the next parts be listed by fewer than so many, which were too many.
func (l *lister) fewer(than int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const less = 4
	l.atOnce = max(min(l.atOnce, than/less), 1)
}

// together lists some parts at once.
func (l *lister) together(ctx context.Context, parts []part) (map[part]*listing, error) {
	src, by := l.src, matcherOfAll(l.src, parts)
	all := map[part]*listing{}
	targets := map[part]map[string]bool{}
	for _, p := range parts {
		all[p], targets[p] = &listing{by: map[string][]selector{}}, map[string]bool{}
	}
	labels := []string{model.MetricNameLabel, src.inner, src.outer, namespaceLabel}
	series := func(take func(p part, name, inner string), matches ...string) error {
		return l.server.Series(ctx, labels, matches, l.start, l.end, func(values []string) {
			for _, p := range []part{{outer: values[2]}, {values[2], values[3], true}} {
				if all[p] != nil {
					take(p, values[0], values[1])
				}
			}
		})
	}
	selected := func(by selector) func(p part, name, inner string) {
		return func(p part, name, inner string) {
			if one := all[p]; !slices.Contains(one.by[name], by) {
				one.by[name] = append(one.by[name], by)
			}
			if inner != "" {
				targets[p][inner] = true
			}
		}
	}
	matches := src.all(by)
	if src.names == nil {
		matches = []string{src.about().with(by)}
		for _, one := range src.selectors {
			if err := series(selected(one), one.with(by)); err != nil {
				return nil, err
			}
		}
	}
	known := selected(src.one)
	if err := series(func(p part, name, inner string) {
		if one := all[p]; !slices.Contains(one.context, name) {
			one.context = append(one.context, name)
		}
		if slices.Contains(src.names, name) {
			known(p, name, inner)
		}
	}, matches...); err != nil {
		return nil, err
	}
	for p, one := range all {
		one.names = slices.Sorted(maps.Keys(one.by))
		one.inners = slices.Sorted(maps.Keys(targets[p]))
		slices.Sort(one.context)
	}
	return all, nil
}

// alone lists one part, by the values of its labels.
func (l *lister) alone(ctx context.Context, p part) (*listing, error) {
	src, is := l.src, p.matcher(l.src)
	one := &listing{by: map[string][]selector{}}
	values := func(label string, selected func(matchers ...string) []string) ([]string, error) {
		if src.names == nil {
			return l.values(ctx, label, src.inner, func(m ...string) []string { return selected(append(m, is)...) })
		}
		all, err := l.server.LabelValues(ctx, label, selected(is), l.start, l.end)
		if errors.Is(err, prom.ErrTooLarge) {
			return l.byName(ctx, label, is)
		}
		return all, err
	}
	of := func(by selector) func(matchers ...string) []string {
		return func(matchers ...string) []string { return []string{by.with(matchers...)} }
	}
	var err error
	if src.names != nil {
		// Names that are known need no query of their own.
		if one.context, err = values(model.MetricNameLabel, src.all); err != nil {
			return nil, err
		}
		for _, name := range one.context {
			if slices.Contains(src.names, name) {
				one.by[name] = []selector{src.one}
			}
		}
	} else {
		for _, by := range src.selectors {
			names, err := values(model.MetricNameLabel, of(by))
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				one.by[name] = append(one.by[name], by)
			}
		}
		if len(one.by) > 0 {
			if one.context, err = values(model.MetricNameLabel, of(src.about())); err != nil {
				return nil, err
			}
		}
	}
	if one.names = slices.Sorted(maps.Keys(one.by)); len(one.names) > 0 {
		one.inners, err = values(src.inner, src.with)
	}
	return one, err
}
