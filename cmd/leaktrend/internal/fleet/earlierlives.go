package fleet

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// hashOf returns a number by which labels are known, and which is as good as drawn at random.
func hashOf(labels map[string]string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(orderOf(labels)))
	return h.Sum64()
}

// some returns the lives of a workload, no more than are kept where they are more than a number: a sample that does not
// depend on the order of reading, over all of the time. Enough of those that end at each deploy are left to be taken
// over from.
func some(all []stay, number int) []stay {
	if len(all) <= number {
		return all
	}
	slices.SortFunc(all, func(a, b stay) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), a.first.Compare(b.first))
	})
	return slices.Delete(all, maxStays, len(all))
}

// growsInEach reports whether most of the lives of a workload that end within a scan grow, so that it is worth knowing
// the ones before it.
func growsInEach(stays []stay, grew func(s *stay) bool) bool {
	n, growing := 0, 0
	for i := range stays {
		n++
		if grew(&stays[i]) {
			growing++
		}
	}
	return n >= minSeen && 2*growing > n
}

// minSeen is how many lives within a scan make a workload one that is deployed again.
const minSeen = 2

// origin is where processes of a workload are read.
type origin struct {
	source *source
	part   part
}

// maxEarlierTargets bounds the targets whose earlier lives are read: of the workloads that grow most in a life.
const maxEarlierTargets = 4000

// wanted returns the resources of a workload of which the lives before the scan are worth knowing, sorted.
func (w *workload) wanted() (all []string) {
	for resource, stays := range w.stays {
		r := resourceOf(resource)
		if growsInEach(stays, func(s *stay) bool { return s.grew(r) }) {
			all = append(all, resource)
		}
	}
	slices.Sort(all)
	return all
}

// recall keeps the lives that a process had before the scan, of what its workload wants to know. A life that runs
// on into the scan is joined with what that saw of it.
func (all workloads) recall(p *process, groupBy []string, g prom.Grid, before []life, wanted map[string][]string) {
	for i := range before {
		l := &before[i]
		version := cmp.Or(versionOf(p.labels), l.version)
		_, group := groupOf(groupBy, p, version)
		name := workloadName(group)
		if len(wanted[name]) > 0 && l.length() < shortestStay {
			all[name].pass(l)
		}
		for _, resource := range wanted[name] {
			curve, ok := l.curves[resource]
			if !ok {
				continue
			}
			w, hash := all[name], hashOf(p.labels)
			stays := w.stays[resource]
			if i == len(before)-1 && !l.ends {
				end := p.instant(g.N - 1)
				at := slices.IndexFunc(stays, func(s stay) bool {
					return s.begins != nil && s.hash == hash && !end.replaced(s.begins)
				})
				if at >= 0 {
					stays[at].prepend(l.first, &curve)
					continue
				}
			}
			w.stays[resource] = some(append(stays, stay{
				labels: p.labels, metric: metricOf(p, resource), first: l.first, last: l.last, version: version,
				ends: true, curve: curve, limit: l.limits[resource], hash: hash,
			}), maxStays+sampleAt)
		}
	}
}

// earlierLives returns what is to be read of the lives that workloads had before the scan which are deployed again and
// grow in each life: their pods then had other names, so the server is asked for these.
func earlierLives(ctx context.Context, server Server, known workloads, g prom.Grid) (all []*batch) {
	type asking struct {
		roles  map[string]role
		wanted map[string][]string // resources by workload
		owners map[string]bool     // of pods
	}
	asked := map[origin]*asking{}
	var order []origin
	for _, name := range known.mostGrown() {
		w := known[name]
		wanted := w.wanted()
		for _, from := range slices.SortedFunc(maps.Keys(w.origins), func(a, b origin) int {
			return cmp.Or(cmp.Compare(a.source.what, b.source.what), cmp.Compare(a.part.outer, b.part.outer),
				cmp.Compare(a.part.namespace, b.part.namespace))
		}) {
			a := asked[from]
			if a == nil {
				a = &asking{map[string]role{}, map[string][]string{}, map[string]bool{}}
				asked[from] = a
				order = append(order, from)
			}
			a.wanted[name] = wanted
			for _, r := range w.origins[from] {
				if r.Start || r.cpu || r.up || r.build || r.judged() && slices.Contains(wanted, r.Resource) {
					a.roles[r.Name] = r
				}
			}
			for _, resource := range wanted {
				for i := range w.stays[resource] {
					a.owners[podOwner(w.stays[resource][i].labels[from.source.inner])] = true
				}
			}
		}
	}
	left := maxEarlierTargets
	for _, from := range order {
		a := asked[from]
		b := batch{
			source: from.source, part: from.part, by: map[string][]selector{}, earlier: &g, wanted: a.wanted,
		}
		var names []string
		for _, name := range slices.Sorted(maps.Keys(a.roles)) {
			r := a.roles[name]
			b.roles = append(b.roles, r)
			b.by[name] = from.source.selectors
			if r.judged() {
				names = append(names, name)
			}
		}
		// Whether a target answered is of use only where nothing else tells of restarts.
		slices.SortStableFunc(b.roles, func(a, b role) int { return last(a.up) - last(b.up) })
		before := lists{server, g.At(0).Add(-g.Step), g.At(g.N - 1)}
		inners, err := before.values(ctx, from.source.inner, from.source.inner, func(matchers ...string) []string {
			return []string{selector{nameIsOneOf(names)}.with(append(matchers, from.part.matcher(from.source))...)}
		})
		if err != nil {
			continue // what is missing of an earlier time is none of the report
		}
		inners = slices.DeleteFunc(inners, func(inner string) bool {
			return !a.owners[podOwner(inner)] && podOwner(inner) != inner
		})
		if len(inners) > left {
			continue
		}
		left -= len(inners)
		b.inner = inners
		all = append(all, b.chunks(targetsAtOnce(len(b.roles), g.N))...)
	}
	return all
}

// mostGrown returns the names of the workloads whose earlier lives are worth knowing, those first that grow most in a
// life.
func (all workloads) mostGrown() (names []string) {
	growth := map[string]float64{}
	for name, w := range all {
		for _, resource := range w.wanted() {
			r := resourceOf(resource)
			var each []float64
			for i := range w.stays[resource] {
				if one, ok := w.stays[resource][i].growth(r); ok {
					each = append(each, one)
				}
			}
			slices.Sort(each)
			growth[name] = max(growth[name], each[len(each)/2])
		}
	}
	names = slices.Collect(maps.Keys(growth))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(growth[b], growth[a]), cmp.Compare(a, b))
	})
	return names
}
