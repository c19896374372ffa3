// Package fleet judges many processes together: which groups of them leak, with the share of false findings under
// control. What a score is worth stands in package calibration, what is done with a report in package publish.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// pointsAtOnce bounds the values that one worker holds, beside those of a single target with more.
	pointsAtOnce = 400_000
	maxTargets   = 200 // whose names stand in one query
	maxMetrics   = 500 // of one job that are judged
)

// Server is what a scan reads. Its errors are those of package prom.
type Server interface {
	Range(ctx context.Context, query string, g prom.Grid, split bool) ([]prom.Series, error)
	LabelNames(ctx context.Context, matches []string, start, end time.Time) ([]string, error)
	LabelValues(ctx context.Context, label string, matches []string, start, end time.Time) ([]string, error)
	Series(ctx context.Context, labels, matches []string, start, end time.Time, each func(values []string)) error
}

// Options say what is scanned, and how.
type Options struct {
	Grid    prom.Grid
	Matches []string      // selectors of gauges to judge; none = the metrics of Go, of processes and of containers
	GroupBy []string      // labels; version and job have the meaning that a service has, others are as in the series
	FDR     float64       // the expected share of false findings that is accepted, above 0 and below 1
	Top     int           // this many findings, whatever their share of false ones; 0 = by FDR
	History time.Duration // how far to look back at what grows; no longer than the grid = not at all
	Load    string        // metric of a counter that measures the work done; "" = the processor time
	Workers int           // batches at a time, at least 1
	Shard   Shard         // the part of the fleet that is scanned
	Others  Past          // what the pasts of the other parts tell; zero = nothing is known of them
	// FromRules leaves out the jobs in which the rules of package rules recorded no growth.
	FromRules bool

	Calibration *calibration.Table
	Progress    *Progress // may be nil
}

// Scan runs a scan of a server. What that warns of may be missing in the report.
func Scan(ctx context.Context, client *prom.Client, o Options) (*Report, error) {
	client.Begin()
	report, err := Run(ctx, client, o)
	if err != nil {
		return nil, err
	}
	for _, w := range client.Warnings() {
		// Those of the language are about the query, as on a counter without a counter's name; others say that data may
		// be missing.
		if !strings.HasPrefix(w, "PromQL ") {
			report.Missing = append(report.Missing, Missing{What: "what the server warns of", Why: w})
		}
	}
	return report, nil
}

// Run scans a fleet. What could not be read is in the report; the error says that the scan was interrupted or nothing
// could be read at all.
func Run(ctx context.Context, server Server, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = &Progress{}
	}
	config := calibration.Judgment()
	if o.Load != "" {
		config.Adaptive.Load = loadResource
	}
	s := &scan{
		Options: o, server: server, config: config, missing: map[Missing]int{},
		found: newCollector(&o),
	}
	s.start, s.end = o.Grid.At(0).Add(-o.Grid.Step), o.Grid.At(o.Grid.N-1)
	err := s.run(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.lookBack(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	report := s.found.report(o.FDR, o.Top, s.end)
	if o.Load != "" && report.Processes > 0 && !s.loaded.Load() {
		s.missing[Missing{What: o.Load, Why: "no target that was judged has this load", Load: true}] = 0
	}
	report.Start, report.End = s.start, s.end
	if e := s.found.recalled.earliest; !e.IsZero() {
		report.Back = s.start.Sub(e)
	}
	if err == nil && report.Processes == 0 && len(s.missing) == 0 && s.Shard.Of <= 1 && s.found.quiet.jobs == 0 {
		// An empty server, another tenant or a new name of a label: no sign of health.
		s.miss(Label{}, "everything", 0,
			fmt.Errorf("the server has no series of %s in the %s to %s; what it has just begun to scrape is judged "+
				"after %v",
				s.lookedFor(), sampler.FormatDuration(s.end.Sub(s.start)), s.end.UTC().Format("2006-01-02 15:04 UTC"),
				model.Duration(calibration.Marks[0])))
	}
	report.Missing = s.missingParts()
	if report.Processes == 0 && err != nil {
		return nil, err
	}
	return report, nil
}

// lookedFor says which metrics are judged: the selectors that were given, else the commonest of each sort.
func (o *Options) lookedFor() string {
	if len(o.Matches) > 0 {
		return strings.Join(o.Matches, ", ")
	}
	return "Go, processes or containers (go_goroutines, process_resident_memory_bytes, process_open_fds, " +
		"container_memory_working_set_bytes and the like)"
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
	questions  questions
	sizes      sizes

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
		return cmp.Or(part(&a)-part(&b), cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What),
			cmp.Compare(a.Why, b.Why))
	})
	return all
}

