package backtest

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Edges are the e-values at which calls are counted, rising: a calibration's worth of a call, which has the same
// meaning after any length of history. The first is that of any call: growth that was only just found is worth nothing
// yet.
var Edges = [...]float64{0, 1, 3, 10, 30, 100, 300, 1000, 3000}

// PerUnit is how many past instants count as one observation: growth that is called lasts for days, so what one instant
// tells the next ones tell again. Instants are six hours apart.
const PerUnit = 12

// Case counts calls of at least some strength, in instants of one group each.
type Case struct {
	False  float64 // weighted by how seldom there was time to see so late an end
	WentOn float64
	CutOff float64
}

func (c *Case) add(o *Case) {
	c.False, c.WentOn, c.CutOff = c.False+o.False, c.WentOn+o.WentOn, c.CutOff+o.CutOff
}

// Expected returns how many of the calls were false, expected from those whose end was seen. What was cut off is as the
// others were, and half false where there are none: the mean under Jeffreys' prior. What still stands is not counted:
// it is what is to be judged, and says nothing of itself.
func (c *Case) Expected() float64 {
	return c.False + c.CutOff*(c.False+.5)/(c.False+c.WentOn+1)
}

// Counts are the calls of one resource.
type Counts struct {
	Instants float64          // past instants at which groups were judged, all together
	Reached  [len(Edges)]Case // of calls of at least each strength
}

// Table is what the past of a fleet, or of a shard of it, tells.
type Table struct {
	Resources map[string]*Counts
}

func (t *Table) of(resource string) *Counts {
	if t.Resources == nil {
		t.Resources = map[string]*Counts{}
	}
	c := t.Resources[resource]
	if c == nil {
		c = &Counts{}
		t.Resources[resource] = c
	}
	return c
}

// Judged counts past instants at which a group was judged, called or not.
func (t *Table) Judged(resource string, instants float64) { t.of(resource).Instants += instants }

// Call counts a call of a group at one past instant, of a workload whose growth had not come to nothing before: those
// of one whose growth had are told by that. weight is 1, or more for a false call whose end came so late that
// it was seen only where there was time enough (inverse probability of censoring; Robins and Rotnitzky 1992).
func (t *Table) Call(resource string, strength float64, o Outcome, weight float64) {
	c := t.of(resource)
	for k, edge := range Edges {
		if strength < edge {
			break
		}
		one := &c.Reached[k]
		switch o {
		case FellBack, Leveled:
			one.False += weight
		case WentOn:
			one.WentOn++
		case CutOff:
			one.CutOff++
		}
	}
}

// All returns the counts of all resources together.
func (t *Table) All() Counts {
	var all Counts
	for _, resource := range slices.Sorted(maps.Keys(t.Resources)) {
		c := t.Resources[resource]
		all.Instants += c.Instants
		for k := range c.Reached {
			all.Reached[k].add(&c.Reached[k])
		}
	}
	return all
}

// Candidate is a call of now.
type Candidate struct {
	Resource string
	Strength float64 // above 0
	// Own is how often growth of its workload as strong as this came to nothing before, for each replica that grows
	// now.
	Own float64
	// Cut is how often it was taken back by a restart, for each replica that grows now.
	Cut float64
	// Loaded tells that the load of what grows is known, or its processor time.
	Loaded bool
}

// Chance is how likely a call is a leak, 0 to 1, and what bounds it at 90 %, as far as the fleet's rate of false calls
// is known.
type Chance struct{ Mean, Low, High float64 }

