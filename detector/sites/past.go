package sites

// past are the instants of the snapshots, which all sites share. Once they are full, every other one is dropped and they come half as often.
type past struct {
	at    [snapshots]int64
	total [snapshots]float64
	n     int
	step  int64
}

// due reports whether it is time for a snapshot.
func (p *past) due(at int64) bool { return p.n == 0 || at-p.at[p.n-1] >= p.step }

// before returns the number of the latest snapshot that is no later than an instant, or 0.
func (p *past) before(at int64) (i int) {
	for i+1 < p.n && p.at[i+1] <= at {
		i++
	}
	return i
}
