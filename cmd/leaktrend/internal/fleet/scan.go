package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/prom"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// pointsAtOnce bounds the values that one worker holds, beside those of a single target with more.
	pointsAtOnce = 200_000
	maxTargets   = 200 // whose names stand in one query
)

// Server is what a scan reads. Its errors are those of package prom.
type Server interface {
	Range(ctx context.Context, query string, g prom.Grid, split bool) ([]prom.Series, error)
	LabelValues(ctx context.Context, label string, matches []string, start, end time.Time) ([]string, error)
}

// Options say what is scanned, and how.
type Options struct {
	Grid    prom.Grid
	Matches []string // selectors of gauges to judge; none = the metrics of Go, of processes and of containers
	GroupBy []string // labels; version and job have the meaning that a service has, others are as in the series
	FDR     float64  // the expected share of false findings that is accepted, above 0 and below 1
	Load    string   // metric of a counter that measures the work done; "" = the processor time
	Workers int      // batches at a time, at least 1

	Calibration *Calibration
	Progress    *Progress // may be nil
}

// Progress is how far a scan has come. It may be read while the scan runs.
type Progress struct {
	jobs, jobsDone       atomic.Int64
	targets, targetsDone atomic.Int64 // of the jobs whose targets are known
}

// Share returns the share of the work that is done, 0 to 1.
func (p *Progress) Share() float64 {
	jobs := p.jobs.Load()
	if jobs == 0 || p.targets.Load() == 0 {
		return 0
	}
	return float64(p.jobsDone.Load()) / float64(jobs) * float64(p.targetsDone.Load()) / float64(p.targets.Load())
}

// Scan runs a scan of a server. What that warns of may be missing in the report.
func Scan(ctx context.Context, client *prom.Client, o Options) (*Report, error) {
	client.Begin()
	report, err := Run(ctx, client, o)
	if err != nil {
		return nil, err
	}
	for _, w := range client.Warnings() {
		// Those of the language are about the query, as on a counter without a counter's name; others say that data may be missing.
		if !strings.HasPrefix(w, "PromQL ") {
			report.Missing = append(report.Missing, Missing{What: "what the server warns of", Why: w})
		}
	}
	return report, nil
}

// Run scans a fleet. What could not be read is in the report; the error says that the scan was interrupted or nothing could be read at all.
func Run(ctx context.Context, server Server, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = &Progress{}
	}
	config := Judgment()
	if o.Load != "" {
		config.Adaptive.Load = loadResource
	}
	s := &scan{
		Options: o, server: server, config: config, missing: map[Missing]int{},
		found: &collector{calibration: o.Calibration, groupBy: o.GroupBy, groups: map[string]*group{}, load: loadResource},
	}
	s.start, s.end = o.Grid.At(0).Add(-o.Grid.Step), o.Grid.At(o.Grid.N-1)
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	report := s.found.report(o.FDR)
	if o.Load != "" && report.Processes > 0 && !s.loaded.Load() {
		s.missing[Missing{What: o.Load, Why: "no target that was judged has this load", Load: true}] = 0
	}
	report.Start, report.End = s.start, s.end
	if err == nil && report.Processes == 0 && len(s.missing) == 0 {
		// An empty server, another tenant or a new name of a label: no sign of health.
		s.miss(Label{}, "everything", 0, errors.New("the server has no such series in that time"))
	}
	report.Missing = s.missingParts()
	if report.Processes == 0 && err != nil {
		return nil, err
	}
	return report, nil
}

// loadResource is the name under which the detector gets the load of --load. No metric has it.
const loadResource = "--load"

type scan struct {
	Options
	server     Server
	config     detector.Config
	start, end time.Time
	found      *collector
	loaded     atomic.Bool // a process has the load

	mu      sync.Mutex
	missing map[Missing]int
}

// miss notes what could not be read: a part of what has a label, or of all if that is empty.
func (s *scan) miss(of Label, what string, targets int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing[Missing{Of: of, What: what, Why: err.Error()}] += targets
}

