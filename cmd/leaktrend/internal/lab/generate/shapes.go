package generate

import (
	"math"
	"math/rand/v2"
)

// Shapes add to an array of a process. Times are in hours, heights in parts of the normal state.

// wander is an autoregressive series of mean 0, stationary from its first value (Ornstein-Uhlenbeck at equal steps).
type wander struct {
	r                *rand.Rand
	keep, kick, last float64
}

// newWander returns a series of a standard deviation. step is the time of one value over the time that it takes to
// forget 63 %.
func newWander(r *rand.Rand, deviation, step float64) *wander {
	keep := math.Exp(-step)
	return &wander{r: r, keep: keep, kick: deviation * math.Sqrt(1-keep*keep), last: deviation * r.NormFloat64()}
}

func (w *wander) next() float64 {
	w.last = w.keep*w.last + w.kick*w.r.NormFloat64()
	return w.last
}

// steady returns an array of ones.
func (p *process) steady() []float64 {
	ones := make([]float64, len(p.healthy))
	for i := range ones {
		ones[i] = 1
	}
	return ones
}

// noise adds independent normal deviates.
func (p *process) noise(dst []float64, deviation float64) {
	for i := range dst {
		dst[i] += deviation * p.r.NormFloat64()
	}
}

// drift adds a wander that forgets within a time.
func (p *process) drift(dst []float64, deviation, memory float64) {
	w := newWander(p.r, deviation, p.dt/memory)
	for i := range dst {
		dst[i] += w.next()
	}
}

// bursts adds arrivals at random times, of exponential height, that die away.
func (p *process) bursts(dst []float64, perHour, height, decay float64) {
	arrival := newRare(p.r, min(perHour*p.dt, .5))
	keep, now := math.Exp(-p.dt/decay), 0.
	for i := range dst {
		now *= keep
		if arrival.next(i) {
			now += height * p.r.ExpFloat64()
		}
		dst[i] += now
	}
}

// sawtooth adds growth that falls to zero when its period is over, at a random phase; periods and heights vary by a
// tenth.
func (p *process) sawtooth(dst []float64, height, period float64) {
	phase, step, peak := p.r.Float64(), p.dt/period, height
	for i := range dst {
		dst[i] += peak * phase
		if phase += step; phase >= 1 {
			phase -= math.Floor(phase)
			step = p.dt / (period * (.9 + .2*p.r.Float64()))
			peak = height * (.9 + .2*p.r.Float64())
		}
	}
}

// warmUp takes away what a process lacks after a start. It comes in with a time constant.
func (p *process) warmUp(dst []float64, lack, constant float64) {
	keep := math.Exp(-p.dt / constant)
	for i := range dst {
		dst[i] -= lack
		if lack *= keep; lack < 1e-6 {
			return
		}
	}
}

// dayCycle adds a day of 24 hours, with a second harmonic. hour is that of the first value, counted from the minimum.
func (p *process) dayCycle(dst []float64, amplitude, hour float64) {
	const perHour = 2 * math.Pi / 24
	harmonic := p.uniform(-.15, .2) // above a quarter there were two minima
	scale := amplitude / (1 + math.Abs(harmonic))
	sin, cos := math.Sincos(perHour * hour)
	sinStep, cosStep := math.Sincos(perHour * p.dt)
	for i := range dst {
		dst[i] += scale * (harmonic*(2*cos*cos-1) - cos)
		sin, cos = sin*cosStep+cos*sinStep, cos*cosStep-sin*sinStep
	}
}

// weekend multiplies two days of seven. hour is that of the first value, counted from the beginning of a week.
func (p *process) weekend(dst []float64, factor, hour float64) {
	for i := range dst {
		if math.Mod(hour+float64(i)*p.dt, 168) >= 120 {
			dst[i] *= factor
		}
	}
}

// hump adds a rise, a stay and a fall, each linear.
func (p *process) hump(dst []float64, height, begin, rise, stay, fall float64) {
	for i := p.tick(begin); i < len(dst); i++ {
		t := float64(i)*p.dt - begin
		left := begin + rise + stay + fall - float64(i)*p.dt
		if left <= 0 {
			return
		}
		dst[i] += height * min(max(t, 0)/rise, 1, left/fall)
	}
}

// step adds a height from an hour on.
func (p *process) step(dst []float64, height, hour float64) {
	for i := p.tick(hour); i < len(dst); i++ {
		dst[i] += height
	}
}

// jobs adds pieces of work of the same height, at nearly equal distances.
func (p *process) jobs(dst []float64, height, every, length float64) {
	for begin := every * p.r.Float64(); begin < p.hours(); begin += every * (.95 + .1*p.r.Float64()) {
		end := p.tick(begin + length*(.8+.4*p.r.Float64()))
		for i := p.tick(begin); i < end; i++ {
			dst[i] += height
		}
	}
}

