package generate

import (
	"math"
	"slices"
	"time"
)

const (
	dailyDays  = 14 // least length of the recording of a service that is deployed each day
	weeklyDays = 35
)

// services are what has to be told apart over many lives.
var services = eachMinute([]serviceFamily{
	{
		Family: Family{Name: "steady_lives",
			Sentence: "lives about a level, deployed by any schedule", resources: anything},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.everyday()
		},
	}, {
		Family: Family{Name: "warm_up_lives",
			Sentence: "lives that warm up within a fraction of them", resources: anything},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.everyday()
			p.eachWarmsUp(p.uniform(.2, .9), p.logarithmic(5*minute, 5))
		},
	}, {
		Family: Family{Name: "long_warm_up_daily", Ambiguous: true,
			Sentence: "a warm-up longer than the day that each life lasts", resources: anything},
		live: func(p *service) {
			p.deploy(p.onDays(7))
			p.everyday()
			p.eachWarmsUp(p.uniform(.2, .8), p.logarithmic(12, 48))
		},
	}, {
		Family: Family{Name: "long_warm_up_weekdays",
			Sentence:  "a warm-up longer than a day, which levels off in the life over the weekend",
			resources: anything},
		live: func(p *service) {
			p.deploy(p.onDays(5))
			p.everyday()
			p.eachWarmsUp(p.uniform(.2, .8), p.logarithmic(8, 24))
		},
	}, {
		Family: Family{Name: "cache_weekdays",
			Sentence:  "a cache that each deploy of a weekday cuts off, and that is full on weekends",
			resources: memory},
		live: func(p *service) {
			p.deploy(p.onDays(5))
			p.everyday()
			p.eachFills(p.logarithmic(.2, 2), p.uniform(20, 52), p.uniform(.4, 1))
		},
	}, {
		Family: Family{Name: "cache_daily", Ambiguous: true,
			Sentence: "a cache that each daily deploy cuts off before it is full", resources: memory},
		live: func(p *service) {
			p.deploy(p.onDays(7))
			p.everyday()
			p.eachFills(p.logarithmic(.2, 2), p.uniform(24, 52), p.uniform(.4, 1))
		},
	}, {
		Family: Family{Name: "slow_cache_weekly",
			Sentence: "a cache that grows for days and is full before the week is over", resources: memory,
			days: weeklyDays},
		live: func(p *service) {
			p.deploy(p.onOneDay())
			p.everyday()
			p.eachFills(p.logarithmic(.2, 2), p.logarithmic(36, 120), p.uniform(.4, 1))
		},
	}, {
		Family: Family{Name: "slow_cache_weekdays", Ambiguous: true,
			Sentence: "a cache that is not even full on weekends", resources: memory},
		live: func(p *service) {
			p.deploy(p.onDays(5))
			p.everyday()
			p.eachFills(p.logarithmic(.4, 3), p.logarithmic(80, 240), p.uniform(.4, 1))
		},
	}, {
		Family: Family{Name: "slow_cache_irregular",
			Sentence: "a cache that grows for days and is full in the longest of irregular lives", resources: memory,
			days: 21},
		live: func(p *service) {
			p.deploy(p.irregularly(p.logarithmic(24, 72)))
			p.everyday()
			p.eachFills(p.logarithmic(.2, 2), p.logarithmic(20, 72), p.uniform(.4, 1))
		},
	}, {
		Family: Family{Name: "growth_that_stops", Sentence: "growth that is over within each life",
			resources: anything},
		live: func(p *service) {
			p.deploy(p.onDays(5 + 2*p.r.IntN(2)))
			p.everyday()
			p.eachFills(p.logarithmic(.2, 2), p.uniform(6, 18), 1)
		},
	}, {
		Family: Family{Name: "first_mornings",
			Sentence: "a cycle of a day, near whose minimum each life begins", resources: anything},
		live: func(p *service) {
			p.deploy(p.calendar(func(int) bool { return true }, p.uniform(1, 6), p.logarithmic(minute, 1)))
			p.atHome(p.uniform(.2, .8), p.uniform(.4, 1.1))
			p.follow(p.uniform(.4, 1))
			p.background()
		},
	}, {
		Family: Family{Name: "day_cycle_lives",
			Sentence: "a cycle of a day over lives of any schedule", resources: anything},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.atHome(p.uniform(.1, .8), p.uniform(.7, 1.1))
			p.follow(p.uniform(.4, 1))
			p.background()
		},
	}, {
		Family: Family{Name: "week_cycle_lives",
			Sentence: "a cycle of day and week, deployed each week or on weekdays", resources: anything, days: 21},
		live: func(p *service) {
			if p.r.IntN(2) == 0 {
				p.deploy(p.onOneDay())
			} else {
				p.deploy(p.onDays(5))
			}
			p.atHome(p.uniform(.1, .7), p.uniform(.3, .7))
			p.follow(p.uniform(.4, 1))
			p.background()
		},
	}, {
		Family: Family{Name: "crash_loops",
			Sentence: "lives that warm up, with crash loops among them", resources: anything},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.crash()
			p.everyday()
			p.eachWarmsUp(p.uniform(.2, .9), p.logarithmic(5*minute, 5))
		},
	}, {
		Family: Family{Name: "version_steps",
			Sentence: "versions that need more or less than the one before", resources: anything},
		live: func(p *service) {
			p.roll(p.anyhow())
			p.everyday()
			p.versions(p.logarithmic(.05, .5))
		},
	}, {
		Family: Family{Name: "traffic_grows",
			Sentence: "load that grows by some percent a week over all lives", resources: serving, days: 21},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.atHome(p.uniform(.1, .5), p.uniform(.5, 1.1))
			perWeek := p.logarithmic(.02, .15)
			for i := range p.load {
				p.load[i] *= math.Pow(1+perWeek, float64(i)*p.dt/week)
			}
			p.follow(p.uniform(.4, 1))
			p.background()
		},
	}, {
		Family: Family{Name: "pool_lives",
			Sentence:  "a pool or log that fills for hours and is emptied, over lives of any schedule",
			resources: pooled},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.everyday()
			p.sawtooth(p.healthy, p.logarithmic(.3, 2), p.logarithmic(1, 24))
		},
	}, {
		Family: Family{Name: "nightly_fall_lives",
			Sentence: "growth of a day that a nightly job takes back, without a restart", resources: anything,
			days: 21},
		live: func(p *service) {
			if p.r.IntN(2) == 0 {
				p.deploy(p.onOneDay())
			} else {
				p.deploy(p.irregularly(p.logarithmic(48, 200)))
			}
			p.everyday()
			p.takenBack(p.healthy, 24, p.logarithmic(.2, 2), p.logarithmic(minute, 2))
		},
	}, {
		Family: Family{Name: "weekly_fall_lives", Ambiguous: true,
			Sentence: "growth of days that a weekly job takes back, without a restart", resources: anything,
			days: weeklyDays},
		live: func(p *service) {
			p.deploy(p.irregularly(p.logarithmic(150, 500)))
			p.everyday()
			p.takenBack(p.healthy, week, p.logarithmic(.2, 2), p.logarithmic(minute, 4))
		},
	}, {
		Family: Family{Name: "autoscaling",
			Sentence:  "a share of the load that falls whenever another replica joins, and rises when one leaves",
			resources: serving},
		live: func(p *service) {
			p.deploy(p.anyhow())
			p.atHome(p.uniform(.4, .9), p.uniform(.4, 1))
			p.scale(p.uniform(2, 12))
			p.follow(p.uniform(.5, 1))
			p.background()
		},
	},

	rateOfDays("daily_leak_10", .10),
	rateOfDays("daily_leak_20", .20),
	rateOfDays("daily_leak_30", .30),
	rateOfDays("daily_leak_50", .50),
	rateOfDays("daily_leak_80", .80),
	{
		Family: Family{Name: "weekly_leak", Leaks: true,
			Sentence: "a leak of 20 to 150 % a life of a week", resources: anything, days: 56},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.onOneDay())
			p.leakFrom()
			p.everyday()
			p.eachWarmsUp(p.uniform(.1, .6), p.logarithmic(5*minute, 3))
			p.loseInLives(p.logarithmic(.2, 1.5)/week, false)
		},
	}, {
		Family: Family{Name: "irregular_leak", Leaks: true,
			Sentence: "a leak of 20 to 100 % a day, deployed irregularly", resources: anything, days: 21},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.irregularly(p.logarithmic(12, 48)))
			p.leakFrom()
			p.everyday()
			p.eachWarmsUp(p.uniform(.1, .6), p.logarithmic(5*minute, 3))
			p.loseInLives(p.logarithmic(.2, 1)/24, false)
		},
	}, {
		Family: Family{Name: "version_leak", Leaks: true,
			Sentence:  "a leak of 30 to 100 % a day in one of several versions, each of which lives several times",
			resources: anything, days: 21},
		live: func(p *service) {
			p.needsMore()
			p.roll(p.onDays(7))
			p.leakInOneVersion()
			p.everyday()
			p.eachWarmsUp(p.uniform(.1, .6), p.logarithmic(5*minute, 3))
			p.loseInLives(p.logarithmic(.3, 1)/24, false)
		},
	}, {
		Family: Family{Name: "load_leak_lives", Leaks: true,
			Sentence: "a leak of 30 to 100 % a day in proportion to a load with days and weekends", resources: serving},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.onDays(5 + 2*p.r.IntN(2)))
			p.leakFrom()
			p.atHome(p.uniform(.3, .9), p.uniform(.3, .9))
			p.follow(p.uniform(0, .3))
			p.background()
			p.loseInLives(p.logarithmic(.3, 1)/24, true)
		},
	}, {
		Family: Family{Name: "leak_under_day_cycle_lives", Leaks: true,
			Sentence: "a leak of 30 to 100 % a day under a cycle of a day", resources: anything},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.onDays(5 + 2*p.r.IntN(2)))
			p.leakFrom()
			p.atHome(p.uniform(.2, .7), p.uniform(.5, 1))
			p.follow(p.uniform(.4, 1))
			p.background()
			p.loseInLives(p.logarithmic(.3, 1)/24, false)
		},
	}, {
		Family: Family{Name: "leak_beside_cache", Leaks: true,
			Sentence: "a leak of 30 to 100 % a day beside a cache that weekdays cut off", resources: memory, days: 21},
		live: func(p *service) {
			p.deploy(p.onDays(5))
			p.leakFrom()
			p.everyday()
			p.eachFills(p.logarithmic(.1, .6), p.uniform(12, 48), p.uniform(.4, 1))
			p.loseInLives(p.logarithmic(.3, 1)/24, false)
		},
	}, {
		Family: Family{Name: "leak_in_long_warm_up", Leaks: true,
			Sentence: "a leak of 30 to 100 % a day during a warm-up of hours to a day", resources: anything, days: 21},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.onDays(5 + 2*p.r.IntN(2)))
			p.leakFrom()
			p.everyday()
			p.eachWarmsUp(p.uniform(.2, .6), p.logarithmic(3, 18))
			p.loseInLives(p.logarithmic(.3, 1)/24, false)
		},
	}, {
		Family: Family{Name: "crash_loop_leak", Leaks: true,
			Sentence: "a leak of 20 to 100 % a day, with crash loops among the lives", resources: anything, days: 21},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.irregularly(p.logarithmic(24, 72)))
			p.crash()
			p.leakFrom()
			p.everyday()
			p.loseInLives(p.logarithmic(.2, 1)/24, false)
		},
	}, {
		Family: Family{Name: "killed_at_limit", Leaks: true,
			Sentence: "a leak whose process is killed at its limit again and again", resources: memory, days: 21},
		live: func(p *service) {
			p.limit = p.logarithmic(1.5, 5)
			p.deploy(p.onOneDay())
			p.leakFrom()
			p.everyday()
			p.eachWarmsUp(p.uniform(.1, .6), p.logarithmic(5*minute, 1))
			p.dieAtLimit(p.logarithmic(6, 60))
		},
	},
})

