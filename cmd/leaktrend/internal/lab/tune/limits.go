package tune

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/baseline"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Limit is a hard limit as the recordings have it. Levels are in the unit of the resource.
type Limit struct {
	Key      string  `json:"key"` // in the configuration
	Resource string  `json:"resource"`
	InForce  float64 `json:"in_force"` // 0 = off
	Proposed float64 `json:"proposed"` // InForce to keep it; 0 = off
	// Reached is the highest healthy level, for goroutines and descriptors over that at the start; Recording and At say
	// where.
	Reached   float64   `json:"reached"`
	Recording string    `json:"recording"`
	At        time.Time `json:"at"`
	Headroom  float64   `json:"headroom"` // times Reached that is proposed, before rounding up
	Days      float64   `json:"days"`     // healthy process-days that were seen
	// Ceiling is the level of a lower limit that holds by itself, at 80 % of what the process can have; 0 = none is
	// lower.
	Ceiling float64 `json:"ceiling,omitempty"`
	// Leaking are the recordings of which a part looks like a leak although nothing is known of it, and is left out.
	Leaking []string `json:"leaking,omitempty"`
}

// headrooms say how far above the highest level that was seen a limit is set: the fewer days were seen, the further may
// the next one go beyond them.
var headrooms = []struct{ fromDays, times float64 }{{7, 1.5}, {1, 2}, {0, 3}}

const (
	minCount = 20       // goroutines or descriptors: a process that never has more may still do so once
	minBytes = 32 << 20 // above the highest level
)

// proposeLimits proposes hard limits by what the healthy time of recordings reached, one for each resource that is in
// them.
func proposeLimits(ctx context.Context, config detector.Config, recs iter.Seq[*dataset.Recording]) (proposed []Limit,
	err error) {
	all := []Limit{
		{Key: "goroutine_threshold", Resource: sampler.Goroutines, InForce: float64(config.GoroutineThreshold)},
		{Key: "fd_threshold", Resource: sampler.OpenFDs, InForce: float64(config.FDThreshold)},
		{Key: "memory_threshold_mb", Resource: sampler.HeapInuseBytes, InForce: float64(config.MemoryThreshold)},
	}
	seen := make([]reached, len(all))
	for r := range recs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		until := leaksFrom(config, r)
		for i := range all {
			for k := range r.Series {
				if s := &r.Series[k]; s.Resource == all[i].Resource {
					seen[i].add(r, s, until[s.Resource], all[i].Resource == sampler.HeapInuseBytes)
				}
			}
		}
	}
	for i := range all {
		if l := &all[i]; seen[i].days > 0 {
			l.Reached, l.Recording, l.At, l.Days, l.Leaking = seen[i].growth, seen[i].recording, seen[i].at,
				seen[i].days, seen[i].leaking
			l.propose(seen[i].start, seen[i].ceiling)
			proposed = append(proposed, *l)
		}
	}
	return proposed, nil
}

// leaksFrom returns from when on each resource of an unlabelled recording leaks by the detector's own evidence, as far
// as that holds at its end.
func leaksFrom(config detector.Config, r *dataset.Recording) map[string]int64 {
	if !r.Unknown {
		return nil
	}
	known := map[string]int64{}
	for i := range r.Series {
		if s := &r.Series[i]; s.Truth.Leaks {
			known[s.Resource] = s.Truth.From
		}
	}
	if len(known) > 0 {
		return known // it was looked for before
	}
	config = evaluate.TrendOnly(config)
	config.Adaptive.Soak = r.Soak
	d, err := detector.New(config)
	if err != nil {
		panic(err) // the configuration in force is valid
	}
	from := map[string]int64{}
	source := r.Source()
	var s sampler.Sample
	for source.Sample(context.Background(), &s) != io.EOF { // which is in memory
		for _, e := range d.Observe(&s) {
			if e.Status == alerting.Resolved {
				delete(from, e.Resource)
			} else {
				from[e.Resource] = e.Since.UnixNano()
			}
		}
	}
	return from
}

// reached is the highest healthy level of a resource.
type reached struct {
	growth, start float64 // over the start, or the level itself; the start
	recording     string
	at            time.Time
	days          float64
	ceiling       float64 // lowest of the recordings; 0 = none known
	leaking       []string
}

// add looks at one series, as the engine compares it with its limit. leaks is from when on it is left out; 0 = never.
func (h *reached) add(r *dataset.Recording, s *dataset.Series, leaks int64, absolute bool) {
	end := int64(math.MaxInt64)
	if s.Truth.Leaks && !r.Unknown {
		end = s.Truth.From
	} else if leaks != 0 {
		end = leaks
		h.leaking = append(h.leaking, r.Name)
	}
	positive := false
	if d, known := sampler.Lookup(s.Resource); known {
		positive = d.Positive
	}
	var start baseline.Start
	var last int64
	next, life := 0, time.Time{}
	for i, at := range r.Times {
		for ; next < len(r.Starts) && r.Starts[next].From <= i; next++ {
			if began := r.Starts[next].Value; !began.Equal(life) {
				start, life = baseline.Start{}, began
			}
		}
		if at >= end {
			break
		}
		v := s.Values[i]
		if math.IsNaN(v) || positive && v <= 0 {
			continue
		}
		if last != 0 {
			h.days += time.Duration(at-last).Hours() / 24
		}
		last = at
		start.Observe(at, v)
		level, _, _ := start.Level()
		growth := v - level
		if absolute {
			growth = v
		}
		if growth > h.growth || h.recording == "" {
			h.growth, h.start, h.recording, h.at = growth, level, r.Name, time.Unix(0, at).UTC()
		}
	}
	for _, m := range r.Ceilings {
		for _, c := range m.Value {
			if c.Resource == s.Resource && c.Level > 0 && (h.ceiling == 0 || c.Level < h.ceiling) {
				h.ceiling = c.Level
			}
		}
	}
}

