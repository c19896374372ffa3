package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

// source is a set of metrics, and the labels by which the targets that have them are dealt out.
type source struct {
	selectors []selector // of what is judged; a series may match several
	names     []string   // of all metrics that are judged; nil = only the server can tell
	one       selector   // of any one of these, without its name
	outer     string     // label: targets are listed for one value of it at a time
	inner     string     // label: and queried for some values of it at a time
	container bool
	docker    bool   // containers that no Kubernetes runs
	what      string // they are, in the plural
}

// with returns the selectors with further matchers.
func (s *source) with(matchers ...string) (all []string) {
	for _, one := range s.selectors {
		all = append(all, one.with(matchers...))
	}
	return all
}

// about selects the metrics that are not judged but tell something of those that are.
func (s *source) about() selector { return selector{nameIsOneOf(contextNames(s.container))} }

// all returns the selectors of what is judged and of what tells something of it, with further matchers. One selector
// costs a server less than two.
func (s *source) all(matchers ...string) []string {
	if s.names != nil && s.one == (selector{}) {
		return []string{selector{nameIsOneOf(slices.Concat(s.names, contextNames(s.container)))}.with(matchers...)}
	}
	return append(s.with(matchers...), s.about().with(matchers...))
}

// of returns the source of metrics that are all known, each with more matchers.
func (s source) of(names []string, one selector) source {
	s.names, s.one, s.selectors = names, one, []selector{one.and(nameIsOneOf(names))}
	return s
}

// role is what a metric is used for.
type role struct {
	promtext.Metric
	rank  int
	cpu   bool
	up    bool
	build bool // a metric that tells the version by a label
}

// containerMetrics are cAdvisor's, beside those that package sampler knows.
var containerMetrics = []promtext.Metric{
	{Name: "container_start_time_seconds", Start: true},
	{Name: "container_cpu_usage_seconds_total", Resource: sampler.CPUSeconds},
}

// cpuLabel tells the cores of a container apart, or says "total", by the version of cAdvisor and its flags.
const cpuLabel = "cpu"

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
	all := promtext.Metrics()
	if container {
		all = append(all, containerMetrics...)
	}
	for i, m := range all {
		r := role{Metric: m, rank: i, cpu: m.Resource == sampler.CPUSeconds}
		description, _ := sampler.Lookup(m.Resource)
		useful := m.Start || len(m.Limits) > 0 || r.cpu || m.Resource != "" && description.Kind == sampler.Gauge &&
			!description.Context
		if useful && strings.HasPrefix(m.Name, containerPrefix) == container {
			roles = append(roles, r)
		}
	}
	return roles
}

func (s *scan) sources() ([]source, error) {
	if len(s.Matches) == 0 {
		var processes, containers []string
		for _, m := range promtext.Metrics() {
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
			processSource().of(processes, selector{}),
			containerSource().of(containers, selector{`container!="",container!="POD"`}),
			dockerSource().of(containers, selector{`container="",` + ofDocker}),
		}, nil
	}
	var processes, containers, dockers []selector
	for _, m := range s.Matches {
		parsed, err := parseSelector(m)
		if err != nil {
			return nil, err
		}
		processes = append(processes, parsed.and(`__name__!~"`+containerPrefix+`.*"`))
		all := parsed.and(`__name__=~"` + containerPrefix + `.*"`)
		containers = append(containers, all.and(`pod!=""`), all.and(`pod="",name=""`))
		dockers = append(dockers, all.and(ofDocker))
	}
	return []source{processSource(processes...), containerSource(containers...), dockerSource(dockers...)}, nil
}

func (s *scan) lists() lists { return lists{s.server, s.start, s.end} }