// batch is some targets of one job, that are read and judged together.
type batch struct {
	source *source
	part
	inner []string
	// sections are set of a single target that is too large to be read as a whole.
	sections []section
	roles    []role
	by       map[string][]selector // that select a metric, by its name
	// earlier is the time before the scan's, where that is read, and asked what it is asked, by process; else nil.
	earlier *prom.Grid
	asked   map[string]claims
	// wanted are the resources of workloads whose earlier lives are read here, by the workload; else nil.
	wanted map[string][]string
}

// grid returns the instants at which a batch is read.
func (s *scan) grid(b *batch) prom.Grid {
	if b.earlier != nil {
		return *b.earlier
	}
	return s.Grid
}

func (b *batch) of() Label    { return Label{b.source.outer, b.outer} }
func (b *batch) what() string { return b.source.outer + " " + quote(b.outer) }

// targets counts those that have a name, 0 if it is a part of one.
func (b *batch) targets() (n int) {
	if len(b.sections) > 0 {
		return 0
	}
	for _, v := range b.inner {
		if v != "" {
			n++
		}
	}
	return n
}

// run reads and judges the fleet.
func (s *scan) run(ctx context.Context) error {
	sources, err := s.sources()
	if err != nil {
		return err
	}
	err = s.read(ctx, func(ctx context.Context, batches chan<- *batch) (first error) {
		for i := range sources {
			if err := s.plan(ctx, &sources[i], batches); first == nil || errors.Is(err, prom.ErrGone) {
				first = err
			}
		}
		return first
	})
	if errors.Is(err, prom.ErrGone) {
		s.miss(Label{}, "all that was not read before", 0, err)
	}
	return err
}

// read reads the batches that are fed to it, some at a time, and has others judge them meanwhile: the server is not
// kept waiting. The error is that of the feeder, or the first after which there was no sense in going on.
func (s *scan) read(ctx context.Context, feed func(context.Context, chan<- *batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, gathered := make(chan *batch), make(chan *gathering)
	var (
		readers, judges sync.WaitGroup
		fatal           error
		once            sync.Once
	)
	stop := func(err error) {
		if errors.Is(err, prom.ErrGone) {
			once.Do(func() { fatal = err; cancel() })
		}
	}
	for range s.Workers {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for b := range batches {
				stop(s.readBatch(ctx, b, gathered))
				s.Progress.targetsDone.Add(int64(len(b.inner)))
			}
		}()
	}
	for range min(s.Workers, runtime.GOMAXPROCS(0)) {
		judges.Add(1)
		go func() {
			defer judges.Done()
			for g := range gathered {
				s.judge(g)
			}
		}()
	}
	err := feed(ctx, batches)
	stop(err)
	close(batches)
	readers.Wait()
	close(gathered)
	judges.Wait()
	return cmp.Or(fatal, err)
}

// border is how much less than a step a value looks back: what was scraped exactly then belongs to the value before.
// Prometheus counts it to both up to release 2, to one from 3 on, as VictoriaMetrics does.
const border = time.Millisecond

