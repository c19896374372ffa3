// Package rules writes Prometheus rules that approximate the detector, for those who cannot run it. How well they do
// is measured by lab/rivals, from the same text. The rules on the metrics of a running monitor belong to
// detector/collector.
package rules

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Approximation is what Prometheus rules can do of the detector under a configuration: the minimum ladder with fewer
// windows and without regression. WriteYAML writes the rules, package rivals measures them: both come from the same
// constants, and a test runs one beside the other.
//
// A window has four quarters and a last bucket. Prometheus can take the lowest value since an instant, so the lowest
// since the start of each quarter is the reversed running minimum of the ladder at five points. Windows end now, every
// 5 minutes, instead of with a bucket.
type Approximation struct {
	config   detector.Config
	patience time.Duration
	plain    bool // without keep_firing_for
}

// Approximate returns the approximation of a configuration. The error says what cannot be approximated at all.
func Approximate(c detector.Config) (Approximation, error) {
	if err := c.Validate(); err != nil {
		return Approximation{}, err
	}
	switch {
	case !c.Enabled:
		return Approximation{}, errors.New("enabled is false: there is nothing to approximate")
	case c.Adaptive.Soak > 0:
		return Approximation{},
			errors.New("adaptive.soak: rules cannot be scaled to a soak run, which is over before they have seen " +
				"enough")
	case !c.Adaptive.Enabled && !c.AlertOnThreshold:
		return Approximation{},
			errors.New("adaptive.enabled and alert_on_threshold are both false: there is nothing to alert on")
	}
	return Approximation{config: c, patience: time.Duration(float64(c.Adaptive.Patience) / c.Adaptive.Sensitivity)}, nil
}

// Plain returns the approximation in rules that every ruler takes: without keep_firing_for, which Prometheus has from
// 2.42 on, and other rulers and older releases of vmalert refuse.
func (a Approximation) Plain() Approximation {
	a.plain = true
	return a
}

// Window is a length of time that is judged: four quarters and a last bucket, in steps.
type Window struct {
	Name            string
	Quarter, Bucket int
}

// step is how often the rules are evaluated, and the width of their finest minimums.
const step = 5 * time.Minute

// windows reach from two hours to five days. What is between two of them is seen by the longer one, later.
var windows = []Window{
	{"2h", 6, 1}, {"4h", 12, 3}, {"8h", 24, 6}, {"16h", 48, 12}, {"32h", 96, 24}, {"64h", 192, 48}, {"128h", 384, 96},
}

// Steps returns the length of the window in steps.
func (w Window) Steps() int { return 4*w.Quarter + w.Bucket }

func (w Window) hours() float64 { return (time.Duration(w.Steps()) * step).Hours() }

// The constants of the approximation. Those of the detector are in package trend.
const (
	approxDay    = 288 // steps
	approxPower  = 1.3 // of the growth, as in the detector
	approxMaxG   = 4   // growth beyond this earns no more, as in the detector
	approxShare  = .18 // of the rise in each quarter but the last, as in the detector
	approxLast   = .23 // in the last quarter, as in the detector
	approxBend   = .9  // of the growth of the first half that the second must reach, or be more patient
	approxCosts  = 8   // times as patient, as in the detector
	approxUsed   = .5  // of the headroom, from which on no duration is required, as in the detector
	approxG      = .5  // if the growth is more than this
	approxHold   = 4   // steps that the growth must be seen
	approxKeep   = 72  // steps that the alert stays when it is not
	approxSettle = 10 * time.Minute
	approxShareF = .8 // of the descriptors that the process may have
	approxRelent = 10 // minutes that an alert of a limit stays
)

// lookBack are the lengths of history in which a level counts as seen before, in steps, longest first. A process that
// is too young for one takes the next: Prometheus cannot look back to just its start.
var lookBack = []int{7 * approxDay, approxDay, approxDay / 4}

