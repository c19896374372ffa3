package detector

import (
	"math"
	"time"
	"unsafe"

	"github.com/mdzesseis/leaktrend/detector/finding"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// recentSamples are kept as they were read: 8 h 32 min at the default interval.
	recentSamples = 1024
	// oldStretches hold what was before, back to the first sample. Even, so that they merge in pairs.
	oldStretches = 512
	// mostColumns bounds the memory. An endpoint may have thousands of metrics; the resources that leaktrend knows always have a place.
	mostColumns = 256
)

// Point is a stretch of the past of one resource: one sample, or several of long ago. Levels are in the unit of the resource, and kept to
// seven digits.
type Point struct {
	From, To time.Time // of the first and the last sample in it
	Min, Max float64   // the lowest and the highest value
	// The moving baseline and its deviation at the end; 0 for a resource that is not judged.
	Baseline, Deviation float64
}

// past keeps the past of all resources in a fixed amount of memory, 20 KB each: the latest samples, and before them the extremes of
// stretches that grow longer as time passes. It does not allocate once every resource was seen.
type past struct {
	n     int64 // samples ever added
	times [recentSamples]int64

	from, to [oldStretches]int64
	full     int // stretches that are full; the next one is open
	per      int // samples in a stretch
	in       int // samples in the open one

	columns []*pastColumn // of each tracker of the detector, in its order; nil beyond the most
	kept    int
}

// pastColumn is one resource in the past. NaN stands for what was not read.
type pastColumn struct {
	value            [recentSamples]float32
	level, deviation [recentSamples]float32

	min, max                 [oldStretches]float32
	lastLevel, lastDeviation [oldStretches]float32
}

var absent = float32(math.NaN())

func read(v float32) bool { return v == v }

// short keeps what is beyond the range finite.
func short(v float64) float32 { return float32(max(-math.MaxFloat32, min(v, math.MaxFloat32))) }

func newPastColumn() *pastColumn {
	c := new(pastColumn)
	for i := range c.value {
		c.value[i] = absent
	}
	for i := range c.min {
		c.min[i], c.max[i] = absent, absent
	}
	return c
}

// add keeps what the detector observed at an instant.
func (p *past) add(d *Detector, at int64) {
	slot := int(p.n % recentSamples)
	if p.n >= recentSamples {
		p.age(slot)
	}
	p.times[slot] = at
	for i, t := range d.engine.All() {
		if i == len(p.columns) {
			p.columns = append(p.columns, p.columnFor(t.Resource().Name))
		}
		c := p.columns[i]
		if c == nil {
			continue
		}
		c.value[slot] = absent
		if value, read := t.Latest(); read == at {
			level, deviation := t.Level()
			c.value[slot], c.level[slot], c.deviation[slot] = short(value), short(level), short(deviation)
		}
	}
	p.n++
}

func (p *past) columnFor(resource string) *pastColumn {
	if _, known := sampler.Lookup(resource); !known && p.kept >= mostColumns {
		return nil
	}
	p.kept++
	return newPastColumn()
}

// age moves the sample in a slot to the stretches.
func (p *past) age(slot int) {
	s := p.full
	if p.in == 0 {
		p.from[s] = p.times[slot]
	}
	p.to[s] = p.times[slot]
	for _, c := range p.columns {
		if c == nil {
			continue
		}
		if p.in == 0 {
			c.min[s], c.max[s], c.lastLevel[s], c.lastDeviation[s] = absent, absent, 0, 0
		}
		// Compared so that what was not read changes nothing.
		v := c.value[slot]
		if read(v) {
			if !(c.min[s] <= v) {
				c.min[s] = v
			}
			if !(c.max[s] >= v) {
				c.max[s] = v
			}
			c.lastLevel[s], c.lastDeviation[s] = c.level[slot], c.deviation[slot]
		}
	}
	p.in++
	if p.in < max(p.per, 1) {
		return
	}
	p.in = 0
	if p.full++; p.full == oldStretches {
		p.merge()
	}
}

// merge makes one stretch of every two.
func (p *past) merge() {
	for i := range oldStretches / 2 {
		a, b := 2*i, 2*i+1
		p.from[i], p.to[i] = p.from[a], p.to[b]
		for _, c := range p.columns {
			if c == nil {
				continue
			}
			from := b
			if !read(c.min[b]) {
				from = a
			}
			low, high := c.min[from], c.max[from]
			if c.min[a] < low {
				low = c.min[a]
			}
			if c.max[a] > high {
				high = c.max[a]
			}
			c.min[i], c.max[i], c.lastLevel[i], c.lastDeviation[i] = low, high, c.lastLevel[from], c.lastDeviation[from]
		}
	}
	p.full, p.per = oldStretches/2, 2*max(p.per, 1)
}

// points returns what is kept of a tracker of the detector, by its number, from the stretch on that holds an instant.
func (p *past) points(number int, since int64) []Point {
	if number >= len(p.columns) || p.columns[number] == nil {
		return nil
	}
	c := p.columns[number]
	old := p.full
	if p.in > 0 {
		old++
	}
	points := make([]Point, 0, int64(old)+min(p.n, recentSamples))
	for s := range old {
		if p.to[s] >= since && read(c.min[s]) {
			points = append(points, Point{
				From: finding.Instant(p.from[s]), To: finding.Instant(p.to[s]), Min: float64(c.min[s]), Max: float64(c.max[s]),
				Baseline: float64(c.lastLevel[s]), Deviation: float64(c.lastDeviation[s]),
			})
		}
	}
	for i := max(0, p.n-recentSamples); i < p.n; i++ {
		slot := i % recentSamples
		if v := c.value[slot]; p.times[slot] >= since && read(v) {
			at := finding.Instant(p.times[slot])
			points = append(points, Point{
				From: at, To: at, Min: float64(v), Max: float64(v), Baseline: float64(c.level[slot]), Deviation: float64(c.deviation[slot]),
			})
		}
	}
	return points
}

// bytes returns how much memory the past takes.
func (p *past) bytes() int64 {
	return int64(unsafe.Sizeof(*p)) + int64(p.kept)*int64(unsafe.Sizeof(pastColumn{}))
}

// Past returns what is kept of the past of a resource, oldest first, from an instant on; the zero time means all. The latest 1024 samples are
// there as they were read, those before as the extremes of longer stretches. It is empty for a resource that was never read.
func (m *ResourceMonitor) Past(resource string, since time.Time) []Point {
	from := int64(math.MinInt64)
	if !since.IsZero() {
		from = since.UnixNano()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, t := range m.detector.engine.All() {
		if t.Resource().Name == resource {
			return m.past.points(i, from)
		}
	}
	return nil
}
