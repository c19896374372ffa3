package fleet

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/earlier/prom"
)

const (
	// lookBackStep is the step at which earlier times are read: scores are the same within a quarter.
	lookBackStep = 20 * time.Minute
	// maxAsked bounds the processes whose earlier times are read: those with the strongest growth.
	maxAsked = 1000
)

// claim is growth of one resource of a process that is called now, or would have been.
type claim struct {
	growth backtest.Growth
	eValue float64
	since  time.Time
	// until are the readings of the time that is watched up to soon after it began, lookBackStep apart, and begins
	// those with which other processes begin.
	until  []float64
	begins []int
	end    time.Time // of the first life
	first  *process  // only what tells of restarts, at the first instant of the first life
}

// claims are those of a process, by resource.
type claims map[string]claim

func (c claims) highest() (e float64) {
	for _, one := range c {
		e = max(e, one.eValue)
	}
	return e
}

// claimsOf returns the strongest claims of the lives of a process, nil if there are none: nothing of which an earlier
// time could tell more.
func claimsOf(p *process, g prom.Grid, lives []life, c *calibration.Table) claims {
	all := strongest(lives, c)
	if all == nil {
		return nil
	}
	start := g.At(0).Add(-g.Step)
	var begins []int
	for i := range lives[1:] {
		begins = append(begins, cellOf(lives[i+1].first, start))
	}
	first := p.instant(int(lives[0].first.Sub(g.At(0)) / g.Step))
	for resource, one := range all {
		one.begins, one.end, one.first = begins, lives[0].last, first
		for k := range p.readings {
			if p.readings[k].resource == resource {
				one.until = lowestUntil(p.readings[k].values, g,
					one.since.Add(time.Duration(stillLow*float64(g.At(g.N-1).Sub(one.since)))))
			}
		}
		all[resource] = one
	}
	return all
}

// stillLow is the share of the time since growth began in which it has hardly reached the half of its rise, so that
// what is below that was left by a fall.
const stillLow = .25

// cellOf returns in which lookBackStep after a start a later time is.
func cellOf(t, start time.Time) int { return int((t.Sub(start) - 1) / lookBackStep) }

// lowestUntil returns the lowest readings of each lookBackStep up to a time.
func lowestUntil(values []float64, g prom.Grid, until time.Time) []float64 {
	start := g.At(0).Add(-g.Step)
	all := make([]float64, max(int(until.Sub(start)/lookBackStep), 0))
	for i := range all {
		all[i] = math.NaN()
	}
	for i, v := range values {
		at := cellOf(g.At(i), start)
		if at >= len(all) {
			break
		}
		if !(all[at] <= v) {
			all[at] = v
		}
	}
	return all
}

// strongest returns them without the readings.
func strongest(lives []life, c *calibration.Table) (all claims) {
	keep := func(resource string, g backtest.Growth, e float64, since time.Time) {
		if all == nil {
			all = claims{}
		}
		if before, ok := all[resource]; !ok || e >= before.eValue {
			all[resource] = claim{growth: g, eValue: e, since: since}
		}
	}
	for i := range lives {
		l := &lives[i]
		for k := range l.past {
			one := &l.past[k]
			keep(one.resource, one.growth, c.EValue(one.strength, one.age), one.time.Add(-one.growth.Took))
		}
		for k := range l.statuses {
			if s := &l.statuses[k]; s.Trend && s.Evidence != nil {
				keep(s.Resource.Name, growthOf(s), l.eValueOf(c, s), s.Since)
			}
		}
	}
	return all
}

// growthOf returns the growth of a trend that fires. What has only just been called took as long as the minimums that
// show its rise.
func growthOf(s *detector.Status) backtest.Growth {
	window, _ := time.ParseDuration(s.Evidence.Window)
	return backtest.Growth{Baseline: s.Base, Rise: s.Evidence.Rise, Grew: s.Grew, Took: max(s.Grew, window)}
}

// question is what an earlier time is asked of a process.
type question struct {
	source *source
	part
	inner   string
	within  []section // of its target, with the value of its own
	order   string    // of its labels
	metrics []role
	claims  claims
}

// questions are those of a scan. They may be asked from several goroutines.
type questions struct {
	mu  sync.Mutex
	all []question
}