// need returns the least growth that a window must show when a doubling takes a required duration; ok is false where no
// growth is enough.
func (a Approximation) need(w Window, patience time.Duration) (growth float64, ok bool) {
	growth = math.Round(1000*math.Pow(patience.Hours()/w.hours(), 1/approxPower)) / 1000
	return max(growth, a.config.Adaptive.MinGrowth), growth <= approxMaxG
}

// Needs are the minimum growths of one window, as shares of the level before: at any age, with a day of history, and
// both again for growth that bends down. +Inf = never.
type Needs struct{ Young, Old, BentYoung, BentOld float64 }

// Needs returns what a window must show.
func (a Approximation) Needs(w Window) Needs {
	of := func(factor float64) float64 {
		if g, ok := a.need(w, time.Duration(min(float64(a.patience)*factor, math.MaxInt64/2))); ok {
			return g
		}
		return math.Inf(1)
	}
	return Needs{of(1), of(.5), of(approxCosts), of(approxCosts * .5)}
}

// Baseline returns the length over which the level before a window is averaged, in steps: the half-life, up to a week.
func (a Approximation) Baseline() int {
	return int(min(max(a.config.Adaptive.HalfLife/step, 1), 7*approxDay))
}

// metric is a metric of the usual exporters, and the resource that it is.
type metric struct {
	name, resource string
	ceiling        string // metric of what the process may have at most
}

var metrics = []metric{
	{"go_goroutines", sampler.Goroutines, ""},
	{"go_memstats_heap_alloc_bytes", sampler.HeapLiveBytes, ""}, // whose minimums are what is live after a collection
	{"process_resident_memory_bytes", sampler.RSSBytes, ""},
	{"process_open_fds", sampler.OpenFDs, "process_max_fds"},
	{"go_threads", sampler.Threads, ""},
}

// Offset returns what is added to the level of a resource before growth is compared with it, in its unit: that of a few
// goroutines or a megabyte.
func Offset(resource string) float64 {
	if r, _ := sampler.Lookup(resource); r.Unit == "bytes" {
		return mb
	}
	return 4
}

const mb = 1 << 20

// Delta returns the configured hard limit on growth over the start, in the unit of the resource; 0 = none.
func (a Approximation) Delta(resource string) int64 {
	switch resource {
	case sampler.Goroutines:
		return a.config.GoroutineThreshold
	case sampler.OpenFDs:
		return a.config.FDThreshold
	}
	return 0
}

// Constants are what the approximation is made of. Lengths without a unit are in steps, shares are of 1.
type Constants struct {
	Step     time.Duration // between two evaluations
	Windows  []Window
	LookBack []int // lengths of history in which a level counts as seen before, longest first
	Day      int
	Hold     int // how long growth must be seen
	Keep     int // how long the alert stays when it is not

	QuarterShare, LastShare      float64 // of the rise, in each quarter but the last, and in that
	Bend                         float64 // of the growth of the first half that the second must reach
	HeadroomUsed, HeadroomGrowth float64 // share of the headroom, and growth, from which on no duration is required

	Settle          time.Duration // age at which the starting level is taken
	DescriptorShare float64       // of the descriptors that the process may have
	LimitKeep       time.Duration // how long the alert of a limit stays
}

// Constants returns those of every approximation.
func (a Approximation) Constants() Constants {
	return Constants{
		Step: step, Windows: slices.Clone(windows), LookBack: slices.Clone(lookBack), Day: approxDay, Hold: approxHold,
		Keep:         approxKeep,
		QuarterShare: approxShare, LastShare: approxLast, Bend: approxBend, HeadroomUsed: approxUsed,
		HeadroomGrowth: approxG,
		Settle:         approxSettle, DescriptorShare: approxShareF, LimitKeep: approxRelent * time.Minute,
	}
}

// Config returns the configuration that is approximated.
func (a Approximation) Config() detector.Config { return a.config }
