// Package generate makes recordings of processes that are healthy and of processes that leak, with the truth about
// each, to measure and to tune a detector on far more than can be recorded. A recording depends on the seed, the family
// and its number alone.
package generate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Split is one of two halves of every parameter range: what was tuned on one is to be judged on the other.
type Split uint8

// The two halves. Each consists of four of eight equal cells, dealt out like the Thue-Morse sequence (0 3 5 6 and 1 2 4
// 7): no value of a parameter can occur in both, yet both reach over the whole range with the same mean and variance.
const (
	Tune Split = iota
	Report
)

// Range is a range of durations.
type Range struct{ Min, Max time.Duration }

// Options say what to generate.
type Options struct {
	Seed      uint64
	PerFamily int // recordings of each family
	// Interval is the time between samples, at least 10 ms; 0 = 30 s or 60 s, drawn for each recording, but for the
	// families that are about a few readings a day.
	Interval time.Duration
	// Span is the length of a recording, drawn log-uniformly; the zero value is 6 h to 14 days, of some families up to
	// 42 days. Some need days to show what they are and take their length from the upper part. A leak that takes the
	// last of its limit ends its recording, unless its process starts anew.
	Span     Range
	Load     bool // with cpu_seconds; a few families always have it or never do
	Ceilings bool // with the ceilings of open_fds, rss_bytes and heap_live_bytes
	Ranges   Split
}

const (
	drawnInterval = 30 * time.Second // or twice that
	minSamples    = 20               // samples that show anything
	seldom        = 10 * time.Minute // ticks of the families that are read a few times a day
)

func (o Options) span() Range {
	if o.Span == (Range{}) {
		return Range{6 * time.Hour, 14 * 24 * time.Hour}
	}
	return o.Span
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	if o.PerFamily < 0 {
		faults = append(faults, fmt.Errorf("recordings of each family: %d: must not be negative", o.PerFamily))
	}
	if o.Interval != 0 && o.Interval < 10*time.Millisecond {
		faults = append(faults, fmt.Errorf("interval: %v: must be 0 or at least 10ms", o.Interval))
	}
	span, interval := o.span(), o.Interval
	if interval == 0 {
		interval = 2 * drawnInterval
	}
	if span.Max < span.Min {
		faults = append(faults, fmt.Errorf("span: %v to %v: must not fall", span.Min, span.Max))
	}
	if span.Min < minSamples*interval {
		faults = append(faults, fmt.Errorf("span: %v: must be at least %d intervals of %v", span.Min, minSamples,
			interval))
	}
	if o.Ranges > Report {
		faults = append(faults, fmt.Errorf("ranges: %d: must be Tune or Report", o.Ranges))
	}
	return errors.Join(faults...)
}

// Family is a way in which the use of a resource goes over time.
type Family struct {
	Name  string
	Leaks bool
	// Ambiguous: healthy, but for its first day or longer nothing in the series itself tells it from a leak.
	Ambiguous bool
	// Later: the calibration of scans, the price of soak runs and figures of before 2026-11-26 are without it.
	Later    bool
	Sentence string

	resources []string
	days      float64       // length that it takes to show what it is
	maxDays   float64       // maximum length, unless a span is asked for; 0 = that of the default span
	interval  time.Duration // of the ticks, unless one is asked for; 0 = drawn
	load      column
	draw      func(p *process)
}

// column says whether a family has a column of cpu_seconds.
type column uint8

const (
	asRequested column = iota
	always             // it is what tells the family from a leak
	never              // it would give away what the family hides
)

// Families returns the families, the healthy ones first.
func Families() []Family { return slices.Clone(families) }

// Generate yields o.PerFamily recordings of each family, one after the other. The options must be valid.
func Generate(o Options) iter.Seq[*dataset.Recording] {
	return func(yield func(*dataset.Recording) bool) {
		for _, f := range families {
			for i := range o.PerFamily {
				if !yield(One(o, f.Name, i)) {
					return
				}
			}
		}
	}
}

