package generate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
)

// Life is one process of a service, from its start to the next deploy, crash or kill.
type Life struct {
	From, To int // samples of the recording, the last one excluded; equal where it ended before it was sampled
	Start    time.Time
	Version  string
	Leaks    bool
}

// Services returns the families of services that live many lives, each from a deploy to the next, for 14 to 60 days:
// the healthy ones first. They are apart from Families: what was calibrated on those is without them.
func Services() []Family {
	families := make([]Family, len(services))
	for i := range services {
		families[i] = services[i].Family
	}
	return families
}

// Service returns the recording of a service with a number, 0 or above, of a family of Services, and its lives in order
// of time: the same for the same options, in any order and from any goroutine. The start of each life is known. An
// interval, a span and ceilings are taken from the options like those of other recordings. It panics if there is no
// such family.
func Service(o Options, family string, index int) (*dataset.Recording, []Life) {
	i := slices.IndexFunc(services, func(f serviceFamily) bool { return f.Name == family })
	if i < 0 {
		panic("generate: no service " + family)
	}
	p := newService(o, &services[i], index)
	r := p.finish(o, p.truth(), index)
	return r, p.livesOf(r)
}

// serviceFamily is a Family whose processes follow one another.
type serviceFamily struct {
	Family
	live func(p *service)
}

// service is a process that is started again and again.
type service struct {
	*process
	lives []life
	week  float64 // hour of the week at the begin, where the service is at home
}

func newService(o Options, f *serviceFamily, index int) *service {
	if o.Span == (Range{}) {
		o.Span = Range{14 * 24 * time.Hour, 60 * 24 * time.Hour}
	}
	p := &service{process: newProcess(o, &f.Family, index)}
	p.marked = true
	const zones = 24
	p.week = math.Mod(time.Duration(p.begin-monday.UnixNano()).Hours()+float64(p.r.IntN(zones)), week)
	f.live(p)
	p.roomForLives()
	return p
}

// livesOf returns the lives as the samples of the recording show them.
func (p *service) livesOf(r *dataset.Recording) []Life {
	lives := make([]Life, len(p.lives))
	sample := func(tick int) int {
		i, _ := slices.BinarySearch(r.Times, p.at(tick))
		return i
	}
	for k, l := range p.lives {
		lives[k] = Life{From: sample(l.from), To: len(r.Times), Start: p.startOf(l.from), Version: l.version,
			Leaks: l.leaks}
		if k > 0 {
			lives[k-1].To = lives[k].From
		}
	}
	return lives
}

// life is a Life in ticks.
type life struct {
	from    int
	version string
	leaks   bool
}

// until returns the tick at which life number k is over.
func (p *service) until(k int) int {
	if k+1 < len(p.lives) {
		return p.lives[k+1].from
	}
	return len(p.healthy)
}

// monday begins a week; recordings begin within the four weeks after it.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// Schedules return the hours at which lives end, in order of time.

// onDays deploys once a day at about the same hour, by day or by night, on the first days of each week.
func (p *service) onDays(ofWeek int) []float64 {
	hour := p.uniform(9, 17)
	if p.r.IntN(3) == 0 {
		hour = p.uniform(1, 6)
	}
	return p.calendar(func(day int) bool { return day%7 < ofWeek }, hour, p.logarithmic(minute, 1.5))
}

// onOneDay deploys once a week.
func (p *service) onOneDay() []float64 {
	of, hour := p.r.IntN(5), p.uniform(9, 17)
	return p.calendar(func(day int) bool { return day%7 == of }, hour, p.logarithmic(minute, 3))
}

// calendar deploys on some days, counted from a Monday, at an hour of the day or a little later.
func (p *service) calendar(on func(day int) bool, hour, late float64) []float64 {
	var hours []float64
	for day := 0; float64(day)*24 < p.week+p.hours(); day++ {
		if at := float64(day)*24 + hour + late*p.r.Float64() - p.week; at > 0 && at < p.hours() && on(day) {
			hours = append(hours, at)
		}
	}
	return hours
}

