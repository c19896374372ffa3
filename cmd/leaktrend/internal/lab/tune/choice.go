package tune

import (
	"slices"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/evaluate"
)

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
	// Allowed is the sensitivity that the extended recordings would allow where the recorded time is too short to go so far; else nil.
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
			if k := slices.IndexFunc(g.Trials, func(t Trial) bool { return t.Setting == s }); k >= 0 && g.SoakSeconds == 0 {
				c.Judged = g.Trials[k].Figures
			}
		}
	} else {
		c.Judged = figuresOf(on.Tally("", u.physical), 0)
	}
	u.take(c)
}

// take completes the choice and marks it where settings are listed.
func (u *run) take(c *Choice) {
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

// chooseByMonths chooses by the extended recordings. They may call for less sensitivity than is in force; for more, the recorded time itself
// must speak, for what is slower than the recordings is in no extension of them.
func (u *run) chooseByMonths(extended, recorded []evaluate.Report) {
	line := u.line()
	months := u.months(extended)
	inForce := slices.Index(line, u.result.InForce)
	i := choose(months, line, inForce, u.o.Budget, assurances[0])
	c := &Choice{Setting: line[i], Basis: byExtension}
	own := tallies(recorded, u.physical)
	judged := func(s Setting) Figures { return own[slices.Index(u.settings, s)] }
	if f := judged(line[i]); i > inForce && u.o.Budget.Confidence(f.FalseAlarms, f.Exposure) < assurances[0] {
		c.Setting, c.Allowed = line[inForce], &line[i]
	}
	c.Judged = judged(c.Setting)
	u.take(c)
}