func (s *scan) missingParts() []Missing {
	var all []Missing
	for m, n := range s.missing {
		m.Count = n
		all = append(all, m)
	}
	part := func(m *Missing) int { return min(len(m.Of.Name), 1) }
	slices.SortFunc(all, func(a, b Missing) int {
		// What may be anything comes first.
		return cmp.Or(part(&a)-part(&b), cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	return all
}

// source is a set of metrics, and the labels by which the targets that have them are dealt out.
type source struct {
	selectors []selector // of what is judged; a series may match several
	outer     string     // label: targets are listed for one value of it at a time
	inner     string     // label: and queried for some values of it at a time
	container bool
}

// with returns the selectors with further matchers.
func (s *source) with(matchers ...string) (all []string) {
	for _, one := range s.selectors {
		all = append(all, one.with(matchers...))
	}
	return all
}

// role is what a metric is used for.
type role struct {
	sampler.Metric
	rank  int
	cpu   bool
	up    bool
	build bool // a metric that tells the version by a label
}

// containerMetrics are the kubelet's, beside those that package sampler knows.
var containerMetrics = []sampler.Metric{{Name: "container_start_time_seconds", Start: true}}

const (
	buildSuffix      = "_build_info"
	containerPrefix  = "container_"
	upMetric         = "up"
	goBuild          = "go_build_info"
	unknownVersion   = "unknown"
	developedVersion = "(devel)"
)

// known returns the metrics that package sampler knows, of containers or of processes, without context.
func known(container bool) []role {
	var roles []role
	all := sampler.Metrics()
	if container {
		all = append(all, containerMetrics...)
	}
	for i, m := range all {
		r := role{Metric: m, rank: i, cpu: m.Resource == sampler.CPUSeconds}
		description, _ := sampler.Lookup(m.Resource)
		useful := m.Start || len(m.Limits) > 0 || r.cpu || m.Resource != "" && description.Kind == sampler.Gauge && !description.Context
		if useful && strings.HasPrefix(m.Name, containerPrefix) == container {
			roles = append(roles, r)
		}
	}
	return roles
}

func (s *scan) sources() ([]source, error) {
	if len(s.Matches) == 0 {
		var processes, containers []string
		for _, m := range sampler.Metrics() {
			if d, _ := sampler.Lookup(m.Resource); m.Resource == "" || d.Kind != sampler.Gauge || d.Context {
				continue
			}
			if strings.HasPrefix(m.Name, containerPrefix) {
				containers = append(containers, m.Name)
			} else {
				processes = append(processes, m.Name)
			}
		}
		return []source{
			processSource(selector{nameIsOneOf(processes)}),
			containerSource(selector{nameIsOneOf(containers) + `,container!="",container!="POD"`}),
		}, nil
	}
	var processes, containers []selector
	for _, m := range s.Matches {
		parsed, err := parseSelector(m)
		if err != nil {
			return nil, err
		}
		processes = append(processes, parsed.and(`__name__!~"`+containerPrefix+`.*"`))
		containers = append(containers, parsed.and(`__name__=~"`+containerPrefix+`.*"`))
	}
	return []source{processSource(processes...), containerSource(containers...)}, nil
}

func processSource(selectors ...selector) source {
	return source{selectors: selectors, outer: jobLabel, inner: "instance"}
}

func containerSource(selectors ...selector) source {
	return source{selectors: selectors, outer: "namespace", inner: "pod", container: true}
}

// CheckSelector says what is wrong with a selector as far as can be told without the server.
func CheckSelector(text string) error {
	_, err := parseSelector(text)
	return err
}

// selector is a series selector as one list of matchers.
type selector struct{ matchers string }

var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)

// parseSelector reads METRIC, METRIC{...} or {...}. What stands in the braces is left to the server.
func parseSelector(text string) (selector, error) {
	text = strings.TrimSpace(text)
	name := metricName.FindString(text)
	rest := strings.TrimSpace(text[len(name):])
	matchers := ""
	if rest != "" {
		if rest[0] != '{' || rest[len(rest)-1] != '}' {
			return selector{}, fmt.Errorf("%q is not a selector of the form METRIC{LABEL=\"VALUE\",...}", text)
		}
		matchers = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest[1:len(rest)-1]), ","))
	}
	if name != "" {
		matchers = strings.TrimSuffix("__name__="+quote(name)+","+matchers, ",")
	}
	if matchers == "" {
		return selector{}, errors.New("a selector must select something")
	}
	return selector{matchers}, nil
}

