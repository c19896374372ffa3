package fleet

import (
	"math"
	"slices"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/backtest"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/sampler"
)

// grounds are what tells the growth of lives from that of a cache or a warm-up which each deploy cuts off. Calls on the
// same grounds are counted together: each has a rate of false ones of its own.
type grounds int

const (
	alike      grounds = iota // nothing: all lives grew alike, and ended at the same age
	longer                    // lives that were longer went on at the rate
	begun                     // lives before stayed where they were at the ages at which the later ones grew
	killed     grounds = 4    // lives ended near the limit of what they could have
	allGrounds grounds = 8    // any of them together
)

const (
	// minBefore is how many lives before have to have stayed where they were.
	minBefore = 2
	// nearLimit is the share of its limit near which a life ended that was killed there, by its last reading, and
	// minKilled how many of the lives that grew have to, and minKilledShare as which share of those that ended.
	nearLimit      = .85
	minKilled      = 3
	minKilledShare = .5
)

// groundsOf returns those of growth over the lives of a place, of which judged were looked at.
func (p place) groundsOf(g *lives.Growth) (of grounds) {
	ended, near := 0, 0
	for _, s := range p[g.Since : len(p)-1] {
		ended++
		if s.hitLimit() {
			near++
		}
	}
	if near >= minKilled && float64(near) >= minKilledShare*float64(ended) {
		of += killed
	}
	if g.Longest > 0 {
		of += longer
	}
	if len(g.Before) >= minBefore {
		of += begun
	}
	return of
}

// foundOver is what is found over the lives of a workload.
type foundOver struct {
	Finding
	grounds grounds
	nothing float64 // the share of its places in which growth over lives came to nothing before
}

const (
	// recently is the share of caches and warm-ups that came with a version of the last weeks, so that lives before are
	// without: of generated ones two did by chance.
	recently = 1. / 30
	// unbounded is the share of caches that are killed at the limit again and again, not only cut off by deploys: no
	// generated one comes near it.
	unbounded = 1. / 30
	// beyondPower is how the share of services falls that grow more than any that was generated.
	beyondPower = 3
	// livesCalibrator is the k of the e-value of growth over lives, as in package calibration.
	livesCalibrator = .1
)

// healthyLives says how many generated healthy services, of all 20 families, were judged over their lives, and how many
// of them grew at least so much in each, as a share of the level at its start: with lives that all grew alike, and with
// longer ones that went on. They are those of one week of lives, of two and of three together, of 450 services
// of each family and half of the parameters (150 of seed 61, 300 of 67).
type healthyLives struct {
	judged int
	grew   []healthyGrowth
}

type healthyGrowth struct {
	growth        float64
	alike, longer int
}

// Nearly all of them are caches and warm-ups that each deploy cuts off. Caches are memory, so that longer lives that go
// on tell more of what is counted. Of two did lives before stay where they were.
var (
	healthyMemory = healthyLives{23433, []healthyGrowth{
		{.2, 1747, 234}, {.3, 1372, 145}, {.4, 1060, 86}, {.6, 567, 29}, {.8, 308, 5}, {1, 171, 1}, {1.4, 48, 0},
		{2, 9, 0},
	}}
	healthyCounts = healthyLives{17334, []healthyGrowth{
		{.2, 560, 2}, {.3, 439, 0}, {.4, 345, 0}, {.6, 206, 0}, {.8, 113, 0}, {1, 81, 0}, {1.4, 32, 0}, {2, 5, 0},
	}}
)

// livesClass is what calls over lives are counted by.
type livesClass struct {
	grounds grounds
	memory  bool
}

// healthyShare returns how likely lives of a healthy service grow at least so much, on such grounds.
func (of livesClass) healthyShare(growth float64) float64 {
	known := &healthyCounts
	if of.memory {
		known = &healthyMemory
	}
	at := func(i int) float64 {
		n := known.grew[i].alike
		if of.grounds&longer != 0 {
			n = known.grew[i].longer
		}
		return float64(n+1) / float64(known.judged+1)
	}
	i, last := 0, len(known.grew)-1
	for i < last && growth >= known.grew[i+1].growth {
		i++
	}
	share := at(i)
	if i == last {
		share *= math.Pow(known.grew[last].growth/growth, beyondPower)
	} else {
		a, b := known.grew[i].growth, known.grew[i+1].growth
		share *= math.Pow(at(i+1)/at(i), max(math.Log(growth/a)/math.Log(b/a), 0))
	}
	if of.grounds&begun != 0 {
		share *= recently
	}
	if of.grounds&killed != 0 {
		share *= unbounded
	}
	return share
}