// ratchet lets an array only rise, and in whole chunks: what an allocator takes from the system and keeps.
func ratchet(dst []float64, chunk float64) {
	held := 0.
	for i, v := range dst {
		if v > held {
			held = math.Ceil(v/chunk) * chunk
		}
		dst[i] = held
	}
}

// follow makes the resource follow the load, as far as a share of it goes.
func (p *process) follow(share float64) {
	for i, load := range p.load {
		p.healthy[i] += share * (load - 1)
	}
}

// restart ends the process at nearly equal times. Each new one warms up.
func (p *process) restart(every, lack, constant float64) {
	for begin := 0.; begin < p.hours(); begin += every * (.9 + .2*p.r.Float64()) {
		p.restarts = append(p.restarts, p.tick(begin))
	}
	for i, from := range p.restarts {
		to := len(p.healthy)
		if i+1 < len(p.restarts) {
			to = p.restarts[i+1]
		}
		p.warmUp(p.healthy[from:to], lack, constant)
	}
}

// background is what no series is without.
func (p *process) background() { p.noise(p.healthy, p.logarithmic(.002, .05)) }

// soonest is the least time in which leaks take the last of their limit, where that depends on them alone. Faster ones
// are no matter of trends.
const soonest = 2 // hours

// lose leaks a growth until the end of the recording, from a tick on, at a rate that is steady where rate is nil and
// else goes as rate does.
func (p *process) lose(from int, growth float64, rate []float64) {
	hours := float64(len(p.healthy)-from) * p.dt
	growth = min(growth, (p.limit-1)*hours/min(soonest, p.hours()/4))
	amount := make([]float64, len(p.healthy))
	var lost float64
	for i := from; i < len(amount); i++ {
		if rate == nil {
			lost++
		} else {
			lost += rate[i]
		}
		amount[i] = lost
	}
	for i := from; i < len(amount); i++ {
		amount[i] *= growth / lost
	}
	p.leak = leak{from: from, amount: amount, until: func(lost float64) float64 { return hours * lost / growth }}
}

// growth draws what a leak adds by the end of the recording: two of three double the level.
func (p *process) growth() float64 { return p.logarithmic(.2, 15) }

// onset draws the begin of a leak: two of five leak from the begin, others within the first half.
func (p *process) onset() int {
	if p.r.Float64() < .4 {
		return 0
	}
	return p.tick(p.share() * p.hours() / 2)
}

// randomBursts is what families with bursts share.
func (p *process) randomBursts() {
	p.bursts(p.healthy, p.logarithmic(.05, 4), p.logarithmic(.2, 4), p.logarithmic(2*minute, 2))
}

// collector lets garbage pile up until a collection: in proportion to what lives, as GOGC has it.
func (p *process) collector() {
	p.churn = p.steady()
	p.sawtooth(p.churn, p.uniform(.2, 1), p.logarithmic(minute, 1))
}

// daily makes the resource follow a load with a cycle of a day.
func (p *process) daily(hour float64) {
	p.load = p.steady()
	p.dayCycle(p.load, p.uniform(.1, .8), hour)
	p.follow(p.uniform(.3, 1))
}

// ramp lets the load grow, stay and recede before the end, and makes the resource follow it.
func (p *process) ramp(rise, stay, fall float64) {
	shrink := min(1, .9*p.hours()/(rise+stay+fall)) // in a recording too short for it
	rise, stay, fall = rise*shrink, stay*shrink, fall*shrink
	p.hump(p.load, p.logarithmic(.3, 3), p.share()*(.95*p.hours()-rise-stay-fall), rise, stay, fall)
	p.drift(p.load, p.logarithmic(.02, .15), p.logarithmic(2*minute, 1))
	p.follow(p.uniform(.5, 1))
	p.background()
}

// episodes returns a rate of 1 a third of the time, for a length of hours each, from a tick on.
func (p *process) episodes(from int, length float64) []float64 {
	rate := make([]float64, len(p.healthy))
	for i := from; i < len(rate); {
		end := min(i+1+int(length*(.5+p.r.Float64())/p.dt), len(rate))
		for ; i < end; i++ {
			rate[i] = 1
		}
		i += int(2 * length * (.5 + p.r.Float64()) / p.dt)
	}
	return rate
}

// events returns the rate of something lost whole, at distances that vary by half, from a tick on.
func (p *process) events(from int, perHour float64) []float64 {
	rate := make([]float64, len(p.healthy))
	for hour := float64(from) * p.dt; ; hour += (.5 + p.r.Float64()) / perHour {
		i := int(hour / p.dt)
		if i >= len(rate) {
			return rate
		}
		rate[i]++
	}
}

