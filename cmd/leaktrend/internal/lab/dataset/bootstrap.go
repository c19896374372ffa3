package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	// minPoints is the least that makes a block worth repeating.
	minPoints = 100
	// draws is how many places are looked at for one that carries on from where a block ended. More make the level more
	// continuous, and the blocks less random.
	draws = 64
	// phase is how far a block may be moved within the day, where the recording tells one day from another.
	phase = time.Hour
	day   = 24 * time.Hour
)

// Extend returns a recording that begins with r and goes on as r might have, until it spans a length of time. It
// answers how many alarms this very process would give in a month, given that it is healthy. The same seed gives the
// same recording. The error says that r is too short to learn from.
//
// The method is the stationary bootstrap (Politis and Romano 1994): blocks of all series together, at random places and
// of geometric length, mean a quarter of r and at most a day. Within a block all correlations remain, over time and
// between the series. Two things differ from it:
//
//   - A block begins where r was in nearly the same state in which the block before ended (matched blocks, Carlstein et
//     al. 1998): of 64 random places the one whose predecessor is nearest, each series in units of its own deviation.
//     Blocks of raw levels put end to end without that would add steps that the process never made, and every step is a
//     beginning of growth. Blocks of increments have no steps, but they add up to a random walk, which wanders off
//     without limit: the process would leak where its record does not.
//   - From two days on, a block keeps its time of day to an hour, so that a day cycle goes on as one.
//
// What this cannot give: anything slower than r itself. The levels stay within those of r, and a series that only grew
// in r falls back once in a while and grows again. Counters are carried on by their increments, restarts come again as
// restarts, and the ceilings are the last ones of r.
func Extend(r *Recording, span time.Duration, seed uint64) (*Recording, error) {
	n := len(r.Times)
	if n < minPoints {
		return nil, fmt.Errorf("%s: %d samples are too few to extend; it takes %d", r.Name, n, minPoints)
	}
	out := *r
	out.Times = slices.Clone(r.Times)
	out.Series = make([]Series, len(r.Series))
	for i, s := range r.Series {
		out.Series[i] = s
		out.Series[i].Values = slices.Clone(s.Values)
	}
	out.Starts = slices.Clone(r.Starts)
	if k := len(r.Ceilings); k > 0 {
		out.Ceilings = []Mark[[]sampler.Ceiling]{{0, r.Ceilings[k-1].Value}}
	}
	e := newExtender(r, &out, seed)
	at := n - 1
	for end := r.Times[0] + int64(span); ; {
		next := at + 1
		if next == n || e.random.Float64() < e.stop {
			next = e.place(at)
		}
		if !e.add(at, next, end) {
			return &out, nil
		}
		at = next
	}
}

type extender struct {
	r, out  *Recording
	random  *rand.Rand
	stop    float64 // probability that a block ends with a sample
	last    int     // index of the last place where a block may begin: one near the end would be over at once
	daily   bool
	step    int64     // usual time between samples
	scale   []float64 // deviation of each series; 0 = not compared
	counter []bool
	total   []float64 // of each counter, where the extension is
	restart []bool    // samples of r that are the first of a process
}

func newExtender(r, out *Recording, seed uint64) *extender {
	n := len(r.Times)
	length := r.Times[n-1] - r.Times[0]
	steps := make([]int64, n-1)
	for i := range steps {
		steps[i] = r.Times[i+1] - r.Times[i]
	}
	slices.Sort(steps)
	mean := float64(n) / 4 * min(1, float64(day)/float64(length/4))
	e := &extender{
		r: r, out: out,
		random:  rand.New(rand.NewPCG(seed, 0)),
		stop:    1 / max(1, mean),
		last:    n - 1 - min(n/2, int(mean)/2),
		daily:   length >= int64(2*day),
		step:    steps[len(steps)/2],
		scale:   make([]float64, len(r.Series)),
		counter: make([]bool, len(r.Series)),
		total:   make([]float64, len(r.Series)),
		restart: make([]bool, n),
	}
	for i := range r.Series {
		if d, _ := sampler.Lookup(r.Series[i].Resource); d.Kind == sampler.Counter {
			e.counter[i] = true
			for _, v := range r.Series[i].Values {
				if !math.IsNaN(v) {
					e.total[i] = v
				}
			}
		} else {
			e.scale[i] = deviation(r.Series[i].Values)
		}
	}
	for i, s := range r.Starts {
		e.restart[s.From] = i > 0
	}
	return e
}

// deviation returns the standard deviation of what was read.
func deviation(values []float64) float64 {
	var n, mean, sum float64
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
			d := v - mean
			mean += d / n
			sum += d * (v - mean)
		}
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(sum / n)
}

// place returns where the next block begins, after one that ended at a sample of r.
func (e *extender) place(end int) int {
	now := e.out.Times[len(e.out.Times)-1] + e.step
	best, distance := 0, math.Inf(1)
	for looked, tried := 0, 0; looked < draws && tried < 100*draws; tried++ {
		at := 1 + e.random.IntN(e.last)
		if e.daily && !samePhase(e.r.Times[at], now) {
			continue
		}
		looked++
		if d := e.distance(at-1, end); d < distance {
			best, distance = at, d
		}
	}
	if best == 0 { // the recording has gaps at this time of day
		return 1 + e.random.IntN(e.last)
	}
	return best
}

func samePhase(a, b int64) bool {
	d := (a - b) % int64(day)
	if d < 0 {
		d += int64(day)
	}
	return min(d, int64(day)-d) <= int64(phase)
}

// distance tells how unlike the states of r at two samples are.
func (e *extender) distance(a, b int) float64 {
	sum := 0.0
	for i, scale := range e.scale {
		va, vb := e.r.Series[i].Values[a], e.r.Series[i].Values[b]
		if scale > 0 && !math.IsNaN(va) && !math.IsNaN(vb) {
			sum += (va - vb) * (va - vb) / (scale * scale)
		}
	}
	return sum
}

// add appends a sample of r to what ended with another one, unless that would be after the end.
func (e *extender) add(before, sample int, end int64) bool {
	times := e.out.Times
	step := e.step
	if sample == before+1 {
		step = e.r.Times[sample] - e.r.Times[before]
	}
	now := times[len(times)-1] + step
	if now > end {
		return false
	}
	e.out.Times = append(times, now)
	if e.restart[sample] {
		e.out.Starts = append(e.out.Starts, Mark[time.Time]{len(times), time.Unix(0, now).UTC()})
	}
	for i := range e.out.Series {
		v := e.r.Series[i].Values
		value := v[sample]
		if e.counter[i] && !math.IsNaN(value) {
			value = e.carry(i, value, v[sample-1], e.restart[sample])
		}
		e.out.Series[i].Values = append(e.out.Series[i].Values, value)
	}
	return true
}

// carry returns the next value of a counter that went from before, NaN if that is unknown, to value in r.
func (e *extender) carry(i int, value, before float64, restarted bool) float64 {
	switch {
	case restarted || value < before: // a counter falls when its process starts anew
		e.total[i] = value
	case value > before:
		e.total[i] += value - before
	}
	return e.total[i]
}