// irregularly deploys when something is ready: now and then twice within an hour.
func (p *service) irregularly(every float64) []float64 {
	var hours []float64
	for at := 0.; ; {
		if p.r.IntN(7) == 0 {
			at += 5*minute + p.r.Float64()
		} else {
			at += 1 + every*p.r.ExpFloat64()
		}
		if at >= p.hours() {
			return hours
		}
		hours = append(hours, at)
	}
}

// anyhow deploys by any schedule.
func (p *service) anyhow() []float64 {
	switch p.r.IntN(4) {
	case 0:
		return p.onDays(7)
	case 1:
		return p.onDays(5)
	case 2:
		return p.onOneDay()
	}
	return p.irregularly(p.logarithmic(12, 96))
}

// deploy begins a life at the start and at each of the hours: three of four times with a new version.
func (p *service) deploy(hours []float64) {
	p.live(hours, func(int) bool { return p.r.IntN(4) > 0 })
}

// roll begins lives of which some in a row have the same version; now and then the one before comes back.
func (p *service) roll(hours []float64) {
	left := 0
	p.live(hours, func(int) bool {
		if left == 0 {
			left = 3 + p.r.IntN(6)
		}
		left--
		return left == 0
	})
}

func (p *service) live(hours []float64, renews func(k int) bool) {
	minor, patch := p.r.IntN(20), p.r.IntN(5)
	begin := func(tick int) {
		if n := len(p.lives); n > 0 && p.lives[n-1].from == tick {
			return
		}
		p.lives = append(p.lives, life{from: tick, version: fmt.Sprintf("1.%d.%d", minor, patch)})
		p.restarts = append(p.restarts, tick)
	}
	begin(0)
	for k, hour := range hours {
		if renews(k) {
			if patch++; p.r.IntN(8) == 0 {
				minor, patch = minor+1, 0
			}
		}
		begin(p.tick(hour))
	}
}

// crash adds restarts without a new version: loops of some to many, seconds to minutes apart.
func (p *service) crash() {
	var extra []life
	for range 1 + p.r.IntN(4) {
		at := p.r.IntN(len(p.healthy))
		k := len(p.lives) - 1
		for p.lives[k].from > at {
			k--
		}
		from, to := p.lives[k].from, p.until(k)
		at = (from + at) / 2 // the earlier, the more of the loop is seen
		every := p.logarithmic(.3, 10)
		for range 5 + p.r.IntN(100) {
			if at += max(1, int(every*minute*(.5+p.r.Float64())/p.dt)); at >= to {
				break
			}
			extra = append(extra, life{from: at, version: p.lives[k].version})
		}
	}
	p.lives = append(p.lives, extra...)
	slices.SortStableFunc(p.lives, func(a, b life) int { return a.from - b.from })
	p.lives = slices.CompactFunc(p.lives, func(a, b life) bool { return a.from == b.from })
	p.restarts = p.restarts[:0]
	for _, l := range p.lives {
		p.restarts = append(p.restarts, l.from)
	}
}

// Shapes of lives.

// eachWarmsUp lets each life lack a part of the level, which comes in with a time constant.
func (p *service) eachWarmsUp(lack, constant float64) {
	for k, l := range p.lives {
		p.warmUp(p.healthy[l.from:p.until(k)], lack, constant*(.9+.2*p.r.Float64()))
	}
}

// eachFills lets each life grow until it is full, which takes some hours of normal load. bend 1 = evenly, below: ever
// slower.
func (p *service) eachFills(growth, full, bend float64) {
	for k, l := range p.lives {
		top, done := growth*(.95+.1*p.r.Float64()), 0.
		for i := l.from; i < p.until(k); i++ {
			load := 1.
			if p.load != nil {
				load = max(p.load[i], 0)
			}
			done = min(done+load*p.dt/full, 1)
			p.healthy[i] += top * math.Pow(done, bend)
		}
	}
}

// atHome gives the load a cycle of a day, its minimum at night, and another height on weekends.
func (p *service) atHome(amplitude, weekend float64) {
	p.load = p.steady()
	p.dayCycle(p.load, amplitude, p.week-p.uniform(2, 5))
	p.weekend(p.load, weekend, p.week)
	p.drift(p.load, p.logarithmic(.01, .08), p.logarithmic(5*minute, 2))
}