// accelerate leaks a growth until the end of the recording, as a power of the time since the begin.
func (p *process) accelerate(from int, growth, power float64) {
	rate := make([]float64, len(p.healthy))
	for i := range rate[from:] {
		rate[from+i] = math.Pow(float64(i+1), power-1)
	}
	p.lose(from, growth, rate)
	even := p.leak.until
	hours := float64(len(rate)-from) * p.dt
	p.leak.until = func(lost float64) float64 { return hours * math.Pow(even(lost)/hours, 1/power) }
}

// loseUntilRestart leaks at a constant rate an hour, and anew after each restart.
func (p *process) loseUntilRestart(rate float64) {
	p.leak = leak{amount: make([]float64, len(p.healthy))}
	starts, begin := p.restarts, 0
	for i := range p.leak.amount {
		if len(starts) > 0 && starts[0] == i {
			begin, starts = i, starts[1:]
		}
		p.leak.amount[i] = rate * float64(i-begin) * p.dt
	}
}

// loseUntilKilled leaks until the limit is reached, within about some hours, and anew from nothing. In three of five
// recordings the first life is half over.
func (p *process) loseUntilKilled(hours float64) {
	p.leak = leak{amount: make([]float64, len(p.healthy))}
	perTick := (p.limit - 1) / hours * p.dt
	lost, rate, halfOver := 0., 1., p.r.Float64() < .6
	if halfOver {
		lost, p.leak.whole = p.share()*(p.limit-1), len(p.healthy)
	}
	for i := range p.leak.amount {
		if lost += rate * perTick; p.healthy[i]+lost >= p.limit {
			p.leak.killed = append(p.leak.killed, i)
			p.leak.whole = min(p.leak.whole, i)
			lost, rate = 0, .8+.4*p.r.Float64()
		}
		p.leak.amount[i] = lost
	}
}

// takenBack adds growth that is taken back at equal times, at a random phase, within a time; heights vary by a tenth.
func (p *process) takenBack(dst []float64, every, height, fall float64) {
	for begin := -every * p.r.Float64(); begin < p.hours(); begin += every {
		top := height * (.9 + .2*p.r.Float64())
		for i := p.tick(begin); i < len(dst); i++ {
			t := float64(i)*p.dt - begin
			if t < 0 {
				continue
			}
			if t >= every {
				break
			}
			dst[i] += top * min(t/(every-fall), (every-t)/fall)
		}
	}
}

// nightly ends the process every 24 hours, within minutes. Each new one lacks a part of the level, which comes in with
// a time constant; the first one has run since the night before.
func (p *process) nightly(lack, constant float64) {
	first := 24 * p.share()
	p.restarts = []int{0}
	p.warmUp(p.healthy[:p.tick(first)], lack*math.Exp((first-24)/constant), constant)
	for begin := first; begin < p.hours(); {
		next := begin + 24 + .1*(p.r.Float64()-.5)
		from, to := p.tick(begin), len(p.healthy)
		if next < p.hours() {
			to = p.tick(next)
		}
		p.restarts = append(p.restarts, from)
		p.warmUp(p.healthy[from:to], lack, constant)
		begin = next
	}
}

// peaks adds peaks of minutes to hours, at distances that vary by half.
func (p *process) peaks(dst []float64, height, every float64) {
	for begin := every * p.r.Float64(); begin < p.hours(); begin += every * (.5 + p.r.Float64()) {
		rise, stay, fall := p.logarithmic(5*minute, 1), p.logarithmic(5*minute, 4), p.logarithmic(5*minute, 1)
		shrink := min(1, every/2/(rise+stay+fall))
		p.hump(dst, height*(.5+p.r.Float64()), begin, shrink*rise, shrink*stay, shrink*fall)
	}
}

// aroundTheDay is what a process that serves people does over weeks.
func (p *process) aroundTheDay() {
	p.daily(24 * p.r.Float64())
	p.drift(p.healthy, p.logarithmic(.02, .2), p.logarithmic(.5, 24))
	p.background()
}

// readAFewTimesADay reads two or three times a day, about the same hours each day.
func (p *process) readAFewTimesADay() {
	p.read = make([]bool, len(p.healthy))
	times, first, between := 2+p.r.IntN(2), 8*p.r.Float64(), p.uniform(4, 8)
	for day := 0.; day < p.hours(); day += 24 {
		for k := range times {
			p.read[p.tick(day+first+float64(k)*between+2*p.r.Float64()-1)] = true
		}
	}
}

// readEvery reads at equal distances of some hours.
func (p *process) readEvery(hours float64) {
	p.read = make([]bool, len(p.healthy))
	for hour := 0.; hour < p.hours(); hour += hours {
		p.read[p.tick(hour)] = true
	}
}

// failAsZero lets readings fail, for a sample or a few, and be written down as zeros.
func (p *process) failAsZero() { p.zeros = p.logarithmic(.0002, .01) }