// livesEValue returns the evidence against a healthy service of growth over its lives.
func livesEValue(growth float64, of livesClass) float64 {
	return livesCalibrator * math.Pow(of.healthyShare(growth), livesCalibrator-1)
}

// livesPrior returns how likely a healthy service has evidence of at least e.
func livesPrior(e float64) float64 { return min(math.Pow(e/livesCalibrator, 1/(livesCalibrator-1)), 1) }

// livesTable is what is known of growth over lives of one class: how many workloads are judged, at how many past
// instants they were, and for how many of these a call stood of at least each strength that came to nothing later.
type livesTable struct {
	judged   int // now
	instants float64
	wrong    [len(backtest.Edges)]float64
}

// livesTables are those of all classes.
type livesTables map[livesClass]*livesTable

func (t livesTables) of(class livesClass) *livesTable {
	if t[class] == nil {
		t[class] = &livesTable{}
	}
	return t[class]
}

// String names a class, as parts of a fleet call it that share what they know.
func (of livesClass) String() string {
	text := "counts"
	if of.memory {
		text = "memory"
	}
	for _, ground := range []struct {
		of   grounds
		name string
	}{{longer, "longer"}, {begun, "begun"}, {killed, "killed"}} {
		if of.grounds&ground.of != 0 {
			text += " " + ground.name
		}
	}
	return text
}

// sums returns what parts of a fleet are told of growth over the lives of one.
func (t livesTables) sums(over []foundOver) backtest.Sums {
	s := backtest.Sums{Judged: map[string]int{}}
	for _, f := range over {
		s.Calls = append(s.Calls, backtest.Candidate{Resource: f.Resource.Name, Strength: f.EValue, Own: f.nothing})
	}
	for class, known := range t {
		if known.judged == 0 && known.instants == 0 {
			continue
		}
		s.Judged[class.String()] = known.judged
		s.Table.Judged(class.String(), known.instants)
		counts := s.Table.Resources[class.String()]
		for k, wrong := range known.wrong {
			counts.Reached[k].False = wrong
		}
	}
	return s
}

// livesTablesOf returns the tables of what parts of a fleet tell together.
func livesTablesOf(s *backtest.Sums) livesTables {
	t := livesTables{}
	for _, memory := range []bool{false, true} {
		for of := range allGrounds {
			class := livesClass{of, memory}
			known := t.of(class)
			known.judged = s.Judged[class.String()]
			counts := s.Table.Resources[class.String()]
			if counts == nil {
				continue
			}
			known.instants = counts.Instants
			for k := range counts.Reached {
				known.wrong[k] = counts.Reached[k].False
			}
		}
	}
	return t
}

// chancesOver fills in the chances of what is found over lives, by how many healthy services of all classes are
// expected that are as unlikely: by class alone, each would have its own that is the least likely. mine is what tells
// of them, and others what the other parts of the fleet do; elsewhere are the chances of what is found there.
func chancesOver(over []foundOver, mine, others *backtest.Sums) (elsewhere []ranked) {
	all := mine.With(others)
	t := livesTablesOf(&all)
	n := max(t.of(livesClass{alike, false}).judged+t.of(livesClass{alike, true}).judged, 1)
	few := max(fewJudged/float64(n), 1)
	none := backtest.Table{}
	for i, chance := range none.Chances(all.Calls, map[string]int{"": n}, func(e float64) (share float64) {
		for _, memory := range []bool{false, true} {
			for of := range allGrounds {
				class := livesClass{of, memory}
				known := t.of(class)
				rate := min(known.rate(e), known.rate(livesEValue(minGrowth, class)))
				share += few * rate * float64(known.judged) / float64(n)
			}
		}
		return min(share, 1)
	}, nil) {
		if i < len(over) {
			over[i].Chance = chance
		} else {
			elsewhere = append(elsewhere, ranked{chance.Mean, all.Calls[i].Strength})
		}
	}
	return elsewhere
}

// rate returns how likely a healthy service of this fleet has evidence of at least e. What its past tells may make that
// more than it is of generated ones, and no less: growth that each deploy cuts off is never seen to come to nothing.
func (t *livesTable) rate(e float64) float64 {
	prior := livesPrior(e)
	k := 0
	for k+1 < len(backtest.Edges) && e >= backtest.Edges[k+1] {
		k++
	}
	expected := t.instants / backtest.PerUnit * livesPrior(max(backtest.Edges[k], livesCalibrator))
	wrong := t.wrong[k] / backtest.PerUnit
	return min(prior*max((wrong+livesWeight)/(expected+livesWeight), 1), 1)
}

