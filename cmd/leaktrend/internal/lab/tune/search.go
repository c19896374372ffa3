package tune

import (
	"cmp"
	"math"
	"slices"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/dataset"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/stats"
	"github.com/mdzesseis/leaktrend/detector"
)

// Setting is a choice of the knobs that the search turns. adaptive.patience is not among them, as it is divided by the
// sensitivity; nor is adaptive.half_life: from 2h to 24h it changed neither recall nor delay on generated recordings,
// and the false alarms by one in 480 days.
type Setting struct {
	Sensitivity float64 `json:"sensitivity"`
	MinGrowth   float64 `json:"least_growth"`
}

func settingOf(c detector.Config) Setting {
	return Setting{c.Adaptive.Sensitivity, c.Adaptive.MinGrowth}
}

// apply returns a configuration with this setting and the trend on.
func (s Setting) apply(c detector.Config) detector.Config {
	c.Adaptive.Enabled = true
	c.Adaptive.Sensitivity, c.Adaptive.MinGrowth = s.Sensitivity, s.MinGrowth
	return c
}

// The search covers a quarter of the default sensitivity up to the one at which suspicion alone would do (six times),
// and rises from what noise makes to half of the level.
var (
	sensitivities = []float64{0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 6}
	minGrowths    = []float64{0.1, 0.15, 0.2, 0.3, 0.5}
)

// grid returns the settings to search, in order of sensitivity; the one in force is among them.
func grid(inForce Setting) []Setting {
	all := []Setting{inForce}
	for _, s := range sensitivities {
		all = append(all, Setting{s, inForce.MinGrowth}) // the line along which unlabelled recordings are judged
		for _, g := range minGrowths {
			all = append(all, Setting{s, g})
		}
	}
	slices.SortFunc(all, func(a, b Setting) int {
		return cmp.Or(cmp.Compare(a.Sensitivity, b.Sensitivity), cmp.Compare(b.MinGrowth, a.MinGrowth))
	})
	return slices.Compact(all)
}

// pareto tells for each of some figures whether no others are as good in false alarms, leaks found and delay and better
// in one. Of equals the one in force stands for all, else the first.
func pareto(all []Figures, inForce int) []bool {
	keep := make([]bool, len(all))
	for i := range all {
		keep[i] = !slices.ContainsFunc(all, func(o Figures) bool { return dominates(&o, &all[i]) }) &&
			(i == inForce || !same(&all[inForce], &all[i]) &&
				!slices.ContainsFunc(all[:i], func(o Figures) bool { return same(&o, &all[i]) }))
	}
	return keep
}

func dominates(a, b *Figures) bool {
	return a.FalseAlarms <= b.FalseAlarms && a.Found >= b.Found && a.DueFound >= b.DueFound && a.delay() <= b.delay() &&
		!same(a, b)
}

func same(a, b *Figures) bool {
	return a.FalseAlarms == b.FalseAlarms && a.Found == b.Found && a.DueFound == b.DueFound && a.delay() == b.delay()
}

// assurances are the confidences, the lower one first, with which a setting must keep the budget where it is chosen.
// The most sensitive of many settings is also the luckiest, so more likely than not would be too little, and few
// recordings choose none at all: then the one in force stays, which was measured on far more.
var assurances = []float64{0.8, 0.95}