// lookBack reads, of the processes whose growth is called now or would have been, the time before the scan's, as far as
// the server has it.
func (s *scan) lookBack(ctx context.Context) {
	n := int((s.History - s.end.Sub(s.start)) / lookBackStep)
	if n < int(calibration.Marks[0]/lookBackStep) {
		return
	}
	g := prom.GridTo(s.start, time.Duration(n)*lookBackStep, lookBackStep)
	all := append(s.questions.batches(g), earlierLives(ctx, s.server, s.found.workloads, g)...)
	s.Progress.lookBack(all)
	// what is missing of an earlier time is none of the report
	_ = s.read(ctx, func(ctx context.Context, batches chan<- *batch) error {
		for _, b := range all {
			select {
			case batches <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
}

// query returns the expression that reads a metric of a batch. A gauge that is judged is read as its lowest value since
// the instant before: what a leak raises is the minimum. Of a series that several selectors select, "or" leaves one.
func (s *scan) query(b *batch, r role) string {
	matchers := b.matchersOf(r)
	step := model.Duration(s.grid(b).Step - border).String()
	selected := selector{equals(model.MetricNameLabel, r.Name)}.with(matchers...)
	switch {
	case r.judged():
		var all []string
		for _, one := range b.by[r.Name] {
			all = append(all, "min_over_time("+one.with(append(matchers, equals(model.MetricNameLabel, r.Name))...)+"["+
				step+"])")
		}
		return strings.Join(all, " or ")
	case r.up:
		return "min_over_time(" + selected + "[" + step + "])"
	case r.Start:
		return "max_over_time(" + selected + "[" + step + "])"
	case r.cpu && b.source.container:
		// Of what is judged: a pod and what holds its network have processor time of their own.
		of := b.source.one.and(append(matchers, equals(model.MetricNameLabel, r.Name))...)
		return "sum without (" + cpuLabel + ") (" + of.with() + ")"
	}
	return selected
}

// readBatch reads a batch and hands its processes on. The error says that there is no sense in going on; what was
// missed is noted, unless it is of an earlier time.
func (s *scan) readBatch(ctx context.Context, b *batch, judge chan<- *gathering) error {
	if parts := s.sizes.fit(b); len(parts) > 1 {
		return s.readParts(ctx, parts, judge)
	}
	grid := s.grid(b)
	g := gathering{byLabels: map[model.Fingerprint]*process{}, contextAt: map[string]int{}, scan: s, batch: b}
	read, held := 0, 0
	for _, r := range b.roles {
		if r.up && g.restartsKnown() {
			continue
		}
		series, err := s.server.Range(ctx, s.query(b, r), grid, b.indivisible())
		held += len(series) * grid.N
		if errors.Is(err, prom.ErrTooLarge) || held > maxBatch && err == nil {
			s.sizes.tooMany(b)
			if parts := b.divide(ctx, s.server, r, grid); len(parts) > 0 {
				return s.readParts(ctx, parts, judge)
			}
		}
		if err == nil {
			g.add(r, series)
			if r.judged() {
				read++
			}
			continue
		}
		if ctx.Err() != nil {
			if b.earlier == nil {
				s.miss(b.of(), b.what(), b.targets(), errors.New("not read any more"))
			}
			return ctx.Err()
		}
		if b.earlier == nil {
			s.miss(b.of(), fmt.Sprintf("%s of %s", r.Name, b.what()), b.targets(), err)
		}
		if errors.Is(err, prom.ErrGone) {
			return err
		}
		if r.Start || r.cpu || r.up {
			return nil // without restarts a verdict means nothing
		}
	}
	s.sizes.fitted(b)
	if read == 0 {
		return nil
	}
	if s.Load != "" && b.earlier == nil {
		if err := g.readLoad(ctx); err != nil {
			s.miss(b.of(), fmt.Sprintf("%s of %s", s.Load, b.what()), b.targets(), err)
			return nil
		}
	}
	judge <- &g
	return nil
}

func (s *scan) readParts(ctx context.Context, parts []*batch, judge chan<- *gathering) error {
	for _, part := range parts {
		if err := s.readBatch(ctx, part, judge); err != nil {
			return err
		}
	}
	return nil
}

// judge judges the processes of a batch that was read.
func (s *scan) judge(g *gathering) {
	b := g.batch
	for _, p := range g.processes() {
		if b.wanted != nil {
			lives := p.judge(*b.earlier, s.config)
			s.found.mu.Lock()
			s.found.workloads.recall(p, s.GroupBy, *b.earlier, lives, b.wanted)
			s.found.recalled.lookedBack(lives)
			s.found.mu.Unlock()
			continue
		}
		if b.earlier != nil {
			if asked := b.asked[orderOf(p.labels)]; asked != nil {
				lives := p.judge(*b.earlier, s.config)
				s.found.mu.Lock()
				s.found.recalled.recall(p, *b.earlier, lives, asked)
				s.found.mu.Unlock()
			}
			continue
		}
		lives := p.judge(s.Grid, s.config)
		p.readAs = b
		s.found.add(p, lives)
		if s.History > s.end.Sub(s.start) {
			if found := claimsOf(p, s.Grid, lives, s.Calibration); found != nil {
				s.questions.ask(b, p, found)
				s.Progress.asked.Add(1)
			}
		}
	}
}
