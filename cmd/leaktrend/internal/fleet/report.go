package fleet

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

// maxExamples is how many replicas a finding names.
const maxExamples = 3

// Label is one label of a group or a process.
type Label struct{ Name, Value string }

// Replica is one process of a group in which something was found.
type Replica struct {
	Labels       map[string]string
	Metric       string // that was read
	Version      string
	Severity     alerting.Severity
	Value        float64 // in the unit of the resource, like all levels here
	Baseline     float64
	SlopePerHour float64
	Since        time.Time
	Last         time.Time // latest value
	Ended        bool      // the process is gone
	Exhaustion   *alerting.Exhaustion
	Evidence     *alerting.Evidence
	Line         *spark.Line

	base   float64      // minimum from which the rise counts
	loaded bool         // its load is known, or its processor time
	began  time.Time    // of the process, as far as it was seen
	curve  *lives.Curve // over its age; nil = unknown
	order  string       // of the labels, for a result that does not depend on the order of reading
}

// VersionCount says how many replicas of one version have a finding.
type VersionCount struct {
	Version           string
	Growing, Replicas int
	First             time.Time // when it was first seen in the scan
}

// Finding is one resource of one group.
type Finding struct {
	Group    []Label // in the order of --group-by
	Resource sampler.Resource
	Kind     alerting.Kind
	Growing  int // replicas with a finding
	Replicas int // judged ones
	Ended    bool
	WithLoad bool    // a suspect whose growth is that of the load
	EValue   float64 // mean over the group's time; 0 for limits
	// Chance is how likely it is a leak, by the fleet's own past and by what generated series do; zero for limits and
	// for what the load explains.
	Chance backtest.Chance
	// Q is the share of false findings that is expected among this one and those that are likelier, 0 to 1.
	Q float64
	// Near tells of a suspect that it would be a finding if somewhat more false ones were allowed: one that was a
	// finding before goes on as one.
	Near bool
	// Worst is the replica with the highest severity, then the least time left, then the strongest growth.
	Worst    Replica
	Others   []Replica // the next ones
	Versions []VersionCount
	// Lives is what the lives of the workload tell that took over from each other, where no one of them is evidence
	// enough; else nil. The group is without a version then, and Replicas are the places in which they ran.
	Lives *alerting.Lives
	// FirstVersion is the earliest of the versions that leak, if an earlier one was judged and does not.
	FirstVersion string
}

// Key is what makes a finding the same one in the next scan.
func (f *Finding) Key() string {
	key := string(f.Kind) + "\x00" + f.Resource.Name
	for _, l := range f.Group {
		key += "\x00" + l.Name + "\x00" + l.Value
	}
	return key
}

// GroupLabels returns the labels of the group by name.
func (f *Finding) GroupLabels() map[string]string {
	labels := make(map[string]string)
	for _, l := range f.Group {
		labels[l.Name] = l.Value
	}
	return labels
}

// Report is what a scan found.
type Report struct {
	Start, End time.Time
	FDR        float64 // that was asked for; 0 where Top was
	Top        int     // number of findings that was asked for; 0 where FDR was
	Processes  int     // that were read
	Judged     int     // resources of processes with enough history, all together
	Hypotheses int     // resources of groups with enough history
	// ByResource is of them those that were not judged over lives, and Calls what grows of these.
	ByResource map[string]int
	Calls      []backtest.Candidate
	Lengths    map[int]int // how many of them have a history of so many hours
	// Lives is what growth over lives tells, by the class of its call.
	Lives backtest.Sums
	// Back is how far before Start there is history of what grows, as far as that was looked at; 0 = none.
	Back time.Duration
	// Past is what scans at past instants would have called, and what became of it.
	Past backtest.Table
	// Others is what the pasts of the other parts of the fleet tell, as far as that was given.
	Others Past
	// Findings leak: the likeliest ones, as many as FDR or Top allow. What holds comes first, then the likeliest.
	Findings []Finding
	// Suspects have growth that is a leak by itself, yet is not likely enough, the likeliest first, or is that of the
	// load.
	Suspects []Finding
	Limits   []Finding // close to or beyond a ceiling now
	Missing  []Missing
	// Hints say which flags would tell more.
	Hints []string
}

