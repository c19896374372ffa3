package sites

import (
	"github.com/mdzesseis/leaktrend/sampler/profile"
	"github.com/mdzesseis/leaktrend/trend"
)

// snapshots is how many past values every known site keeps.
const snapshots = 16

// past are the instants of the snapshots, which all sites share. Once they are full, every other one is dropped and
// they come half as often.
type past struct {
	at    [snapshots]int64
	total [snapshots]float64
	n     int
	step  int64
}

// due reports whether it is time for a snapshot.
func (p *past) due(at int64) bool { return p.n == 0 || at-p.at[p.n-1] >= p.step }

// add adds an instant to the snapshots, and makes room for it where they are full.
func (p *past) add(at int64, total float64, sites map[profile.Frame]*site) {
	if p.n == snapshots {
		for i := range snapshots / 2 {
			p.at[i], p.total[i] = p.at[2*i], p.total[2*i]
		}
		for _, s := range sites {
			for i := range snapshots / 2 {
				s.past[i] = s.past[2*i]
			}
		}
		p.n, p.step = snapshots/2, 2*p.step
	}
	p.at[p.n], p.total[p.n] = at, total
	p.n++
}

// index returns the number of the latest snapshot that is no later than an instant, or 0.
func (p *past) index(at int64) (i int) {
	for i+1 < p.n && p.at[i+1] <= at {
		i++
	}
	return i
}

// before returns the value of a site at the latest snapshot that is no later than an instant, and that snapshot's time:
// the first one where all are later.
func (p *past) before(s *site, at int64) (value float64, then int64) {
	i := p.index(at)
	return float64(s.past[i]), p.at[i]
}

// growth returns how much all sites together have grown since an instant, up to a total.
func (p *past) growth(total float64, since int64) float64 { return total - p.total[p.index(since)] }

// rate returns the growth of a site per hour since a snapshot until an instant: the slope of a line through the
// snapshots and the latest value, or where these are few the straight way.
func (p *past) rate(s *site, then, at int64) float64 {
	var x, y []float64
	for i, t := range p.at[:p.n] {
		if t >= then && t < at {
			x, y = append(x, float64(t-then)/1e9), append(y, float64(s.past[i]))
		}
	}
	x, y = append(x, float64(at-then)/1e9), append(y, s.value)
	if fit, ok := trend.Regress(x, y); ok {
		return fit.Slope * 3600
	}
	if last := len(x) - 1; x[last] > 0 {
		return (y[last] - y[0]) / x[last] * 3600
	}
	return 0
}

// forgotten reports whether a site was empty in all snapshots from number first on, of n.
func (s *site) forgotten(first, n int) bool {
	for _, v := range s.past[first:n] {
		if v != 0 {
			return false
		}
	}
	return true
}

// grown returns how much a site has grown since the first snapshot.
func (s *site) grown() float64 { return s.value - float64(s.past[0]) }
