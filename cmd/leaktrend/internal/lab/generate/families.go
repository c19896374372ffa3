package generate

import (
	"math"

	"github.com/mdzesseis/leaktrend/sampler"
)

var (
	anything = []string{sampler.Goroutines, sampler.HeapLiveBytes, sampler.RSSBytes, sampler.OpenFDs, sampler.Threads}
	counts   = []string{sampler.Goroutines, sampler.OpenFDs, sampler.Threads}
	serving  = []string{sampler.Goroutines, sampler.HeapLiveBytes, sampler.RSSBytes, sampler.OpenFDs}
	memory   = []string{sampler.HeapLiveBytes, sampler.RSSBytes}
	resident = []string{sampler.RSSBytes}
	files    = []string{sampler.OpenFDs}
	pooled   = []string{sampler.Goroutines, sampler.OpenFDs, sampler.RSSBytes}
)

const (
	minute = 1. / 60 // of an hour
	week   = 168     // hours
)

// families are what a detector must tell apart. Ranges are those met in services: minutes to days, a few percent to
// several times the level.
var families = []Family{
	{
		Name: "white_noise", Sentence: "independent noise about a level", resources: anything,
		draw: func(p *process) { p.noise(p.healthy, p.logarithmic(.01, .3)) },
	}, {
		Name: "ar_noise", Sentence: "noise that remembers minutes to hours", resources: anything,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.02, .3), p.logarithmic(5*minute, 6))
			p.background()
		},
	}, {
		Name: "bursts", Sentence: "bursts that arrive at random and die away", resources: anything,
		draw: func(p *process) {
			p.background()
			p.randomBursts()
		},
	}, {
		Name: "gc_sawtooth", Sentence: "memory that garbage fills and the collector empties", resources: resident,
		draw: func(p *process) {
			p.background()
			p.collector()
		},
	}, {
		Name: "warm_up", Sentence: "a warm-up that saturates with a time constant of minutes to 12 h",
		resources: anything,
		draw: func(p *process) {
			p.warmUp(p.healthy, p.uniform(.2, .95), p.logarithmic(3*minute, 12))
			p.background()
		},
	}, {
		Name: "day_cycle", Sentence: "a cycle of a day, first seen at any hour", resources: anything,
		draw: func(p *process) {
			p.daily(24 * p.r.Float64())
			p.background()
		},
	}, {
		Name: "day_cycle_from_minimum", Ambiguous: true, Sentence: "a cycle of a day, first seen near its minimum",
		resources: anything,
		draw: func(p *process) {
			p.daily(p.uniform(-1, 2))
			p.background()
		},
	}, {
		Name: "week_cycle", Sentence: "a cycle of a day, with weekends", resources: anything, days: 3,
		draw: func(p *process) {
			hour := 168 * p.r.Float64()
			p.load = p.steady()
			p.dayCycle(p.load, p.uniform(.1, .7), hour)
			p.weekend(p.load, p.uniform(.3, .9), hour)
			p.follow(p.uniform(.3, 1))
			p.background()
		},
	}, {
		Name: "load_ramp", Ambiguous: true, Sentence: "load that grows for hours and recedes", resources: serving,
		days: .5,
		draw: func(p *process) {
			p.load = p.steady()
			p.ramp(p.logarithmic(2, 16), p.logarithmic(.5, 6), p.logarithmic(1, 8))
		},
	}, {
		Name: "step_up", Sentence: "a deploy that needs more", resources: anything,
		draw: func(p *process) {
			p.step(p.healthy, p.logarithmic(.15, 2), p.uniform(.1, .9)*p.hours())
			p.background()
		},
	}, {
		Name: "step_down", Sentence: "a deploy that needs less", resources: anything,
		draw: func(p *process) {
			p.step(p.healthy, -p.uniform(.15, .8), p.uniform(.1, .9)*p.hours())
			p.background()
		},
	}, {
		Name: "staircase", Sentence: "two to four steps up, then a plateau", resources: anything,
		draw: func(p *process) {
			steps := 2 + p.r.IntN(3)
			total, end := p.logarithmic(.2, 2), p.uniform(.3, .7)*p.hours()
			for range steps {
				p.step(p.healthy, total/float64(steps)*(.5+p.r.Float64()), p.r.Float64()*end)
			}
			p.background()
		},
	}, {
		Name: "slow_wander", Sentence: "resident memory that all but walks at random, and reverts within days",
		resources: resident,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.03, .2), p.logarithmic(12, 72))
			p.noise(p.healthy, p.logarithmic(.001, .01))
		},
	}, {
		Name: "pool_sawtooth", Sentence: "a pool or log that fills for 1 to 24 h and is emptied", resources: pooled,
		draw: func(p *process) {
			p.sawtooth(p.healthy, p.logarithmic(.3, 3), p.logarithmic(1, 24))
			p.background()
		},
	}, {
		Name: "cache_fill", Ambiguous: true, Sentence: "a cache that fills to its cap over a day or two",
		resources: memory, days: 3,
		draw: func(p *process) {
			growth, full := p.logarithmic(.2, 4), p.uniform(16, 48)
			bend := p.uniform(.3, 1) // 1 = fills evenly, below: ever slower, as more of what is asked for is there
			for i := range p.healthy {
				p.healthy[i] += growth * math.Pow(min(float64(i)*p.dt/full, 1), bend)
			}
			p.background()
		},
	}, {
		Name: "batch_jobs", Sentence: "jobs of minutes to hours, every 1 to 24 h", resources: anything,
		draw: func(p *process) {
			every := p.logarithmic(1, 24)
			p.load = p.steady()
			p.jobs(p.load, p.logarithmic(.3, 4), every, every*p.logarithmic(.03, .5))
			p.follow(1)
			p.background()
		},
	}, {
		Name: "small_counts", Sentence: "counts of 8 to 20 that move by one or two", resources: counts,
		draw: func(p *process) {
			p.level = p.uniform(8, 20)
			p.drift(p.healthy, p.uniform(.04, .12), p.logarithmic(2*minute, 2))
			p.noise(p.healthy, p.uniform(.01, .06))
		},
	}, {
		Name: "known_restarts", Sentence: "restarts whose time is known, each with a warm-up", resources: anything,
		draw: func(p *process) {
			p.marked = true
			p.restart(p.logarithmic(6, 72), p.uniform(.2, .9), p.logarithmic(5*minute, 3))
			p.background()
		},
	}, {
		Name: "unknown_restarts", Sentence: "restarts that only the series shows, each with a warm-up",
		resources: anything, load: never,
		draw: func(p *process) {
			p.restart(p.logarithmic(6, 72), p.uniform(.2, .9), p.logarithmic(5*minute, 3))
			p.background()
		},
	}, {
		Name: "allocator_plateaus", Sentence: "resident memory that rises with each new peak of demand and stays there",
		resources: resident,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.02, .12), p.logarithmic(5*minute, 2))
			p.warmUp(p.healthy, p.uniform(.1, .6), p.logarithmic(10*minute, 3))
			ratchet(p.healthy, p.logarithmic(.01, .1))
			p.noise(p.healthy, p.logarithmic(.0005, .005))
		},
	}, {
		Name: "connections", Sentence: "connections that follow the requests of the day",
		resources: []string{sampler.OpenFDs, sampler.Goroutines},
		draw: func(p *process) {
			p.load = p.steady()
			p.dayCycle(p.load, p.uniform(.1, .6), 24*p.r.Float64())
			p.drift(p.load, p.logarithmic(.02, .15), p.logarithmic(5*minute, 2))
			p.bursts(p.load, p.logarithmic(.02, .5), p.logarithmic(.1, 1), p.logarithmic(5*minute, 1))
			p.follow(p.uniform(.5, .9))
			p.background()
		},
	}, {
		Name: "load_for_days", Ambiguous: true, Sentence: "load that grows for days and recedes", resources: serving,
		days: 7, load: always,
		draw: func(p *process) {
			p.load = p.steady()
			p.dayCycle(p.load, p.uniform(.1, .4), 24*p.r.Float64())
			p.ramp(p.logarithmic(30, 100), p.logarithmic(6, 24), p.logarithmic(12, 48))
		},
	}, {
		Name: "weekly_fall", Ambiguous: true, Later: true, Sentence: "growth of days that a weekly job takes back, " +
			"without a restart",
		resources: anything, days: 10, maxDays: 28,
		draw: func(p *process) {
			p.takenBack(p.healthy, week, p.logarithmic(.2, 2), p.logarithmic(minute, 4))
			p.background()
		},
	}, {
		Name: "few_readings", Later: true, Sentence: "two or three readings a day over weeks, of a level that " +
			"wanders and follows the day",
		resources: anything, days: 14, maxDays: 42, interval: seldom,
		draw: func(p *process) {
			p.aroundTheDay()
			p.readAFewTimesADay()
		},
	}, {
		Name: "four_hourly_readings", Later: true, Sentence: "a reading every four hours over weeks, of a level that " +
			"wanders and follows the day",
		resources: anything, days: 14, maxDays: 42, interval: seldom,
		draw: func(p *process) {
			p.aroundTheDay()
			p.readEvery(4)
		},
	}, {
		Name: "zero_readings", Later: true, Sentence: "counts whose failed readings were written down as zeros",
		resources: counts,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.02, .2), p.logarithmic(5*minute, 6))
			p.background()
			p.failAsZero()
		},
	}, {
		Name: "nightly_restarts", Later: true, Sentence: "a restart each night that only the series shows, and lives " +
			"that level off",
		resources: anything, days: 3, load: never,
		draw: func(p *process) {
			p.nightly(p.uniform(.2, .9), p.logarithmic(.5, 8))
			p.background()
		},
	},

	{
		Name: "constant_leak", Leaks: true, Sentence: "a leak of constant rate, over four decades", resources: anything,
		draw: func(p *process) {
			p.background()
			from := p.onset()
			p.lose(from, p.logarithmic(.002, 20)*(p.hours()-float64(from)*p.dt), nil)
		},
	}, {
		Name: "load_leak", Leaks: true, Sentence: "a leak in proportion to a load that cycles", resources: serving,
		draw: func(p *process) {
			p.load = p.steady()
			p.dayCycle(p.load, p.uniform(.3, .95), 24*p.r.Float64())
			p.follow(p.uniform(0, .3))
			p.background()
			p.lose(p.onset(), p.growth(), p.load)
		},
	}, {
		Name: "intermittent_leak", Leaks: true, Sentence: "a leak a third of the time, for hours on end",
		resources: anything,
		draw: func(p *process) {
			p.background()
			from := p.onset()
			p.lose(from, p.growth(), p.episodes(from, p.logarithmic(1, 8)))
		},
	}, {
		Name: "leak_under_sawtooth", Leaks: true, Sentence: "a leak under a sawtooth of minutes to hours",
		resources: pooled,
		draw: func(p *process) {
			p.sawtooth(p.healthy, p.logarithmic(.3, 1.5), p.logarithmic(5*minute, 6))
			p.background()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "leak_under_spikes", Leaks: true, Sentence: "a leak under bursts", resources: anything,
		draw: func(p *process) {
			p.background()
			p.randomBursts()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "accelerating_leak", Leaks: true, Sentence: "a leak that grows as a power of time", resources: anything,
		draw: func(p *process) {
			p.background()
			p.accelerate(p.onset(), p.growth(), p.uniform(1.5, 3))
		},
	}, {
		Name: "one_descriptor_an_hour", Leaks: true, Sentence: "one descriptor lost now and then, about one an hour",
		resources: files, days: 1,
		draw: func(p *process) {
			p.level = math.Round(p.logarithmic(8, 150))
			p.noise(p.healthy, p.uniform(.2, 1)/p.level)
			from := p.onset()
			lost := p.events(from, p.logarithmic(.5, 2))
			p.lose(from, sum(lost)/p.level, lost)
		},
	}, {
		Name: "leak_in_warm_up", Leaks: true, Sentence: "a leak that begins while the process warms up",
		resources: anything,
		draw: func(p *process) {
			constant := p.logarithmic(10*minute, 6)
			p.warmUp(p.healthy, p.uniform(.2, .9), constant)
			p.background()
			p.lose(p.tick(min(constant*p.uniform(0, 2), p.hours()/2)), p.growth(), nil)
		},
	}, {
		Name: "late_leak", Leaks: true, Sentence: "a leak after days of health", resources: anything, days: 4,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.01, .1), p.logarithmic(5*minute, 2))
			p.background()
			p.lose(p.tick(p.uniform(.4, .75)*p.hours()), p.growth(), nil)
		},
	}, {
		Name: "leak_with_restarts", Leaks: true, Sentence: "a leak that a daily restart wipes out", resources: anything,
		days: 1.5,
		draw: func(p *process) {
			p.marked = true
			p.restart(p.uniform(20, 28), p.uniform(.1, .5), p.logarithmic(5*minute, 1))
			p.background()
			p.loseUntilRestart(p.logarithmic(.3, 10) / 24)
		},
	}, {
		Name: "leak_behind_step_down", Leaks: true, Sentence: "a leak that begins about when a deploy makes the " +
			"process need less", resources: anything, days: .5,
		draw: func(p *process) {
			hour := p.uniform(.1, .5) * p.hours()
			p.step(p.healthy, -p.uniform(.2, .6), hour)
			p.background()
			p.lose(p.tick(hour+p.uniform(-3, 3)), p.growth(), nil)
		},
	}, {
		Name: "leak_under_day_cycle", Leaks: true, Sentence: "a leak under a cycle of a day", resources: anything,
		days: .5,
		draw: func(p *process) {
			p.daily(24 * p.r.Float64())
			p.background()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "leak_in_pool", Leaks: true, Sentence: "a leak in a pool that swings for hours", resources: pooled,
		days: .5,
		draw: func(p *process) {
			p.drift(p.healthy, p.logarithmic(.05, .3), p.logarithmic(.5, 6))
			p.sawtooth(p.healthy, p.logarithmic(.3, 2), p.logarithmic(1, 24))
			p.background()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "leak_under_gc", Leaks: true, Sentence: "a heap leak under much garbage, whose swing grows with the heap",
		resources: resident,
		draw: func(p *process) {
			p.background()
			p.collector()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "leak_under_peaks", Leaks: true, Later: true, Sentence: "a leak during which the load has peaks of " +
			"minutes to hours", resources: serving,
		draw: func(p *process) {
			p.load = p.steady()
			p.peaks(p.load, p.logarithmic(.3, 4), p.logarithmic(4, 48))
			p.follow(p.uniform(.5, 1))
			p.background()
			p.lose(p.onset(), p.growth(), nil)
		},
	}, {
		Name: "few_readings_leak", Leaks: true, Later: true, Sentence: "a leak of which there are two or three " +
			"readings a day, over weeks",
		resources: anything, days: 14, maxDays: 42, interval: seldom,
		draw: func(p *process) {
			p.background()
			p.lose(p.onset(), p.growth(), nil)
			p.readAFewTimesADay()
		},
	}, {
		Name: "four_hourly_leak", Leaks: true, Later: true,
		Sentence:  "a leak that is read every four hours, over weeks",
		resources: anything, days: 14, maxDays: 42, interval: seldom,
		draw: func(p *process) {
			p.background()
			p.lose(p.onset(), p.growth(), nil)
			p.readEvery(4)
		},
	}, {
		Name: "zero_readings_leak", Leaks: true, Later: true, Sentence: "a leak of counts whose failed readings were " +
			"written down as zeros", resources: counts,
		draw: func(p *process) {
			p.background()
			p.lose(p.onset(), p.growth(), nil)
			p.failAsZero()
		},
	}, {
		Name: "oom_saw", Leaks: true, Later: true, Sentence: "a leak whose process is killed at its limit and starts " +
			"anew, which only the series shows",
		resources: memory, days: 2, load: never,
		draw: func(p *process) {
			p.background()
			p.loseUntilKilled(p.logarithmic(6, 48))
		},
	}, {
		Name: "leak_from_start", Leaks: true, Later: true, Sentence: "a leak from the first second of a process that " +
			"is watched from its start", resources: anything,
		draw: func(p *process) {
			p.marked, p.restarts = true, []int{0}
			p.warmUp(p.healthy, p.uniform(.2, .9), p.logarithmic(minute/6, 5*minute))
			p.background()
			p.lose(0, p.growth(), nil)
		},
	}, {
		Name: "sudden_leak", Leaks: true, Later: true, Sentence: "a leak of 20 to 200 times the level within an hour",
		resources: anything,
		draw: func(p *process) {
			minLevel := levels[p.resource][0]
			p.level = p.logarithmic(minLevel, 20*minLevel)
			perHour := p.logarithmic(20, 200)
			p.limit = 1 + perHour*p.uniform(soonest, 2*soonest)
			p.background()
			from := p.onset()
			p.lose(from, perHour*(p.hours()-float64(from)*p.dt), nil)
		},
	},
}