// and returns the selector with further matchers.
func (s selector) and(matchers ...string) selector {
	return selector{strings.Join(append([]string{s.matchers}, matchers...), ",")}
}

// with returns the expression of the selector with further matchers.
func (s selector) with(matchers ...string) string { return "{" + s.and(matchers...).matchers + "}" }

func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

func equals(label, value string) string { return label + "=" + quote(value) }

func nameIsOneOf(names []string) string { return `__name__=~` + quote(strings.Join(names, "|")) }

func isOneOf(label string, values []string) string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = regexp.QuoteMeta(v)
	}
	return label + "=~" + quote(strings.Join(escaped, "|"))
}

// batch is some targets of one job, that are read and judged together.
type batch struct {
	source *source
	outer  string
	inner  []string
	roles  []role
	by     map[string][]selector // that select a metric, by its name
}

func (b *batch) of() Label    { return Label{b.source.outer, b.outer} }
func (b *batch) what() string { return b.source.outer + " " + quote(b.outer) }

// targets counts those that have a name.
func (b *batch) targets() (n int) {
	for _, v := range b.inner {
		if v != "" {
			n++
		}
	}
	return n
}

func (s *scan) run(ctx context.Context) error {
	sources, err := s.sources()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan *batch)
	var (
		wg    sync.WaitGroup
		fatal error // the first after which there is no sense in going on
		once  sync.Once
	)
	stop := func(err error) {
		if errors.Is(err, prom.ErrGone) {
			once.Do(func() { fatal = err; cancel() })
		}
	}
	for range s.Workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for b := range batches {
				stop(s.scanBatch(ctx, b))
				s.Progress.targetsDone.Add(int64(len(b.inner)))
			}
		}()
	}
	var first error
	for i := range sources {
		if err := s.plan(ctx, &sources[i], batches); err != nil {
			stop(err)
			first = cmp.Or(first, err)
		}
	}
	close(batches)
	wg.Wait()
	if fatal != nil {
		s.miss(Label{}, "all that was not read before", 0, fatal)
	}
	return cmp.Or(fatal, first)
}

// plan lists the targets of a source and deals them out.
func (s *scan) plan(ctx context.Context, src *source, batches chan<- *batch) error {
	outers, err := s.server.LabelValues(ctx, src.outer, src.with(), s.start, s.end)
	if err != nil {
		what := "all processes"
		if src.container {
			what = "all containers"
		}
		return s.unplanned(ctx, Label{}, what, err)
	}
	// Series without the label belong to no value of it.
	outers = append(outers, "")
	s.Progress.jobs.Add(int64(len(outers)))
	for _, outer := range outers {
		if err := s.planOne(ctx, src, outer, batches); err != nil {
			return err
		}
		s.Progress.jobsDone.Add(1)
	}
	return nil
}

// unplanned notes what is missing because its targets could not be listed. It returns the error, or that of the context if it has ended.
func (s *scan) unplanned(ctx context.Context, of Label, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, prom.ErrGone) {
		s.miss(of, what, 0, err)
	}
	return err
}