// Missing is a part of the fleet that could not be read.
type Missing struct {
	Of    Label  // that all series of it have, as in job="api"; empty = anything may be missing
	What  string // as in `job "api"`
	Why   string
	Count int  // processes; 0 = unknown
	Load  bool // only the load that all are judged with
}

// Leaks reports whether anything was found that holds now.
func (r *Report) Leaks() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Ended }) || len(r.Limits) > 0
}

// ForOthers returns what the scans of other parts of the fleet are told.
func (r *Report) ForOthers() Past {
	return Past{Hypotheses: r.Hypotheses, Lengths: r.Lengths, Lives: r.Lives,
		Sums: backtest.Sums{Judged: r.ByResource, Calls: r.Calls, Table: r.Past}}
}

// Nothing reports whether all is missing.
func (r *Report) Nothing() bool { return r.Processes == 0 && len(r.Missing) > 0 }

// Short reports whether the history tells too little of how often growth comes to nothing in this fleet: less than
// three days for each group.
func (r *Report) Short() bool {
	all := r.Past.With(&r.Others.Table).All()
	return all.Instants < float64(r.Hypotheses+r.Others.Hypotheses)*backtest.PerUnit
}

// Covers reports whether all was read that a finding of an earlier scan may rest on. Where it was, what was not found
// again is gone. So is what ended before the time of this scan, so that a part which stays missing does not hold
// findings for ever.
func (r *Report) Covers(f *Finding) bool {
	if f.Worst.Last.Before(r.Start) {
		return true
	}
	// Where groups are not those of a job, one may reach beyond the job of its worst process.
	ofJob := slices.ContainsFunc(f.Group, func(l Label) bool { return l.Name == jobLabel })
	return !slices.ContainsFunc(r.Missing, func(m Missing) bool {
		return !m.Load && (!ofJob || m.Of.Name == "" || m.Of.Value == f.Worst.Labels[m.Of.Name])
	})
}

// collector gathers the lives of all processes by group. It is safe for concurrent use.
type collector struct {
	calibration *calibration.Table
	groupBy     []string
	load        string // resource that is only a covariate
	others      Past   // of other parts of the fleet

	mu        sync.Mutex
	groups    map[string]*group
	unnamed   unnamedJobs
	workloads workloads
	recalled  recollection
	quiet     quiet
	processes int
	judged    int
}

func newCollector(o *Options) *collector {
	return &collector{
		calibration: o.Calibration, groupBy: o.GroupBy, load: loadResource, others: o.Others,
		groups: map[string]*group{}, unnamed: unnamedJobs{}, workloads: workloads{},
		recalled: recollection{calibration: o.Calibration, groupBy: o.GroupBy, falls: map[string]map[string][]fall{},
			lived: map[string][]precedent{}},
	}
}

type group struct {
	labels    []Label
	first     time.Time
	resources map[string]*tally
}

// tally is one resource of a group.
type tally struct {
	resource       sampler.Resource
	replicas       int
	evidence, time float64 // sum of e-value times hours, and of hours
	longest        time.Duration
	past           past
	trend, limit   found
	withLoad       found // growth that is that of the load
}

type found struct {
	growing, alive int
	best           []Replica // the worst first
}

