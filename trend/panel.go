package trend

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// Panel gathers the points of several groups, to fit one slope to all of them with an intercept for each. The zero
// value is empty. It keeps its memory.
type Panel struct {
	x, y  []float64
	ends  []int // of the groups
	w, dy []float64
}

// PanelFit is what all groups have in common.
type PanelFit struct {
	Groups int
	Slope  float64 // per unit of x
	T      float64 // slope over its standard error; within ±MaxT
	R2     float64 // share of the variance within the groups that the slope explains, 0 to 1
	// Bend is the coefficient of the squared distance from the middle of a group, beside the slope: below 0 where
	// growth slows down. BendT is that over its standard error; within ±MaxT.
	Bend, BendT float64
}

// Reset empties the panel.
func (p *Panel) Reset() { p.x, p.y, p.ends = p.x[:0], p.y[:0], p.ends[:0] }

// Add adds a finite point to the latest group.
func (p *Panel) Add(x, y float64) {
	p.x, p.y = append(p.x, x), append(p.y, y)
}

// Close ends the latest group.
func (p *Panel) Close() {
	if n := len(p.x); n > 0 && (len(p.ends) == 0 || p.ends[len(p.ends)-1] < n) {
		p.ends = append(p.ends, n)
	}
}

// Fit returns the slope over all closed groups. ok is false with fewer than two groups, or where x does not differ
// within any of them.
//
// The model is y_ki = a_k + b x_ki + e_ki, fit by least squares on the distances from the means of each group (the
// within estimator; Wooldridge, "Econometric Analysis of Cross Section and Panel Data", 2010, 10.5) with gonum's
// stat.LinearRegression. The bend is c in y_ki = a_k + b x_ki + c (x_ki - m_k)^2 + e_ki with m_k the mean of x, found
// from what b x leaves of both (Frisch and Waugh 1933). Standard errors take each group for one observation, whatever
// is correlated within it (Liang and Zeger 1986; Arellano 1987): with z what a coefficient is fit to and e the
// residuals,
//
//	var = K/(K-1) sum_k (sum_i z_ki e_ki)^2 / (sum_ki z_ki^2)^2.
//
// With a handful of groups that is too small an error now and then, and groups that have a cause in common, as the same
// hour of the day, are no independent observations: t is a score to be calibrated, not to be turned into a p-value.
func (p *Panel) Fit() (f PanelFit, ok bool) {
	n := 0
	if len(p.ends) > 0 {
		n = p.ends[len(p.ends)-1]
	}
	f.Groups = len(p.ends)
	if f.Groups < 2 {
		return f, false
	}
	x, y := p.x[:n], p.y[:n]
	p.w = append(p.w[:0], x...)
	p.within(x)
	p.within(y)
	for i := range x {
		p.w[i] = x[i] * x[i]
	}
	p.within(p.w)
	sxx, syy := sumOfSquares(x), sumOfSquares(y)
	if sxx == 0 || !finite(sxx) || !finite(syy) {
		return f, false
	}
	if syy == 0 {
		return f, true
	}
	_, f.Slope = stat.LinearRegression(x, y, nil, true)
	rest := append(p.dy[:0], y...)
	for i := range rest {
		rest[i] -= f.Slope * x[i]
	}
	p.dy = rest
	f.R2 = max(0, 1-sumOfSquares(rest)/syy)
	f.T = p.clustered(f.Slope, x, rest, sxx)

	_, along := stat.LinearRegression(x, p.w, nil, true)
	for i := range p.w {
		p.w[i] -= along * x[i]
	}
	if sww := sumOfSquares(p.w); sww > 1e-12*sxx*sxx {
		_, f.Bend = stat.LinearRegression(p.w, rest, nil, true)
		for i := range rest {
			rest[i] -= f.Bend * p.w[i]
		}
		f.BendT = p.clustered(f.Bend, p.w, rest, sww)
	}
	return f, finite(f.Slope) && finite(f.T) && finite(f.BendT)
}

// within subtracts from the values of each group their mean.
func (p *Panel) within(v []float64) {
	begin := 0
	for _, end := range p.ends {
		mean := stat.Mean(v[begin:end], nil)
		for i := begin; i < end; i++ {
			v[i] -= mean
		}
		begin = end
	}
}

// clustered returns a coefficient over its standard error, by what it was fit to, what it leaves, and the sum of
// squares of the first.
func (p *Panel) clustered(coefficient float64, z, rest []float64, squares float64) float64 {
	var variance float64
	begin := 0
	for _, end := range p.ends {
		var score float64
		for i := begin; i < end; i++ {
			score += z[i] * rest[i]
		}
		variance += score * score
		begin = end
	}
	k := float64(len(p.ends))
	se := math.Sqrt(variance*k/(k-1)) / squares
	if coefficient == 0 {
		return 0
	}
	return min(max(coefficient/se, -MaxT), MaxT)
}
