package fleet

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/spark"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/promtext"
)

// process is what was read of one set of labels: one process after the other, on the grid of the scan. All values are
// NaN where nothing was read.
type process struct {
	labels    map[string]string // without the metric's name
	container bool              // known by the kubelet, whose job says nothing of it
	docker    bool              // a container, of no pod
	readings  []reading
	ceilings  []ceiling
	start     []float64 // unix seconds; nil = unknown
	cpu       []float64 // counter; nil = unknown
	up        []float64 // 0 where a scrape failed; nil = unknown
	load      []float64 // rate; nil = unknown
	version   []string  // by instant; nil = unknown
	readAs    *batch    // nil = not of this scan
}

type reading struct {
	resource string
	metric   string
	rank     int // of two metrics of one resource the lower one wins
	values   []float64
}

type ceiling struct {
	resource, source string
	values           []float64
}

// life is one run of a process, from its start or the begin of the scan to its end or that of the scan.
type life struct {
	first, last time.Time
	version     string
	ends        bool // before the data do
	statuses    []detector.Status
	lines       map[string]*spark.Line // of the resources that have a finding
	withLoad    map[string]bool        // resources whose growth is that of the load
	curves      map[string]lives.Curve // over its age, where there may be other lives
	past        []pastCall
	downs       []down
	instants    []int // of the grid, of the past, at which it was old enough to be judged
	recent      recent
	limits      map[string]float64 // by resource, at its end; what has none is not in it
	begins      *process           // what tells of restarts at its begin, where that may be the scan's; else nil
}

func (l *life) length() time.Duration { return l.last.Sub(l.first) }

// late is how many instants may be without a value at the begin or the end of a scan in which a process runs.
const late = 3

// judge runs the detector over the lives of a process.
func (p *process) judge(g prom.Grid, config detector.Config) []life {
	var (
		all     []life
		d       *detector.Detector
		s       sampler.Sample
		current life
		at      = -1 // instant of the latest sample
		levels  []sampler.Ceiling
		looks   = looksOf(g)
		firing  = map[string]bool{} // resources whose trend is found
	)
	known := make([]float64, len(p.ceilings))
	for k := range known {
		known[k] = math.NaN()
	}
	finish := func(ends bool) {
		if d == nil {
			return
		}
		current.ends = ends
		current.statuses = d.Verdicts()
		if !ends {
			current.settle(looks)
		}
		letGo(p, &current, g)
		current.followUp(p, g)
		current.downs = current.cameDown(p, g)
		current.lines = p.lines(&current, g)
		current.withLoad = p.withLoad(&current, g)
		current.curves = curvesOf(p, &current, g)
		current.limits = p.limitsAt(at)
		all = append(all, current)
		d = nil
	}
	for i := range g.N {
		s.Reset(g.At(i))
		for k := range p.readings {
			s.Add(p.readings[k].resource, p.readings[k].values[i])
		}
		if len(s.Readings) == 0 {
			continue
		}
		if at >= 0 && p.restarted(at, i) {
			finish(true)
		}
		if d == nil {
			var err error
			if d, err = detector.New(config); err != nil {
				panic(err) // the configuration is calibration.Judgment with another load
			}
			current = life{first: s.Time}
			if i <= late {
				current.begins = p.instant(i)
			}
			clear(firing)
		}
		if p.cpu != nil {
			s.Add(sampler.CPUSeconds, p.cpu[i])
		}
		if p.load != nil {
			s.Add(config.Adaptive.Load, p.load[i])
		}
		levels = p.ceilingsAt(i, levels, known)
		s.Ceilings = levels
		for _, e := range d.Observe(&s) {
			if e.Kind == alerting.Trend {
				firing[e.Resource] = e.Status == alerting.Firing
			}
		}
		at, current.last = i, s.Time
		current.look(looks, i, d, firing)
		if p.version != nil && p.version[i] != "" {
			current.version = p.version[i]
		}
	}
	finish(at < g.N-1-late)
	return all
}

