package fleet

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// promiseEnv asks for the figures of docs/fleet.md, as "SEED SERIES FLEETS SEEDS": series of each family that fleets
// are drawn from, fleets of each kind, and how many seeds from the first on, of which each makes its own series. With
// "cpu" after them the processor time of what serves is known, as of each process that exports it.
const promiseEnv = "LEAKTREND_PROMISE"

const (
	aDay       = 24 * time.Hour
	watched    = 7 * aDay
	remembered = 21 * aDay // as far back as healthy series go
)

// pastLength is how far back a fleet is asked about.
type pastLength struct {
	name   string
	length time.Duration // with the week that is watched; 0 = that is not asked about either
}

var pastLengths = []pastLength{{"none", 0}, {"a week", watched}, {"two weeks", 14 * aDay}, {"three weeks", remembered}}

// judgedSeries is a generated series as a scan judges it.
type judgedSeries struct {
	family    string
	leaks     bool
	due       bool // doubled by the end
	age       time.Duration
	recording *dataset.Recording
	end       time.Time // of the scan
	p         *process
	lives     []life
	claims    claims
	// The time before, if there is anything to ask about, by how far back it goes.
	before map[time.Duration]*timeBefore
}

// timeBefore is what was before the time that is watched.
type timeBefore struct {
	p     *process
	grid  prom.Grid
	lives []life
}

// seriesOf returns a process of a recording, read up to an instant, on the grid of a scan that ends there.
func seriesOf(r *dataset.Recording, starts []generate.Life, end time.Time) (*process, prom.Grid) {
	begin := time.Unix(0, r.Times[0])
	g := prom.GridTo(end, min(remembered, end.Sub(begin)), calibration.Step)
	p := &process{labels: map[string]string{},
		readings: []reading{{resource: r.Series[0].Resource, metric: r.Series[0].Resource,
			values: make([]float64, g.N)}}}
	v := p.readings[0].values
	for i := range v {
		v[i] = math.NaN()
	}
	at := func(nanos int64) int {
		return int(math.Ceil(float64(time.Unix(0, nanos).Sub(g.Start)) / float64(g.Step)))
	}
	for i, t := range r.Times {
		if k := at(t); k >= 0 && k < g.N && !(v[k] <= r.Series[0].Values[i]) {
			v[k] = r.Series[0].Values[i]
		}
	}
	if len(r.Series) > 1 {
		p.cpu = make([]float64, g.N)
		for i := range p.cpu {
			p.cpu[i] = math.NaN()
		}
		for i, t := range r.Times {
			if k := at(t); k >= 0 && k < g.N {
				p.cpu[k] = r.Series[1].Values[i]
			}
		}
	}
	for _, mark := range r.Ceilings { // one, from the begin on
		for _, c := range mark.Value {
			p.ceilings = append(p.ceilings, ceiling{c.Resource, c.Source, slices.Repeat([]float64{c.Level}, g.N)})
		}
	}
	if starts != nil {
		p.start = make([]float64, g.N)
		life := 0
		for i := range p.start {
			for life+1 < len(starts) && !starts[life+1].Start.After(g.At(i)) {
				life++
			}
			p.start[i] = float64(starts[life].Start.Unix())
		}
	}
	return p, g
}

// from returns the last part of a process and its grid.
func (p *process) from(g prom.Grid, length time.Duration) (*process, prom.Grid) {
	skip := max(g.N-int(length/g.Step), 0)
	short := *p
	short.readings = []reading{p.readings[0]}
	short.readings[0].values = p.readings[0].values[skip:]
	if p.cpu != nil {
		short.cpu = p.cpu[skip:]
	}
	if p.start != nil {
		short.start = p.start[skip:]
	}
	return &short, prom.Grid{Start: g.At(skip), Step: g.Step, N: g.N - skip}
}

