package fleet

import (
	"cmp"
	"math"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
)

// gathering joins the metrics of the processes of a batch.
type gathering struct {
	scan     *scan
	batch    *batch
	byLabels map[model.Fingerprint]*process
	order    []*process

	context   []contextSeries
	contextAt map[string]int // of a metric with its labels, in context
	builds    []buildSeries
	loads     map[string][]float64 // by place
}

type contextSeries struct {
	role
	prom.Series
}

type buildSeries struct {
	target string
	metric string
	prom.Series
}

// place names what shares one load: a target, or a pod.
func (g *gathering) place(labels model.Metric) string {
	return string(labels[model.LabelName(g.batch.source.outer)]) + "\x00" +
		string(labels[model.LabelName(g.batch.source.inner)])
}

// passedOn are the labels of a target behind another one, which passes on what it knows, or is of another cluster.
var passedOn = append([]string{"exported_job", "exported_instance"}, clusterLabels...)

// target names the target, or the container, that a series belongs to.
func (g *gathering) target(labels model.Metric) string {
	name := g.place(labels)
	switch {
	case g.batch.source.docker:
		name += "\x00" + string(labels["instance"])
	case g.batch.source.container:
		name += "\x00" + string(labels["container"])
	}
	for _, label := range passedOn {
		if v := labels[model.LabelName(label)]; v != "" {
			name += "\x00" + label + "=" + string(v)
		}
	}
	return name
}

// deduplicated returns labels without those that tell the scrapers of one target apart.
func (r *role) deduplicated(labels model.Metric) model.Metric {
	names := replicaLabels
	if _, known := sampler.Lookup(r.Resource); known || !r.judged() {
		names = append(slices.Clip(names), replicaLabel)
	}
	for _, name := range names {
		if _, ok := labels[name]; ok {
			labels = labels.Clone()
			for _, name := range names {
				delete(labels, name)
			}
			break
		}
	}
	return labels
}

// fill puts what another scraper of the same target read where this one read nothing.
func fill(values, other []float64) {
	for i, v := range values {
		if math.IsNaN(v) {
			values[i] = other[i]
		}
	}
}

// finite takes out what is no reading of anything: a division by zero, or the end of a summary.
func finite(values []float64) {
	for i, v := range values {
		if math.IsInf(v, 0) {
			values[i] = math.NaN()
		}
	}
}

func (g *gathering) add(r role, series []prom.Series) {
	for _, one := range series {
		one.Labels = r.deduplicated(one.Labels)
		switch {
		case r.build:
			version := one.Labels["version"]
			if version != "" && version != unknownVersion && version != developedVersion {
				g.builds = append(g.builds, buildSeries{g.target(one.Labels), r.Name, one})
			}
		case r.judged():
			finite(one.Values)
			p := g.process(one.Labels)
			if at := slices.IndexFunc(p.readings, func(known reading) bool { return known.metric == r.Name }); at >= 0 {
				fill(p.readings[at].values, one.Values)
				continue
			}
			p.readings = append(p.readings, reading{r.Resource, r.Name, r.rank, one.Values})
		default:
			key := r.Name + "\x00" + withoutName(one.Labels).Fingerprint().String()
			if at, known := g.contextAt[key]; known {
				g.context[at].join(one.Values)
				continue
			}
			g.contextAt[key] = len(g.context)
			g.context = append(g.context, contextSeries{r, one})
		}
	}
}

// join takes what another scraper of the same target read: a target is up if one of them reached it.
func (c *contextSeries) join(other []float64) {
	fill(c.Values, other)
	if c.up {
		for i, v := range other {
			if v > c.Values[i] {
				c.Values[i] = v
			}
		}
	}
}

func (g *gathering) addLoad(series []prom.Series) {
	g.loads = map[string][]float64{}
	for _, one := range series {
		g.loads[g.place(one.Labels)] = one.Values
	}
}

func withoutName(labels model.Metric) model.Metric {
	if _, ok := labels[model.MetricNameLabel]; !ok {
		return labels
	}
	labels = labels.Clone()
	delete(labels, model.MetricNameLabel)
	return labels
}

func (g *gathering) process(labels model.Metric) *process {
	labels = withoutName(labels)
	key := labels.Fingerprint()
	p := g.byLabels[key]
	if p == nil {
		p = &process{labels: make(map[string]string, len(labels)), container: g.batch.source.container,
			docker: g.batch.source.docker}
		for name, value := range labels {
			p.labels[string(name)] = string(value)
		}
		g.byLabels[key] = p
		g.order = append(g.order, p)
	}
	return p
}