// propose sets what is proposed.
func (l *Limit) propose(start, ceiling float64) {
	for _, h := range headrooms {
		if l.Days >= h.fromDays {
			l.Headroom = h.times
			break
		}
	}
	l.Proposed = l.InForce
	if l.InForce > 0 && l.Reached <= l.InForce {
		return
	}
	absolute := l.Resource == sampler.HeapInuseBytes
	want, base := max(l.Headroom*l.Reached, minCount), start
	if absolute {
		want, base = max(l.Headroom*l.Reached, l.Reached+minBytes), 0
	}
	want = roundUp(want, absolute)
	if maxLevel := engine.CeilingShare * ceiling; l.InForce == 0 && ceiling > 0 && base+want >= maxLevel {
		l.Ceiling = ceiling
		return
	}
	l.Proposed = want
}

// roundUp rounds up to two digits, memory to those of its MB.
func roundUp(v float64, memory bool) float64 {
	unit := 1.
	if memory {
		unit = 1 << 20
	}
	v = math.Ceil(v / unit)
	step := math.Pow(10, max(0, math.Floor(math.Log10(max(1, v)))-1))
	return math.Ceil(v/step) * step * unit
}

// apply puts the limits into a configuration.
func applyLimits(limits []Limit, c detector.Config) detector.Config {
	for _, l := range limits {
		switch l.Key {
		case "goroutine_threshold":
			c.GoroutineThreshold = int64(l.Proposed)
		case "fd_threshold":
			c.FDThreshold = int64(l.Proposed)
		case "memory_threshold_mb":
			c.MemoryThreshold = int64(l.Proposed)
		}
	}
	return c
}

// setting returns a level as the configuration has it.
func (l *Limit) setting(v float64) string {
	switch {
	case v == 0:
		return "off"
	case l.Resource == sampler.HeapInuseBytes:
		return number(math.Round(v/(1<<20))) + " MB"
	}
	return number(v)
}

// Advice says in sentences what is proposed, why, and how sure that is.
func (l *Limit) Advice() []string {
	r, _ := sampler.Lookup(l.Resource)
	what := "highest growth over the start"
	if l.Resource == sampler.HeapInuseBytes {
		what = "highest level"
	}
	highest := fmt.Sprintf("the %s of %s is %s, in %s at %s", what, l.Resource, r.Format(l.Reached), l.Recording,
		l.At.Format("2006-01-02 15:04 MST"))
	var lines []string
	switch {
	case l.Ceiling > 0:
		lines = append(lines, fmt.Sprintf("%s: stays off. The limit that holds by itself, at %.0f %% of %s, is lower "+
			"than one with headroom would be; %s.",
			l.Key, 100*engine.CeilingShare, r.Format(l.Ceiling), highest))
	case l.Proposed == l.InForce:
		lines = append(lines, fmt.Sprintf("%s: keep %s; %s.", l.Key, l.setting(l.InForce), highest))
	default:
		instead := ""
		if l.InForce > 0 {
			instead = fmt.Sprintf(" instead of %s, which healthy time passes,", l.setting(l.InForce))
		}
		lines = append(lines, fmt.Sprintf("%s: %s,%s with a headroom of %s: %s.", l.Key, l.setting(l.Proposed), instead,
			number(l.Headroom), highest))
	}
	lines = append(lines, l.assurance())
	for _, name := range l.Leaking {
		lines = append(lines, fmt.Sprintf("%s looks like a leak: what came after it began is left out. Label it, or "+
			"leave it out.", name))
	}
	return lines
}

// assurance says how sure the highest level is.
func (l *Limit) assurance() string {
	days := int(l.Days)
	if days < 1 {
		return fmt.Sprintf("Not sure: %s were seen, less than the day that shows its peak.",
			sampler.FormatDuration(time.Duration(l.Days*24*float64(time.Hour))))
	}
	sure := "Fairly sure"
	if days >= 30 {
		sure = "Sure"
	} else if days < 7 {
		sure = "Not very sure"
	}
	seen := count3(l.Days, "healthy process-day")
	if number3(l.Days) == "1" {
		seen = "1 healthy process-day"
	}
	return fmt.Sprintf("%s: in %s, so if days are alike the next one goes beyond what was seen with a chance of 1 in "+
		"%d, and seldom by the headroom.",
		sure, seen, days+1)
}