// choose returns the index of the most sensitive setting that keeps the budget with some confidence: the one that finds
// most of the due leaks, then most of all, then the quickest. Where nothing leaks it is the highest sensitivity, at the
// least growth in force. Without any, it is the one in force as long as its own false alarms do not speak against it,
// else the one with the fewest.
func choose(all []Figures, settings []Setting, inForce int, budget stats.Budget, assurance float64) int {
	best := -1
	better := func(i int) bool {
		if best < 0 {
			return true
		}
		a, b := &all[i], &all[best]
		// Of equals the nearer to the one in force.
		return cmp.Or(cmp.Compare(b.DueFound, a.DueFound), cmp.Compare(b.Found, a.Found),
			cmp.Compare(a.delay(), b.delay()),
			cmp.Compare(a.FalseAlarms, b.FalseAlarms),
			cmp.Compare(settings[i].far(settings[inForce]), settings[best].far(settings[inForce]))) < 0
	}
	leaks := slices.ContainsFunc(all, func(f Figures) bool { return f.Leaks > 0 })
	for i := range all {
		switch {
		case budget.Confidence(all[i].FalseAlarms, all[i].Exposure) < assurance:
		case !leaks && settings[i].MinGrowth != settings[inForce].MinGrowth:
		case !leaks || better(i): // settings come in order of sensitivity
			best = i
		}
	}
	switch current := &all[inForce]; {
	case best >= 0:
		return best
	case within(budget, current), current.Exposure == 0:
		return inForce
	}
	best = inForce
	for i := range all {
		if all[i].FalseAlarms < all[best].FalseAlarms || all[i].FalseAlarms == all[best].FalseAlarms && better(i) {
			best = i
		}
	}
	return best
}

// within reports whether the false alarms that were seen are within the budget.
func within(b stats.Budget, f *Figures) bool {
	return float64(f.FalseAlarms) <= b.PerDay()*f.Exposure
}

// far is a distance between settings.
func (s Setting) far(o Setting) float64 {
	return math.Abs(math.Log(s.Sensitivity/o.Sensitivity)) + math.Abs(math.Log(s.MinGrowth/o.MinGrowth))
}

// pick chooses among the settings, with the lowest assurance that keeps the budget on programs left out of the choice.
// It returns what was done on those, and in how many folds.
func (u *run) pick(searched []evaluate.Report) (chosen int, left evaluate.Report, folds int) {
	all := tallies(searched, u.physical)
	for _, assurance := range assurances {
		chosen = choose(all, u.settings, u.inForce, u.o.Budget, assurance)
		left, folds = crossValidate(searched, u.settings, u.inForce, u.physical, u.o.Budget, assurance, u.o.Seed)
		f := figuresOf(left.Tally("", nil), 0)
		if folds == 0 || within(u.o.Budget, &f) {
			break
		}
	}
	return chosen, left, folds
}

const maxFolds = 5

// crossValidate judges the way of choosing, on programs that the choice did not see: for each fold a setting is chosen
// on the others. It returns what the chosen ones did on the folds left out, and how many folds there were; with one
// program there are none.
func crossValidate(reports []evaluate.Report, settings []Setting, inForce int, keep func(*evaluate.Outcome) bool,
	budget stats.Budget, assurance float64, seed uint64,
) (left evaluate.Report, folds int) {
	var programs []string
	for i := range reports[0].Outcomes {
		if o := &reports[0].Outcomes[i]; keep(o) {
			programs = append(programs, programOf(o))
		}
	}
	fold, folds := dataset.Folds(programs, maxFolds, seed)
	if folds < 2 {
		return evaluate.Report{}, 0
	}
	for f := range folds {
		others := func(o *evaluate.Outcome) bool { return keep(o) && fold[programOf(o)] != f }
		chosen := &reports[choose(tallies(reports, others), settings, inForce, budget, assurance)]
		for i := range chosen.Outcomes {
			if o := chosen.Outcomes[i]; keep(&o) && fold[programOf(&o)] == f {
				left.Outcomes = append(left.Outcomes, o)
			}
		}
	}
	return left, folds
}

// programOf returns the program of a recording. One of which it is not known stands for itself.
func programOf(o *evaluate.Outcome) string { return cmp.Or(o.Program, o.Recording) }

// tallies returns the figures of each setting under physical time constants.
func tallies(reports []evaluate.Report, keep func(*evaluate.Outcome) bool) []Figures {
	all := make([]Figures, len(reports))
	for i := range reports {
		all[i] = figuresOf(reports[i].Tally("", keep), 0)
	}
	return all
}

// sortTrials puts those with few false alarms first.
func sortTrials(trials []Trial) {
	slices.SortStableFunc(trials, func(a, b Trial) int {
		return cmp.Or(cmp.Compare(a.FalseAlarms, b.FalseAlarms), cmp.Compare(a.DueFound, b.DueFound),
			cmp.Compare(a.Found, b.Found),
			cmp.Compare(b.delay(), a.delay()))
	})
}

