package plot

import "math"

// Bin sums up the samples of a stretch of time. Its lowest and its highest value keep their instants, so that no spike
// is lost.
type Bin struct {
	First, Last     int64 // instants of the first and the last sample, unix nanoseconds
	Min, Max        float64
	MinAt, MaxAt    int64
	Value           float64 // the last
	Mean, Deviation float64 // of the baseline, at the last
	Gap             bool    // samples are missing before this bin
}

// Merge adds the samples of the bin that follows.
func (b *Bin) Merge(next *Bin) {
	if next.Min < b.Min {
		b.Min, b.MinAt = next.Min, next.MinAt
	}
	if next.Max > b.Max {
		b.Max, b.MaxAt = next.Max, next.MaxAt
	}
	b.Last, b.Value, b.Mean, b.Deviation = next.Last, next.Value, next.Mean, next.Deviation
}

// columnsOf merges bins until there is no more than one in each of so many parts of the width.
func columnsOf(bins []Bin, f *frame, limit int) []Bin {
	var columns []Bin
	at := math.Inf(-1)
	for i := range bins {
		x := math.Floor(f.x(bins[i].First) * float64(limit) / (f.right - f.left))
		if n := len(columns); n > 0 && x == at {
			columns[n-1].Merge(&bins[i])
			continue
		}
		columns, at = append(columns, bins[i]), x
	}
	return columns
}

// drawSamples draws a line that touches the lowest and the highest value of every column.
func drawSamples(on Canvas, columns []Bin, f *frame) {
	line := make([]Point, 0, 3*len(columns))
	for i := range columns {
		b := &columns[i]
		if b.Gap {
			line = append(line, lifted)
		}
		low, high := Point{f.x(b.MinAt), f.y(b.Min)}, Point{f.x(b.MaxAt), f.y(b.Max)}
		switch {
		case b.Min == b.Max:
			line = append(line, Point{f.x(b.First), low.Y})
			if b.Last > b.First {
				line = append(line, Point{f.x(b.Last), low.Y})
			}
		case b.MinAt < b.MaxAt:
			line = append(line, low, high)
		default:
			line = append(line, high, low)
		}
	}
	// A series that goes up and down all the time fills its plot: then it steps back, so that the rest is seen on it.
	const dense = 8 // units up and down for one to the right
	travel := 0.
	for i := 1; i < len(line); i++ {
		if d := math.Abs(line[i].Y - line[i-1].Y); !math.IsNaN(d) {
			travel += d
		}
	}
	if travel > dense*(f.right-f.left) {
		on.Line(DenseLine, line)
		return
	}
	on.Line(SampleLine, line)
}

// based calls a function with each stretch of columns that has a baseline and no gap.
func based(columns []Bin, draw func(part []Bin)) {
	for i := 0; i < len(columns); {
		end := i
		for end < len(columns) && !math.IsNaN(columns[end].Mean) && (end == i || !columns[end].Gap) {
			end++
		}
		if end-i > 1 {
			draw(columns[i:end])
		}
		i = max(end, i+1)
	}
}

func (f *frame) clamped(v float64) float64 { return min(max(f.y(v), f.top), f.bottom) }

// drawBand draws two deviations around the moving baseline.
func drawBand(on Canvas, columns []Bin, f *frame) {
	based(columns, func(part []Bin) {
		var outline []Point
		for k := range part {
			outline = append(outline, Point{f.x(part[k].Last), f.clamped(part[k].Mean + 2*part[k].Deviation)})
		}
		upper := thin(outline)
		var lower []Point
		for k := len(part) - 1; k >= 0; k-- {
			lower = append(lower, Point{f.x(part[k].Last), f.clamped(part[k].Mean - 2*part[k].Deviation)})
		}
		on.Area(Band, append(upper, thin(lower)...))
	})
}

// drawBaseline draws the moving baseline.
func drawBaseline(on Canvas, columns []Bin, f *frame) {
	based(columns, func(part []Bin) {
		var line []Point
		for k := range part {
			line = append(line, Point{f.x(part[k].Last), f.clamped(part[k].Mean)})
		}
		on.Line(BaselineLine, thin(line))
	})
}

// thin drops points that lie on the line between their neighbours, to a twentieth of a unit.
func thin(line []Point) []Point {
	if len(line) < 3 {
		return line
	}
	out := line[:1:1]
	for i := 1; i < len(line)-1; i++ {
		a, b, c := out[len(out)-1], line[i], line[i+1]
		if math.Abs(a.Y+(c.Y-a.Y)*(b.X-a.X)/(c.X-a.X)-b.Y) > .05 {
			out = append(out, b)
		}
	}
	return append(out, line[len(line)-1])
}

func largestSample(bins []Bin) float64 {
	largest := 0.
	for i := range bins {
		largest = max(largest, math.Abs(bins[i].Min), math.Abs(bins[i].Max))
	}
	return largest
}

// integers reports whether all values of the bins are integers.
func integers(bins []Bin) bool {
	for i := range bins {
		if b := &bins[i]; b.Min != math.Trunc(b.Min) || b.Max != math.Trunc(b.Max) {
			return false
		}
	}
	return true
}
