package detector

import (
	"slices"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// What those who record, show and explain see of a Detector. Resources have numbers, from 0 in order of appearance, which they keep.

// View is what a Detector knows of one resource at the latest sample. Levels are in the unit of the resource.
type View struct {
	Resource  sampler.Resource
	Read      bool    // in the latest sample
	Value     float64 // the latest that was read
	Baseline  float64 // moving, and its deviation; 0 where there is none
	Deviation float64
	Start     float64 // the starting level
	Settled   bool    // the start is over
	Judged    bool    // it has minimums, so that its trend can be judged
	Trend     bool    // a trend fires
	Limit     bool    // a limit fires, alerted or not
	Suspected bool
	Findings  int // of both kinds since the Detector began
}

// Count returns how many resources were seen.
func (d *Detector) Count() int { return len(d.trackers) }

// Number returns the number of a resource, -1 where it was never read.
func (d *Detector) Number(resource string) int {
	return slices.IndexFunc(d.trackers, func(t *tracker) bool { return t.resource.Name == resource })
}

// View returns what is known of a resource by its number.
func (d *Detector) View(number int) View {
	t := d.trackers[number]
	v := View{
		Resource: t.resource, Read: t.at == d.last, Value: t.value, Judged: t.ladder != nil,
		Trend: t.growth.active, Limit: t.limit.active, Suspected: t.suspected(), Findings: t.found[0] + t.found[1],
	}
	v.Baseline, _ = t.average.Mean()
	v.Deviation = t.average.Deviation()
	v.Start, v.Settled, _ = t.start.Level()
	return v
}

// Lookup returns what is known of a resource; ok is false where it was never read.
func (d *Detector) Lookup(resource string) (v View, ok bool) {
	if number := d.Number(resource); number >= 0 {
		return d.View(number), true
	}
	return View{}, false
}

func (d *Detector) status(number int) Status { return d.trackers[number].status(d) }

// Ladder returns the minimums of a resource, nil where it has none.
func (d *Detector) Ladder(number int) *trend.Ladder { return d.trackers[number].ladder }

// Finding returns the latest window of the trend that fires; ok is false where none does.
func (d *Detector) Finding(number int) (climb trend.Climb, ok bool) {
	t := d.trackers[number]
	if !t.growth.active {
		return trend.Climb{}, false
	}
	climb = t.growth.climb
	// A climb that goes on keeps its beginning; the line was fitted over its latest window alone.
	for i := range t.latest {
		if t.latest[i].Fit == climb.Fit {
			climb.Since = t.latest[i].Since
		}
	}
	return climb, true
}

// Suspicion returns the window of growth that is nearest to a finding; ok is false where nothing is suspected.
func (d *Detector) Suspicion(number int) (climb trend.Climb, ok bool) {
	t := d.trackers[number]
	if t.ladder == nil || !t.suspected() {
		return trend.Climb{}, false
	}
	return t.nearest(), true
}

// Levels returns the hard limit of a resource and the level that the process dies at, each 0 where there is none.
func (d *Detector) Levels(number int) (limit, ceiling float64) {
	t := d.trackers[number]
	if t.ladder != nil {
		limit = t.levelLimit().level
	}
	return limit, t.ceiling.Level
}

// Latest returns the instant of the latest sample in unix nanoseconds, and whether the process is another one in it than in the sample before.
func (d *Detector) Latest() (at int64, restarted bool) { return d.last, d.began && d.epoch == d.last }

// Scale returns the factor of all time constants: 1 outside soak mode.
func (d *Detector) Scale() float64 { return d.scale }

// LacksLoad returns the name of the load that the configuration names and of which nothing was read; else "".
func (d *Detector) LacksLoad() string {
	if d.load.ladder != nil {
		return ""
	}
	return d.config.Adaptive.NamedLoad()
}
