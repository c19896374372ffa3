package history

import (
	"math"
	"time"
	"unsafe"

	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// recentSamples are kept as they were read: 8 h 32 min at the default interval.
	recentSamples = 1024
	// oldStretches hold what was before, back to the first sample. Even, so that they merge in pairs.
	oldStretches = 512
	// maxColumns bounds the memory. An endpoint may have thousands of metrics; the resources that leaktrend knows
	// always have a place.
	maxColumns = 256
)

// Point is a stretch of the past of one resource: one sample, or several of long ago. Levels are in the unit of the
// resource, and kept to seven digits.
type Point struct {
	From, To time.Time // of the first and the last sample in it
	Min, Max float64   // the lowest and the highest value
	// The moving baseline and its deviation at the end; 0 for a resource that is not judged.
	Baseline, Deviation float64
}

// Record keeps the past of all resources in a fixed amount of memory, 20 KB each: the latest samples, and before them
// the extremes of stretches that grow longer as time passes. The zero value is empty. It does not allocate once every
// resource was seen, and is not safe for concurrent use.
type Record struct {
	n     int64 // samples ever begun
	slot  int   // of the latest
	times [recentSamples]int64

	from, to [oldStretches]int64
	full     int // stretches that are full; the next one is open
	per      int // samples in a stretch
	in       int // samples in the open one

	columns []*column // by number; nil beyond the bound
	names   []string  // of their resources
	kept    int
}

// column is one resource in the past. NaN stands for what was not read.
type column struct {
	value            [recentSamples]float32
	level, deviation [recentSamples]float32

	min, max                 [oldStretches]float32
	lastLevel, lastDeviation [oldStretches]float32
}

var absent = float32(math.NaN())

func instant(at int64) time.Time { return time.Unix(0, at).UTC() }

func read(v float32) bool { return v == v }

// short keeps what is beyond the range finite.
func short(v float64) float32 { return float32(max(-math.MaxFloat32, min(v, math.MaxFloat32))) }

func newColumn() *column {
	c := new(column)
	for i := range c.value {
		c.value[i] = absent
	}
	for i := range c.min {
		c.min[i], c.max[i] = absent, absent
	}
	return c
}

// Begin begins the sample of an instant in unix nanoseconds, later than the one before. What is not put into it was not
// read.
func (r *Record) Begin(at int64) {
	r.slot = int(r.n % recentSamples)
	if r.n >= recentSamples {
		r.age(r.slot)
	}
	r.times[r.slot] = at
	for _, c := range r.columns {
		if c != nil {
			c.value[r.slot] = absent
		}
	}
	r.n++
}

// Put keeps a value in the sample that was begun, with the moving baseline and its deviation at that time, 0 where
// there is none. Resources have numbers, from 0 in order of appearance. Where a number passes on to another resource,
// what was kept of the former is forgotten.
func (r *Record) Put(number int, resource string, value, baseline, deviation float64) {
	for number > len(r.columns) {
		r.columns, r.names = append(r.columns, nil), append(r.names, "")
	}
	switch {
	case number == len(r.columns):
		r.columns, r.names = append(r.columns, r.columnFor(resource)), append(r.names, resource)
	case r.names[number] != resource:
		if r.names[number] = resource; r.columns[number] != nil {
			r.columns[number] = newColumn()
		}
	}
	if c := r.columns[number]; c != nil {
		c.value[r.slot], c.level[r.slot], c.deviation[r.slot] = short(value), short(baseline), short(deviation)
	}
}

func (r *Record) columnFor(resource string) *column {
	if _, known := sampler.Lookup(resource); !known && r.kept >= maxColumns {
		return nil
	}
	r.kept++
	return newColumn()
}

// age moves the sample in a slot to the stretches.
func (r *Record) age(slot int) {
	s := r.full
	if r.in == 0 {
		r.from[s] = r.times[slot]
	}
	r.to[s] = r.times[slot]
	for _, c := range r.columns {
		if c == nil {
			continue
		}
		if r.in == 0 {
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
	r.in++
	if r.in < max(r.per, 1) {
		return
	}
	r.in = 0
	if r.full++; r.full == oldStretches {
		r.merge()
	}
}

// merge makes one stretch of every two.
func (r *Record) merge() {
	for i := range oldStretches / 2 {
		a, b := 2*i, 2*i+1
		r.from[i], r.to[i] = r.from[a], r.to[b]
		for _, c := range r.columns {
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
	r.full, r.per = oldStretches/2, 2*max(r.per, 1)
}

// Points returns what is kept of a resource, by its number, from the stretch on that holds an instant in unix
// nanoseconds, oldest first. The latest 1024 samples are there as they were read, those before as the extremes of
// longer stretches. It is empty for a resource that was never read.
func (r *Record) Points(number int, since int64) []Point {
	if number >= len(r.columns) || r.columns[number] == nil {
		return nil
	}
	c := r.columns[number]
	old := r.full
	if r.in > 0 {
		old++
	}
	points := make([]Point, 0, int64(old)+min(r.n, recentSamples))
	for s := range old {
		if r.to[s] >= since && read(c.min[s]) {
			points = append(points, Point{
				From: instant(r.from[s]), To: instant(r.to[s]), Min: float64(c.min[s]), Max: float64(c.max[s]),
				Baseline: float64(c.lastLevel[s]), Deviation: float64(c.lastDeviation[s]),
			})
		}
	}
	for i := max(0, r.n-recentSamples); i < r.n; i++ {
		slot := i % recentSamples
		if v := c.value[slot]; r.times[slot] >= since && read(v) {
			at := instant(r.times[slot])
			points = append(points, Point{
				From: at, To: at, Min: float64(v), Max: float64(v), Baseline: float64(c.level[slot]),
				Deviation: float64(c.deviation[slot]),
			})
		}
	}
	return points
}

// Bytes returns how much memory the past takes.
func (r *Record) Bytes() int64 {
	return int64(unsafe.Sizeof(*r)) + int64(r.kept)*int64(unsafe.Sizeof(column{}))
}