// until returns the first part of a process, up to instant n, on a grid of lookBackStep.
func (p *process) until(g prom.Grid, n int) (*process, prom.Grid) {
	width := int(lookBackStep / g.Step)
	coarse := prom.Grid{Start: g.At(width - 1), Step: lookBackStep, N: n / width}
	early := &process{labels: p.labels, readings: []reading{p.readings[0]}, ceilings: p.ceilings}
	early.readings[0].values = make([]float64, coarse.N)
	for i := range coarse.N {
		low := math.NaN()
		for _, v := range p.readings[0].values[i*width : (i+1)*width] {
			if !(low <= v) {
				low = v
			}
		}
		early.readings[0].values[i] = low
		if p.cpu != nil {
			early.cpu = append(early.cpu, p.cpu[(i+1)*width-1])
		}
		if p.start != nil {
			early.start = append(early.start, p.start[(i+1)*width-1])
		}
	}
	return early, coarse
}

// pool are the series that fleets are drawn from, by family.
type pool map[string][]judgedSeries

var (
	// newFamilies are those that the healthy sample of the calibration lacks.
	newFamilies = []string{"weekly_fall", "zero_readings", "nightly_restarts"}
	newServices = []string{"steady_lives", "warm_up_lives", "slow_cache_weekly", "nightly_fall_lives",
		"weekly_fall_lives", "autoscaling", "week_cycle_lives", "traffic_grows", "pool_lives"}
	// otherServices are services by which nothing of the scan was chosen.
	otherServices = []string{
		"long_warm_up_daily", "long_warm_up_weekdays", "cache_weekdays", "cache_daily", "slow_cache_weekdays",
		"slow_cache_irregular",
		"growth_that_stops", "first_mornings", "day_cycle_lives", "crash_loops", "version_steps",
	}
)

// newPool makes them, those of services that leak and processor time only if asked.
func newPool(seed uint64, each int, leaking, cpu bool) pool {
	type job struct {
		family string
		kind   int // 0 healthy, 1 service, 2 leak, 3 leak of a service
		index  int
	}
	jobs := make(chan job)
	all := pool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				s := judgedOf(seed, j.family, j.kind, j.index, cpu)
				mu.Lock()
				all[j.family] = append(all[j.family], s)
				mu.Unlock()
			}
		}()
	}
	for i := range each {
		for _, f := range slices.Concat(scores.Families(false), newFamilies) {
			jobs <- job{f, 0, i}
		}
		for _, f := range slices.Concat(newServices, otherServices) {
			jobs <- job{f, 1, i}
		}
		for _, f := range scores.Families(true) {
			jobs <- job{f, 2, i}
		}
		for _, f := range leakingServices() {
			if leaking {
				jobs <- job{f, 3, i}
			}
		}
	}
	close(jobs)
	wg.Wait()
	for _, list := range all {
		slices.SortFunc(list, func(a, b judgedSeries) int {
			if a.p.labels["instance"] < b.p.labels["instance"] {
				return -1
			}
			return 1
		})
	}
	return all
}