const (
	// priorWeight is what the simulation counts for beside the fleet's own past, in false calls: fleets differ in the
	// kinds of growth that they have at all, so no false call in a past of some length soon tells more than it.
	priorWeight = .1
	// rareWeight is the same of kinds of growth that a past of weeks has seldom, so that none of it need have ended in
	// it, as load that rises for days: as if one false call had been seen. Where the load is known, growth with it is
	// told by that.
	rareWeight, rareWeightByLoad = 1, .25
	// unseen is how many false calls there are for one whose end is seen, of workloads whose growth had not come to
	// nothing before: what takes longest is seen least, and kinds of growth that a fleet has seldom are none of its
	// past yet. Measured on generated fleets, with a half to spare.
	unseen = 4
	// fleetWeight is the same of the whole fleet beside one resource.
	fleetWeight = 1
	// ownWeight is the same of the fleet beside the calls of one workload: of generated ones whose growth came to
	// nothing once, one in six that grows again leaks.
	ownWeight = .2
	// interval is the share of the posterior on either side of what bounds a chance.
	interval = .05
)

// rate is a posterior of the chance that a group is called falsely at an instant: a gamma distribution, which is
// conjugate to counts of rare events (Clayton and Kaldor 1987 shrink rates of small areas so).
type rate struct {
	mean float64
	// shape is of how many false calls it was learned, those that were not seen left out: they make nothing surer.
	shape float64
}

// rates are those of each edge, falling.
type rates [len(Edges)]rate

// posterior returns the rates that counts leave of a prior mean for each edge.
func posterior(c *Counts, prior func(k int) float64, weight float64) (all rates) {
	for k := range all {
		wrong := c.Reached[k].Expected() / PerUnit
		all[k] = rate{
			mean:  (weight + unseen*wrong) / (weight/max(prior(k), 1e-12) + c.Instants/PerUnit),
			shape: weight + wrong,
		}
		if k > 0 {
			all[k].mean = min(all[k].mean, all[k-1].mean)
		}
	}
	return all
}

// at returns the rate of a strength: between two edges as a power of it, below the second one that of any call, beyond
// the last one in proportion to what the prior says.
func (r *rates) at(strength float64, prior func(e float64) float64) (mean float64) {
	if strength < Edges[1] {
		return r[0].mean
	}
	last := len(Edges) - 1
	if strength >= Edges[last] {
		return r[last].mean * prior(strength) / prior(Edges[last])
	}
	k := 1
	for strength > Edges[k+1] {
		k++
	}
	share := math.Log(strength/Edges[k]) / math.Log(Edges[k+1]/Edges[k])
	return r[k].mean * math.Pow(r[k+1].mean/r[k].mean, share)
}

// bounds returns the quantiles of the rate at a strength, as factors of its mean.
func (r *rates) bounds(strength float64) (low, high float64) {
	k := 0
	for k+1 < len(Edges) && strength >= Edges[k+1] {
		k++
	}
	g := distuv.Gamma{Alpha: r[k].shape, Beta: 1}
	return g.Quantile(interval) / r[k].shape, g.Quantile(1-interval) / r[k].shape
}

