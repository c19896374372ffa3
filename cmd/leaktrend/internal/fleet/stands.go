package fleet

import (
	"math"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

const (
	// standsFor is the length of time whose readings tell whether growth is still there, and minStands how many they are
	// at least: one reading alone may be a slip.
	standsFor = 15 * time.Minute
	minStands = 2
	// standsShare is the share of its rise that growth keeps while it stands.
	standsShare = .5
)

// letGo takes back the growth of a life that has fallen back by its end. The detector, which sees one reading at a time,
// waits for hours for what fell to climb again; a scan reports what is there.
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
		if at.Before(l.first) || n >= minStands && l.last.Sub(at) >= standsFor {
			break
		}
		highest = max(highest, values[i])
		n++
	}
	return n >= minStands && highest < s.Baseline+standsShare*s.Evidence.Rise
}
