package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

// contextNames are patterns of the metrics that are not judged but tell something of those that are.
func contextNames(container bool) []string {
	names := []string{upMetric, ".+" + buildSuffix}
	for _, r := range known(container) {
		if !r.judged() {
			names = append(names, r.Name)
		}
	}
	return names
}

// judged reports whether a metric is a reading that has a trend.
func (r role) judged() bool {
	if r.Resource == "" || r.cpu {
		return false
	}
	d, _ := sampler.Lookup(r.Resource)
	return d.Kind == sampler.Gauge && !d.Context
}

// rolesOf returns what the metrics that were found are for.
func rolesOf(names, context []string, container bool) []role {
	var roles []role
	table := append(known(container), known(!container)...)
	tells, taken := map[string]bool{}, map[string]bool{}
	for _, name := range context {
		tells[name] = true
	}
	for _, name := range slices.Concat(names, context) {
		r := role{Metric: promtext.Metric{Name: name}, rank: len(table)}
		if i := slices.IndexFunc(table, func(k role) bool { return k.Name == name }); i >= 0 {
			r = table[i]
		} else {
			switch {
			case name == upMetric:
				r.up = true
			case strings.HasSuffix(name, buildSuffix):
				r.build = true
			default:
				r.Resource = name
			}
		}
		if (r.judged() || tells[name]) && !taken[name] {
			taken[name] = true
			roles = append(roles, r)
		}
	}
	// Whether a target answered is of use only where nothing else tells of restarts.
	slices.SortStableFunc(roles, func(a, b role) int { return last(a.up) - last(b.up) })
	return roles
}

// last puts what holds behind what does not.
func last(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// fewest returns the metrics of a job that are read: all of those that are known, and of others no more than are
// judged. The error says that some are not.
func fewest(roles []role) ([]role, error) {
	judged, left := 0, 0
	kept := slices.DeleteFunc(slices.Clone(roles), func(r role) bool {
		if _, known := sampler.Lookup(r.Resource); known || !r.judged() {
			return false
		}
		if judged++; judged <= maxMetrics {
			return false
		}
		left++
		return true
	})
	if left == 0 {
		return kept, nil
	}
	return kept, fmt.Errorf("%d metrics match, of which the first %d are judged: a narrower --match helps", judged,
		maxMetrics)
}
