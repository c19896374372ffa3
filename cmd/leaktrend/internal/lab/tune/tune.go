// Package tune measures a configuration on recordings, searches the few settings that matter, and reports both, as
// text and as a page. How a method is scored stands in evaluate.
package tune

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/rivals"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/rules"
	"github.com/mdzesseis/leaktrend/detector"
)

// Set is a set of recordings that can be gone through more than once, with the same result.
type Set struct {
	Count int
	All   iter.Seq[*dataset.Recording]
}

// Of returns the set of some recordings.
func Of(recs []*dataset.Recording) Set { return Set{len(recs), slices.Values(recs)} }

// Generated returns the set of what is generated. No more of it is in memory than is worked on.
func Generated(o generate.Options) Set {
	return Set{o.PerFamily * len(generate.Families()), generate.Generate(o)}
}

// Options say what is measured.
type Options struct {
	Config     detector.Config // in force; must be valid. A soak setting in it wins over that of the recordings.
	ConfigName string          // how reports call it
	From       string          // what the recordings are, for reports
	Search     Set             // to search on
	// to report on; the zero value takes the same recordings, and judges the choice by cross-validation
	Report     Set
	Unlabelled bool // nothing is known of the recordings: they are taken as healthy, and extended
	Budget     stats.Budget
	Seed       uint64
	Workers    int // recordings at a time, at least 1
}

// Names of the three ways to run the detector.
const (
	thisConfig = "this configuration"
	trendAlone = "trend alone"
	limitAlone = "limits alone"
)

