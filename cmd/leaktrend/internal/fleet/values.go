package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// targetsToList is how many targets are looked at together where their series are too many for a list.
const targetsToList = 1000

// lists are what a server lists of a range of time.
type lists struct {
	server     Server
	start, end time.Time
}

// values returns the values of a label of what is selected. A server may bound the series that it looks at for that, as
// VictoriaMetrics does with -search.maxUniqueTimeseries: then the series are listed, for which it has another bound,
// and where they are too many as well, the values of some targets at a time, which have the label inner.
func (l lists) values(ctx context.Context, label, inner string, selected func(matchers ...string) []string) ([]string,
	error) {
	all, err := l.server.LabelValues(ctx, label, selected(), l.start, l.end)
	if !errors.Is(err, prom.ErrTooLarge) {
		return all, err
	}
	found := map[string]bool{}
	err = l.server.Series(ctx, []string{label}, selected(), l.start, l.end, func(values []string) {
		found[values[0]] = true
	})
	if errors.Is(err, prom.ErrTooLarge) {
		var targets []string
		if targets, err = l.server.LabelValues(ctx, inner, nil, l.start, l.end); err == nil {
			err = l.valuesOf(ctx, label, inner, append(targets, ""), targetsToList, selected, found)
		}
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found)), err
}

// valuesOf adds the values of a label of some targets, so many at a time or fewer, to those that were found.
func (l lists) valuesOf(ctx context.Context, label, inner string, targets []string, atOnce int,
	selected func(matchers ...string) []string, found map[string]bool) error {
	for some := range slices.Chunk(targets, atOnce) {
		values, err := l.server.LabelValues(ctx, label, selected(isOneOf(inner, some)), l.start, l.end)
		switch {
		case errors.Is(err, prom.ErrTooLarge) && len(some) > 1:
			err = l.valuesOf(ctx, label, inner, some, (len(some)+1)/2, selected, found)
		case errors.Is(err, prom.ErrTooLarge) && label == inner: // it has some
			values, err = some, nil
		}
		if err != nil {
			return err
		}
		for _, v := range values {
			found[v] = true
		}
	}
	return nil
}

// widest returns the label of which the series that are selected have the most values, and these, by listing them: one
// of which all have the same value tells nothing apart, and neither do those that are left out.
func (l lists) widest(ctx context.Context, match string, leftOut []string) (widest section) {
	names, err := l.server.LabelNames(ctx, nil, l.start, l.end)
	if err != nil {
		return section{}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(leftOut, name) })
	found := make([]map[string]bool, len(names))
	for i := range found {
		found[i] = map[string]bool{}
	}
	if err := l.server.Series(ctx, names, []string{match}, l.start, l.end, func(values []string) {
		for i, v := range values {
			found[i][v] = true
		}
	}); err != nil {
		return section{}
	}
	for i, name := range names {
		if len(found[i]) < 2 {
			continue
		}
		delete(found[i], "")
		if len(found[i]) > len(widest.values) {
			widest = section{name, slices.Sorted(maps.Keys(found[i]))}
		}
	}
	return widest
}

// byName returns the values of a label of one part by asking for one metric at a time, where they are too many
// together: those that are judged and, of names of metrics, those that tell something of them.
func (l *lister) byName(ctx context.Context, label, is string) ([]string, error) {
	names := l.src.names
	if label == model.MetricNameLabel {
		names = slices.Concat(names, contextNames(l.src.container))
	}
	found := map[string]bool{}
	for i, name := range names {
		by := selector{}
		if i < len(l.src.names) {
			by = l.src.one
		}
		selected := func(matchers ...string) []string {
			return []string{by.and(nameIsOneOf([]string{name})).with(append(matchers, is)...)}
		}
		if label == model.MetricNameLabel {
			values, err := l.server.LabelValues(ctx, label, selected(), l.start, l.end)
			if err != nil && !errors.Is(err, prom.ErrTooLarge) {
				return nil, err
			}
			if err != nil || len(values) > 0 { // too many are some
				found[name] = true
			}
			continue
		}
		values, err := l.values(ctx, label, l.src.inner, selected)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			found[v] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