// plan lists the targets of a source and deals them out.
func (s *scan) plan(ctx context.Context, src *source, batches chan<- *batch) error {
	outers, err := s.server.LabelValues(ctx, src.outer, src.with(), s.start, s.end)
	if errors.Is(err, prom.ErrTooLarge) { // a server may count the series of all
		outers, err = s.server.LabelValues(ctx, src.outer, nil, s.start, s.end)
	}
	if err != nil {
		return s.unplanned(ctx, Label{}, "all "+src.what, err)
	}
	// Series without the label belong to no value of it.
	if s.FromRules && !src.container {
		var q quiet
		outers, q, err = evident(src, outers, s.Shard, s.start, s.end,
			func(label, selector string, until time.Time) ([]string, error) {
				return s.server.LabelValues(ctx, label, []string{selector}, s.start, until)
			})
		if err != nil {
			return s.unplanned(ctx, Label{}, "all "+src.what, err)
		}
		s.found.mu.Lock()
		s.found.quiet = q
		s.found.mu.Unlock()
	}
	parts, err := s.Shard.parts(append(outers, ""), src, func(outer string) ([]string, error) {
		return s.lists().values(ctx, namespaceLabel, src.inner, func(matchers ...string) []string {
			return src.with(append(matchers, equals(src.outer, outer))...)
		})
	})
	if err != nil {
		return s.unplanned(ctx, Label{}, "all "+src.what, err)
	}
	s.Progress.jobs.Add(int64(len(parts)))
	// Several at a time: with many small jobs the server would be waited for longer than it is read.
	l := newLister(s, src, parts)
	failed := make(chan error, s.Workers)
	for range s.Workers {
		go func() {
			var first error
			for some := l.next(); len(some) > 0; some = l.next() {
				if first == nil {
					first = s.planSome(ctx, l, some, batches)
				}
				s.Progress.jobsDone.Add(int64(len(some)))
			}
			failed <- first
		}()
	}
	for range s.Workers {
		err = cmp.Or(err, <-failed)
	}
	return err
}

// unplanned notes what is missing because its targets could not be listed. It returns the error, or that of the context
// if it has ended.
func (s *scan) unplanned(ctx context.Context, of Label, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, prom.ErrGone) {
		s.miss(of, what, 0, err)
	}
	return err
}

// planSome deals out the targets of some parts. Where these cannot be listed together, each is listed alone, so that
// what is wrong with one is said of that.
func (s *scan) planSome(ctx context.Context, l *lister, parts []part, batches chan<- *batch) error {
	var all map[part]*listing
	if len(parts) > 1 {
		var err error
		if all, err = l.together(ctx, parts); err != nil {
			l.fewer(len(parts))
		}
	}
	for _, of := range parts {
		b := batch{source: l.src, part: of}
		listed, err := all[of], error(nil)
		if listed == nil {
			listed, err = l.alone(ctx, of)
		}
		if err != nil {
			err := s.unplanned(ctx, b.of(), b.what(), err)
			if errors.Is(err, prom.ErrGone) || ctx.Err() != nil {
				return err
			}
			continue
		}
		if err := s.deal(ctx, b, listed, batches); err != nil {
			return err
		}
	}
	return nil
}

// deal deals out the targets of a part.
func (s *scan) deal(ctx context.Context, b batch, listed *listing, batches chan<- *batch) (err error) {
	if len(listed.names) == 0 {
		return nil
	}
	b.by = listed.by
	b.roles = rolesOf(listed.names, listed.context, b.source.container)
	if !slices.ContainsFunc(b.roles, role.judged) {
		s.miss(b.of(), b.what(), 0, fmt.Errorf("only counters and context match: %s",
			strings.Join(listed.names[:min(len(listed.names), 5)], ", ")))
		return nil
	}
	if b.roles, err = fewest(b.roles); err != nil {
		s.miss(b.of(), b.what(), len(listed.inners), err)
	}
	inners := append(listed.inners, "")
	s.Progress.targets.Add(int64(len(inners)))
	for part := range slices.Chunk(inners, targetsAtOnce(len(b.roles), s.Grid.N)) {
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

func processSource(selectors ...selector) source {
	return source{selectors: selectors, outer: jobLabel, inner: "instance", what: "processes"}
}

func containerSource(selectors ...selector) source {
	return source{selectors: selectors, outer: namespaceLabel, inner: "pod", container: true, what: "containers"}
}

// ofDocker matches what cAdvisor says of a container that has a name and is in no pod.
const ofDocker = `pod="",name!=""`

func dockerSource(selectors ...selector) source {
	return source{selectors: selectors, outer: jobLabel, inner: "name", container: true, docker: true,
		what: "containers without a pod"}
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
	if s.matchers != "" {
		matchers = append([]string{s.matchers}, matchers...)
	}
	return selector{strings.Join(matchers, ",")}
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
