package detector

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Growth at steady load is called earlier than growth of unknown cause, and that one earlier than growth that follows
// the load: with half and with five times the required duration, and more where strong growth would earn more.
func TestLoadCovariate(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	load := make([]float64, 48*60) // doubles in 5 h; by minute
	for i := range load {
		load[i] = (1 + float64(i)/300) * (1 + .2*random.Float64())
	}
	busy := func(age time.Duration) float64 { return load[age/time.Minute] }
	goroutines := column{sampler.Goroutines, func(age time.Duration) float64 { return 100 * busy(age) }}
	// A counter of which the rate is given.
	cpu := func(rate func(time.Duration) float64) column {
		used := 0.0
		return column{sampler.CPUSeconds, func(age time.Duration) float64 {
			used += rate(age)
			return used
		}}
	}
	fires := func(change func(c *Config), columns ...column) float64 {
		events := observeAll(newDetector(t, with(change)), series(2*day, time.Minute, columns...))
		if len(events) != 1 {
			t.Fatalf("events %q, want one", eventHours(events))
		}
		return events[0].Time.Sub(dawn).Hours()
	}
	nothing := func(*Config) {}
	none := fires(nothing, goroutines)
	steady := fires(nothing, goroutines, cpu(noisy(rising(20, 0), 2, 5)))
	follows := fires(nothing, goroutines, cpu(busy))
	off := fires(func(c *Config) { c.Adaptive.Load = "none" }, goroutines, cpu(busy))
	gauge := fires(func(c *Config) {
		c.Adaptive.Load = "connections"
	}, goroutines, column{"connections", noisy(rising(500, 0), 5, 6)})
	half := fires(func(c *Config) { c.Adaptive.Patience /= 2 }, goroutines)
	five := fires(func(c *Config) { c.Adaptive.Patience *= 5 }, goroutines)
	got := []float64{steady, gauge, none, off, follows}
	// Processor time that stays level proves nothing, a load that was named does.
	// At the edge of a window the load has too few minimums to be held constant for a confirmation more.
	if !(gauge < none && steady == none && none == off && none < follows) || math.Abs(gauge-half) > 1.5 ||
		follows < five-1.5 {
		t.Errorf("steady, steady gauge, none, off, follows: %v h; with half the patience %v h, with five times %v h",
			got, half, five)
	}
}

// Growth is measured against the level of the series itself where the unit is unknown and the values are no counts: 4
// of them may be all there is.
func TestLeakInAnUnknownUnit(t *testing.T) {
	for _, scale := range []float64{1e-6, .01, 1, 100} {
		noise := rand.New(rand.NewPCG(3, 4))
		value := func(age time.Duration) float64 { return scale * (.2 + .016*age.Hours() + .005*noise.NormFloat64()) }
		events := observeAll(newDetector(t, DefaultConfig()), series(2*day, 20*time.Minute, column{"share", value}))
		if len(events) != 1 || events[0].Kind != alerting.Trend {
			t.Errorf("at a scale of %v: %q, want one alert", scale, eventHours(events))
		}
	}
}
