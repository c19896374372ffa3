package detector

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// dawn is when the processes of these tests start.
var dawn = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// column is one resource of a series: its value at an age of the process. NaN is not read.
type column struct {
	resource string
	value    func(age time.Duration) float64
}

// series samples a process from dawn on.
// with returns the defaults after a change.
func with(change func(c *Config)) Config {
	c := DefaultConfig()
	change(&c)
	return c
}

func series(length, step time.Duration, columns ...column) []sampler.Sample {
	all := make([]sampler.Sample, 0, length/step)
	for age := time.Duration(0); age < length; age += step {
		var s sampler.Sample
		s.Reset(dawn.Add(age))
		for _, c := range columns {
			s.Add(c.resource, c.value(age))
		}
		all = append(all, s)
	}
	return all
}

// started tells when the process started, so that what falls is known not to be a restart.
func started(samples []sampler.Sample) []sampler.Sample {
	for i := range samples {
		samples[i].Start = dawn
	}
	return samples
}

func newDetector(t interface {
	Helper()
	Fatal(...any)
}, config Config) *Detector {
	t.Helper()
	d, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// observeAll returns the events of all samples.
func observeAll(d *Detector, samples []sampler.Sample) (events []alerting.Event) {
	for i := range samples {
		events = append(events, d.Observe(&samples[i])...)
	}
	return events
}

func rising(level, perHour float64) func(time.Duration) float64 {
	return func(age time.Duration) float64 { return level + perHour*age.Hours() }
}

func noisy(f func(time.Duration) float64, deviation float64, seed uint64) func(time.Duration) float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(age time.Duration) float64 { return math.Round(f(age) + deviation*random.NormFloat64()) }
}

// approximately compares floats as results of long sums, and instants to the millisecond.
var approximately = cmp.Options{cmpopts.EquateApprox(1e-9, 0), cmpopts.EquateApproxTime(time.Millisecond)}