// processes returns the processes with all that is known of them. A context metric belongs to the process with the same
// labels or, where only one of the target's series can be meant, to all processes of that target.
func (g *gathering) processes() []*process {
	byTarget := map[string][]*process{}
	ambiguous := map[string]int{} // how many series a target has of one context metric
	for _, p := range g.order {
		labels := p.metric()
		byTarget[g.target(labels)] = append(byTarget[g.target(labels)], p)
		if p.load = g.loads[g.place(labels)]; p.load != nil {
			g.scan.loaded.Store(true)
		}
	}
	for _, c := range g.context {
		ambiguous[c.Name+"\x00"+g.target(c.Labels)] += g.meant(c.Labels)
	}
	for _, c := range g.context {
		if p := g.byLabels[withoutName(c.Labels).Fingerprint()]; p != nil {
			p.take(c.role, c.Values)
		}
	}
	for _, c := range g.context {
		if target := g.target(c.Labels); ambiguous[c.Name+"\x00"+target] == 1 {
			for _, p := range byTarget[target] {
				p.take(c.role, c.Values)
			}
		}
	}
	g.joinVersions(byTarget)
	for _, p := range g.order {
		// Of two metrics of one resource the one that is better known.
		slices.SortStableFunc(p.readings, func(a, b reading) int { return a.rank - b.rank })
		seen := map[string]bool{}
		p.readings = slices.DeleteFunc(p.readings, func(r reading) bool {
			twice := seen[r.resource]
			seen[r.resource] = true
			return twice
		})
	}
	return g.order
}

// meant returns for how many series of a target one stands: where that is read in sections, those of the others are not
// seen.
func (g *gathering) meant(labels model.Metric) int {
	if g.batch.ofSection(labels) {
		return 2
	}
	return 1
}

// restartsKnown reports whether the start or the processor time is known of all processes that were read.
func (g *gathering) restartsKnown() bool {
	series := map[string]int{} // of one of the two, by target and metric, and by their labels
	for _, c := range g.context {
		if c.Start || c.cpu {
			series[c.Name+"\x00"+g.target(c.Labels)] += g.meant(c.Labels)
		}
	}
	told := map[string]bool{}
	labels := map[model.Fingerprint]bool{}
	for _, c := range g.context {
		if c.Start || c.cpu {
			labels[withoutName(c.Labels).Fingerprint()] = true
			target := g.target(c.Labels)
			told[target] = told[target] || series[c.Name+"\x00"+target] == 1
		}
	}
	for key, p := range g.byLabels {
		if !labels[key] && !told[g.target(p.metric())] {
			return false
		}
	}
	return true
}

// metric returns the labels of a process as those of a series.
func (p *process) metric() model.Metric {
	labels := make(model.Metric, len(p.labels))
	for name, value := range p.labels {
		labels[model.LabelName(name)] = model.LabelValue(value)
	}
	return labels
}

// take joins a context metric to a process that has none of its kind yet.
func (p *process) take(r role, values []float64) {
	switch {
	case r.Start && p.start == nil:
		p.start = values
	case r.cpu && p.cpu == nil:
		p.cpu = values
	case r.up && p.up == nil:
		p.up = values
	}
	for _, resource := range r.Limits {
		if !slices.ContainsFunc(p.ceilings, func(c ceiling) bool {
			return c.resource == resource && c.source == r.Source
		}) {
			p.ceilings = append(p.ceilings, ceiling{resource, r.Source, values})
		}
	}
}

// joinVersions gives the processes the versions that their targets' build information tells, instant by instant: a
// deploy may keep the name of the target. That of the Go module comes last, as it names the main module whatever the
// program calls itself.
func (g *gathering) joinVersions(byTarget map[string][]*process) {
	slices.SortStableFunc(g.builds, func(a, b buildSeries) int {
		last := func(s *buildSeries) int {
			if s.metric == goBuild {
				return 1
			}
			return 0
		}
		return cmp.Or(last(&a)-last(&b), cmp.Compare(a.metric, b.metric),
			cmp.Compare(a.Labels["version"], b.Labels["version"]))
	})
	versions := map[string][]string{}
	for _, b := range g.builds {
		if byTarget[b.target] == nil {
			continue
		}
		all := versions[b.target]
		if all == nil {
			all = make([]string, len(b.Values))
			versions[b.target] = all
		}
		for i, v := range b.Values {
			if !math.IsNaN(v) && all[i] == "" {
				all[i] = string(b.Labels["version"])
			}
		}
	}
	for target, all := range versions {
		for _, p := range byTarget[target] {
			p.version = all
		}
	}
}