func judgedOf(seed uint64, family string, kind, index int, cpu bool) judgedSeries {
	span := remembered + watched
	if kind == 2 {
		span = 12 * aDay
	}
	o := generate.Options{Seed: seed, Interval: calibration.Step, Span: generate.Range{Min: span, Max: span},
		Ranges: generate.Split(index % 2), Load: cpu, Ceilings: kind == 1 || kind == 3}
	var r *dataset.Recording
	var starts []generate.Life
	if kind == 1 || kind == 3 {
		r, starts = generate.Service(o, family, index)
	} else {
		r = generate.One(o, family, index)
	}
	if !cpu {
		r.Series = r.Series[:1] // some families have it always
	}
	out := judgedSeries{family: family, leaks: kind == 2}
	end := time.Unix(0, r.Times[0]).Add(remembered)
	if kind == 2 {
		// Ages up to a week and a half, as far as the process lives.
		truth := r.Series[0].Truth
		last := r.Times[len(r.Times)-1]
		share := rand.New(rand.NewPCG(seed, uint64(index))).Float64()
		at := truth.From + int64(math.Pow(share, 1.5)*float64(last-truth.From))
		end = time.Unix(0, max(at, min(r.Times[0]+int64(12*time.Hour), last)))
		out.age = end.Sub(time.Unix(0, truth.From))
		out.due = truth.Doubled != 0 && truth.Doubled <= end.UnixNano()
	}
	if kind == 3 {
		running := starts[0]
		for _, l := range starts {
			if !l.Start.After(end) {
				running = l
			}
		}
		out.leaks, out.age = running.Leaks, end.Sub(running.Start)
		out.due = out.leaks && doubled(r, running.From, end)
	}
	out.recording, out.end = r, end
	p, g := seriesOf(r, starts, end)
	p.labels["instance"] = fmt.Sprintf("%s-%06d", family, index)
	out.p = p
	short, grid := p.from(g, watched)
	out.lives = short.judge(grid, calibration.Judgment())
	out.claims = claimsOf(short, grid, out.lives, calibration.Default())
	if (out.claims != nil || len(out.lives) >= minSeen) && g.N > grid.N {
		out.before = map[time.Duration]*timeBefore{}
		for _, past := range pastLengths {
			if past.length <= watched {
				continue
			}
			known, all := p.from(g, past.length)
			b := &timeBefore{}
			b.p, b.grid = known.until(all, all.N-grid.N)
			b.lives = b.p.judge(b.grid, calibration.Judgment())
			out.before[past.length] = b
		}
	}
	for i := range out.lives {
		out.lives[i].lines = nil
	}
	return out
}

// doubled reports whether the lowest values of the last hours before an instant are twice those of the first hours of a
// life.
func doubled(r *dataset.Recording, from int, end time.Time) bool {
	const hours = 3 * time.Hour
	lowest := func(a, b time.Time) float64 {
		low := math.Inf(1)
		for i, t := range r.Times[from:] {
			if at := time.Unix(0, t); !at.Before(a) && !at.After(b) && r.Series[0].Values[from+i] < low {
				low = r.Series[0].Values[from+i]
			}
		}
		return low
	}
	begin := time.Unix(0, r.Times[from])
	return end.Sub(begin) > 2*hours && lowest(end.Add(-hours), end) >= 2*lowest(begin, begin.Add(hours))
}

// leakingServices are the families of services that leak.
func leakingServices() (all []string) {
	for _, f := range generate.Services() {
		if f.Leaks {
			all = append(all, f.Name)
		}
	}
	return all
}

// mix is a kind of fleet: of how many series of each family it is, and the families of its leaks.
type mix struct {
	name     string
	families map[string]int
	leaks    []string
}

func mixes(size int) []mix {
	parts := func(names []string, n int) map[string]int {
		all := map[string]int{}
		for i, f := range names {
			all[f] = n / len(names)
			if i < n%len(names) {
				all[f]++
			}
		}
		return all
	}
	lab := scores.Families(false)
	with := slices.Concat(lab, newFamilies, newServices)
	slow := parts(with, size*9/10)
	slow["weekly_fall"] += size / 10
	leaks, others := scores.Families(true), parts(slices.Concat(lab, otherServices), size)
	return []mix{
		{"the lab's families", parts(lab, size), leaks}, {"with the new ones", parts(with, size), leaks},
		{"a tenth falls back weekly", slow, leaks},
		{"with other services", others, leaks}, {"with other services that leak", others, leakingServices()},
	}
}

// join has a scan read the series as a job of its own, with its past if it has one that goes so far back.
func (s *judgedSeries) join(c *collector, job string, back time.Duration) {
	p := *s.p
	p.labels = map[string]string{"job": job, "instance": "a"}
	c.add(&p, s.lives)
	if b := s.before[back]; b != nil {
		early := *b.p
		early.labels = p.labels
		if s.claims != nil {
			c.recalled.recall(&early, b.grid, b.lives, s.claims)
		}
		name := workloadName([]Label{{jobLabel, job}})
		if w := c.workloads[name]; w != nil {
			c.workloads.recall(&early, c.groupBy, b.grid, b.lives, map[string][]string{name: w.wanted()})
		}
	}
}