// How the choice was judged.
const (
	byFolds      = "cross-validation"     // on programs left out of the search
	byReport     = "recordings left out"  // on a second set
	byItself     = "the same recordings"  // there was one program only
	byExtension  = "extended recordings"  // of which nothing is known
	withoutBasis = "no healthy recording" // nothing to judge on
)

// Choice is the recommended setting, and how far the recordings support it.
type Choice struct {
	Budget     string  `json:"budget"`
	PerDay     float64 `json:"budget_per_process_day"`
	Setting    Setting `json:"setting"`
	Basis      string  `json:"basis"`
	Folds      int     `json:"folds,omitempty"`
	Judged     Figures `json:"judged"`       // what it rests on, of recordings under physical time constants
	Confidence float64 `json:"confidence"`   // that the budget is kept, 0 to 1
	Missing    float64 `json:"missing_days"` // healthy process-days without a false alarm that are needed for 95 %
	Kept       bool    `json:"kept"`         // the false alarms are within the budget
	// Allowed is the sensitivity that the extended recordings would allow where the recorded time is too short to go so
	// far; else nil.
	Allowed *Setting `json:"allowed,omitempty"`
}

// judge takes a setting as the choice, with the outcomes that it is judged on.
func (u *run) judge(s Setting, on evaluate.Report, folds int) {
	c := &Choice{Setting: s, Basis: byFolds, Folds: folds}
	switch {
	case u.result.HeldOut:
		c.Basis = byReport
	case folds == 0:
		c.Basis = byItself
	}
	if c.Basis == byItself {
		for i := range u.result.Groups {
			g := &u.result.Groups[i]
			if k := slices.IndexFunc(g.Trials, func(t Trial) bool { return t.Setting == s }); k >= 0 &&
				g.SoakSeconds == 0 {
				c.Judged = g.Trials[k].Figures
			}
		}
	} else {
		c.Judged = figuresOf(on.Tally("", u.physical), 0)
	}
	u.choose(c)
}

// choose completes the choice, and marks it in the list of settings.
func (u *run) choose(c *Choice) {
	b := u.o.Budget
	c.Budget, c.PerDay = b.String(), b.PerDay()
	c.Confidence = b.Confidence(c.Judged.FalseAlarms, c.Judged.Exposure)
	c.Missing = b.Missing(c.Judged.FalseAlarms, c.Judged.Exposure)
	c.Kept = within(b, &c.Judged)
	if c.Judged.Exposure == 0 {
		c.Basis = withoutBasis
	}
	u.result.Choice = c
	for i := range u.result.Groups {
		for k := range u.result.Groups[i].Trials {
			t := &u.result.Groups[i].Trials[k]
			t.Chosen = t.Setting == c.Setting
		}
	}
	for i := range u.result.Months {
		u.result.Months[i].Chosen = u.result.Months[i].Setting == c.Setting
	}
}

// chooseByMonths chooses by the extended recordings. They may call for less sensitivity than is in force; for more, the
// recorded time itself must speak, for what is slower than the recordings is in no extension of them.
func (u *run) chooseByMonths(extended, recorded []evaluate.Report) {
	line := u.line()
	months := extension{u}.months(extended)
	inForce := slices.Index(line, u.result.InForce)
	i := choose(months, line, inForce, u.o.Budget, assurances[0])
	c := &Choice{Setting: line[i], Basis: byExtension}
	own := tallies(recorded, u.physical)
	judged := func(s Setting) Figures { return own[slices.Index(u.settings, s)] }
	if f := judged(line[i]); i > inForce && u.o.Budget.Confidence(f.FalseAlarms, f.Exposure) < assurances[0] {
		c.Setting, c.Allowed = line[inForce], &line[i]
	}
	c.Judged = judged(c.Setting)
	u.choose(c)
}

// line returns the settings that differ from the one in force by the sensitivity alone.
func (u *run) line() []Setting {
	var line []Setting
	for _, s := range u.settings {
		if s.MinGrowth == u.result.InForce.MinGrowth {
			line = append(line, s)
		}
	}
	return line
}