// restarted reports whether another process runs at instant i than at the one before it at which something was read.
func (p *process) restarted(before, i int) bool {
	if p.start != nil {
		if a, b := latest(p.start, before), p.start[i]; !math.IsNaN(a) && !math.IsNaN(b) {
			return b-a > engine.RestartSlack.Seconds()
		}
	}
	if p.cpu != nil {
		if a, b := latest(p.cpu, before), p.cpu[i]; !math.IsNaN(a) && !math.IsNaN(b) {
			return b < a
		}
	}
	if p.up != nil {
		for k := before + 1; k <= i; k++ {
			if !(p.up[k] > 0) {
				return true
			}
		}
	}
	return false
}

// instant returns what tells of restarts at one instant.
func (p *process) instant(i int) *process {
	at := func(values []float64) []float64 {
		if values == nil {
			return nil
		}
		return []float64{latest(values, i)}
	}
	return &process{start: at(p.start), cpu: at(p.cpu), up: at(p.up)}
}

// replaced reports whether another process runs at a later instant; p and later are of one instant each.
func (p *process) replaced(later *process) bool {
	both := func(a, b []float64) []float64 {
		if a == nil || b == nil {
			return nil
		}
		return []float64{a[0], b[0]}
	}
	joined := process{start: both(p.start, later.start), cpu: both(p.cpu, later.cpu), up: both(p.up, later.up)}
	return joined.restarted(0, 1)
}

// latest returns the last value up to an instant.
func latest(values []float64, i int) float64 {
	for ; i > 0 && math.IsNaN(values[i]); i-- {
	}
	return values[i]
}

// ceilingsAt returns the ceilings at an instant: the slice from before unless one has changed. known are the levels
// that it has, of all ceilings of the process.
func (p *process) ceilingsAt(i int, before []sampler.Ceiling, known []float64) []sampler.Ceiling {
	changed := false
	for k := range p.ceilings {
		if v := latest(p.ceilings[k].values, i); v != known[k] && !(math.IsNaN(v) && math.IsNaN(known[k])) {
			known[k], changed = v, true
		}
	}
	if !changed {
		return before
	}
	var now []sampler.Ceiling
	for k, v := range known {
		if !promtext.Unlimited(v) {
			c := &p.ceilings[k]
			now = append(now, sampler.Ceiling{Resource: c.resource, Level: v, Source: c.source})
		}
	}
	return now
}

// limitsAt returns the lowest ceiling of each resource at an instant.
func (p *process) limitsAt(i int) map[string]float64 {
	var all map[string]float64
	for k := range p.ceilings {
		c := &p.ceilings[k]
		v := latest(c.values, i)
		if before, ok := all[c.resource]; promtext.Unlimited(v) || ok && before <= v {
			continue
		}
		if all == nil {
			all = map[string]float64{}
		}
		all[c.resource] = v
	}
	return all
}

// lines draws the resources that have a finding.
func (p *process) lines(l *life, g prom.Grid) map[string]*spark.Line {
	var lines map[string]*spark.Line
	for i := range l.statuses {
		if !l.statuses[i].Trend && !l.statuses[i].Limit {
			continue
		}
		name := l.statuses[i].Resource.Name
		for k := range p.readings {
			if p.readings[k].resource != name {
				continue
			}
			line := &spark.Line{}
			for i, v := range p.readings[k].values {
				if at := g.At(i); !math.IsNaN(v) && !at.Before(l.first) && !at.After(l.last) {
					line.Add(v)
				}
			}
			if lines == nil {
				lines = map[string]*spark.Line{}
			}
			lines[name] = line
		}
	}
	return lines
}

// withLoad tells which resources grow with the load.
func (p *process) withLoad(l *life, g prom.Grid) map[string]bool {
	if p.load == nil {
		return nil
	}
	all := map[string]bool{}
	for i := range l.statuses {
		s := &l.statuses[i]
		for k := range p.readings {
			if r := &p.readings[k]; s.Trend && r.resource == s.Resource.Name &&
				goesWithLoad(r.values, p.load, g, s.Since, l.last) {
				all[r.resource] = true
			}
		}
	}
	return all
}