// draw makes one fleet: each series its own group.
func (of mix) draw(pool pool, r *rand.Rand, leaking float64, back time.Duration) (*collector,
	map[string]*judgedSeries) {
	c := newCollector(&Options{GroupBy: []string{"job"}, Calibration: calibration.Default()})
	members := map[string]*judgedSeries{}
	size := 0
	add := func(s *judgedSeries) {
		job := fmt.Sprintf("j%d", size)
		size++
		members[job] = s
		s.join(c, job, back)
	}
	for _, f := range slices.Sorted(maps.Keys(of.families)) {
		for range of.families[f] {
			add(&pool[f][r.IntN(len(pool[f]))])
		}
	}
	for range int(math.Round(leaking * float64(size))) {
		f := of.leaks[r.IntN(len(of.leaks))]
		add(&pool[f][r.IntN(len(pool[f]))])
	}
	return c, members
}

// Fleets of which none, few or some series leak: the share of false ones among the findings beside what was asked, and
// the share of the due leaks that is found, with a past that the fleet is not asked about, with that of the week that
// is watched, and with three weeks of what grows in it.
func TestPromise(t *testing.T) {
	const fdr = .05
	seed, each, fleets, seeds := uint64(9101), 8, 4, 1
	kinds, shares := mixes(1530), []float64{0, .001, .005, .01, .05}
	text, known := os.Getenv(promiseEnv), ""
	if text == "" {
		kinds, shares = kinds[1:2], shares[4:]
	} else if n, err := fmt.Sscan(text, &seed, &each, &fleets, &seeds, &known); n < 3 {
		t.Fatalf("%s=%s: want a seed, series, fleets and seeds, and maybe cpu: %v", promiseEnv, text, err)
	}
	type row struct {
		kind    int
		leaking float64
		past    pastLength
	}
	var rows []row
	for kind := range kinds {
		for _, leaking := range shares {
			for _, past := range pastLengths {
				switch {
				case text == "":
					if past.length == remembered || past.length == 14*aDay {
						rows = append(rows, row{kind, leaking, past})
					}
				case past.length > 0 || leaking == shares[len(shares)-1]:
					rows = append(rows, row{kind, leaking, past})
				}
			}
		}
	}
	all := make([]figures, len(rows))
	for range seeds {
		pool := newPool(seed, each, text != "", known == "cpu")
		for i, row := range rows {
			f := &all[i]
			r := rand.New(rand.NewPCG(seed, 5))
			for range fleets {
				c, members := kinds[row.kind].draw(pool, r, row.leaking, row.past.length)
				if row.past.length == 0 {
					c.forget()
				}
				f.add(c.report(fdr, 0, time.Time{}), members)
			}
			f.seeds = append(f.seeds, len(f.wrong))
		}
		seed++
	}
	for i, row := range rows {
		f := &all[i]
		mean, error95 := f.falseShare()
		t.Logf("%s, %g %% leak, past of %s: %v", kinds[row.kind].name, 100*row.leaking, row.past.name, f)
		if mean-error95 > fdr {
			t.Errorf("%s, %g %% leak, past of %s: %.3f of the findings are false, give or take %.3f; asked: %.3f",
				kinds[row.kind].name, 100*row.leaking, row.past.name, mean, error95, fdr)
		}
		if text == "" && 2*f.found < f.due {
			t.Errorf("%s, %g %% leak, past of %s: %d of %d due leaks are found, want half", kinds[row.kind].name,
				100*row.leaking, row.past.name, f.found, f.due)
		}
	}
}

// forget has a scan know nothing of the past.
func (c *collector) forget() {
	clear(c.recalled.falls)
	clear(c.recalled.lived)
	for _, g := range c.groups {
		for _, t := range g.resources {
			t.past = past{}
		}
	}
}