// add takes the lives of one process.
func (c *collector) add(p *process, lives []life) {
	labels := p.labels
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes++
	c.unnamed.note(p, c.groupBy)
	type key struct{ group, resource string }
	counted := map[key]bool{}
	judged := map[string]bool{}
	growing := map[key]*Replica{}
	withLoad := map[key]*Replica{}
	limited := map[key]*Replica{}
	for i := range lives {
		l := &lives[i]
		version := cmp.Or(versionOf(labels), l.version)
		name, values := groupOf(c.groupBy, p, version)
		g := c.groups[name]
		if g == nil {
			g = &group{labels: values, first: l.first, resources: map[string]*tally{}}
			c.groups[strings.Clone(name)] = g
		}
		if l.first.Before(g.first) {
			g.first = l.first
		}
		if l.length() < shortestStay {
			c.workloads.of(values).pass(l)
		}
		c.recalled.saw(values, precedent{l.first, l.last, l.curves})
		for k := range l.statuses {
			s := &l.statuses[k]
			if !s.Judged || s.Resource.Name == c.load {
				continue
			}
			c.keep(values, p, version, l, s.Resource.Name)
			// A limit needs no history.
			current := i == len(lives)-1 && !l.ends
			if s.Limit && current {
				r := replicaOf(p, version, l, s)
				limited[key{name, s.Resource.Name}] = &r
			}
			e := l.eValueOf(c.calibration, s)
			grown := growing
			if l.withLoad[s.Resource.Name] {
				e, grown = 0, withLoad
			}
			if l.length() < calibration.Marks[0] && !(s.Limit && current) {
				continue
			}
			t := g.resources[s.Resource.Name]
			if t == nil {
				t = &tally{resource: s.Resource}
				g.resources[s.Resource.Name] = t
			}
			if l.length() < calibration.Marks[0] {
				continue
			}
			id := key{name, s.Resource.Name}
			if !counted[id] {
				counted[id] = true
				t.replicas++
			}
			judged[s.Resource.Name] = true
			t.past.add(l, s.Resource.Name, c.calibration)
			c.recalled.remember(values, s.Resource.Name, fallsOf(l, s.Resource.Name, c.calibration))
			t.longest = max(t.longest, l.length())
			t.evidence += e * l.length().Hours()
			t.time += l.length().Hours()
			if s.Trend {
				r := replicaOf(p, version, l, s)
				if before := grown[id]; before == nil || compareReplicas(&r, before) < 0 {
					grown[id] = &r
				}
			}
		}
	}
	c.judged += len(judged)
	for id, r := range growing {
		c.groups[id.group].resources[id.resource].trend.add(r)
	}
	for id, r := range withLoad {
		c.groups[id.group].resources[id.resource].withLoad.add(r)
	}
	for id, r := range limited {
		c.groups[id.group].resources[id.resource].limit.add(r)
	}
}

func replicaOf(p *process, version string, l *life, s *detector.Status) Replica {
	r := Replica{
		Labels: p.labels, Metric: metricOf(p, s.Resource.Name), Version: version, Severity: s.Severity, Value: s.Value,
		Baseline: s.Baseline, SlopePerHour: s.SlopePerHour,
		Since: s.Since, Last: l.last, Ended: l.ends, Exhaustion: s.Exhaustion, Evidence: s.Evidence,
		Line: l.lines[s.Resource.Name], base: s.Base, loaded: p.cpu != nil || p.load != nil, began: l.first,
		order: orderOf(p.labels),
	}
	if curve, ok := l.curves[s.Resource.Name]; ok {
		r.curve = &curve
	}
	return r
}

// metricOf returns the metric by which a resource of a process was read.
func metricOf(p *process, resource string) string {
	for i := range p.readings {
		if p.readings[i].resource == resource {
			return p.readings[i].metric
		}
	}
	return ""
}

// orderOf returns labels as a text to sort by.
func orderOf(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name + "\x00" + labels[name] + "\x00")
	}
	return b.String()
}

func (f *found) add(r *Replica) {
	f.growing++
	if !r.Ended {
		f.alive++
	}
	at, _ := slices.BinarySearchFunc(f.best, r, func(a Replica, b *Replica) int { return compareReplicas(&a, b) })
	if at < maxExamples {
		f.best = slices.Insert(f.best, at, *r)
		f.best = f.best[:min(len(f.best), maxExamples)]
	}
}