// everyday is what no service is without: noise that remembers, and in half of them the day.
func (p *service) everyday() {
	if p.load == nil && p.r.IntN(2) == 0 {
		p.atHome(p.uniform(.05, .4), p.uniform(.5, 1.2))
	}
	if p.load != nil {
		p.follow(p.uniform(.1, .5))
	}
	p.drift(p.healthy, p.logarithmic(.005, .05), p.logarithmic(5*minute, 4))
	p.background()
}

// versions adds a step to the level with each new version.
func (p *service) versions(deviation float64) {
	step, version := 0., p.lives[0].version
	for k, l := range p.lives {
		if l.version != version {
			step, version = max(step+deviation*p.r.NormFloat64(), -.7), l.version
		}
		for i := l.from; i < p.until(k); i++ {
			p.healthy[i] += step
		}
	}
}

// leakFrom lets all lives leak from one on: two of five services leak from the begin, others within the first half, and
// in at least six lives where there are as many.
func (p *service) leakFrom() {
	from := 0
	if n := len(p.lives); p.r.IntN(5) > 1 {
		from = 1 + p.r.IntN(max(1, min(n/2, n-7)))
	}
	for k := range p.lives {
		p.lives[k].leaks = k >= min(from, len(p.lives)-1)
	}
}

// leakInOneVersion lets the lives of one version leak, which is neither the first nor, mostly, the last.
func (p *service) leakInOneVersion() {
	var first []int // lives that begin a version
	for k := 1; k < len(p.lives); k++ {
		if p.lives[k].version != p.lives[k-1].version {
			first = append(first, k)
		}
	}
	if len(first) == 0 {
		p.leakFrom()
		return
	}
	begin := first[p.r.IntN(max(1, len(first)*2/3))]
	for k := range p.lives {
		p.lives[k].leaks = p.lives[k].version == p.lives[begin].version
	}
}

// loseInLives leaks at a rate an hour in the lives that leak, in proportion to the load if asked, and anew in each.
func (p *service) loseInLives(perHour float64, byLoad bool) {
	p.leak = leak{amount: make([]float64, len(p.healthy)), from: -1}
	for k, l := range p.lives {
		if !l.leaks {
			continue
		}
		if p.leak.from < 0 {
			p.leak.from = l.from
		}
		rate, lost := perHour*(.95+.1*p.r.Float64()), 0.
		for i := l.from; i < p.until(k); i++ {
			load := 1.
			if byLoad {
				load = max(p.load[i], 0)
			}
			p.leak.amount[i] = lost
			lost += rate * load * p.dt
		}
	}
}

// dieAtLimit begins a new life, without a new version, whenever the leak has taken all that is left of the limit: that
// takes some hours.
func (p *service) dieAtLimit(hours float64) {
	p.limit = max(p.limit, 1.5*slices.Max(p.healthy))
	perTick := (p.limit - 1) / hours * p.dt
	lives := p.lives
	p.lives, p.restarts = nil, nil
	begin := func(tick int, version string, leaks bool) {
		p.lives = append(p.lives, life{tick, version, leaks})
		p.restarts = append(p.restarts, tick)
	}
	p.leak = leak{amount: make([]float64, len(p.healthy)), from: -1}
	for k, l := range lives {
		begin(l.from, l.version, l.leaks)
		to := len(p.healthy)
		if k+1 < len(lives) {
			to = lives[k+1].from
		}
		if l.leaks && p.leak.from < 0 {
			p.leak.from = l.from
		}
		lost := 0.
		for i := l.from; l.leaks && i < to; i++ {
			if lost += perTick; p.healthy[i]+lost >= p.limit {
				p.leak.killed = append(p.leak.killed, i)
				begin(i, l.version, true)
				lost = 0
			}
			p.leak.amount[i] = lost
		}
	}
}

// roomForLives sets the limit beyond what lives that no limit ends need.
func (p *service) roomForLives() {
	if len(p.leak.killed) > 0 {
		return
	}
	for i := range p.healthy {
		p.limit = max(p.limit, 1.2*p.used(i))
	}
}