// One returns the recording with a number, 0 or above, of a family: the same that Generate yields, in any order and
// from any goroutine. It panics if there is no such family.
func One(o Options, family string, index int) *dataset.Recording {
	i := slices.IndexFunc(families, func(f Family) bool { return f.Name == family })
	if i < 0 {
		panic("generate: no family " + family)
	}
	p := newProcess(o, &families[i], index)
	p.family.draw(p)
	if o.Interval != 0 {
		p.read = nil
	}
	truth := p.truth()
	return p.finish(o, truth, index)
}

// finish records the process and says what is known of it.
func (p *process) finish(o Options, truth dataset.Truth, index int) *dataset.Recording {
	r := p.record(p.family.load == always || o.Load && p.family.load == asRequested)
	r.Name = fmt.Sprintf("%s/%d", p.family.Name, index)
	r.Program, r.Family = r.Name, p.family.Name
	r.Series[0].Truth = truth
	if o.Ceilings && slices.Contains(limited, p.resource) {
		ceiling := sampler.Ceiling{Resource: p.resource, Level: math.Ceil(p.limit * p.level), Source: "generated"}
		r.Ceilings = []dataset.Mark[[]sampler.Ceiling]{{Value: []sampler.Ceiling{ceiling}}}
	}
	return r
}

// limited are the resources that the system sets a ceiling on.
var limited = []string{sampler.OpenFDs, sampler.RSSBytes, sampler.HeapLiveBytes}

const (
	megabyte = 1 << 20
	page     = 4096
)

// levels are what processes use of a resource in their normal state.
var levels = map[string][2]float64{
	sampler.Goroutines:    {8, 5000},
	sampler.OpenFDs:       {8, 5000},
	sampler.Threads:       {8, 300},
	sampler.HeapLiveBytes: {5 * megabyte, 8192 * megabyte},
	sampler.RSSBytes:      {5 * megabyte, 8192 * megabyte},
}

// process is one run being drawn. Its arrays have one value for each tick of the sampling interval; 1 is the normal
// state.
type process struct {
	family   *Family
	r        *rand.Rand
	aside    *rand.Rand // for what an option adds, so that it leaves all else as it is
	ranges   Split
	resource string
	level    float64 // in the unit of the resource
	limit    float64 // level of exhaustion
	begin    int64   // unix nanoseconds
	interval time.Duration
	dt       float64   // hours from tick to tick
	healthy  []float64 // use of the resource without the leak
	load     []float64 // work done; nil = steady
	churn    []float64 // factor on all that is used; nil = 1
	restarts []int     // ticks, the first one included
	marked   bool      // whether restarts are known
	read     []bool    // ticks that are read; nil = all
	zeros    float64   // chance of a tick that reading begins to fail, and gives zeros
	leak     leak
	end      int // ticks until the recording is over or the process dies
}

// leak is what a process loses.
type leak struct {
	from   int
	amount []float64 // what was lost so far; nil = healthy process
	// killed are the ticks at which the process reaches its limit and starts anew; nil = that ends the recording.
	killed []int
	whole  int // tick from which all that was lost since the last start is in the recording
	// until returns the hours from the begin until an amount is lost that is beyond the recording; nil = unknown.
	until func(amount float64) float64
}

func newProcess(o Options, f *Family, index int) *process {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d", o.Seed, f.Name, o.Ranges)
	key := h.Sum64()
	p := &process{
		family: f, ranges: o.Ranges,
		r:     rand.New(rand.NewPCG(key, uint64(index))),
		aside: rand.New(rand.NewPCG(key, ^uint64(index))),
	}
	p.resource = f.resources[p.r.IntN(len(f.resources))]
	p.level = p.logarithmic(levels[p.resource][0], levels[p.resource][1])
	p.limit = p.logarithmic(3, 30)
	p.begin = monday.Add(time.Duration(p.r.IntN(28*24*3600)) * time.Second).UnixNano()

	p.interval = time.Duration(1+p.r.IntN(2)) * drawnInterval
	if o.Interval != 0 {
		p.interval = o.Interval
	} else if f.interval != 0 {
		p.interval = f.interval
	}
	low, high := o.span().Min.Hours(), o.span().Max.Hours()
	if o.Span == (Range{}) {
		high = max(high, 24*f.maxDays)
	}
	hours := p.logarithmic(min(max(low, 24*f.days), high), high)
	p.dt = p.interval.Hours()
	p.healthy = make([]float64, int(hours/p.dt))
	p.end = len(p.healthy)
	for i := range p.healthy {
		p.healthy[i] = 1
	}
	return p
}