// compareReplicas orders the worse one first.
func compareReplicas(a, b *Replica) int {
	left := func(r *Replica) int64 {
		if r.Exhaustion == nil {
			return math.MaxInt64
		}
		return r.Exhaustion.At.Unix()
	}
	growth := func(r *Replica) float64 {
		if r.Evidence == nil {
			return 0
		}
		return r.Evidence.Growth
	}
	ended := func(r *Replica) int {
		if r.Ended {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(ended(a), ended(b)), cmp.Compare(b.Severity, a.Severity), cmp.Compare(left(a), left(b)),
		cmp.Compare(growth(b), growth(a)), cmp.Compare(a.order, b.order), a.Since.Compare(b.Since),
	)
}

// report sums up what was gathered. The findings are as many as keep the expected share of false ones at or below fdr,
// or the top ones if that is above 0.
func (c *collector) report(fdr float64, top int, end time.Time) *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{FDR: fdr, Top: top, Processes: c.processes, Judged: c.judged, Hints: c.unnamed.hints(),
		Others: c.others, Lengths: map[int]int{}}
	var candidates, explained []Finding
	hypotheses, elsewhere := map[string]int{}, []ranked(nil)
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[name]
		for _, resource := range slices.Sorted(maps.Keys(g.resources)) {
			t := g.resources[resource]
			f := Finding{Group: g.labels, Resource: t.resource, Replicas: t.replicas}
			if t.time > 0 {
				r.Hypotheses++
				hypotheses[resource]++
				r.Lengths[int(math.Round(t.longest.Hours()))]++
				f.EValue = t.evidence / t.time
				t.past.into(&r.Past, resource, c.recalled.falls[workloadName(g.labels)][resource])
			}
			if t.trend.growing > 0 {
				candidates = append(candidates, t.trend.finding(f, alerting.Trend))
			} else if t.withLoad.growing > 0 {
				x := t.withLoad.finding(f, alerting.Trend)
				x.WithLoad, x.EValue = true, 0
				explained = append(explained, x)
			}
			if t.limit.growing > 0 {
				f.EValue, f.Replicas = 0, max(f.Replicas, t.limit.growing)
				r.Limits = append(r.Limits, t.limit.finding(f, alerting.Limit))
			}
		}
	}
	c.quiet.into(r, hypotheses)
	r.ByResource = hypotheses
	r.Calls, elsewhere = chances(candidates, &c.recalled, r.ForOthers(), c.others)
	over, tried, overPast := c.overLives(end)
	r.Lives = overPast.sums(over)
	elsewhere = append(elsewhere, chancesOver(over, &r.Lives, &c.others.Lives)...)
	for i := range over {
		candidates = append(candidates, over[i].Finding)
	}
	r.Hypotheses += tried
	accepted := cut(candidates, elsewhere, fdr, top)
	for i := range candidates {
		if candidates[i].Lives == nil {
			c.compareVersions(&candidates[i])
		}
		if i < accepted {
			r.Findings = append(r.Findings, candidates[i])
		} else {
			r.Suspects = append(r.Suspects, candidates[i])
		}
	}
	// What is found over lives stands for what is found of each version; else it says no more than that.
	found := r.Findings
	r.Findings = withoutOverLives(found, found)
	r.Suspects = withoutOverLives(r.Suspects, slices.Concat(found, r.Suspects))
	r.Suspects = append(slices.DeleteFunc(r.Suspects, func(f Finding) bool {
		return f.Lives != nil && stoodFor(&f, found)
	}), explained...)
	slices.SortStableFunc(r.Findings, compareFindings)
	slices.SortStableFunc(r.Limits, compareFindings)
	return r
}

func (f *found) finding(of Finding, kind alerting.Kind) Finding {
	of.Kind, of.Growing, of.Ended = kind, f.growing, f.alive == 0
	of.Worst, of.Others = f.best[0], f.best[1:]
	return of
}

// compareVersions tells how the other versions of the same service fare, where versions are grouped by.
func (c *collector) compareVersions(f *Finding) {
	if !slices.Contains(c.groupBy, versionLabel) {
		return
	}
	of := workloadOf(f.Group)
	same := func(g *group) bool { return slices.Equal(workloadOf(g.labels), of) }
	for _, g := range c.groups {
		t := g.resources[f.Resource.Name]
		if t == nil || t.replicas == 0 || !same(g) {
			continue
		}
		version := ""
		for _, l := range g.labels {
			if l.Name == versionLabel {
				version = l.Value
			}
		}
		f.Versions = append(f.Versions, VersionCount{Version: version, Growing: t.trend.growing, Replicas: t.replicas,
			First: g.first})
	}
	f.orderVersions()
}

// orderVersions puts the versions in order of time, and finds the first that leaks.
func (f *Finding) orderVersions() {
	slices.SortFunc(f.Versions, func(a, b VersionCount) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Version, b.Version))
	})
	for i, v := range f.Versions {
		if v.leaks() {
			if i > 0 {
				f.FirstVersion = v.Version
			}
			break
		}
	}
}

// leaks reports whether enough replicas of a version grow for the version to be what they share.
func (v *VersionCount) leaks() bool { return 2*v.Growing >= v.Replicas }
