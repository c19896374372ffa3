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

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// promiseEnv asks for the figures of docs/fleet.md, as "SEED SERIES FLEETS SEEDS": series of each family that fleets are
// drawn from, fleets of each kind, and how many seeds from the first on, of which each makes its own series.
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
	p := &process{labels: map[string]string{}, readings: []reading{{resource: r.Series[0].Resource, metric: r.Series[0].Resource, values: make([]float64, g.N)}}}
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
	if p.start != nil {
		short.start = p.start[skip:]
	}
	return &short, prom.Grid{Start: g.At(skip), Step: g.Step, N: g.N - skip}
}

// until returns the first part of a process, up to instant n, on a grid of lookBackStep.
func (p *process) until(g prom.Grid, n int) (*process, prom.Grid) {
	width := int(lookBackStep / g.Step)
	coarse := prom.Grid{Start: g.At(width - 1), Step: lookBackStep, N: n / width}
	early := &process{labels: p.labels, readings: []reading{p.readings[0]}}
	early.readings[0].values = make([]float64, coarse.N)
	for i := range coarse.N {
		low := math.NaN()
		for _, v := range p.readings[0].values[i*width : (i+1)*width] {
			if !(low <= v) {
				low = v
			}
		}
		early.readings[0].values[i] = low
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
	newServices = []string{"steady_lives", "warm_up_lives", "slow_cache_weekly", "nightly_fall_lives", "weekly_fall_lives", "autoscaling", "week_cycle_lives", "traffic_grows", "pool_lives"}
	// otherServices are services by which nothing of the scan was chosen.
	otherServices = []string{
		"long_warm_up_daily", "long_warm_up_weekdays", "cache_weekdays", "cache_daily", "slow_cache_weekdays", "slow_cache_irregular",
		"growth_that_stops", "first_mornings", "day_cycle_lives", "crash_loops", "version_steps",
	}
)

func newPool(seed uint64, each int) pool {
	type job struct {
		family string
		kind   int // 0 healthy, 1 service, 2 leak
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
				s := judgedOf(seed, j.family, j.kind, j.index)
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

func judgedOf(seed uint64, family string, kind, index int) judgedSeries {
	span := remembered + watched
	if kind == 2 {
		span = 12 * aDay
	}
	o := generate.Options{Seed: seed, Interval: calibration.Step, Span: generate.Range{Min: span, Max: span}, Ranges: generate.Split(index % 2)}
	var r *dataset.Recording
	var starts []generate.Life
	if kind == 1 {
		r, starts = generate.Service(o, family, index)
	} else {
		r = generate.One(o, family, index)
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
	out.recording, out.end = r, end
	p, g := seriesOf(r, starts, end)
	p.labels["instance"] = fmt.Sprintf("%s-%06d", family, index)
	out.p = p
	short, grid := p.from(g, watched)
	out.lives = short.judge(grid, calibration.Judgment())
	if out.claims = claimsOf(short, grid, out.lives, calibration.Default()); out.claims != nil && g.N > grid.N {
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
		out.lives[i].lines, out.lives[i].curves = nil, nil
	}
	return out
}

// mix is a kind of fleet: of how many series of each family it is.
type mix struct {
	name     string
	families map[string]int
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
	return []mix{
		{"the lab's families", parts(lab, size)}, {"with the new ones", parts(with, size)}, {"a tenth falls back weekly", slow},
		{"with other services", parts(slices.Concat(lab, otherServices), size)},
	}
}

// figures are those of fleets of one kind.
type figures struct {
	wrong, expected       []float64 // by fleet: the share false, and what the chances say
	found, due, suspected int
	foundAt, dueAt        [4]int
	reported              int
	seeds                 []int                         // fleets up to the end of each seed
	told                  [tenths]struct{ n, leak int } // findings and suspects by their chance
}

const tenths = 10

var ageNames = [4]string{"below 1 d", "1 to 2 d", "2 to 4 d", "above 4 d"}

func ageClass(age time.Duration) int {
	switch {
	case age < aDay:
		return 0
	case age < 2*aDay:
		return 1
	case age < 4*aDay:
		return 2
	}
	return 3
}

// draw makes one fleet: each series its own group.
func (of mix) draw(pool pool, r *rand.Rand, leaking float64, back time.Duration) (*collector, map[string]*judgedSeries) {
	c := newCollector(&Options{GroupBy: []string{"job"}, Calibration: calibration.Default()})
	members := map[string]*judgedSeries{}
	size := 0
	add := func(s *judgedSeries) {
		job := fmt.Sprintf("j%d", size)
		size++
		members[job] = s
		p := *s.p
		p.labels = map[string]string{"job": job, "instance": "a"}
		c.add(&p, s.lives)
		if b := s.before[back]; b != nil {
			early := *b.p
			early.labels = p.labels
			c.recalled.recall(&early, b.grid, b.lives, s.claims)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(of.families)) {
		for range of.families[f] {
			add(&pool[f][r.IntN(len(pool[f]))])
		}
	}
	leaks := scores.Families(true)
	for range int(math.Round(leaking * float64(size))) {
		f := leaks[r.IntN(len(leaks))]
		add(&pool[f][r.IntN(len(pool[f]))])
	}
	return c, members
}

// Fleets of which none, few or some series leak: the share of false ones among the findings beside what was asked, and
// the share of the due leaks that is found, with a past that the fleet is not asked about, with that of the week that is
// watched, and with three weeks of what grows in it.
func TestPromise(t *testing.T) {
	const fdr = .05
	seed, each, fleets, seeds := uint64(9101), 8, 4, 1
	kinds, shares := mixes(1530), []float64{0, .001, .005, .01, .05}
	text := os.Getenv(promiseEnv)
	if text == "" {
		kinds, shares = kinds[1:2], shares[4:]
	} else if n, err := fmt.Sscan(text, &seed, &each, &fleets, &seeds); n < 3 {
		t.Fatalf("%s=%s: want a seed, series, fleets and seeds: %v", promiseEnv, text, err)
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
		pool := newPool(seed, each)
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
			t.Errorf("%s, %g %% leak, past of %s: %d of %d due leaks are found, want half", kinds[row.kind].name, 100*row.leaking, row.past.name, f.found, f.due)
		}
	}
}

// forget has a scan know nothing of the past.
func (c *collector) forget() {
	clear(c.recalled.falls)
	for _, g := range c.groups {
		for _, t := range g.resources {
			t.past = past{}
		}
	}
}

func (f *figures) add(r *Report, members map[string]*judgedSeries) {
	wrong := 0
	lacking := 0.
	seen := map[string]bool{}
	for i := range r.Findings {
		x := &r.Findings[i]
		s := members[x.Group[0].Value]
		seen[x.Group[0].Value] = true
		lacking += 1 - x.Chance.Mean
		if !s.leaks {
			wrong++
		}
	}
	f.reported += len(r.Findings)
	n := float64(max(len(r.Findings), 1))
	f.wrong, f.expected = append(f.wrong, float64(wrong)/n), append(f.expected, lacking/n)
	suspected := map[string]bool{}
	for _, list := range [][]Finding{r.Findings, r.Suspects} {
		for i := range list {
			told := &f.told[min(int(tenths*list[i].Chance.Mean), tenths-1)]
			told.n++
			if members[list[i].Group[0].Value].leaks {
				told.leak++
			}
		}
	}
	for i := range r.Suspects {
		suspected[r.Suspects[i].Group[0].Value] = true
	}
	for job, s := range members {
		if !s.due {
			continue
		}
		f.due++
		f.dueAt[ageClass(s.age)]++
		if seen[job] {
			f.found++
			f.foundAt[ageClass(s.age)]++
		} else if suspected[job] {
			f.suspected++
		}
	}
}

// falseShare returns the mean share of false findings over the fleets, and its error at 95 %: of several seeds by what
// they differ, as fleets of one seed share their series.
func (f *figures) falseShare() (mean, error95 float64) {
	of := f.wrong
	if len(f.seeds) > 1 {
		of = nil
		from := 0
		for _, to := range f.seeds {
			of = append(of, stat.Mean(f.wrong[from:to], nil))
			from = to
		}
	}
	mean, deviation := stat.MeanStdDev(of, nil)
	return mean, distuv.StudentsT{Sigma: 1, Nu: float64(len(of) - 1)}.Quantile(.975) * deviation / math.Sqrt(float64(len(of)))
}

func (f *figures) String() string {
	mean, error95 := f.falseShare()
	share := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	text := fmt.Sprintf("%d findings, false %.1f %% +- %.1f, said %.1f %%; of %d due leaks %.0f %% found, %.0f %% suspects;", f.reported, 100*mean, 100*error95,
		100*stat.Mean(f.expected, nil), f.due, share(f.found, f.due), share(f.suspected, f.due))
	for i, n := range f.dueAt {
		text += fmt.Sprintf(" %s %.0f %%,", ageNames[i], share(f.foundAt[i], n))
	}
	text += " leaks by the tenth of the chance that was said:"
	for _, told := range f.told {
		text += fmt.Sprintf(" %d of %d,", told.leak, told.n)
	}
	return text
}
