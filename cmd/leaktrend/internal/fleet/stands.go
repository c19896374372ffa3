package fleet

import (
	"math"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

// letGo takes back the growth of a life that has fallen back by its end. The detector, which sees one reading at a
// time, waits for hours for what fell to climb again; a scan reports what is there.
func letGo(p *process, l *life, g prom.Grid) {
	for i := range l.statuses {
		s := &l.statuses[i]
		if !s.Trend || s.Evidence == nil {
			continue
		}
		for k := range p.readings {
			if p.readings[k].resource == s.Resource.Name && fellBack(p.readings[k].values, l, g, s) {
				s.Trend, s.Grew, s.Nats = false, 0, 0
			}
		}
	}
}

// fellBack reports whether all of the last readings of a life lie below the half of what had grown.
func fellBack(values []float64, l *life, g prom.Grid, s *detector.Status) bool {
	highest, n := math.Inf(-1), 0
	for i := g.N - 1; i >= 0; i-- {
		at := g.At(i)
		if at.After(l.last) || math.IsNaN(values[i]) {
			continue
		}
		if at.Before(l.first) || n >= backtest.MinStands && l.last.Sub(at) >= backtest.StandsFor {
			break
		}
		highest = max(highest, values[i])
		n++
	}
	return n >= backtest.MinStands && highest < s.Base+backtest.StandsShare*s.Evidence.Rise
}