// Run measures the configuration in force and the rules of the field, searches, and chooses. The result depends on the
// options alone, Workers aside. When ctx ends, it holds what was done by then, and the error is ctx's.
func Run(ctx context.Context, o Options, m *Meter) (*Result, error) {
	u := &run{o: o, result: &Result{
		From: o.From, Config: o.ConfigName, InForce: settingOf(o.Config), TrendOff: !o.Config.Adaptive.Enabled,
		Seed:       o.Seed,
		Unlabelled: o.Unlabelled, HeldOut: o.Report.Count > 0,
	}, meter: m, soaks: make(map[string]time.Duration), leaks: make(map[string]map[string]int64), config: o.Config}
	u.report = o.Report
	if !u.result.HeldOut {
		u.report = o.Search
	}
	u.result.Of = u.report.Count
	u.settings = grid(u.result.InForce)
	u.inForce = slices.Index(u.settings, u.result.InForce)
	err := u.all(ctx)
	if err == nil && !u.result.HeldOut {
		u.result.Limits, err = proposeLimits(ctx, o.Config, u.prepared(o.Search.All))
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	u.result.Interrupted = err != nil
	return u.result, err
}

type run struct {
	o        Options
	report   Set
	meter    *Meter
	settings []Setting
	inForce  int
	result   *Result

	soaks  map[string]time.Duration    // of each recording seen
	leaks  map[string]map[string]int64 // from when on resources of unlabelled recordings look like a leak, by recording
	config detector.Config             // that says so
}

func (u *run) all(ctx context.Context) error {
	c := u.o.Config
	both, err := evaluate.Detector(thisConfig, c, false)
	if err != nil {
		return err
	}
	trend, _ := evaluate.Detector(trendAlone, evaluate.TrendOnly(c), false)
	limits, _ := evaluate.Detector(limitAlone, evaluate.LimitsOnly(c), false)
	methods := []evaluate.Method{both, trend, limits}
	sources := make(map[string]string)
	usual := rivals.Usual()
	if approximation, err := rules.Approximate(c); err == nil {
		usual = append(usual, rivals.Of(approximation))
	}
	for _, r := range usual {
		methods = append(methods, r)
		sources[r.Name()] = r.Source()
	}
	u.plan(len(methods))

	reports, err := u.score(ctx, u.report, methods)
	u.describe(reports, sources)
	if err != nil {
		return err
	}
	searched, err := u.score(ctx, u.o.Search, u.trials(u.settings))
	if err != nil {
		u.result.Searched = u.result.HeldOut
		u.tradeOff(searched, u.settings)
		return err
	}
	if u.o.Unlabelled {
		u.tradeOff(searched, u.settings)
		months, err := extension{u}.measure(ctx)
		if err != nil {
			return err
		}
		u.chooseByMonths(months, searched)
		return nil
	}
	chosen, left, folds := u.pick(searched)
	if !u.result.HeldOut {
		u.tradeOff(searched, u.settings)
		u.judge(u.settings[chosen], left, folds)
		return nil
	}
	// What the search found best is measured on recordings that it did not see.
	best := pareto(tallies(searched, u.physical), u.inForce)
	var worth []Setting
	for i, s := range u.settings {
		if best[i] || i == chosen || i == u.inForce {
			worth = append(worth, s)
		}
	}
	final, err := u.score(ctx, u.report, u.trials(worth))
	u.tradeOff(final, worth)
	if err != nil {
		return err
	}
	u.judge(u.settings[chosen], final[slices.Index(worth, u.settings[chosen])], 0)
	return nil
}

// physical selects the recordings under physical time constants: the budget is about process-days.
func (u *run) physical(o *evaluate.Outcome) bool { return u.soaks[o.Recording] == 0 }

func (u *run) trials(settings []Setting) []evaluate.Method {
	var methods []evaluate.Method
	for i, s := range settings {
		m, err := evaluate.Detector(fmt.Sprint(i), s.apply(u.o.Config), false)
		if err != nil {
			panic(err) // all knobs are within their ranges
		}
		methods = append(methods, m)
	}
	return methods
}

func (u *run) score(ctx context.Context, set Set, methods []evaluate.Method) ([]evaluate.Report, error) {
	return evaluate.Score(ctx, u.prepared(set.All), methods, evaluate.ScoreOptions{Workers: u.o.Workers,
		Done: u.meter.pass(len(methods))})
}

// prepared puts the soak setting of the configuration on the recordings, and notes which one each is judged in.
func (u *run) prepared(recs iter.Seq[*dataset.Recording]) iter.Seq[*dataset.Recording] {
	return func(yield func(*dataset.Recording) bool) {
		for r := range recs {
			if soak := u.o.Config.Adaptive.Soak; soak > 0 && r.Soak != soak {
				other := *r
				other.Soak, r = soak, &other
			}
			u.soaks[r.Name] = r.Soak
			if r.Unknown {
				r = u.suspected(r)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// suspected returns an unlabelled recording with what leaks in it by the detector's own evidence, as far as that holds
// at its end: no alarm on it is false, and none is missed.
func (u *run) suspected(r *dataset.Recording) *dataset.Recording {
	from, known := u.leaks[r.Name]
	if !known {
		from = leaksFrom(u.config, r)
		u.leaks[r.Name] = from
		for i := range r.Series {
			if at := from[r.Series[i].Resource]; at != 0 {
				u.result.Suspects = append(u.result.Suspects,
					Suspect{r.Name, r.Series[i].Resource, time.Unix(0, at).UTC()})
			}
		}
	}
	if len(from) == 0 {
		return r
	}
	marked := *r
	marked.Series = slices.Clone(r.Series)
	for i := range marked.Series {
		if at := from[marked.Series[i].Resource]; at != 0 {
			marked.Series[i].Truth = dataset.Truth{Leaks: true, From: at, Consequence: true}
		}
	}
	return &marked
}

// in selects the recordings of a group.
func (u *run) in(soak time.Duration) func(*evaluate.Outcome) bool {
	return func(o *evaluate.Outcome) bool { return u.soaks[o.Recording] == soak }
}

// describe makes the groups, with what each method did.
func (u *run) describe(reports []evaluate.Report, sources map[string]string) {
	soaks, programs := make(map[time.Duration]bool), make(map[string]bool)
	for i := range reports[0].Outcomes {
		o := &reports[0].Outcomes[i]
		soaks[u.soaks[o.Recording]] = true
		programs[programOf(o)] = true
	}
	u.result.Recordings, u.result.Programs = len(reports[0].Outcomes), len(programs)
	ambiguous := make(map[string]bool)
	for _, f := range generate.Families() {
		ambiguous[f.Name] = f.Ambiguous
	}
	for _, soak := range slices.Sorted(maps.Keys(soaks)) {
		g := Group{SoakSeconds: soak.Seconds(), Unit: unitOf(soak)}
		for i := range reports {
			r := &reports[i]
			m := Method{Name: r.Method, Source: sources[r.Method], All: figuresOf(r.Tally("", u.in(soak)), soak)}
			m.Resources, m.Kinds, m.Families = partsOf(r, u.in(soak), soak, func(f string) bool { return ambiguous[f] })
			if slices.ContainsFunc(m.Families, func(f Named) bool { return f.Ambiguous }) {
				t := r.Tally("", func(o *evaluate.Outcome) bool { return u.in(soak)(o) && !ambiguous[o.Family] })
				plain := figuresOf(t, soak)
				m.Plain = &plain
			}
			g.Methods = append(g.Methods, m)
		}
		u.result.Groups = append(u.result.Groups, g)
	}
}

func unitOf(soak time.Duration) string {
	if soak > 0 {
		return "soak run"
	}
	return "process-day"
}

// tradeOff puts the settings that were tried into the groups.
func (u *run) tradeOff(reports []evaluate.Report, settings []Setting) {
	for i := range u.result.Groups {
		g := &u.result.Groups[i]
		var all []Figures
		for k := range reports {
			all = append(all, figuresOf(reports[k].Tally("", u.in(g.soak())), g.soak()))
		}
		if len(all) == 0 || all[0].Recordings == 0 {
			continue
		}
		best := pareto(all, slices.Index(settings, u.result.InForce))
		for k, s := range settings {
			g.Trials = append(g.Trials, Trial{Setting: s, InForce: s == u.result.InForce, Pareto: best[k],
				Figures: all[k]})
		}
	}
}

// Meter tells how far a run has come. Its zero value is ready.
type Meter struct {
	mu     sync.Mutex
	total  float64 // recordings times methods
	before float64 // those of the passes that are over
	weight float64 // methods of the pass that goes on
	done   *atomic.Int64
}

// Share returns the share of the work that is done, 0 to 1.
func (m *Meter) Share() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.total == 0 {
		return 0
	}
	return min(1, m.now()/m.total)
}

func (m *Meter) now() float64 {
	if m.done == nil {
		return m.before
	}
	return m.before + m.weight*float64(m.done.Load())
}

// pass begins the next pass and returns its counter of recordings.
func (m *Meter) pass(methods int) *atomic.Int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = m.now()
	m.weight, m.done = float64(methods), new(atomic.Int64)
	return m.done
}

// plan estimates the work.
func (u *run) plan(methods int) {
	total := float64(u.report.Count*methods + u.o.Search.Count*len(u.settings))
	if u.result.HeldOut {
		const worth = 15 // settings that the search usually leaves
		total += float64(u.report.Count * worth)
	}
	if u.o.Unlabelled {
		total += float64(extension{u}.replicates() * u.o.Search.Count * len(u.line()))
	}
	u.meter.mu.Lock()
	defer u.meter.mu.Unlock()
	u.meter.total = total
}