// cells of eight that each half of a range consists of.
var cells = [2][4]float64{{0, 3, 5, 6}, {1, 2, 4, 7}}

// share draws from 0 to 1.
func (p *process) share() float64 { return (cells[p.ranges][p.r.IntN(4)] + p.r.Float64()) / 8 }

// uniform draws from low to high.
func (p *process) uniform(low, high float64) float64 { return low + (high-low)*p.share() }

// logarithmic draws from low to high, each factor between them as likely as the next.
func (p *process) logarithmic(low, high float64) float64 {
	return low * math.Exp(p.share()*math.Log(high/low))
}

// hours returns the length of the recording.
func (p *process) hours() float64 { return float64(len(p.healthy)) * p.dt }

// tick returns the tick at an hour, within the recording.
func (p *process) tick(hour float64) int {
	return int(min(max(hour/p.dt, 0), float64(len(p.healthy)-1)))
}

// at returns the time of a tick.
func (p *process) at(tick int) int64 { return p.begin + int64(tick)*int64(p.interval) }

// startOf returns when the process was started that a restart at a tick begins.
func (p *process) startOf(restart int) time.Time {
	return time.Unix(0, p.at(restart)-int64(p.interval/4)).UTC()
}

// used returns what is used at a tick, leak included.
func (p *process) used(tick int) float64 {
	used := p.healthy[tick]
	if p.leak.amount != nil {
		used += p.leak.amount[tick]
	}
	if p.churn != nil {
		used *= p.churn[tick]
	}
	return used
}

// truth sets the limit beyond what the process needs, lets it die there if it leaks that much, and returns what is to
// be known of it.
func (p *process) truth() dataset.Truth {
	leaked := p.leak
	p.leak.amount = nil
	for i := range p.healthy {
		p.limit = max(p.limit, 1.5*p.used(i))
	}
	if leaked.amount == nil {
		return dataset.Truth{}
	}
	p.leak = leaked
	truth := dataset.Truth{Leaks: true, From: p.at(leaked.from), Kind: p.family.Name}
	normal, churn := p.normal()
	for i := leaked.from; i < len(p.healthy); i++ {
		if truth.Doubled == 0 && leaked.amount[i] >= normal && i >= leaked.whole {
			truth.Doubled = p.at(i)
		}
		if len(leaked.killed) == 0 && p.used(i) >= p.limit {
			p.end, truth.Exhausted = i+1, p.at(i)
			return truth
		}
	}
	if len(leaked.killed) > 0 {
		truth.Exhausted = p.at(leaked.killed[0])
	}
	if leaked.until == nil {
		return truth
	}
	const century = 100 * 365 * 24 // the years that unix nanoseconds hold are few
	if hours := leaked.until(p.limit/churn - normal); hours < century {
		truth.Exhausted = max(truth.From+int64(hours*float64(time.Hour)), p.at(len(p.healthy)))
	}
	return truth
}

// normal returns the mean of the healthy use, and of the churn on it, over the day on either side of the begin of the
// leak.
func (p *process) normal() (use, churn float64) {
	day := int(24 / p.dt)
	low, high := max(p.leak.from-day, 0), min(p.leak.from+day, len(p.healthy))
	use, churn = mean(p.healthy[low:high]), 1
	if p.churn != nil {
		churn = mean(p.churn[low:high])
	}
	return use, churn
}

