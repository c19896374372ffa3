package detector

import (
	"fmt"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/trend"
)

// State is the verdict on one resource.
type State uint8

const (
	Learning  State = iota // too little was seen to judge
	Healthy                // judged, and no leak
	Suspected              // has the shape of a leak and lacks the patience
	Firing                 // a leak, or a hard limit passed
)

var states = [...]string{Learning: "learning", Healthy: "healthy", Suspected: "suspected", Firing: "firing"}

func (s State) String() string { return states[s] }

// MarshalText returns the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Status is what the detector makes of one resource at the latest sample. Levels are in the unit of the resource.
type Status struct {
	Resource     sampler.Resource
	State        State
	Trend, Limit bool // which kind of finding holds, if State is Firing; Limit also where limits are not alerted
	Severity     alerting.Severity
	Value        float64
	Baseline     float64 // moving baseline; frozen while growth is suspected
	Deviation    float64 // moving standard deviation around it
	Start        float64 // settled starting level
	SlopePerHour float64 // of the climb while there is one, else of the latest floors; 0 if unknown
	Since        time.Time
	Exhaustion   *alerting.Exhaustion
	Evidence     *alerting.Evidence // of a trend that fires, as of its latest confirmation; else nil
	// Grew is how long a trend that fires has climbed: from Since to its latest new high; else 0.
	Grew time.Duration
	// Nats is the evidence that a trend that fires still climbs, in nats: trend.Fit.Nats of the latest windows, summed over the widths on
	// which growth passes every test now, 0 to 1660. A leak goes on at several widths, what comes to rest or swings at one or none.
	Nats         float64
	Judged       bool   // false for a counter and for context
	Why          string // the reason of the verdict, as a clause
	Leaks        int    // trend findings since the detector began
	LimitsPassed int    // limit findings since then
	Memory       int    // bytes that are kept to judge it
}

// Status returns the state of every resource seen, in the order of the resource table, others behind in order of appearance.
func (d *Detector) Status() []Status {
	var all []Status
	for _, r := range sampler.Resources() {
		if t := d.byName[r.Name]; t != nil {
			all = append(all, t.status(d))
		}
	}
	for _, t := range d.trackers {
		if _, known := sampler.Lookup(t.resource.Name); !known {
			all = append(all, t.status(d))
		}
	}
	return all
}

func (t *tracker) status(d *Detector) Status {
	s := Status{
		Resource:     t.resource,
		Value:        t.value,
		Leaks:        t.found[kindIndex(alerting.Trend)],
		LimitsPassed: t.found[kindIndex(alerting.Limit)],
		Memory:       t.memory(),
	}
	if t.ladder == nil {
		s.Why = "not judged: " + map[sampler.Kind]string{sampler.Counter: "a counter", sampler.Gauge: "context"}[t.resource.Kind]
		return s
	}
	s.Judged = !t.standsIn(d)
	s.Baseline, _ = t.average.Mean()
	s.Deviation = t.average.Deviation()
	s.Start, _, _ = t.start.Level()
	s.SlopePerHour = t.pace() * 3600
	s.Trend = t.growth.active
	if f := &t.limit; f.active {
		s.Limit, s.Severity, s.Since, s.Why = true, f.severity, instant(f.since), "above the hard limit"
	}
	nearest := t.nearest()
	switch {
	case s.Trend:
		s.State, s.Since, s.Baseline = Firing, instant(t.growth.since), t.growth.climb.Level
		s.Severity = max(s.Severity, t.growth.severity)
		s.Exhaustion, s.Evidence = t.exhaustion(t.at), evidence(&t.growth.climb)
		s.Grew, s.Nats = time.Duration(t.growth.highAt-t.growth.since), t.nats()
		s.Why = "sustained growth that never came back"
	case s.Limit:
		s.State = Firing
		s.Exhaustion = t.exhaustion(t.at)
	case !s.Judged:
		s.State, s.Why = Healthy, "stands in for "+t.resource.StandsInFor+", which is read"
	case !d.config.Adaptive.Enabled:
		s.State, s.Why = Healthy, "below its limits; the trend is not judged (adaptive.enabled is false)"
	case t.suspected():
		s.State, s.Since = Suspected, instant(nearest.Since)
		s.Exhaustion = t.exhaustion(t.at)
		s.Why = t.whyNot(nearest)
	case nearest.Reason == trend.NoData && time.Duration(t.at-d.epoch) >= d.soonest():
		s.Why = "too few samples to tell"
	case nearest.Reason == trend.NoData:
		s.Why = "too short to tell: a verdict takes at least " + sampler.FormatDuration(d.soonest()) + " of samples"
	default:
		s.State, s.Why = Healthy, t.whyNot(nearest)
	}
	return s
}

// soonest is how long the shortest window and its confirmation take.
func (d *Detector) soonest() time.Duration {
	const buckets = 9
	return time.Duration(buckets * d.scale * float64(trend.FinestWidth))
}

// nats returns the evidence of the widths on which growth passes every test now.
func (t *tracker) nats() (sum float64) {
	for i := range t.latest {
		if c := &t.latest[i]; c.Reason == trend.Sustained {
			sum += c.Fit.Nats()
		}
	}
	return sum
}

// nearest returns the latest judgment that came closest to a leak: a suspicious one if there is any.
func (t *tracker) nearest() trend.Climb {
	best := t.latest[0]
	for _, c := range t.latest[1:] {
		nearer := c.Reason > best.Reason || c.Reason == best.Reason && c.Growth > best.Growth
		if c.Suspect && !best.Suspect || c.Suspect == best.Suspect && nearer {
			best = c
		}
	}
	return best
}

// whyNot says in a clause why a window of growth is no leak, or not yet.
func (t *tracker) whyNot(c trend.Climb) string {
	lasted := sampler.FormatDuration(c.Window)
	switch c.Reason {
	case trend.NotGrowing:
		return "does not grow"
	case trend.SeenBefore:
		return "no higher than before"
	case trend.TooSmall:
		return fmt.Sprintf("grew by no more than %.1f %%", 100*c.Growth)
	case trend.TooRecent:
		return fmt.Sprintf("grew by %s (%.0f %%) in %s, not yet for long enough", t.resource.Format(c.Rise), 100*c.Growth, lasted)
	case trend.Uneven:
		if c.Suspect {
			return fmt.Sprintf("grew by %s (%.0f %%) in %s, but unevenly, or ever slower: not yet for long enough", t.resource.Format(c.Rise), 100*c.Growth, lasted)
		}
		return fmt.Sprintf("grew by %s in %s in a step, or is levelling off", t.resource.Format(c.Rise), lasted)
	case trend.NotSignificant:
		return fmt.Sprintf("grew by %s in %s without a steady slope", t.resource.Format(c.Rise), lasted)
	case trend.Sustained:
		return "growth by every test, to be confirmed"
	}
	return "too short to tell"
}
