package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// maxFalls bounds the false calls of one resource of a workload that are kept one by one.
const maxFalls = 1000

// past is what a scan would have called of one resource of a group, by instant of the grid.
type past struct {
	judged map[int]int // replicas
	calls  map[int]*pastOfGroup
}

// pastOfGroup is what would have been called at one instant: the e-values of the replicas, by outcome.
type pastOfGroup struct {
	time    time.Time
	growing int
	eValues float64 // sum
	// votes are the e-values by outcome, of growth that was only just found minVote, and those of the false ones
	// times their weights.
	votes      [backtest.CutOff + 1]float64
	falseVotes float64
}

// minVote is the e-value of the weakest growth that is worth something.
const minVote = .1

// fall is growth of a replica that came to nothing, or that a restart took back.
type fall struct {
	ended  time.Time
	eValue float64 // the highest at any instant
	cut    bool    // by a restart
}

// counts reports whether the growth was strong, or at least a tenth as strong as e.
func (f fall) counts(e float64) bool {
	const strong = 30
	return f.eValue >= min(e/10, strong)
}

// add takes the past of one resource of one life.
func (t *past) add(l *life, resource string, c *calibration.Table) {
	if t.judged == nil {
		t.judged, t.calls = map[int]int{}, map[int]*pastOfGroup{}
	}
	for _, i := range l.instants {
		t.judged[i]++
	}
	for i := range l.past {
		one := &l.past[i]
		if _, counts := slices.BinarySearch(l.instants, one.at); !counts || one.resource != resource {
			continue
		}
		g := t.calls[one.at]
		if g == nil {
			g = &pastOfGroup{time: one.time}
			t.calls[one.at] = g
		}
		e := c.EValue(one.strength, one.age)
		g.growing++
		g.eValues += e
		vote := max(e, minVote)
		g.votes[one.outcome] += vote
		if one.outcome.False() {
			g.falseVotes += vote * one.weight
		}
	}
}