func mean(values []float64) float64 { return sum(values) / float64(len(values)) }

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// record samples the process as it is done in practice: a little late, with samples missing, in whole units and
// milliseconds.
func (p *process) record(withLoad bool) *dataset.Recording {
	n := p.end
	var (
		jitter  = p.uniform(0, .1) * float64(p.interval)
		missing = newRare(p.r, p.logarithmic(1e-5, .01))                    // one sample
		gaps    = newRare(p.r, min(p.logarithmic(.05, 2)*p.dt/24, .01))     // minutes to an hour
		unread  = newRare(p.r, p.logarithmic(1e-5, .005))                   // the value, though not the sample
		gap     = func() int { return int(p.logarithmic(2./60, 1) / p.dt) } // ticks
		unit    = unitOf(p.resource)
		scale   = p.level / unit
		r       = &dataset.Recording{Times: make([]int64, 0, n)}
		values  = make([]float64, 0, n)
		cpu     []float64
		busy    []float64
		restart = 0
		failure *rare
		failing int // tick up to which reading fails
	)
	if p.zeros > 0 {
		failure = newRare(p.r, p.zeros)
	}
	if withLoad {
		cpu, busy = p.cpuSeconds(), make([]float64, 0, n)
	}
	for i := 0; i < n; i++ {
		if i > 0 && i < n-1 {
			if gaps.next(i) {
				i = min(i+gap(), n-1)
				gaps.draw(i)
			} else if missing.next(i) {
				continue
			}
		}
		if p.read != nil && !p.read[i] && i > 0 && i < n-1 {
			unread.next(i)
			continue
		}
		if p.marked && restart < len(p.restarts) && p.restarts[restart] <= i {
			for restart+1 < len(p.restarts) && p.restarts[restart+1] <= i {
				restart++
			}
			r.Starts = append(r.Starts, dataset.Mark[time.Time]{From: len(r.Times),
				Value: p.startOf(p.restarts[restart])})
			restart++
		}
		late := int64(0) // the first sample begins it all
		if i > 0 {
			late = int64(p.r.Float64() * jitter)
		}
		r.Times = append(r.Times, (p.at(i)+late+1e6-1)/1e6*1e6)
		v := unit * max(math.Floor(p.used(i)*scale+.5), 1) // of everything there is at least one
		if unread.next(i) {
			v = math.NaN()
		}
		if failure != nil && failure.next(i) {
			failing = i + 1 + int(p.r.ExpFloat64())
		}
		if i < failing {
			v = 0
		}
		values = append(values, v)
		if withLoad {
			busy = append(busy, cpu[i])
		}
	}
	r.Series = []dataset.Series{{Resource: p.resource, Values: values}}
	if withLoad {
		r.Series = append(r.Series, dataset.Series{Resource: sampler.CPUSeconds, Values: busy})
	}
	return r
}

// unitOf returns what a resource is counted in: pages, bytes, or whole things.
func unitOf(resource string) float64 {
	if resource == sampler.RSSBytes {
		return page
	}
	return 1
}

// rare are events at random ticks.
type rare struct {
	r    *rand.Rand
	mean float64 // ticks between two of them
	at   int
}

func newRare(r *rand.Rand, chance float64) *rare {
	e := &rare{r: r, mean: 1 / chance}
	e.draw(0)
	return e
}

func (e *rare) draw(after int) {
	e.at = after + 1 + int(min(e.r.ExpFloat64()*e.mean, math.MaxInt32))
}

// next reports whether there is an event at a tick, or was one since the last call.
func (e *rare) next(tick int) bool {
	if tick < e.at {
		return false
	}
	e.draw(tick)
	return true
}

// cpuSeconds returns the processor time used since the last restart: an idle share of one core, and a cost for each
// request, in the clock ticks that the system counts in.
func (p *process) cpuSeconds() []float64 {
	const clockTick = 100 // a second
	factor := func(low, high float64) float64 { return low * math.Pow(high/low, p.aside.Float64()) }
	var (
		idle   = factor(.002, .05)
		cost   = factor(.02, 2)
		noise  = newWander(p.aside, factor(.01, .08), p.dt/factor(.02, .5))
		cpu    = make([]float64, p.end)
		ticks  = p.interval.Seconds() * clockTick
		starts = p.restarts
		used   float64
	)
	for i := range cpu {
		if len(starts) > 0 && starts[0] == i {
			used, starts = 0, starts[1:]
		}
		load := 1.
		if p.load != nil {
			load = p.load[i]
		}
		cpu[i] = math.Floor(used) / clockTick
		used += ticks * (idle + cost*load*max(1+noise.next(), 0))
	}
	return cpu
}