const (
	// minGrowth is the least growth of a life that is judged.
	minGrowth = .2
	// fewJudged is how many workloads are taken to be judged where they are fewer: what is one of a few is not likelier
	// to leak.
	fewJudged = 20.
	// livesWeight is what these count for beside the past of a fleet, in false calls.
	livesWeight = 1
)

// livesCall is what a scan at the end of a life would have called of a place.
type livesCall struct {
	class    livesClass
	eValue   float64
	outcome  backtest.Outcome
	instants float64 // for which it would have stood
}

const (
	// cameBack is the share of the growth of the lives before that a later one shows by its age at least.
	cameBack = .4
	// tellsLater is the share of their length from which on a later life tells.
	tellsLater = .75
	// isLonger is how much longer than they a later life is that shows whether the growth goes on...
	isLonger = 1.4
	// ...at this share of its rate, or is at rest below the other.
	goesOnLater, restsLater = .5, .25
	// cameNot is how many later lives in a row that did not grow show that it came to nothing.
	cameNot = 2
)

// calls returns what would have been called of a place at the end of each of its lives but the last, and for how many
// instants it would have been judged.
func (p place) calls(j *lives.Judge, r sampler.Resource) (all []livesCall, instants float64) {
	for n := minJudged; n < len(p); n++ {
		stood := p[n].first.Sub(p[n-1].first).Hours() / lookEvery.Hours()
		instants += stood
		if !p[n-1].grew(r) {
			continue
		}
		g, judged, _, ok := p[:n].judge(j, r)
		if !ok {
			continue
		}
		of := livesClass{judged.groundsOf(&g), isMemory(r)}
		all = append(all, livesCall{of, livesEValue(g.Growth, of), p.becameOf(n, &g, r), stood})
	}
	return all, instants
}

// minJudged is how many lives tell anything together.
const minJudged = 3

// becameOf returns what became of growth over the lives before number n, by those from there on.
func (p place) becameOf(n int, g *lives.Growth, r sampler.Resource) backtest.Outcome {
	length := p[:n].usual()
	outcome, not := backtest.Open, 0
	for _, s := range p[n:] {
		hours := min(s.hours(), length)
		if hours < tellsLater*length {
			continue
		}
		first, early, late, ok := s.levels(length)
		if !ok {
			continue
		}
		if early-first < cameBack*g.Growth*hours/length*(max(first, 0)+offsetOf(r)) {
			if not++; not >= cameNot {
				if s.version == p[n-1].version {
					return backtest.Leveled
				}
				return backtest.Open // it may have been mended
			}
			continue
		}
		not = 0
		if outcome == backtest.Open {
			outcome = backtest.CutOff
		}
		if s.hours() >= isLonger*length {
			switch share := (late - early) / (s.hours() - length) / ((early - first) / length); {
			case share < restsLater:
				return backtest.Leveled
			case share >= goesOnLater:
				outcome = backtest.WentOn
			}
		}
	}
	return outcome
}

// add counts what would have been called of the places of a workload, and returns for which share of them it came to
// nothing. judgedNow says whether they are judged now.
func (t livesTables) add(all []place, r sampler.Resource, judgedNow bool) (nothing float64) {
	var j lives.Judge
	n, instants := 0., 0.
	var calls []livesCall
	for _, p := range all {
		if len(p) <= minJudged {
			continue
		}
		of, judged := p.calls(&j, r)
		n, instants = n+1, instants+judged
		calls = append(calls, of...)
		if slices.ContainsFunc(of, func(c livesCall) bool { return c.outcome.False() }) {
			nothing++
		}
	}
	limited := slices.ContainsFunc(all, func(p place) bool { return p[len(p)-1].limit > 0 })
	for of := range allGrounds {
		known := t.of(livesClass{of, isMemory(r)})
		if judgedNow && (of&killed == 0 || limited) {
			known.judged++
		}
		if n > 0 {
			known.instants += instants / n
		}
	}
	if n == 0 {
		return 0
	}
	for _, c := range calls {
		for k, edge := range backtest.Edges {
			if c.outcome.False() && c.eValue >= edge {
				t.of(c.class).wrong[k] += c.instants / n
			}
		}
	}
	return nothing / n
}

// usual returns the median length of lives, in hours.
func (p place) usual() float64 {
	var all []float64
	for _, s := range p {
		all = append(all, s.hours())
	}
	slices.Sort(all)
	return all[len(all)/2]
}