// fallsOf returns the growth of one resource of a life that came to nothing or was cut off, each once.
func fallsOf(l *life, resource string, c *calibration.Table) (all []fall) {
	for i := range l.past {
		one := &l.past[i]
		if one.resource != resource || !one.outcome.False() && one.outcome != backtest.CutOff {
			continue
		}
		e, cut := c.EValue(one.strength, one.age), !one.outcome.False()
		if n := len(all); n > 0 && one.time.Before(all[n-1].ended) {
			last := &all[n-1]
			*last = fall{later(last.ended, one.ended), max(last.eValue, e), last.cut && cut}
		} else {
			all = append(all, fall{one.ended, e, cut})
		}
	}
	for i := range l.downs {
		if d := &l.downs[i]; d.resource == resource {
			all = append(all, fall{d.ended, l.eValueOfNow(resource, c), false})
		}
	}
	return all
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// own returns how often growth had come to nothing by an instant that was strong, or at least a tenth as strong as e,
// and how often it had been cut off before the growth of now began: that may have ended so itself.
func own(falls []fall, e float64, began, by time.Time) (nothing, cut int) {
	for _, f := range falls {
		switch {
		case !f.counts(e):
		case f.cut && !f.ended.After(began):
			cut++
		case !f.cut && !f.ended.After(by):
			nothing++
		}
	}
	return nothing, cut
}

// into adds the past of one resource of a group to that of the fleet. falls are those of its workload.
func (t *past) into(table *backtest.Table, resource string, falls []fall) {
	// In order of time: sums of numbers depend on it.
	for _, i := range slices.Sorted(maps.Keys(t.judged)) {
		replicas, c := t.judged[i], t.calls[i]
		if c == nil {
			continue
		}
		sum, wrong, best := 0., 0., backtest.Open
		for o, votes := range c.votes {
			sum += votes
			if backtest.Outcome(o).False() {
				wrong += votes
			}
			if votes > c.votes[best] {
				best = backtest.Outcome(o)
			}
		}
		e := c.eValues / float64(replicas)
		if nothing, cut := own(falls, e, c.time, c.time); 2*(nothing+cut) < c.growing {
			weight := 1.
			if 2*wrong >= sum {
				best, weight = backtest.FellBack, c.falseVotes/wrong
			}
			table.Call(resource, e, best, weight)
		}
	}
	table.Judged(resource, float64(len(t.judged)))
}

// chances fills in how likely each candidate is a leak, by the past of the fleet and of its workload. It returns the
// candidates as the other parts of the fleet have them, which are counted with theirs: of a few alone it is not known
// how many are false. elsewhere are the chances of those.
func chances(candidates []Finding, m *recollection, mine, others Past) (calls []backtest.Candidate,
	elsewhere []ranked) {
	all := mine.With(&others)
	usual := all.usualLength()
	if usual == 0 {
		return nil, nil
	}
	prior := func(e float64) float64 { return m.calibration.PriorChance(e, usual) }
	calls = make([]backtest.Candidate, len(candidates))
	for i := range candidates {
		f := &candidates[i]
		nothing, cut := own(m.falls[workloadName(f.Group)][f.Resource.Name], f.EValue, f.Worst.Since, f.Worst.Last)
		one := backtest.Candidate{
			Resource: f.Resource.Name, Strength: f.EValue, Own: float64(nothing) / float64(f.Growing),
			Cut: float64(cut) / float64(f.Growing), Loaded: f.Worst.loaded,
		}
		if f.Worst.mayFill(f.Resource.Name, m.lived[workloadName(f.Group)]) {
			one.Cut = max(one.Cut, 1)
		}
		calls[i] = one
	}
	all.Calls = slices.Concat(calls, others.Calls)
	for i, chance := range all.Table.Chances(all.Calls, all.Judged, prior, calibration.UsualChance) {
		if i < len(calls) {
			candidates[i].Chance = chance
		} else {
			elsewhere = append(elsewhere, ranked{chance.Mean, all.Calls[i].Strength})
		}
	}
	return calls, elsewhere
}

const (
	// minChance is what a finding has at least, whatever the others have: growth of which only restarts are known
	// that took it back has half.
	minChance = .6
	// stays is how much more than the share of false ones that is asked a finding may have that stood before.
	stays = 1.5
)

// cut orders the candidates by their chance, the likeliest first, fills in the shares of false ones that are expected,
// marks those near to being findings, and returns how many are. elsewhere are the chances of what grows in other parts
// of the fleet: all parts together keep the share.
func cut(candidates []Finding, elsewhere []ranked, fdr float64, top int) (n int) {
	slices.SortStableFunc(candidates, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Chance.Mean, a.Chance.Mean), cmp.Compare(b.EValue, a.EValue))
	})
	mine := make([]ranked, len(candidates))
	lacking := 0.
	for i := range candidates {
		mine[i] = ranked{candidates[i].Chance.Mean, candidates[i].EValue}
		lacking += 1 - mine[i].chance
		candidates[i].Q = lacking / float64(i+1)
	}
	n, near := min(top, len(candidates)), min(top+(top+1)/2, len(candidates))
	if top == 0 {
		n, near = cutOf(mine, elsewhere, fdr, minChance), cutOf(mine, elsewhere, stays*fdr, 0)
	}
	for i := n; i < near; i++ {
		candidates[i].Near = true
	}
	return n
}

// ranked is a call as it is ordered: by its chance, then by its strength, as many may have one chance.
type ranked struct{ chance, strength float64 }

// before orders the likelier one first.
func (r ranked) before(other ranked) int {
	return cmp.Or(cmp.Compare(other.chance, r.chance), cmp.Compare(other.strength, r.strength))
}

// cutOf returns how many of the calls of a part, which are in order, have a part in what backtest.Cut takes of these
// and of those elsewhere, of all with a chance of at least least. What ranks the same in several parts is taken as a
// whole or not at all.
func cutOf(mine, elsewhere []ranked, share, least float64) (n int) {
	all := slices.DeleteFunc(slices.Concat(mine, elsewhere), func(r ranked) bool { return r.chance < least })
	slices.SortFunc(all, ranked.before)
	chances := make([]float64, len(all))
	for i, r := range all {
		chances[i] = r.chance
	}
	taken := backtest.Cut(chances, share)
	if len(elsewhere) == 0 || taken == 0 {
		return taken
	}
	last := all[taken-1]
	whole := taken == len(all) || all[taken] != last
	for n < len(mine) && (mine[n].before(last) < 0 || whole && mine[n] == last) {
		n++
	}
	return n
}