// Chances returns the chance of each candidate. hypotheses are how many groups are judged now, by resource; prior
// returns how likely a healthy group has a strength of at least e, before the fleet's past has told, and rare the same
// of what a past of weeks may lack; nil = there is none of that.
//
// How many false calls of at least a strength to expect now, over how many there are, is the share of false ones among
// them (Benjamini and Hochberg 1995; Efron 2010, Large-Scale Inference, ch. 2). The slopes of the greatest convex
// minorant of the one over the other give it for each call by itself, never higher for the stronger of two (Grenander
// 1956; pool adjacent violators: Barlow et al. 1972; as a local false discovery rate: Strimmer 2008). Growth of the
// same workload that came to nothing is then added as beta-binomial counts, what restarts took back as half false, as
// it may be a leak or a cache; such candidates have no part in the shares.
func (t *Table) Chances(candidates []Candidate, hypotheses map[string]int, prior,
	rare func(e float64) float64) []Chance {
	all := t.All()
	fleet := posterior(&all, func(k int) float64 { return prior(Edges[k]) }, priorWeight)
	n := 0
	byResource := map[string]*rates{}
	resources := slices.Sorted(maps.Keys(hypotheses))
	for _, resource := range resources {
		n += hypotheses[resource]
		c := t.Resources[resource]
		if c == nil {
			c = &Counts{}
		}
		r := posterior(c, func(k int) float64 { return fleet[k].mean }, fleetWeight)
		byResource[resource] = &r
	}
	order := make([]int, len(candidates))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(candidates[b].Strength, candidates[a].Strength)
	})
	clean := slices.DeleteFunc(slices.Clone(order), func(i int) bool { return candidates[i].Own+candidates[i].Cut > 0 })
	unknown := func(c *Candidate) float64 {
		if rare == nil {
			return 0
		}
		weight := float64(rareWeight)
		if c.Loaded {
			weight = rareWeightByLoad
		}
		return weight / (weight/max(rare(c.Strength), 1e-12) + all.Instants/PerUnit)
	}
	expected := func(i int) float64 {
		return float64(n) * (fleet.at(candidates[i].Strength, prior) + unknown(&candidates[i]))
	}
	local := localShares(clean, expected)
	// Others have the share of the next weaker one, of the weakest where there is none.
	next, ok := 0., len(clean) > 0
	if ok {
		next = local[clean[len(clean)-1]]
	}
	for _, i := range slices.Backward(order) {
		switch share, known := local[i]; {
		case known:
			next = share
		case ok:
			local[i] = next
		default:
			local[i] = expected(i)
		}
	}
	// Of the expected false calls, each resource has its part.
	usual := func(strength float64) (mean float64) {
		for _, resource := range resources {
			mean += float64(hypotheses[resource]) / float64(n) * byResource[resource].at(strength, prior)
		}
		return mean
	}
	chances := make([]Chance, len(candidates))
	least := map[string]float64{} // share of the stronger ones, by resource
	for _, i := range order {
		c := candidates[i]
		low, high := fleet.bounds(c.Strength)
		share := local[i]
		if r := byResource[c.Resource]; r != nil {
			share *= r.at(c.Strength, prior) / usual(c.Strength)
			low, high = r.bounds(c.Strength)
		}
		share = max(share, least[c.Resource])
		least[c.Resource] = share
		leaks := func(share float64) float64 {
			return 1 - (ownWeight*min(share, 1)+c.Own+c.Cut/2)/(ownWeight+c.Own+c.Cut)
		}
		chances[i] = Chance{Mean: leaks(share), Low: leaks(share * high), High: leaks(share * low)}
	}
	return chances
}

// localShares returns, by candidate, the slopes of the greatest convex minorant of how many false calls are expected at
// each one's strength or above, over how many calls there are, in order of falling strength.
func localShares(order []int, expected func(i int) float64) map[int]float64 {
	type block struct {
		sum float64
		n   int
	}
	var blocks []block
	before := 0.
	for _, i := range order {
		now := max(expected(i), before)
		blocks = append(blocks, block{now - before, 1})
		before = now
		for k := len(blocks) - 1; k > 0 &&
			blocks[k].sum/float64(blocks[k].n) <= blocks[k-1].sum/float64(blocks[k-1].n); k-- {
			blocks[k-1] = block{blocks[k-1].sum + blocks[k].sum, blocks[k-1].n + blocks[k].n}
			blocks = blocks[:k]
		}
	}
	shares := make(map[int]float64, len(order))
	at := 0
	for _, b := range blocks {
		for range b.n {
			shares[order[at]] = b.sum / float64(b.n)
			at++
		}
	}
	return shares
}

// Cut returns how many of the calls with these chances, the likeliest first, are as many as possible with an expected
// share of false ones of at most share: the mean of what their chances lack (Newton et al. 2004).
func Cut(chances []float64, share float64) (n int) {
	lacking := 0.
	for i, c := range chances {
		if lacking += 1 - c; lacking <= share*float64(i+1) {
			n = i + 1
		}
	}
	return n
}
