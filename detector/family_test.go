package detector

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// family draws a series: its value at each minute, in order.
type family struct {
	name  string
	draw  func(random *rand.Rand) func(hours float64) float64
	quiet float64 // hours from the start in which anything may be said
}

// always draws a series that depends on nothing but its age and white noise.
func always(deviation float64, f func(hours float64) float64) func(*rand.Rand) func(float64) float64 {
	return func(random *rand.Rand) func(float64) float64 {
		return func(h float64) float64 { return f(h) + deviation*random.NormFloat64() }
	}
}

var healthyFamilies = []family{
	{name: "noise", draw: always(15, func(float64) float64 { return 200 })},
	{name: "small count", draw: always(1.5, func(float64) float64 { return 10 })},
	{name: "bursts", draw: func(random *rand.Rand) func(float64) float64 {
		burst := 0.0
		return func(float64) float64 {
			if burst *= .8; random.IntN(100) == 0 {
				burst = 1000 * random.Float64()
			}
			return 100 + burst
		}
	}},
	{name: "garbage collection", draw: func(random *rand.Rand) func(float64) float64 {
		heap := 100.
		return func(float64) float64 {
			if heap += 10 * random.Float64(); heap > 300 {
				heap = 100 + 5*random.Float64()
			}
			return heap
		}
	}},
	{name: "warm-up of an hour", draw: always(5, func(h float64) float64 { return 100 + 400*(1-math.Exp(-h)) })},
	{name: "warm-up of four hours", draw: always(5, func(h float64) float64 { return 100 + 200*(1-math.Exp(-h/4)) })},
	{name: "day cycle", draw: always(10, func(h float64) float64 { return 300 - 150*math.Cos(2*math.Pi*h/24) }),
		quiet: 24},
	{name: "day cycle from its peak", draw: always(10, func(h float64) float64 {
		return 300 + 150*math.Cos(2*math.Pi*h/24)
	})},
	{name: "step", draw: always(5, func(h float64) float64 {
		if h >= 30 {
			return 400
		}
		return 100
	})},
	{name: "staircase with a plateau", draw: always(3, func(h float64) float64 {
		return 100 + 40*math.Floor(min(h, 24)/8)
	})},
	{name: "bounded random walk", draw: func(random *rand.Rand) func(float64) float64 {
		value := 500.
		return func(float64) float64 {
			value += 3 * random.NormFloat64()
			value = min(max(value, 300), 700)
			return value
		}
	}},
	{name: "load that grows for hours and recedes", draw: always(5, func(h float64) float64 {
		return 200 + 100*max(0, 1-math.Abs(h-40)/5)
	})},
}

var leakFamilies = []family{
	{name: "1 % of the level an hour", draw: always(5, func(h float64) float64 { return 500 + 5*h })},
	{name: "10 % of the level an hour", draw: always(5, func(h float64) float64 { return 500 + 50*h })},
	{name: "ten times the level an hour", draw: always(5, func(h float64) float64 { return 500 + 5000*h })},
	{name: "one descriptor an hour", draw: always(1, func(h float64) float64 { return 20 + math.Floor(h) })},
	{name: "after three days of health", draw: always(5, func(h float64) float64 { return 200 + 10*max(0, h-72) })},
	{name: "accelerating", draw: always(5, func(h float64) float64 { return 200 + .1*h*h })},
	{name: "under a sawtooth", draw: func(random *rand.Rand) func(float64) float64 {
		garbage := 0.0
		return func(h float64) float64 {
			if garbage += 10 * random.Float64(); garbage > 300 {
				garbage = 0
			}
			return 100 + 5*h + garbage
		}
	}},
	{name: "under spikes", draw: func(random *rand.Rand) func(float64) float64 {
		return func(h float64) float64 {
			if random.IntN(20) == 0 {
				return 2000
			}
			return 100 + 5*h
		}
	}},
	{name: "on a day cycle", draw: always(5, func(h float64) float64 {
		return 300 - 50*math.Cos(2*math.Pi*h/24) + 10*h
	})},
}

func (f *family) events(t *testing.T, seed uint64) []alerting.Event {
	value := f.draw(rand.New(rand.NewPCG(seed, 77)))
	return observeAll(newDetector(t, DefaultConfig()),
		series(6*day, time.Minute, column{sampler.OpenFDs, func(age time.Duration) float64 {
			return max(0, math.Round(value(age.Hours())))
		}}))
}

func TestHealthyFamilies(t *testing.T) {
	for _, f := range healthyFamilies {
		t.Run(f.name, func(t *testing.T) {
			for seed := range uint64(5) {
				for _, e := range f.events(t, seed) {
					if e.Status == alerting.Firing && e.Time.Sub(dawn).Hours() > f.quiet {
						t.Errorf("seed %d: %s", seed, e.Summary)
					}
				}
			}
		})
	}
}

func TestLeakFamilies(t *testing.T) {
	for _, f := range leakFamilies {
		t.Run(f.name, func(t *testing.T) {
			for seed := range uint64(5) {
				events := f.events(t, seed)
				if len(events) == 0 || events[len(events)-1].Status != alerting.Firing {
					t.Errorf("seed %d: events %q, want a leak to be firing", seed, eventHours(events))
				}
			}
		})
	}
}