// ask notes the questions about a process of a batch.
func (q *questions) ask(b *batch, p *process, found claims) {
	one := question{source: b.source, part: b.part, inner: p.labels[b.source.inner], order: orderOf(p.labels),
		claims: found}
	for _, of := range b.sections {
		one.within = append(one.within, section{of.label, []string{p.labels[of.label]}})
	}
	for _, r := range b.roles {
		_, asked := found[r.Resource]
		if r.judged() && asked || r.Start || r.cpu || r.up {
			one.metrics = append(one.metrics, r)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all = append(q.all, one); len(q.all) >= 2*maxAsked {
		q.drop()
	}
}

// drop leaves those about the strongest growth.
func (q *questions) drop() {
	slices.SortFunc(q.all, func(a, b question) int {
		return cmp.Or(cmp.Compare(b.claims.highest(), a.claims.highest()), cmp.Compare(a.order, b.order))
	})
	q.all = q.all[:min(len(q.all), maxAsked)]
}

// batches returns what is to be read for the questions, at the instants of a grid.
func (q *questions) batches(g prom.Grid) (all []*batch) {
	q.drop()
	type key struct {
		source *source
		part   part
		within string // the target, and the labels by which it is divided; "" of all targets that are not
	}
	byKey := map[key]*batch{}
	var order []key
	for i := range q.all {
		one := &q.all[i]
		k := key{source: one.source, part: one.part}
		for _, of := range one.within {
			k.within = cmp.Or(k.within, quote(one.inner)) + of.label + ","
		}
		b := byKey[k]
		if b == nil {
			b = &batch{source: one.source, part: one.part, by: map[string][]selector{}, earlier: &g,
				asked: map[string]claims{}}
			byKey[k] = b
			order = append(order, k)
		}
		b.asked[one.order] = one.claims
		b.within(one.within)
		if !slices.Contains(b.inner, one.inner) {
			b.inner = append(b.inner, one.inner)
		}
		for _, r := range one.metrics {
			if b.by[r.Name] == nil {
				b.roles = append(b.roles, r)
				b.by[r.Name] = one.source.selectors
			}
		}
	}
	for _, k := range order {
		b := byKey[k]
		all = append(all, b.chunks(targetsAtOnce(len(b.roles), g.N))...)
	}
	return all
}

// recollection is growth that came to nothing, by workload and resource. It has no lock of its own.
type recollection struct {
	calibration *calibration.Table
	groupBy     []string
	falls       map[string]map[string][]fall
	lived       map[string][]precedent // by workload
	earliest    time.Time              // that was looked back to; zero = none
}

// recall keeps what an earlier time tells of a process: growth that came to nothing, and times at which it was as high
// as now and came down again.
func (m *recollection) recall(p *process, g prom.Grid, before []life, asked claims) {
	m.lookedBack(before)
	if len(before) == 0 {
		return
	}
	// A reading or two at the border are no life: one server has them, another does not.
	border := g.At(g.N-1).Sub(before[0].first) < calibration.Marks[0]
	told := map[string]bool{} // resources that had been called before, as strongly
	var begins []int
	for i := range before {
		l := &before[i]
		begins = append(begins, int(l.first.Sub(g.Start)/g.Step))
		_, group := groupOf(m.groupBy, p, cmp.Or(versionOf(p.labels), l.version))
		if !border {
			m.saw(group, precedent{l.first, l.last, l.curves})
		}
		for k := range p.readings {
			if falls := fallsOf(l, p.readings[k].resource, m.calibration); len(falls) > 0 {
				told[p.readings[k].resource] = told[p.readings[k].resource] ||
					slices.ContainsFunc(falls, func(f fall) bool {
						return !f.cut && f.counts(asked[p.readings[k].resource].eValue)
					})
				m.remember(group, p.readings[k].resource, falls)
			}
		}
	}
	latest := &before[len(before)-1]
	_, group := groupOf(m.groupBy, p, cmp.Or(versionOf(p.labels), latest.version))
	now := p.instant(g.N - 1)
	for _, claim := range asked {
		if !border && !now.replaced(claim.first) {
			m.saw(group, precedent{first: latest.first, last: claim.end})
		}
		break // the process is the same one for all
	}
	for k := range p.readings {
		r := &p.readings[k]
		claim, ok := asked[r.resource]
		if !ok || told[r.resource] {
			continue
		}
		var falls []fall
		if border {
			claim.until = nil
		}
		// Growth that came to nothing where the one time ends and the other begins is seen by neither alone.
		readings := slices.Concat(r.values, claim.until)
		joined := slices.Clone(begins)
		if now.replaced(claim.first) {
			joined = append(joined, g.N)
		}
		for _, at := range claim.begins {
			if at < len(claim.until) {
				joined = append(joined, g.N+at)
			}
		}
		nothing, cuts := claim.growth.Before(readings, joined, g.Step)
		for _, at := range nothing {
			falls = append(falls, fall{g.At(at), claim.eValue, false})
		}
		for _, at := range cuts {
			falls = append(falls, fall{g.At(at), claim.eValue, true})
		}
		m.remember(group, r.resource, falls)
	}
}

// lookedBack notes how far back lives were seen.
func (m *recollection) lookedBack(before []life) {
	if len(before) > 0 && (m.earliest.IsZero() || before[0].first.Before(m.earliest)) {
		m.earliest = before[0].first
	}
}

// saw keeps a life of a process of a workload.
func (m *recollection) saw(group []Label, one precedent) {
	name := workloadName(group)
	if all := m.lived[name]; len(all) < maxStays {
		m.lived[name] = append(all, one)
	}
}

// remember keeps growth of a process that came to nothing, of any version of its workload.
func (m *recollection) remember(group []Label, resource string, falls []fall) {
	if len(falls) == 0 {
		return
	}
	name := workloadName(group)
	if m.falls[name] == nil {
		m.falls[name] = map[string][]fall{}
	}
	if all := m.falls[name][resource]; len(all) < maxFalls {
		m.falls[name][resource] = append(all, falls...)
	}
}