func eachMinute(all []serviceFamily) []serviceFamily {
	for i := range all {
		all[i].interval = time.Minute
		all[i].days = max(all[i].days, dailyDays)
	}
	return all
}

// rateOfDays is a leak of one rate, or up to a quarter more, in each life of a day; weekends may be one life of three
// days.
func rateOfDays(name string, rate float64) serviceFamily {
	return serviceFamily{
		Family: Family{Name: name, Leaks: true, Sentence: "a leak of one rate in each life of a day",
			resources: anything},
		live: func(p *service) {
			p.needsMore()
			p.deploy(p.onDays(5 + 2*p.r.IntN(2)))
			p.leakFrom()
			p.everyday()
			p.eachWarmsUp(p.uniform(.1, .6), p.logarithmic(5*minute, 3))
			p.loseInLives(p.logarithmic(rate, 1.25*rate)/24, false)
		},
	}
}

// needsMore draws the level of counts anew: a fifth of eight is nothing that could be seen.
func (p *service) needsMore() {
	if slices.Contains(counts, p.resource) {
		p.level = p.logarithmic(24, levels[p.resource][1])
	}
}

// scale divides the load among replicas: one joins when each has more than it is to have, and leaves when the others
// have room for its share. normal is how many there are for a load of 1.
func (p *service) scale(normal float64) {
	const maxWork, room, hold = 1.15, .9, .25 // hours between two changes
	replicas, changed := math.Ceil(normal), -1.
	for i, load := range p.load {
		hour := float64(i) * p.dt
		if hour-changed >= hold {
			switch work := load * normal; {
			case work/replicas > maxWork:
				replicas, changed = replicas+1, hour
			case replicas > 1 && work/(replicas-1) < room:
				replicas, changed = replicas-1, hour
			}
		}
		p.load[i] = load * normal / replicas
	}
}