func (s *scan) planOne(ctx context.Context, src *source, outer string, batches chan<- *batch) error {
	b := batch{source: src, outer: outer, by: map[string][]selector{}}
	outerIs := equals(src.outer, outer)
	var names, inners, context []string
	var err error
	for _, one := range src.selectors {
		var some []string
		if some, err = s.server.LabelValues(ctx, model.MetricNameLabel, []string{one.with(outerIs)}, s.start, s.end); err != nil {
			break
		}
		for _, name := range some {
			if b.by[name] == nil {
				names = append(names, name)
			}
			b.by[name] = append(b.by[name], one)
		}
	}
	if err == nil && len(names) == 0 {
		return nil
	}
	if err == nil {
		inners, err = s.server.LabelValues(ctx, src.inner, src.with(outerIs), s.start, s.end)
	}
	if err == nil {
		about := selector{nameIsOneOf(contextNames(src.container))}.with(outerIs)
		context, err = s.server.LabelValues(ctx, model.MetricNameLabel, []string{about}, s.start, s.end)
	}
	if err != nil {
		err := s.unplanned(ctx, b.of(), b.what(), err)
		if errors.Is(err, prom.ErrGone) || ctx.Err() != nil {
			return err
		}
		return nil
	}
	b.roles = rolesOf(names, context, src.container)
	if !slices.ContainsFunc(b.roles, role.judged) {
		s.miss(b.of(), b.what(), 0, fmt.Errorf("only counters and context match: %s", strings.Join(names[:min(len(names), 5)], ", ")))
		return nil
	}
	inners = append(inners, "")
	s.Progress.targets.Add(int64(len(inners)))
	size := min(max(pointsAtOnce/(len(b.roles)*s.Grid.N), 1), maxTargets)
	for part := range slices.Chunk(inners, size) {
		some := b
		some.inner = part
		select {
		case batches <- &some:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

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
	for _, name := range slices.Concat(names, context) {
		r := role{Metric: sampler.Metric{Name: name}, rank: len(table)}
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
		useful := r.judged() || slices.Contains(context, name)
		if useful && !slices.ContainsFunc(roles, func(k role) bool { return k.Name == name }) {
			roles = append(roles, r)
		}
	}
	return roles
}

// query returns the expression that reads a metric of a batch. A gauge that is judged is read as its lowest value since the instant
// before: what a leak raises is the floor. Of a series that several selectors select, "or" leaves one.
func (s *scan) query(b *batch, r role) string {
	matchers := []string{equals(b.source.outer, b.outer), isOneOf(b.source.inner, b.inner)}
	step := model.Duration(s.Grid.Step).String()
	selected := selector{equals(model.MetricNameLabel, r.Name)}.with(matchers...)
	switch {
	case r.judged():
		var all []string
		for _, one := range b.by[r.Name] {
			all = append(all, "min_over_time("+one.with(append(matchers, equals(model.MetricNameLabel, r.Name))...)+"["+step+"])")
		}
		return strings.Join(all, " or ")
	case r.up:
		return "min_over_time(" + selected + "[" + step + "])"
	case r.Start:
		return "max_over_time(" + selected + "[" + step + "])"
	}
	return selected
}

// scanBatch reads a batch and judges its processes. The error says that there is no sense in going on; what was missed is noted.
func (s *scan) scanBatch(ctx context.Context, b *batch) error {
	alone := len(b.inner) == 1
	g := gathering{byLabels: map[model.Fingerprint]*process{}, scan: s, batch: b}
	read := 0
	for _, r := range b.roles {
		series, err := s.server.Range(ctx, s.query(b, r), s.Grid, alone)
		if err == nil {
			g.add(r, series)
			if r.judged() {
				read++
			}
			continue
		}
		if ctx.Err() != nil {
			s.miss(b.of(), b.what(), b.targets(), errors.New("not read any more"))
			return ctx.Err()
		}
		if errors.Is(err, prom.ErrTooLarge) && !alone {
			half := len(b.inner) / 2
			for _, part := range [][]string{b.inner[:half], b.inner[half:]} {
				smaller := *b
				smaller.inner = part
				if err := s.scanBatch(ctx, &smaller); err != nil {
					return err
				}
			}
			return nil
		}
		s.miss(b.of(), fmt.Sprintf("%s of %s", r.Name, b.what()), b.targets(), err)
		if errors.Is(err, prom.ErrGone) {
			return err
		}
		if r.Start || r.cpu || r.up {
			return nil // without restarts a verdict means nothing
		}
	}
	if read == 0 {
		return nil
	}
	if s.Load != "" {
		if err := s.readLoad(ctx, b, &g); err != nil {
			s.miss(b.of(), fmt.Sprintf("%s of %s", s.Load, b.what()), b.targets(), err)
			return nil
		}
	}
	for _, p := range g.processes() {
		s.found.add(p, p.judge(s.Grid, s.config))
	}
	return nil
}

// readLoad reads the load of the targets of a batch as a rate. Two steps, as a rate needs two values.
func (s *scan) readLoad(ctx context.Context, b *batch, g *gathering) error {
	window := model.Duration(2 * s.Grid.Step).String()
	selected := selector{equals(model.MetricNameLabel, s.Load)}.with(equals(b.source.outer, b.outer), isOneOf(b.source.inner, b.inner))
	query := fmt.Sprintf("sum by (%s,%s) (rate(%s[%s]))", b.source.outer, b.source.inner, selected, window)
	series, err := s.server.Range(ctx, query, s.Grid, true)
	if err == nil {
		g.addLoad(series)
	}
	return err
}

// gathering joins the metrics of the processes of a batch.
type gathering struct {
	scan     *scan
	batch    *batch
	byLabels map[model.Fingerprint]*process
	order    []*process

	context []contextSeries
	builds  []buildSeries
	loads   map[string][]float64 // by place
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
	return string(labels[model.LabelName(g.batch.source.outer)]) + "\x00" + string(labels[model.LabelName(g.batch.source.inner)])
}

// target names the target, or the container, that a series belongs to.
func (g *gathering) target(labels model.Metric) string {
	name := g.place(labels)
	if g.batch.source.container {
		name += "\x00" + string(labels["container"])
	}
	return name
}

func (g *gathering) add(r role, series []prom.Series) {
	for _, one := range series {
		switch {
		case r.build:
			version := one.Labels["version"]
			if version != "" && version != unknownVersion && version != developedVersion {
				g.builds = append(g.builds, buildSeries{g.target(one.Labels), r.Name, one})
			}
		case r.judged():
			p := g.process(one.Labels)
			p.readings = append(p.readings, reading{r.Resource, r.rank, one.Values})
		default:
			g.context = append(g.context, contextSeries{r, one})
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
		p = &process{labels: make(map[string]string, len(labels)), container: g.batch.source.container}
		for name, value := range labels {
			p.labels[string(name)] = string(value)
		}
		g.byLabels[key] = p
		g.order = append(g.order, p)
	}
	return p
}

// processes returns the processes with all that is known of them. A context metric belongs to the process with the same labels or, where
// only one of the target's series can be meant, to all processes of that target.
func (g *gathering) processes() []*process {
	byTarget := map[string][]*process{}
	ambiguous := map[string]int{} // how many series a target has of one context metric
	for _, p := range g.order {
		labels := make(model.Metric, len(p.labels))
		for name, value := range p.labels {
			labels[model.LabelName(name)] = model.LabelValue(value)
		}
		byTarget[g.target(labels)] = append(byTarget[g.target(labels)], p)
		if p.load = g.loads[g.place(labels)]; p.load != nil {
			g.scan.loaded.Store(true)
		}
	}
	for _, c := range g.context {
		ambiguous[c.Name+"\x00"+g.target(c.Labels)]++
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
		if !slices.ContainsFunc(p.ceilings, func(c ceiling) bool { return c.resource == resource && c.source == r.Source }) {
			p.ceilings = append(p.ceilings, ceiling{resource, r.Source, values})
		}
	}
}

// joinVersions gives the processes the versions that their targets' build information tells, instant by instant: a deploy may keep the name
// of the target. That of the Go module comes last, as it names the main module whatever the program calls itself.
func (g *gathering) joinVersions(byTarget map[string][]*process) {
	slices.SortStableFunc(g.builds, func(a, b buildSeries) int {
		last := func(s *buildSeries) int {
			if s.metric == goBuild {
				return 1
			}
			return 0
		}
		return cmp.Or(last(&a)-last(&b), cmp.Compare(a.metric, b.metric), cmp.Compare(a.Labels["version"], b.Labels["version"]))
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
